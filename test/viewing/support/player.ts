import { EventEmitter } from 'node:events'
import { decodeFrame, type ClientMessage, type ServerMessage, type SocketLike, type WireFrame } from '../../../src/viewing/index.ts'

type Told<Type extends ServerMessage['type']> = Extract<ServerMessage, { type: Type }>

/** A player that keeps all it gets. `isFrozen`: takes nothing off the line. */
export class TestPlayer extends EventEmitter implements SocketLike {
  readonly messages: ServerMessage[] = []
  readonly frames: WireFrame[] = []
  isFrozen = false
  isClosed = false
  #buffered = 0
  #wake: () => void = () => undefined

  get bufferedAmount(): number { return this.#buffered }
  send(data: string | Buffer): void {
    if (typeof data === 'string') this.messages.push(JSON.parse(data) as ServerMessage)
    else this.frames.push(decodeFrame(data))
    if (this.isFrozen) this.#buffered += data.length
    this.#wake()
  }
  close(): void { this.isClosed = true; this.emit('close'); this.#wake() }
  /** The network goes. */
  drop(): void { this.isClosed = true; this.emit('close') }
  say(message: ClientMessage): void { this.emit('message', Buffer.from(JSON.stringify(message)), false) }

  told<Type extends ServerMessage['type']>(type: Type): Told<Type>[] { return this.messages.filter((message): message is Told<Type> => message.type === type) }
  media(camera: number, epoch?: number): WireFrame[] { return this.frames.filter(frame => frame.kind === 'media' && frame.camera === camera && (epoch === undefined || frame.epoch === epoch)) }
  /** What Media Source would be given of a camera: one file. */
  file(camera: number, epoch?: number): Buffer {
    return Buffer.concat(this.frames.filter(frame => frame.kind !== 'still' && frame.camera === camera && (epoch === undefined || frame.epoch === epoch)).map(frame => frame.bytes))
  }
  /** Waits for something to be so; looks whenever something comes. */
  async until(what: string, isSo: () => boolean, boundMs = 30_000): Promise<void> {
    const deadline = performance.now() + boundMs
    while (!isSo()) {
      const restMs = deadline - performance.now()
      if (restMs <= 0) throw new Error(`not within ${boundMs} ms: ${what}; last ${JSON.stringify(this.messages.slice(-4))}, ${this.frames.length} frames`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, Math.min(restMs, 200))
        this.#wake = () => { clearTimeout(timer); resolve() }
      })
    }
  }
}
