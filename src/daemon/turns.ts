import type { Clock } from '../platform/clock.ts'

/** Work that is done one after the other, with a pause behind each. Who asks bounds how much waits. */
export class Turns {
  readonly #pauseMs: number
  readonly #clock: Clock
  #last: Promise<unknown> = Promise.resolve()
  constructor(pauseMs: number, clock: Clock) {
    this.#pauseMs = pauseMs
    this.#clock = clock
  }

  /** Settles as `work` does; rejects once it is its turn and `signal` was aborted. */
  async take<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const done = this.#last.then(() => { signal.throwIfAborted(); return work() })
    this.#last = done.catch(() => undefined).then(() => this.#clock.wait(this.#pauseMs, signal))
    return await done
  }
}
