import type { InitSegment } from '../media/index.ts'
import { declaredDepth, DecodingOrder, type StampedFrame } from './decoding-order.ts'
import type { ArrivedFrame } from './frame-arrivals.ts'
import { FrameClock, type FrameToTime } from './frame-clock.ts'
import { median } from './median.ts'
import { ShowingOrder } from './showing-order.ts'

/** A frame as it came, with what tells its type. */
export type FrameToPlace = ArrivedFrame & StampedFrame

/** Times of a fragment's frames, in ticks of the video track since the child was started. */
export interface FrameTimes {
  readonly frames: readonly {
    readonly startTicks: number, readonly durationTicks: number, readonly showAfterTicks: number,
  }[]
  readonly startTicks: number
  /** End of the last frame: never behind the start of the next fragment. */
  readonly endTicks: number
  /** Frames that stand so long that others must be missing, in order: from the start of each to that of the next. */
  readonly holes: readonly { readonly startTicks: number, readonly endTicks: number }[]
}

/** A frame that stands longer than this is a hole whatever the camera's rate: none is asked for less than a frame a second. */
const HOLE_MOST_MS = 1500
/** Shorter pauses are the unsteadiness of a camera's own clock, however many frames it sends. */
const HOLE_LEAST_MS = 200
const HOLE_USUAL_FRAMES = 2.5
const STAMP_TICKS_A_MS = 90
const AT_ONCE_MS = 2
/** Some cameras send a frame in several seconds only; what is further apart is another count. */
const LONGEST_STEP_MS = 5000
/** Enough to see a group of reordered frames. */
const FIRST_STAMPS = 5
/** In a session's first second: what is further apart than so many usual distances is another count. */
const MOST_LIKELY_STEPS = 3
/** A frame stamped so much later than it was placed is of another count, which tells nothing. */
const ANOTHER_COUNT = 2
/** So many frames show whether a late one was held up: then they come sooner than usual. */
const DOUBT_FRAMES = 8
const HELD_UP_SHARE = 0.75
/** Of a session whose first fragment has but one frame. */
const UNKNOWN_USUAL_MS = 100

/**
 * How long a frame may stand before time counts as lost [G7], for frames that usually stand `usualMs`. A
 * camera that slows down is told once: what it usually does is known by the next fragment.
 */
export function longestStandMs(usualMs: number | null): number {
  if (usualMs === null) return HOLE_MOST_MS
  return Math.min(HOLE_MOST_MS, Math.max(HOLE_LEAST_MS, HOLE_USUAL_FRAMES * usualMs))
}

type Hole = FrameTimes['holes'][number]
/** A frame came late by its arrival alone: whether others are missing shows by those behind it. */
interface Doubt {
  readonly hole: Hole
  /** Beyond the usual distance. */
  readonly lateMs: number
  readonly cameMs: number
  frames: number
}

interface LastFrame {
  readonly startTicks: number
  readonly endTicks: number
  /** As it came. */
  readonly told: FrameToTime
}

/**
 * Gives the frames of a session their times, fragment after fragment: FrameClock decides, this turns its
 * answers into ticks.
 */
export class SessionTimes {
  readonly #timescale: number
  readonly #order: DecodingOrder
  readonly #clock: FrameClock
  readonly #showing = new ShowingOrder()
  #usualMs: number | null = null
  /** Start and end of the last frame of the fragment before. */
  #before: LastFrame | null = null
  #doubts: Doubt[] = []

  constructor(init: InitSegment, rate: number) {
    this.#timescale = init.video.timescale
    this.#order = new DecodingOrder(declaredDepth(init))
    this.#clock = new FrameClock(rate)
  }

  /** Distance of frames as last seen. */
  get usualMs(): number { return this.#usualMs ?? UNKNOWN_USUAL_MS }
  /** As learnt from the camera's stamps. */
  get rate(): number { return this.#clock.rate.value }

  /**
   * Once, with all frames that are there before the first is placed. Gives them back as they are to be
   * placed: with an arrival each, and the first one with a stamp.
   */
  begin(frames: readonly FrameToPlace[], nextArrivedMs: number): FrameToPlace[] {
    const stamped = withFirstStamp(frames)
    this.#order.learn(stamped)
    const order = this.#order.anew()
    const usualTicks = (usualOf(stamped) ?? stampedUsualMs(stamped) ?? UNKNOWN_USUAL_MS) * STAMP_TICKS_A_MS
    const decodeTicks = stamped.map(frame => order.next(frame, usualTicks).decodeTicks)
    const arrived = withArrivals(stamped, decodeTicks, nextArrivedMs)
    this.#clock.begin(toTime(arrived, decodeTicks))
    return arrived
  }

  /** `nextArrivedMs`: when the frame behind the fragment came, as far as ffmpeg told. */
  place(frames: readonly FrameToPlace[], nextArrivedMs: number): FrameTimes {
    const usualTicks = (this.#usualMs ?? UNKNOWN_USUAL_MS) * STAMP_TICKS_A_MS
    const ordered = frames.map(frame => this.#order.next(frame, usualTicks))
    const timed = toTime(frames, ordered.map(({ decodeTicks }) => decodeTicks))
      .map((frame, i) => ({ ...frame, isShownBefore: ordered[i]!.isShownBefore }))
    const starts = this.#ticksOf(this.#clock.place(timed, nextArrivedMs))
    const longestMs = longestStandMs(this.#usualMs) // by what was usual before
    this.#usualMs = usualOf(starts.map(ticks => ({ arrivedMs: this.#ms(ticks) }))) ?? this.#usualMs
    const last = starts.at(-1)!
    // A frame that was placed before its arrival leaves room as well: what a line held up comes at once.
    const roomMs = nextArrivedMs - Math.min(timed.at(-1)!.arrivedMs, this.#ms(last))
    const standsMs = Math.min(this.#usualMs ?? UNKNOWN_USUAL_MS, roomMs)
    const endTicks = last + Math.max(1, Math.round(standsMs * this.#timescale / 1000))
    const before = this.#before
    this.#before = { startTicks: last, endTicks, told: timed.at(-1)! }
    const holes = this.#holes(before, starts, timed, longestMs)
    const showScale = this.rate * this.#timescale / 1000 / STAMP_TICKS_A_MS
    return {
      startTicks: starts[0]!, endTicks, holes,
      frames: starts.map((startTicks, i) => ({
        startTicks, durationTicks: (starts[i + 1] ?? endTicks) - startTicks,
        showAfterTicks: this.#showAfter(startTicks, Math.round(ordered[i]!.showAfterTicks * showScale), frames[i]!),
      })),
    }
  }

  #ms(ticks: number): number { return ticks * 1000 / this.#timescale }

  /** No frame is shown before it is decoded: one that came too late for its place is shown out of it. */
  #showAfter(startTicks: number, wantedTicks: number, { stampTicks }: FrameToPlace): number {
    if (this.#order.depth === 0 || stampTicks === null) return wantedTicks
    return this.#showing.place(stampTicks, startTicks + wantedTicks, startTicks) - startTicks
  }

  /** Whole, each behind the one before, and none before the end of the fragment before. */
  #ticksOf(timesMs: readonly number[]): number[] {
    let least = this.#before?.endTicks ?? -Infinity
    return timesMs.map(atMs => {
      const ticks = Math.max(least, Math.round(atMs * this.#timescale / 1000))
      least = ticks + 1
      return ticks
    })
  }

  /** What was in doubt when the session ended. */
  end(): Hole[] { return this.#doubts.splice(0).map(({ hole }) => hole) }

  /**
   * A frame was decided to stand long, and was stamped as late as that, or came so late and those behind it do
   * not make up for it: where only the decision went from stamps to arrivals, nothing is missing.
   */
  #holes(
    before: LastFrame | null, starts: readonly number[], told: readonly FrameToTime[], longestMs: number
  ): Hole[] {
    const all = [
      ...before === null ? [] : [before], ...starts.map((startTicks, i) => ({ startTicks, told: told[i]! })),
    ]
    const holes = all.slice(1).flatMap(({ startTicks: endTicks, told }, i) => {
      const { startTicks, told: from } = all[i]!, settled = this.#settle(told.arrivedMs)
      const standsMs = this.#ms(endTicks - startTicks), stampedMs = this.#stampedMs(from, told)
      if (standsMs <= longestMs) return settled
      const hole = { startTicks, endTicks }, elapsedMs = told.arrivedMs - from.arrivedMs
      if (stampedMs > longestMs && stampedMs <= ANOTHER_COUNT * standsMs) return [...settled, hole]
      if (elapsedMs > longestMs) {
        this.#doubts.push({ hole, lateMs: elapsedMs - this.usualMs, cameMs: told.arrivedMs, frames: 0 })
      }
      return settled
    })
    return holes.sort((a, b) => a.startTicks - b.startTicks)
  }

  /** A frame more has come: what is no doubt any more. */
  #settle(arrivedMs: number): Hole[] {
    const settled: Hole[] = []
    this.#doubts = this.#doubts.filter(doubt => {
      const usuallyMs = ++doubt.frames * this.usualMs, tookMs = arrivedMs - doubt.cameMs
      if (usuallyMs - tookMs >= doubt.lateMs / 2) return false // it was held up
      if (doubt.frames < DOUBT_FRAMES) return true
      if (tookMs > usuallyMs * HELD_UP_SHARE) settled.push(doubt.hole)
      return false
    })
    return settled
  }

  /** From a frame to the next by their stamps; 0 where they say nothing. */
  #stampedMs(from: FrameToTime, to: FrameToTime): number {
    return from.stampMs === null || to.stampMs === null ? 0 : (to.stampMs - from.stampMs) * this.rate
  }
}

function toTime(frames: readonly ArrivedFrame[], stamps: readonly (number | null)[]): FrameToTime[] {
  return frames.map(({ arrivedMs }, i) => {
    const stampTicks = stamps[i] ?? null
    return { arrivedMs: arrivedMs ?? 0, stampMs: stampTicks === null ? null : stampTicks / STAMP_TICKS_A_MS }
  })
}

/**
 * ffmpeg loses the first stamp of many cameras (measured): it was as far before the earliest of those behind
 * it as they are apart. A key frame is shown before all that follow it.
 */
function withFirstStamp(frames: readonly FrameToPlace[]): readonly FrameToPlace[] {
  const [first, second, third] = frames
  if (first === undefined || first.stampTicks !== null) return frames
  const isInOrder = (second?.stampTicks ?? Infinity) < (third?.stampTicks ?? -Infinity)
  const stamps = frames.slice(1, isInOrder ? 3 : 1 + FIRST_STAMPS).flatMap(({ stampTicks }) => stampTicks ?? [])
  const ascending = stamps.sort((x, y) => x - y)
  const stepTicks = median(ascending.slice(1).map((ticks, i) => ticks - ascending[i]!)) ?? 0
  if (stepTicks === 0) return frames
  return [{ ...first, stampTicks: ascending[0]! - stepTicks }, ...frames.slice(1)]
}

/**
 * ffmpeg looks at the first frames of a session before it lets them go, all at once, on a busy machine a
 * second's worth of them, and of the very first it tells no arrival. The frame that came least late, by the
 * distances of their stamps, shows when those before it came. `nextArrivedMs`: when the frame behind them
 * came.
 */
function withArrivals(
  frames: readonly FrameToPlace[], decodeTicks: readonly (number | null)[], nextArrivedMs: number
): FrameToPlace[] {
  const steps = likelySteps(decodeTicks, usualOf(frames))
  let sinceFirstMs = 0, leastLateMs = Infinity, prompt = 0
  for (const [i, arrivedMs] of [...frames.map(frame => frame.arrivedMs), nextArrivedMs].entries()) {
    if (arrivedMs !== null && arrivedMs - sinceFirstMs < leastLateMs) {
      leastLateMs = arrivedMs - sinceFirstMs
      prompt = i
    }
    sinceFirstMs += steps[i] ?? 0
  }
  const arrived = frames.map(frame => ({ ...frame }))
  let atMs = frames[prompt]?.arrivedMs ?? nextArrivedMs
  for (let i = prompt - 1; i >= 0; i--) {
    atMs -= steps[i]!
    arrived[i]!.arrivedMs = atMs
  }
  return arrived
}

/**
 * From each frame to the next: by the stamps, where they grow; the usual distance where one is of another
 * count.
 */
function likelySteps(decodeTicks: readonly (number | null)[], arrivalsMs: number | null): number[] {
  const steps = decodeTicks.slice(1).map((ticks, i) => {
    const before = decodeTicks[i] ?? null
    return ticks === null || before === null ? 0 : (ticks - before) / STAMP_TICKS_A_MS
  })
  const stampedMs = median(steps) ?? 0
  const usualMs = arrivalsMs ?? (stampedMs > 0 && stampedMs <= LONGEST_STEP_MS ? stampedMs : UNKNOWN_USUAL_MS)
  if (steps.some(stepMs => stepMs <= 0)) return decodeTicks.map(() => usualMs)
  const mostMs = Math.min(LONGEST_STEP_MS, MOST_LIKELY_STEPS * stampedMs)
  return [...steps.map(stepMs => stepMs <= mostMs ? stepMs : usualMs), usualMs]
}

/** By the stamps of all frames together, in whatever order they are shown. */
function stampedUsualMs(frames: readonly ArrivedFrame[]): number | null {
  const stamps = frames.flatMap(({ stampTicks }) => stampTicks ?? [])
  const spanMs = (Math.max(...stamps) - Math.min(...stamps)) / STAMP_TICKS_A_MS
  return stamps.length < 2 || spanMs === 0 ? null : Math.min(LONGEST_STEP_MS, spanMs / (stamps.length - 1))
}

/** The usual distance of frames; null where none has one. What ffmpeg let go at once has none. */
function usualOf(frames: readonly Pick<ArrivedFrame, 'arrivedMs'>[]): number | null {
  return median(frames.slice(1).flatMap(({ arrivedMs }, i) => {
    const before = frames[i]?.arrivedMs ?? null
    return arrivedMs === null || before === null || arrivedMs - before < AT_ONCE_MS
      ? [] : [arrivedMs - before]
  }))
}
