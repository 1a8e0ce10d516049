import type { Socket } from 'node:net'
import { readSocket, writeNow, type SocketReader } from '../../platform/socket-reader.ts'
import { PacketWalk } from './packet-walk.ts'

/** While the run's clock is set by when pictures arrive. */
const FRESH_MS = 3_000
const NOTHING = Buffer.alloc(0)

export interface PacketPumpOptions {
  /** Nothing waits in its own queue. */
  readonly client: Socket
  /** Paused, of plain TCP. */
  readonly camera: Socket
  /** An answer that stood between packets, head only. */
  readonly onAnswer: (bytes: Buffer) => void
  /** Data of pictures is missing in what came just now. */
  readonly onLoss: () => void
  /** The camera closed, or the client is gone. */
  readonly onEnd: () => void
}

/**
 * Passes the packets of a session that plays from the camera to ffmpeg, at the price of one read and one
 * write in 25-50 ms.
 */
export class PacketPump {
  readonly #options: PacketPumpOptions
  readonly #reader: SocketReader
  readonly #walk = new PacketWalk()
  readonly #startedAt = performance.now()
  /** What the client had no room for. */
  #pending: Buffer = NOTHING
  #lastBytesAt = performance.now()

  /** `first`: what came of the camera already. */
  constructor(options: PacketPumpOptions, first: Buffer) {
    this.#options = options
    this.#reader = readSocket({
      socket: options.camera, onBytes: bytes => this.#pass(bytes),
      onLook: () => { this.#look() }, onEnd: () => { this.#finish() },
    }, first)
  }

  /** Since the camera last sent anything. */
  get silentMs(): number { return this.#pending.length > 0 ? 0 : performance.now() - this.#lastBytesAt }

  stop(): void { this.#reader.stop() }

  #pass(bytes: Buffer): { readonly left: Buffer, readonly hasRoom: boolean } {
    this.#lastBytesAt = performance.now()
    const { parts, answers, left, isDamaged } = this.#walk.walk(bytes)
    if (isDamaged) this.#options.onLoss()
    for (const part of parts) this.#write(part)
    for (const answer of answers) this.#options.onAnswer(Buffer.from(answer))
    if (this.#pending.length > 0) setTimeout(() => { this.#retry() }, RETRY_MS)
    return { left, hasRoom: this.#pending.length === 0 }
  }

  #write(part: Buffer): void {
    if (this.#pending.length > 0) { this.#pending = Buffer.concat([this.#pending, part]); return }
    const written = writeNow(this.#options.client, part)
    if (written < 0) this.#finish()
    else if (written < part.length) this.#pending = Buffer.from(part.subarray(written))
  }

  /** ffmpeg waits for the disk: the camera is held back, as it would be without a relay. */
  #retry(): void {
    const pending = this.#pending
    this.#pending = NOTHING
    this.#write(pending)
    this.#lastBytesAt = performance.now() // until now we did not listen
    if (this.#pending.length === 0) this.#reader.resume()
    else setTimeout(() => { this.#retry() }, RETRY_MS)
  }

  #look(): void {
    if (this.#reader.isFresh && performance.now() - this.#startedAt > FRESH_MS) this.#reader.isFresh = false
  }

  #finish(): void {
    this.#reader.stop()
    this.#options.onEnd()
  }
}

const RETRY_MS = 20
