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
  /** Of the RTP of the pictures; null where it is not known. */
  readonly videoChannel: number | null
  /** An answer or a request that stood between packets, head only. */
  readonly onMessage: (bytes: Buffer) => void
  /** The camera sends more of them than any does; what follows is not read. */
  readonly onFlood: () => void
  /** Data of pictures is missing in what came just now. */
  readonly onLoss: () => void
  /** Packets of pictures have come; `isNew`: one begins with them. */
  readonly onPicture: (isNew: boolean) => void
  /** The camera closed, or the client is gone. */
  readonly onEnd: () => void
}

/** Of one look; more parts are put together first. */
const MOST_WRITES = 8

/** What is written at once: a call of the system for each small packet would cost more than to copy them. */
export const toWrite = (parts: readonly Buffer[]): readonly Buffer[] =>
  parts.length > MOST_WRITES ? [Buffer.concat(parts)] : parts

/**
 * Passes the packets of a session that plays from the camera to ffmpeg, at the price of one read and one
 * write in 25-50 ms.
 */
export class PacketPump {
  readonly #options: PacketPumpOptions
  readonly #reader: SocketReader
  readonly #walk: PacketWalk
  readonly #startedAt = performance.now()
  /** What the client had no room for. */
  #pending: Buffer = NOTHING
  #lastBytesAt = performance.now()

  /** `first`: what came of the camera already. */
  constructor(options: PacketPumpOptions, first: Buffer) {
    this.#options = options
    this.#walk = new PacketWalk(options.videoChannel)
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
    const { parts, messages, left, isDamaged, picture, isFlooded } = this.#walk.walk(bytes)
    const { client, onLoss, onPicture, onMessage, onFlood } = this.#options
    if (isDamaged) onLoss()
    if (picture !== 'none') onPicture(picture === 'new')
    for (const part of toWrite(parts)) this.#write(part)
    for (const message of messages) if (!client.destroyed) onMessage(Buffer.from(message))
    if (isFlooded) {
      onFlood()
      this.#finish()
    }
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
