import type { Clock } from '../platform/clock.ts'

/** Of the time that its work took, so much again before the next: a sixth of the loop at most. */
const REST = 5

/** The part of the event loop that work for others may take: one piece after another, and rest between. */
export class LoopShare {
  readonly #clock: Clock
  #last: Promise<unknown> = Promise.resolve()
  #freeAtMs = -Infinity
  constructor(clock: Clock) { this.#clock = clock }

  /**
   * In its turn; rejects with what `work` throws, or with the reason of `signal` when it is aborted before.
   * What waits is bounded by who calls.
   */
  async run<Result>(work: () => Result, signal: AbortSignal): Promise<Result> {
    const result = this.#last.then(() => this.#run(work, signal))
    this.#last = result.catch(() => undefined)
    return await result
  }

  async #run<Result>(work: () => Result, signal: AbortSignal): Promise<Result> {
    const clock = this.#clock, waitMs = this.#freeAtMs - clock.monoNow()
    if (waitMs > 0 && !signal.aborted) await clock.wait(waitMs, signal)
    signal.throwIfAborted()
    const beganMs = clock.monoNow()
    try { return work() } finally {
      const endedMs = clock.monoNow()
      this.#freeAtMs = endedMs + REST * (endedMs - beganMs)
    }
  }
}
