import { readSync, writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { recordingRound as round, type Polled } from './poll-round.ts'

/**
 * Reads sockets in a common beat and writes to others, without Node's streams: with them each wake-up and
 * each buffer
 * of a camera's 25 bursts a second costs more than passing the bytes on.
 */

/** One for all: what is read is passed on before the next is read. */
const readBuffer = Buffer.allocUnsafeSlow(512 * 1024)

export interface SocketReading {
  /** Opened with `onread` and paused, so that Node itself reads nothing. */
  readonly socket: Socket
  /**
   * Called with what came; good only during the call. `left` of the answer is read again in front of what
   * follows.
   */
  readonly onBytes: (bytes: Buffer) => { readonly left: Buffer, readonly hasRoom: boolean }
  /** Also called when nothing came. */
  readonly onLook: () => void
  /** The other side closed, or the socket failed. */
  readonly onEnd: () => void
}

export interface SocketReader {
  /** Looked into every 10 ms while the time of arrival matters. */
  isFresh: boolean
  /** After `hasRoom` was false. */
  resume(): void
  stop(): void
}

/** Starts reading; the socket stays the caller's to close. */
export function readSocket({ socket, onBytes, onLook, onEnd }: SocketReading, first: Buffer): SocketReader {
  let left = Buffer.from(first), isNew = left.length > 0
  /** What came before the first read is handed over as if it had been read, as much at once. */
  const takeFirst = (): boolean => {
    const piece = left.subarray(0, readBuffer.length), taken = onBytes(piece)
    const isTaken = taken.left.length < piece.length
    left = Buffer.concat([taken.left, left.subarray(piece.length)])
    polled.isHeld = !taken.hasRoom
    return isTaken
  }
  const end = (): boolean => {
    round.remove(polled)
    onEnd()
    return false
  }
  const polled: Polled = {
    isFresh: true, isHeld: false,
    poll: () => {
      // One camera's bytes end its own session, whatever is wrong with them, and no other's.
      try { return look() } catch (error) {
        process.emitWarning(`a session ended by an error of its reader: ${String(error)}`)
        return end()
      }
    },
  }
  const look = (): boolean => {
    if (left.length > readBuffer.length / 2) return takeFirst() || end() // nobody can make anything of it
    if (isNew) {
      isNew = false
      takeFirst()
      return true
    }
    left.copy(readBuffer)
    const length = readNow(descriptorOf(socket), left.length)
    if (length === 0) return left.length > 0 && takeFirst() || end()
    onLook()
    if (length === null) return false
    const taken = onBytes(readBuffer.subarray(0, left.length + length))
    left = Buffer.from(taken.left)
    polled.isHeld = !taken.hasRoom
    return length > readBuffer.length / 2
  }
  round.add(polled)
  return {
    get isFresh() { return polled.isFresh },
    set isFresh(isFresh) { polled.isFresh = isFresh },
    resume: () => { round.resume(polled) },
    stop: () => { round.remove(polled) },
  }
}

/**
 * How much of `bytes` the system took at once; -1 when the socket is gone. Nothing may wait in the socket's
 * own queue.
 */
export function writeNow(socket: Socket, bytes: Buffer): number {
  const fd = descriptorOf(socket)
  if (fd < 0) return -1
  try { return writeSync(fd, bytes) } catch (error) { return isAgain(error) ? 0 : -1 }
}

/** Null: nothing there. 0: the end, or a fault. */
function readNow(fd: number, offset: number): number | null {
  if (fd < 0) return 0
  try { return readSync(fd, readBuffer, offset, readBuffer.length - offset, null) } catch (error) {
    return isAgain(error) ? null : 0
  }
}

const isAgain = (error: unknown): boolean => (error as { code?: unknown }).code === 'EAGAIN'

/**
 * Asked anew before each use: Node forgets the handle at the moment it closes the descriptor, so that a
 * number that the
 * system gave to another file is never used.
 */
const descriptorOf = (socket: Socket): number =>
  (socket as unknown as { readonly _handle: { readonly fd?: number } | null })._handle?.fd ?? -1
