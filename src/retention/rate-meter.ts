import { plannedSpanMs } from './capacity.ts'
import type { FloorRule } from './keep-until.ts'

/** Below this a measure is noise: a camera's first minutes may be all key frames, or a picture of the night. */
const WARM_UP_MS = 10 * 60_000
const LEAST_WARM_UP_MS = 10_000
/** A day, under the month's floor: busy hours and quiet nights count as they come. */
const HALF_LIFE_MS = 86_400_000
const LEAST_HALF_LIFE_MS = 30_000
/** A longer pause between two looks was no recording that anybody measured. */
const LONGEST_LOOK_MS = 60_000

/**
 * What a stream writes while it is recorded: exponentially weighted, newest most. Bits a second; null until it has been recorded long enough that a figure means
 * something. Both times are shorter under a trial floor, in proportion to it. Give it each look at the stream, some seconds apart.
 */
export class RateMeter {
  readonly #warmUpMs: number
  readonly #halfLifeMs: number
  #meanBps = 0
  #recordedMs = 0
  #lastLookMs: number | null = null

  constructor(floor: FloorRule) {
    const spanMs = plannedSpanMs(floor)
    this.#warmUpMs = Math.min(WARM_UP_MS, Math.max(LEAST_WARM_UP_MS, spanMs / 512))
    this.#halfLifeMs = Math.min(HALF_LIFE_MS, Math.max(LEAST_HALF_LIFE_MS, spanMs / 32))
  }

  /** `atMs` is running time. A stream that is not recorded takes nothing and is not averaged in. */
  look(atMs: number, bitrateBps: number, isRecording: boolean): void {
    const sinceMs = this.#lastLookMs === null ? 0 : atMs - this.#lastLookMs
    this.#lastLookMs = atMs
    if (!isRecording || !(bitrateBps > 0) || sinceMs <= 0 || sinceMs > LONGEST_LOOK_MS) return
    this.#recordedMs += sinceMs
    // Early on a plain mean: no look counts more than its share.
    const weight = Math.max(1 - 2 ** (-sinceMs / this.#halfLifeMs), sinceMs / this.#recordedMs)
    this.#meanBps += (bitrateBps - this.#meanBps) * weight
  }

  get bitrateBps(): number | null { return this.#recordedMs >= this.#warmUpMs ? this.#meanBps : null }
}
