import { toWrite, type PacketPumpOptions } from './packet-pump.ts'
import { PacketWalk } from './packet-walk.ts'

/** What a client may have waiting in Node's queue before the camera is held back. */
export const HELD_BYTES = 1 << 20

/** As PacketPump, of a session over TLS: decrypting is Node's, and so are the bytes. */
export class TlsPump {
  readonly #options: PacketPumpOptions
  readonly #walk: PacketWalk
  #left: Buffer = Buffer.alloc(0)
  #lastBytesAt = performance.now()
  #isHeld = false

  /** `first`: what came of the camera already. */
  constructor(options: PacketPumpOptions, first: Buffer) {
    this.#options = options
    this.#walk = new PacketWalk(options.videoChannel)
    const { camera, onEnd } = options
    camera.removeAllListeners('data').on('data', (bytes: Buffer) => { this.#pass(bytes) })
    camera.once('close', onEnd).resume()
    this.#pass(first)
  }

  /** Since the camera last sent anything. */
  get silentMs(): number { return this.#isHeld ? 0 : performance.now() - this.#lastBytesAt }

  stop(): void { this.#options.camera.removeAllListeners('data') }

  #pass(bytes: Buffer): void {
    const { client, camera, onMessage, onFlood, onLoss, onPicture, onEnd } = this.#options
    this.#lastBytesAt = performance.now()
    const whole = this.#left.length === 0 ? bytes : Buffer.concat([this.#left, bytes])
    const { parts, messages, left, isDamaged, picture, isFlooded } = this.#walk.walk(whole)
    this.#left = left
    if (isDamaged) onLoss()
    if (picture !== 'none') onPicture(picture === 'new')
    for (const part of toWrite(parts)) client.write(part)
    for (const message of messages) if (!client.destroyed) onMessage(message)
    if (isFlooded) {
      this.stop()
      onFlood()
      onEnd()
      return
    }
    if (client.writableLength < HELD_BYTES || this.#isHeld) return
    this.#isHeld = true
    camera.pause()
    client.once('drain', () => {
      this.#isHeld = false
      this.#lastBytesAt = performance.now() // until now we did not listen
      camera.resume()
    })
  }
}
