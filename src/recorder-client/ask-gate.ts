import type { Clock } from '../platform/clock.ts'
import { RecorderAwayError } from './errors.ts'

/** Below the recorder's bounds of 64, and 250 a second with 1,000 saved: who is beyond those is closed. */
const MOST_AT_ONCE = 48
const MOST_A_SECOND = 150
const MOST_SAVED = 500
/** More is refused. */
const MOST_QUEUED = 2_000

/** What is asked over one connection, in order, so that the recorder takes it for no flood. */
export class AskGate {
  readonly #clock: Clock
  readonly #over: AbortSignal
  #last: Promise<void> = Promise.resolve()
  #queued = 0
  #atOnce = 0
  #left = Promise.withResolvers<void>()
  #saved = MOST_SAVED
  #countedMono: number

  /** `over`: the connection has ended, nobody waits any longer. */
  constructor(clock: Clock, over: AbortSignal) {
    this.#clock = clock
    this.#over = over
    this.#countedMono = clock.monoNow()
  }

  /** Rejects with RecorderAwayError where too much waits already, or with what `ask` does. */
  async run<Result>(ask: () => Promise<Result>): Promise<Result> {
    if (this.#queued >= MOST_QUEUED) throw new RecorderAwayError('too much is asked of it at once')
    this.#queued++
    const admitted = this.#last.then(() => this.#admit())
    this.#last = admitted
    await admitted
    this.#queued--
    try { return await ask() } finally {
      this.#atOnce--
      this.#left.resolve()
      this.#left = Promise.withResolvers<void>()
    }
  }

  async #admit(): Promise<void> {
    while (this.#atOnce >= MOST_AT_ONCE) await this.#left.promise
    const now = this.#clock.monoNow(), gained = (now - this.#countedMono) / 1000 * MOST_A_SECOND
    this.#saved = Math.min(MOST_SAVED, this.#saved + gained) - 1
    this.#countedMono = now
    this.#atOnce++
    if (this.#saved < 0) await this.#clock.wait(-this.#saved * 1000 / MOST_A_SECOND, this.#over)
  }
}
