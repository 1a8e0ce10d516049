import type { Clock } from '../platform/clock.ts'

/** Each act is an entry of the audit log, and so a sync of the disk that also takes footage [G9]. */
const EACH_MS = 250

/** Carries out the first act at once and of a storm only the last, a bounded number of times a second. `skipped`: how many went before it. */
export class ActPacer<Value> {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #perform: (value: Value, skipped: number) => void
  #lastMono = -Infinity
  #waiting: { value: Value, skipped: number } | null = null
  constructor(clock: Clock, signal: AbortSignal, perform: (value: Value, skipped: number) => void) {
    this.#clock = clock
    this.#signal = signal
    this.#perform = perform
  }

  ask(value: Value): void {
    if (this.#waiting !== null) {
      this.#waiting.value = value
      this.#waiting.skipped++
      return
    }
    const restMs = this.#lastMono + EACH_MS - this.#clock.monoNow()
    if (restMs <= 0) {
      this.#lastMono = this.#clock.monoNow()
      this.#perform(value, 0)
      return
    }
    const waiting = this.#waiting = { value, skipped: 0 }
    void this.#clock.wait(restMs, this.#signal).then(() => {
      this.#waiting = null
      if (this.#signal.aborted) return
      this.#lastMono = this.#clock.monoNow()
      this.#perform(waiting.value, waiting.skipped)
    })
  }
}
