import type { EpochMs, MonoMs } from '../domain/index.ts'
import type { Clock } from './clock.ts'
import type { Logger } from './logger.ts'

/** A line for each of a failure that comes many times a second would fill the disk and hide all others. */
const EVERY_MS = 30_000

export interface FailureLogOptions {
  readonly clock: Pick<Clock, 'monoNow' | 'wallNow'>
  readonly log: Logger
  /** Messages: constant, lower case. */
  readonly failed: string
  readonly recovered: string
}

/**
 * The log of one thing that fails and recovers: the first failure at once, then at most one line every 30 s with the number of failures in a row,
 * the recovery once with that number and the outage. Owned by who tries the thing again.
 */
export class FailureLog {
  readonly #options: FailureLogOptions
  #failures = 0
  #since: { readonly wall: EpochMs, readonly mono: MonoMs } | null = null
  #loggedAt = -Infinity

  constructor(options: FailureLogOptions) { this.#options = options }

  get failures(): number { return this.#failures }

  /** `facts` of this failure stand in the line, if one is due. `error` where a person must act, `warn` for what heals itself. */
  failure(facts: object, level: 'error' | 'warn' = 'warn'): void {
    const { clock, log, failed } = this.#options, now = clock.monoNow()
    this.#since ??= { wall: clock.wallNow(), mono: now }
    this.#failures++
    if (now - this.#loggedAt < EVERY_MS) return
    this.#loggedAt = now
    log[level]({ ...facts, failures: this.#failures }, failed)
  }

  /** It went well. False when nothing had failed: then nothing is logged. */
  success(): boolean {
    if (this.#since === null) return false
    const { clock, log, recovered } = this.#options
    log.info({ failures: this.#failures, outageSince: this.#since.wall, outageMs: Math.round(clock.monoNow() - this.#since.mono) }, recovered)
    this.#failures = 0
    this.#since = null
    this.#loggedAt = -Infinity
    return true
  }
}
