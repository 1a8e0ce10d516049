import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

import { RtspTracker } from './rtsp-tracker.ts'
import type { MilestoneMethod } from './rtsp-tracker.ts'

export type Fault =
  | { kind: 'pass' }
  /** Nothing moves in either direction; connections stay, new ones are accepted and silent. */
  | { kind: 'stall' }
  /** Every connection is reset, new ones as soon as they are made. */
  | { kind: 'reset' }
  /** Limits the server's bytes. */
  | { kind: 'throttle', bytesPerSecond: number }
  /** Closes a connection after so many further bytes from the server, wherever that falls. */
  | { kind: 'cut-after', bytes: number }
  /** Nobody listens; open connections are reset. */
  | { kind: 'refuse' }
  /** Silent once DESCRIBE has been answered; at once where that is past. */
  | { kind: 'hang-after-describe' }
  /** Random bytes in place of the server's once PLAY has been answered; at once where that is past. */
  | { kind: 'garbage' }

/** Instants are monotonic milliseconds (performance.now). */
export type ConnectionRecord = {
  acceptedAt: number
  /** First byte from the client. */
  requestedAt?: number
  /** First byte passed on to the client. */
  answeredAt?: number
  playedAt?: number
  closedAt?: number
  bytesToServer: number
  bytesToClient: number
}

type ProxyEvents = { connected: [ConnectionRecord], described: [ConnectionRecord], played: [ConnectionRecord], cut: [ConnectionRecord], closed: [ConnectionRecord] }

/** Throttled bytes go out in pieces of this length, so that a low rate is a trickle and not bursts. */
const THROTTLE_STEP_MS = 50

/** A TCP proxy on 127.0.0.1 that misbehaves on demand. Disposal resets what is open and waits until it is gone. */
export class FaultProxy implements AsyncDisposable {
  /** Emits what a test may want to wait for, with node:events once(). */
  readonly events = new EventEmitter<ProxyEvents>()
  readonly connections: ConnectionRecord[] = []
  readonly port: number
  readonly #targetPort: number
  readonly #server: Server
  readonly #links = new Set<Link>()
  #fault: Fault = { kind: 'pass' }

  private constructor(server: Server, targetPort: number) {
    this.#server = server
    this.#targetPort = targetPort
    this.port = (server.address() as AddressInfo).port
    server.on('connection', client => this.#accept(client))
  }

  static async start({ targetPort }: { targetPort: number }): Promise<FaultProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FaultProxy(server, targetPort)
  }

  get fault(): Fault {
    return this.#fault
  }

  get openConnections(): number {
    return this.#links.size
  }

  /** When each connection sent its first bytes, in order; for measuring reconnects. */
  get requestTimes(): number[] {
    return this.connections.flatMap(({ requestedAt }) => requestedAt ?? [])
  }

  /** The same URL through this proxy. */
  through(url: string): string {
    const proxied = new URL(url)
    proxied.port = `${this.port}`
    return proxied.href
  }

  /** In force for open and new connections when it resolves; what it resets is closed by then. */
  async set(fault: Fault): Promise<void> {
    this.#fault = fault
    if (fault.kind === 'refuse') this.#server.close()
    else if (!this.#server.listening) await this.#listenAgain()
    await Promise.all([...this.#links].map(link => link.apply(fault)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined
    this.#server.close()
    await Promise.all([...this.#links].map(link => link.destroy()))
    await closed
  }

  #accept(client: Socket): void {
    if (this.#fault.kind === 'refuse') {
      client.resetAndDestroy()
      return
    }
    const record: ConnectionRecord = { acceptedAt: performance.now(), bytesToServer: 0, bytesToClient: 0 }
    this.connections.push(record)
    const link = new Link({ client, targetPort: this.#targetPort, record, events: this.events, fault: this.#fault })
    this.#links.add(link)
    void link.finished.then(() => this.#links.delete(link))
    this.events.emit('connected', record)
  }

  async #listenAgain(): Promise<void> {
    this.#server.listen(this.port, '127.0.0.1')
    await once(this.#server, 'listening')
  }
}

/** One client connection and its way to the server. */
class Link {
  /** Settles when both sockets are closed. */
  readonly finished: Promise<void>
  readonly #client: Socket
  readonly #server: Socket
  readonly #record: ConnectionRecord
  readonly #events: EventEmitter<ProxyEvents>
  readonly #tracker = new RtspTracker()
  readonly #closed = new AbortController()
  #fault: Fault
  #changed = Promise.withResolvers<void>()
  #cutAllowanceBytes = 0
  #described = false

  constructor({ client, targetPort, record, events, fault }:
    { client: Socket, targetPort: number, record: ConnectionRecord, events: EventEmitter<ProxyEvents>, fault: Fault }) {
    this.#client = client
    this.#server = connect({ port: targetPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    this.#record = record
    this.#events = events
    this.#fault = fault
    // Socket errors only mean that this link is over, which 'close' says as well.
    for (const socket of [this.#client, this.#server]) socket.on('error', () => {})
    const gone = Promise.all([this.#client, this.#server].map(socket => new Promise(resolve => socket.once('close', resolve))))
    this.finished = Promise.all([gone, this.#run()]).then(() => {
      record.closedAt = performance.now()
      events.emit('closed', record)
    })
    void this.apply(fault)
  }

  async apply(fault: Fault): Promise<void> {
    this.#fault = fault
    if (fault.kind === 'cut-after') this.#cutAllowanceBytes = fault.bytes
    this.#wake()
    if (fault.kind === 'reset' || fault.kind === 'refuse') await this.destroy()
  }

  async destroy(): Promise<void> {
    this.#closed.abort()
    this.#wake()
    if (!this.#client.destroyed) this.#client.resetAndDestroy()
    this.#server.destroy()
    await this.finished
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }

  async #run(): Promise<void> {
    try {
      // Whichever side ends first ends the link; the other gets its last bytes and an orderly end.
      await Promise.race([this.#pumpToServer(), this.#pumpToClient()])
      this.#client.end()
      this.#server.end()
    } catch {
      // A socket that broke, or a link that was destroyed while it waited.
    } finally {
      this.#closed.abort()
      this.#wake()
      this.#client.destroySoon()
      this.#server.destroySoon()
    }
  }

  async #pumpToServer(): Promise<void> {
    for await (const chunk of this.#client as AsyncIterable<Buffer>) {
      this.#record.requestedAt ??= performance.now()
      await this.#passable()
      this.#tracker.readRequests(chunk)
      this.#record.bytesToServer += chunk.length
      await this.#write(this.#server, chunk)
    }
  }

  async #pumpToClient(): Promise<void> {
    for await (const chunk of this.#server as AsyncIterable<Buffer>) {
      let at = 0
      for (const { method, endOffset } of this.#tracker.readAnswers(chunk)) {
        await this.#deliver(chunk.subarray(at, endOffset))
        this.#note(method)
        at = endOffset
      }
      if (at < chunk.length) await this.#deliver(chunk.subarray(at))
    }
  }

  #note(method: MilestoneMethod): void {
    if (method === 'DESCRIBE') this.#described = true
    else this.#record.playedAt = performance.now()
    this.#events.emit(method === 'DESCRIBE' ? 'described' : 'played', this.#record)
  }

  async #deliver(bytes: Buffer): Promise<void> {
    await this.#passable()
    this.#record.answeredAt ??= performance.now()
    const fault = this.#fault
    if (fault.kind === 'throttle') return await this.#trickle(bytes)
    if (fault.kind === 'cut-after') return await this.#writeUpToCut(bytes)
    const playing = this.#record.playedAt !== undefined
    await this.#writeToClient(fault.kind === 'garbage' && playing ? randomBytes(bytes.length) : bytes)
  }

  /** Waits while the fault in force lets nothing through. */
  async #passable(): Promise<void> {
    while (this.#fault.kind === 'stall' || (this.#fault.kind === 'hang-after-describe' && this.#described)) {
      await this.#changed.promise
      this.#closed.signal.throwIfAborted()
    }
  }

  async #trickle(bytes: Buffer): Promise<void> {
    let rest = bytes
    while (rest.length > 0 && this.#fault.kind === 'throttle') {
      const stepBytes = Math.max(1, Math.floor(this.#fault.bytesPerSecond * THROTTLE_STEP_MS / 1000))
      const piece = rest.subarray(0, stepBytes)
      const pieceMs = piece.length * 1000 / this.#fault.bytesPerSecond
      await this.#writeToClient(piece)
      await Promise.race([wait(pieceMs, undefined, { signal: this.#closed.signal }), this.#changed.promise])
      rest = rest.subarray(piece.length)
    }
    if (rest.length > 0) await this.#deliver(rest)
  }

  async #writeUpToCut(bytes: Buffer): Promise<void> {
    const piece = bytes.subarray(0, this.#cutAllowanceBytes)
    this.#cutAllowanceBytes -= piece.length
    await this.#writeToClient(piece)
    if (piece.length === bytes.length) return
    this.#events.emit('cut', this.#record)
    throw new Error('cut')
  }

  async #writeToClient(bytes: Buffer): Promise<void> {
    this.#record.bytesToClient += bytes.length
    await this.#write(this.#client, bytes)
  }

  async #write(socket: Socket, bytes: Buffer): Promise<void> {
    if (!socket.write(bytes)) await once(socket, 'drain', { signal: this.#closed.signal })
  }
}
