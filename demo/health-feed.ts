import { WebSocket } from 'ws'
import type { HealthMessage, SnapshotMessage } from '../src/health/index.ts'

const RECONNECT_MS = 300
const ANSWER_TIMEOUT_MS = 2_000

type Health = Omit<SnapshotMessage, 'kind' | 'seq'>

/** Follows the recorder's health socket, through its restarts. Heartbeats move what moves; the counts are asked for at each. */
export class HealthFeed implements Disposable {
  readonly #address: string
  #socket: WebSocket | null = null
  #timer: NodeJS.Timeout | null = null
  #closed = false
  #asking = false
  #heardAtMs = performance.now()
  latest: Health | null = null
  isConnected = false

  /** `address` is host:port. */
  constructor(address: string) {
    this.#address = address
    this.#connect()
  }

  /** Since anything was heard; the recorder says something every second. */
  get silentForMs(): number { return performance.now() - this.#heardAtMs }

  [Symbol.dispose](): void {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#socket?.terminate()
  }

  #connect(): void {
    const socket = new WebSocket(`ws://${this.#address}/health`)
    this.#socket = socket
    socket.on('open', () => { this.isConnected = true })
    socket.on('message', (data: Buffer) => { this.#take(JSON.parse(data.toString('utf8')) as HealthMessage) })
    socket.on('error', () => undefined) // 'close' follows
    socket.on('close', () => {
      this.isConnected = false
      if (!this.#closed) this.#timer = setTimeout(() => { this.#connect() }, RECONNECT_MS)
    })
  }

  #take(message: HealthMessage): void {
    this.#heardAtMs = performance.now()
    if (message.kind !== 'heartbeat') { this.latest = message; return }
    if (this.latest === null) return
    const moved = new Map(message.streams.map(stream => [`${stream.camera}/${stream.stream}`, stream]))
    this.latest = { ...this.latest, at: message.at, level: message.level, streams: this.latest.streams.map(stream => ({ ...stream, ...moved.get(`${stream.camera}/${stream.stream}`) })) }
    void this.#ask()
  }

  async #ask(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    try {
      const answer = await fetch(`http://${this.#address}/health`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })
      if (answer.ok && !this.#closed) this.latest = await answer.json() as Health
    } catch {
      // The socket tells when the recorder is gone.
    } finally {
      this.#asking = false
    }
  }
}
