import { epochMs, type EpochMs, type MonoMs } from '../domain/index.ts'

const MAX_SLEW = 500e-6
const MAX_DEVIATION_MS = 1000
/** Long enough that a stall of the network passes, short enough that a drifting camera is noticed. */
const WINDOW_MS = 60_000
const MAX_STEP_MS = 500 // the wall clock against running time, from one fragment to the next

export type ClockTrouble = 'timestamps-jumped' | 'clock-stepped'

/**
 * Ties media time to wall time for one run: anchor = smallest arrival minus media time, moved by at most 500 ppm afterwards.
 * Media time and both clocks in milliseconds.
 */
export class RunClock {
  #anchorMs: number
  /** Wall minus running time when last seen: a jump in it is a step of the wall clock. */
  #wallMinusMono: number
  #lastMono: MonoMs
  #window: { at: MonoMs, anchorMs: number }[] = []

  constructor(anchorMs: number, wall: EpochMs, mono: MonoMs) {
    this.#anchorMs = anchorMs
    this.#wallMinusMono = wall - mono
    this.#lastMono = mono
  }

  /** Takes in that the frame due at `releasedAtMs` of media time had arrived by now. Not null: the run must end. */
  observe(releasedAtMs: number, wall: EpochMs, mono: MonoMs): ClockTrouble | null {
    const elapsedMs = mono - this.#lastMono
    const stepMs = (wall - mono) - this.#wallMinusMono
    if (Math.abs(stepMs) > MAX_STEP_MS) return 'clock-stepped'
    this.#wallMinusMono = wall - mono // a clock that ntpd slews moves with us
    this.#lastMono = mono
    this.#window.push({ at: mono, anchorMs: wall - releasedAtMs })
    while (this.#window[0]!.at < mono - WINDOW_MS) this.#window.shift()
    const smallest = this.#window.reduce((least, each) => Math.min(least, each.anchorMs), Infinity)
    const deviationMs = smallest - this.#anchorMs
    const settled = mono - this.#window[0]!.at >= WINDOW_MS * 0.9
    if (deviationMs < -MAX_DEVIATION_MS || (settled && deviationMs > MAX_DEVIATION_MS)) return 'timestamps-jumped'
    const allowedMs = elapsedMs * MAX_SLEW
    // Late arrivals may only be a slow network: the anchor moves back at once, forward only when a whole window agrees.
    if (deviationMs < 0 || settled) this.#anchorMs += Math.max(-allowedMs, Math.min(allowedMs, deviationMs))
    return null
  }

  /** Wall time of a media time. */
  wallOf(mediaMs: number): EpochMs { return epochMs(this.#anchorMs + mediaMs) }
}
