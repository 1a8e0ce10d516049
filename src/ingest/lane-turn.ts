import type { Clock } from '../platform/clock.ts'

/** A run waits so long for storage to finish what the one before gave it; then it ends, and the supervisor tries again. */
const FREE_WITHIN_MS = 10_000

/**
 * One run at a time writes to a stream's lane. A run ends although storage still holds its last fragment, on a disk that hangs; the next one writes
 * nothing before that call has come back, however long it takes. One for each stream, for all its supervisors.
 */
export class LaneTurn {
  #leftBehind: Promise<void> | null = null
  #freed = new AbortController()

  /** What storage still does for a run that has ended; must not reject. */
  leave(work: Promise<void>): void {
    const leftBehind = this.#leftBehind = Promise.all([this.#leftBehind, work]).then(() => {
      if (this.#leftBehind !== leftBehind) return
      this.#leftBehind = null
      this.#freed.abort()
      this.#freed = new AbortController()
    })
  }

  get isFree(): boolean { return this.#leftBehind === null }
  /** Aborts when the lane comes free; never, while it is. */
  get freed(): AbortSignal { return this.#freed.signal }

  /** Waits for it, not for ever: false when the lane is still taken, or `signal` aborted. */
  async free(clock: Clock, signal: AbortSignal): Promise<boolean> {
    if (!this.isFree) await clock.wait(FREE_WITHIN_MS, AbortSignal.any([signal, this.freed]))
    return this.isFree
  }
}
