const STEP_BYTES = 64 * 1024
/** A stream has one buffer in hand and gives it back about when it takes the next; only what waited for a slow disk comes back in heaps, and that goes (16 MiB kept 14 of them for good, measured). */
const MOST_POOLED_BYTES = 4 << 20
/** A longer buffer than needed serves as well, up to this; fragments differ in length, and a stock for each length would lie about. */
const MOST_TOO_LONG = 2

/** Buffers of fragments, used again: fresh ones of this size would be garbage 30 times a second, and each collection costs more than the copying. */
export class BufferPool {
  readonly #free: Buffer[] = [] // by length
  #freeBytes = 0

  get freeBytes(): number { return this.#freeBytes }

  /** At least `bytes` long, its content arbitrary. */
  take(bytes: number): Buffer {
    const size = Math.ceil(bytes / STEP_BYTES) * STEP_BYTES
    const at = this.#free.findIndex(({ length }) => length >= size)
    const found = this.#free[at]
    if (found === undefined || found.length > size * MOST_TOO_LONG) return Buffer.allocUnsafeSlow(size)
    this.#free.splice(at, 1)
    this.#freeBytes -= found.length
    return found
  }

  /** Only for a buffer from `take` that nobody reads or writes any more. */
  giveBack(buffer: Buffer): void {
    if (buffer.length % STEP_BYTES !== 0 || this.#freeBytes + buffer.length > MOST_POOLED_BYTES) return
    const at = this.#free.findIndex(({ length }) => length >= buffer.length)
    this.#free.splice(at < 0 ? this.#free.length : at, 0, buffer)
    this.#freeBytes += buffer.length
  }
}

/** All runs of the recorder share one. */
export const fragmentBuffers = new BufferPool()
