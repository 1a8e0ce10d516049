import type { Clock } from './clock.ts'

/** Of the time that its work took, so much again before the next: a sixth of the loop at most. */
const REST = 5
const sixth = (tookMs: number): number => REST * tookMs

/** The part of the event loop that work for others may take: one piece after another, and rest between. */
export class LoopShare {
  readonly #clock: Clock
  readonly #restMs: (tookMs: number) => number
  #last: Promise<unknown> = Promise.resolve()
  #freeAtMs = -Infinity

  /** `restMs`: how long after a piece that took so long; unless told, as leaves it a sixth. */
  constructor(clock: Clock, restMs = sixth) {
    this.#clock = clock
    this.#restMs = restMs
  }

  /**
   * In its turn; rejects as `work` does, or with the reason of `signal` when it is aborted before. What waits
   * is bounded by who calls.
   */
  async run<Result>(work: () => Result | Promise<Result>, signal: AbortSignal): Promise<Result> {
    const result = this.#last.then(() => this.#run(work, signal))
    this.#last = result.catch(() => undefined)
    return await result
  }

  async #run<Result>(work: () => Result | Promise<Result>, signal: AbortSignal): Promise<Result> {
    const clock = this.#clock, waitMs = this.#freeAtMs - clock.monoNow()
    if (waitMs > 0 && !signal.aborted) await clock.wait(waitMs, signal)
    signal.throwIfAborted()
    const beganMs = clock.monoNow()
    try { return await work() } finally {
      const endedMs = clock.monoNow()
      this.#freeAtMs = endedMs + this.#restMs(endedMs - beganMs)
    }
  }
}
