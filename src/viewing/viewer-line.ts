import type { Clock } from '../platform/clock.ts'
import { encodeFrame, type ServerMessage, type WireFrame } from './wire.ts'

/** A WebSocket as far as viewing needs one; `ws` and fastify's are such. */
export interface SocketLike {
  readonly bufferedAmount: number
  send(data: string | Buffer): void
  close(code?: number, reason?: string): void
  on(event: 'message', listener: (data: Buffer | ArrayBuffer | Buffer[] | string, isBinary: boolean) => void): unknown
  on(event: 'close' | 'error', listener: () => void): unknown
}

/** Unsent bytes beyond which nothing more is read for a viewer: two seconds of a 4 Mbit/s stream. */
export const MOST_BUFFERED_BYTES = 1 << 20
/** A viewer whose buffer has stayed full for this long is let go [G9]. */
export const SLOW_VIEWER_MS = 15_000
const LOOK_AGAIN_MS = 20
/** Code of a line that closes because the same login shows the screen elsewhere now. */
export const TAKEN_OVER = 4409
/** Code of a line that was flooded. */
export const TOO_MANY_WORDS = 4429
/** Room for one more piece of the largest kind above what pictures may fill. */
const MOST_TOLD_BYTES = MOST_BUFFERED_BYTES + (18 << 20)

/** The sending side of one viewer, bounded: whoever sends waits for room first. */
export class ViewerLine {
  readonly #socket: SocketLike
  readonly #clock: Clock
  #isClosed = false
  constructor(socket: SocketLike, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
    const gone = () => { this.#isClosed = true }
    socket.on('close', gone)
    socket.on('error', gone)
  }

  get isClosed(): boolean { return this.#isClosed }
  get hasRoom(): boolean { return this.#socket.bufferedAmount < MOST_BUFFERED_BYTES }

  /** Waits until more may be sent. `slow`: there was no room for too long. */
  async room(signal: AbortSignal): Promise<'room' | 'slow' | 'over'> {
    const since = this.#clock.monoNow()
    while (!this.hasRoom) {
      if (signal.aborted || this.#isClosed) return 'over'
      if (this.#clock.monoNow() - since > SLOW_VIEWER_MS) return 'slow'
      await this.#clock.wait(LOOK_AGAIN_MS, signal)
    }
    return signal.aborted || this.#isClosed ? 'over' : 'room'
  }

  /** Words go out without waiting; whoever asks for more of them than it takes is let go. */
  tell(message: ServerMessage): void {
    if (this.#isClosed) return
    if (this.#socket.bufferedAmount > MOST_TOLD_BYTES) this.close()
    else this.#socket.send(JSON.stringify(message))
  }
  show(frame: WireFrame): void { if (!this.#isClosed) this.#socket.send(encodeFrame(frame)) }
  close(code = 1000): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.close(code)
  }
}
