import { median } from './median.ts'
import { MOST_SLEW, StampRate } from './stamp-rate.ts'

/** A frame that is to get its time, in decoding order. Milliseconds. */
export interface FrameToTime {
  /** By the recorder's clock. */
  readonly arrivedMs: number
  /** Its decoding time by the camera's clock; null where that is not known. */
  readonly stampMs: number | null
  /** It is shown before one that was decoded before it: where time moves ahead, it does so at the next frame. */
  readonly isShownBefore?: boolean
}

/**
 * On a steady line a frame comes at most so long after its time: what comes later was held up, or its stamp
 * is wrong.
 */
export const MOST_LATE_MS = 150
/** What is later for a moment only moves nothing up to here. */
const MOMENTARY_MS = 240
/** And at most so long before it: it came sooner than those before it, and its time moves there slowly. */
export const MOST_EARLY_MS = 100
/**
 * Frames of which the line brings more than the camera makes: lateness must fall within this, or the stamps
 * are not believed.
 */
const CATCH_UP_MS = 500
/** At a session's start a camera may send what it kept, or ffmpeg let go at once what it looked at first. */
const MOST_LATE_AT_START_MS = 15_000
const CATCH_UP_SHARE = 0.1
/** Packets are passed on in a beat of up to so much: what comes sooner by less gains nothing behind a long silence. */
const BEAT_MS = 115
const LONG_SILENCE_MS = 350
/** Of the time that passes: how fast frames without usable stamps go back to their arrivals. */
const RETURN_SHARE = 0.1
const AT_ONCE_MS = 10
const LONGEST_STEP_MS = 1500
/** Between two frames: one tick of 90 kHz, rounded up. */
export const LEAST_STEP_MS = 0.012
const ARRIVALS_KEPT = 16
/** Frames that are looked at behind one: no camera sends as many in a fragment. */
const MOST_AHEAD = 64

interface LastFrame {
  readonly atMs: number
  readonly arrivedMs: number
  readonly stampMs: number | null
  /** From the frame before it, as placed. */
  readonly stepMs: number
}

interface Behind {
  readonly sinceMs: number
  readonly lateMs: number
  /** Frames whose stamps say nothing are so far apart, and none is before `notBeforeMs`. */
  readonly stepMs: number
  readonly notBeforeMs: number
}

type StampedArrival = FrameToTime & { readonly stampMs: number }

/**
 * Decides the time of every frame of a session: the only place where that is done
 * (docs/design/0019-picture-times.md). The arrival rules, the camera's stamps make even what the line made
 * uneven. Time only moves forward.
 */
export class FrameClock {
  readonly rate: StampRate
  /** Arrival minus stamp at the learnt rate, for a frame that was not held up on its way. */
  #offsetMs = 0
  #last: LastFrame | null = null
  /** Frames shared a stamp: the next one is not believed unseen. */
  #sharedStamp = false
  /**
   * Frames come later than their stamps say, and the line is catching up: since when it made no progress, and
   * how late it was then.
   */
  #behind: Behind | null = null
  #steps: number[] = []

  /** `rate`: as learnt from the camera before. */
  constructor(rate = 1) { this.rate = new StampRate(rate) }

  /**
   * Once, before `place`: the first frames of the session, to be placed by those of them that came without
   * delay.
   */
  begin(frames: readonly FrameToTime[]): void {
    const [first] = frames
    if (first === undefined) return
    const stamped = frames.filter(frame => frame.stampMs !== null) as StampedArrival[]
    const firstOffsetMs = first.arrivedMs - this.rate.scaled(first.stampMs ?? 0)
    this.#offsetMs = firstOffsetMs
    const isGrowing = stamped.every(({ stampMs }, i) => i === 0 || stampMs > stamped[i - 1]!.stampMs)
    if (stamped.length < frames.length || !isGrowing) return
    this.#offsetMs = Math.min(...stamped.map(frame => frame.arrivedMs - this.rate.scaled(frame.stampMs)))
    const lateMs = firstOffsetMs - this.#offsetMs
    if (lateMs <= MOST_LATE_MS) return
    const isBelieved = lateMs <= MOST_LATE_AT_START_MS && this.#comeAtOnce(stamped, lateMs)
    if (isBelieved) this.#behind = this.#behindFrom(first.arrivedMs, lateMs, 0)
    else this.#offsetMs = firstOffsetMs - MOST_LATE_MS
  }

  /** Whether most of the lateness is of frames that came at once. */
  #comeAtOnce(frames: readonly StampedArrival[], lateMs: number): boolean {
    const caughtUpMs = frames.slice(1).map(({ arrivedMs, stampMs }, i) => {
      const stepMs = this.rate.scaled(stampMs - frames[i]!.stampMs)
      return arrivedMs - frames[i]!.arrivedMs < AT_ONCE_MS && stepMs < LONGEST_STEP_MS ? stepMs : 0
    })
    return caughtUpMs.reduce((sum, ms) => sum + ms, 0) > lateMs / 2
  }

  /**
   * Times of the frames of a fragment, one after another. `nextArrivedMs`: when the frame behind them came, as
   * far as that is known.
   */
  place(frames: readonly FrameToTime[], nextArrivedMs = Infinity): number[] {
    return frames.map((frame, i) => {
      const ahead = frames.slice(i + 1, i + 1 + MOST_AHEAD)
      return this.#next(frame, ahead, frames[i + 1 + ahead.length]?.arrivedMs ?? nextArrivedMs)
    })
  }

  #next(frame: FrameToTime, ahead: readonly FrameToTime[], nextArrivedMs: number): number {
    const { arrivedMs, stampMs } = frame
    const last = this.#last
    const usualMs = median(this.#steps)
    const beyondUsualMs = usualMs === null ? -Infinity : arrivedMs - last!.arrivedMs - usualMs
    const isSilent = beyondUsualMs >= MOST_LATE_MS
    const isPlain = stampMs !== null && stampMs > (last?.stampMs ?? -Infinity) && !this.#sharedStamp
    if (usualMs !== null && (isPlain ? isSilent : beyondUsualMs >= usualMs)) {
      const next = [...ahead.map(each => each.arrivedMs), nextArrivedMs]
      this.#behind = this.#heldUpFrom(arrivedMs, next, usualMs)
    }
    const { atMs: plainMs, isStamped } = this.#byStamp(frame)
    let atMs = plainMs
    const lateMs = arrivedMs - atMs
    const aheadOfSilence = isSilent && isStamped ? [frame, ...ahead] : null
    if (lateMs < 0) atMs = this.#tie(frame, this.#slewed(atMs, frame))
    else if (lateMs <= MOST_LATE_MS) this.#behind = null
    else if (!this.#isCatchingUp(arrivedMs, lateMs, aheadOfSilence, nextArrivedMs)
      && !this.#isMomentary(lateMs, ahead) && frame.isShownBefore !== true) {
      atMs = this.#tie(frame, arrivedMs - MOST_LATE_MS)
    }
    if (last !== null) {
      atMs = Math.max(atMs, last.atMs + LEAST_STEP_MS)
      // What a line held up comes at distances that are none of the camera's, to the last of it.
      const stepMs = arrivedMs - last.arrivedMs
      if (this.#behind === null && stepMs >= AT_ONCE_MS) {
        this.#steps = [...this.#steps.slice(1 - ARRIVALS_KEPT), stepMs]
      }
    }
    const stepMs = atMs - (last?.atMs ?? atMs)
    this.#last = { atMs, arrivedMs, stampMs: stampMs ?? last?.stampMs ?? null, stepMs }
    if (stampMs !== null && this.#behind === null) {
      this.#offsetMs = this.rate.observe({ arrivedMs, stampMs }, this.#offsetMs)
    }
    return atMs
  }

  /** Where the stamp puts the frame; by the distance of arrivals where the stamp says nothing. */
  #byStamp({ arrivedMs, stampMs }: FrameToTime): { readonly atMs: number, readonly isStamped: boolean } {
    const last = this.#last
    if (last === null) {
      return { atMs: stampMs === null ? arrivedMs : this.#offsetMs + this.rate.scaled(stampMs),
        isStamped: stampMs !== null }
    }
    const isBehind = this.#behind !== null
    const byArrivalMs = this.#byArrival(arrivedMs, last)
    if (stampMs === null) return { atMs: byArrivalMs, isStamped: false }
    if (stampMs === last.stampMs) { this.#sharedStamp = true; return { atMs: byArrivalMs, isStamped: false } }
    const atMs = this.#offsetMs + this.rate.scaled(stampMs)
    const isLikely = !this.#sharedStamp || Math.abs(atMs - byArrivalMs) <= MOST_LATE_MS
      || (isBehind && atMs <= arrivedMs)
    const isStamped = last.stampMs !== null && stampMs > last.stampMs && isLikely
    this.#sharedStamp = false
    return { atMs: isStamped ? atMs : this.#tie({ arrivedMs, stampMs }, byArrivalMs), isStamped }
  }

  /**
   * By the distance of arrivals, slowly back to the arrival itself. What a line held up comes at once: its
   * distances are none of the camera's.
   */
  #byArrival(arrivedMs: number, last: LastFrame): number {
    const behind = this.#behind, elapsedMs = arrivedMs - last.arrivedMs
    if (behind === null) {
      const lateMs = Math.max(0, last.arrivedMs - last.atMs)
      return last.atMs + elapsedMs + Math.min(lateMs, RETURN_SHARE * elapsedMs)
    }
    const stepMs = behind.stepMs > 0 ? behind.stepMs : last.stepMs
    return Math.min(arrivedMs, Math.max(behind.notBeforeMs, last.atMs + stepMs))
  }

  #behindFrom(sinceMs: number, lateMs: number, stepMs: number, notBeforeMs = -Infinity): Behind {
    return { sinceMs, lateMs, stepMs, notBeforeMs }
  }

  /**
   * Behind a silence: what it held back, where the next frames come sooner than usual; `next`: when. The one
   * that came least late shows when the others were due.
   */
  #heldUpFrom(arrivedMs: number, next: readonly number[], usualMs: number): Behind | null {
    const lateMs = arrivedMs - this.#last!.arrivedMs
    const isAllAtOnce = next.every((atMs, i) => atMs - (next[i - 1] ?? arrivedMs) < AT_ONCE_MS)
    const dueMs = Math.min(...next.map((atMs, i) => atMs - (i + 1) * usualMs))
    if (!isAllAtOnce && arrivedMs - dueMs < usualMs / 2) return null
    return this.#behindFrom(arrivedMs, lateMs, usualMs, isAllAtOnce ? -Infinity : dueMs)
  }

  /**
   * Towards an earlier arrival: as slowly as a drifting crystal is followed, or at once where a stamp jumped.
   */
  #slewed(atMs: number, { arrivedMs }: FrameToTime): number {
    const earlyMs = atMs - arrivedMs, elapsedMs = arrivedMs - (this.#last?.arrivedMs ?? arrivedMs)
    if (earlyMs > 2 * MOST_EARLY_MS) return arrivedMs
    return Math.min(arrivedMs + MOST_EARLY_MS, atMs - Math.min(earlyMs, MOST_SLEW * elapsedMs))
  }

  /** From here on stamps count from this one. */
  #tie({ stampMs }: FrameToTime, atMs: number): number {
    if (stampMs !== null) this.#offsetMs = atMs - this.rate.scaled(stampMs)
    return atMs
  }

  /**
   * A line that stopped brings what it held back faster than it was made: its frames keep the times of their
   * stamps. Stamps that lag without a silence, or go on lagging behind one, are wrong.
   */
  #isCatchingUp(arrivedMs: number, lateMs: number, aheadOfSilence: readonly FrameToTime[] | null,
    nextArrivedMs: number): boolean {
    if (aheadOfSilence !== null) {
      const stepMs = median(this.#steps)!
      this.#behind = this.#fallsSoon(lateMs, aheadOfSilence, nextArrivedMs)
        ? this.#behindFrom(arrivedMs, lateMs, stepMs) : null
    } else if (this.#behind !== null) {
      const { sinceMs, lateMs: mostMs } = this.#behind
      const isGaining = lateMs < mostMs - CATCH_UP_SHARE * (arrivedMs - sinceMs)
      if (isGaining) this.#behind = { ...this.#behind, sinceMs: arrivedMs, lateMs }
      else if (arrivedMs - sinceMs > CATCH_UP_MS) this.#behind = null
    }
    return this.#behind !== null
  }

  /**
   * Whether the frames behind the first of these come less late, as far as they are known. Of the one behind
   * them all only its arrival is.
   */
  #fallsSoon(lateMs: number, frames: readonly FrameToTime[], nextArrivedMs: number): boolean {
    const { arrivedMs } = frames[0]!, last = frames.at(-1)!
    if (frames.length === 1) return true
    const beatMs = arrivedMs - this.#last!.arrivedMs > LONG_SILENCE_MS ? BEAT_MS : 0
    const isGain = (late: number, cameMs: number): boolean =>
      late < lateMs - beatMs - CATCH_UP_SHARE * (cameMs - arrivedMs)
    const stepMs = this.rate.scaled((last.stampMs ?? 0) - (frames.at(-2)!.stampMs ?? 0))
    return frames.slice(1).some(frame => isGain(this.#lateOf(frame), frame.arrivedMs))
      || isGain(this.#lateOf(last) + nextArrivedMs - last.arrivedMs - stepMs, nextArrivedMs)
  }

  /** A little late, and on time again before the fragment ends: a moment of a busy line or machine. */
  #isMomentary(lateMs: number, ahead: readonly FrameToTime[]): boolean {
    if (lateMs > MOMENTARY_MS) return false
    return ahead.length === 0 || ahead.some(frame => this.#lateOf(frame) <= MOST_LATE_MS / 2)
  }

  #lateOf({ arrivedMs, stampMs }: FrameToTime): number {
    return stampMs === null ? Infinity : arrivedMs - this.#offsetMs - this.rate.scaled(stampMs)
  }
}
