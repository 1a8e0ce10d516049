import type { EpochMs, MonoMs } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'

const MAX_SLEW = 500e-6
const ROUNDING_MS = 1000 // NTP steps below a second happen at boot and age nothing that counts in days

/**
 * The time by which footage ages [G1]. It is the wall clock as long as that agrees with running time; a clock that was set while we run
 * puts it in doubt, and then nothing is erased until the wall clock agrees again or the recorder is started anew.
 */
export class TrustedTime {
  readonly #clock: Clock
  #anchorWall: EpochMs
  #anchorMono: MonoMs

  constructor(clock: Clock) {
    this.#clock = clock
    this.#anchorWall = clock.wallNow()
    this.#anchorMono = clock.monoNow()
  }

  /** Null while in doubt. */
  now(): EpochMs | null {
    const elapsedMs = this.#clock.monoNow() - this.#anchorMono
    const wall = this.#clock.wallNow()
    const deviationMs = wall - (this.#anchorWall + elapsedMs)
    return Math.abs(deviationMs) <= ROUNDING_MS + elapsedMs * MAX_SLEW ? wall : null
  }
}
