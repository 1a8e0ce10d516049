import type { InitSegment } from '../media/index.ts'
import { declaredDepth, DecodingOrder, type StampedFrame } from './decoding-order.ts'
import type { ArrivedFrame } from './frame-arrivals.ts'
import { FrameClock, type FrameToTime } from './frame-clock.ts'
import { FrameHoles, longestStandMs, SLOW_LEAST_MS, type Hole, type StandingFrame } from './frame-holes.ts'
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
  /** The last frame may stand for longer: the next fragment tells, by `endBeforeTicks`. */
  readonly isEndOpen: boolean
  /** Where the last frame of the fragment before ends after all; null: where it was told to. */
  readonly endBeforeTicks: number | null
  /** Frames that stand so long that others must be missing, in order: from the start of each to that of the next. */
  readonly holes: readonly Hole[]
}

const STAMP_TICKS_A_MS = 90
const AT_ONCE_MS = 2
/** Some cameras send a frame in several seconds only; what is further apart is another count, */
const LONGEST_STEP_MS = 5000
/** unless the first picture came as long before. */
const FIRST_AGREES_MS = 500
/** Pictures so far apart make it matter which of the first ones came when. */
const SELDOM_MS = 1000
/** Enough to see a group of reordered frames. */
const FIRST_STAMPS = 5
/** In a session's first second: what is further apart than so many usual distances is another count. */
const MOST_LIKELY_STEPS = 3
/** Of a session whose first fragment has but one frame. */
const UNKNOWN_USUAL_MS = 100
/** A frame that stands longer by less ends where it usually does. */
const STEADY_MS = 150

interface LastFrame extends StandingFrame {
  readonly endTicks: number
  readonly isEndOpen: boolean
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
  readonly #holes: FrameHoles
  #usualMs: number | null = null
  /** Start and end of the last frame of the fragment before. */
  #before: LastFrame | null = null

  constructor(init: InitSegment, rate: number) {
    this.#timescale = init.video.timescale
    this.#order = new DecodingOrder(declaredDepth(init))
    this.#clock = new FrameClock(rate)
    this.#holes = new FrameHoles(this.#timescale)
  }

  /** Distance of frames as last seen. */
  get usualMs(): number { return this.#usualMs ?? UNKNOWN_USUAL_MS }
  /** As learnt from the camera's stamps. */
  get rate(): number { return this.#clock.rate.value }

  /**
   * Once, with all frames that are there before the first is placed. Gives them back as they are to be
   * placed: with an arrival each, and the first one with a stamp. `firstMs`: when the first picture came, where
   * that is known otherwise.
   */
  begin(frames: readonly FrameToPlace[], nextArrivedMs: number, firstMs: number | null = null): FrameToPlace[] {
    const stamped = withFirstStamp(frames)
    this.#order.learn(stamped)
    const order = this.#order.anew()
    const usualTicks = (usualOf(stamped) ?? stampedUsualMs(stamped) ?? UNKNOWN_USUAL_MS) * STAMP_TICKS_A_MS
    const decodeTicks = stamped.map(frame => order.next(frame, usualTicks).decodeTicks)
    const arrived = withArrivals(stamped, decodeTicks, { nextArrivedMs, firstMs })
    this.#clock.begin(toTime(arrived, decodeTicks))
    return arrived
  }

  /** Data was lost on the way at these times. */
  noteLosses(lossesMs: readonly number[]): void { this.#holes.noteLosses(lossesMs) }

  /** `nextArrivedMs`: when the frame behind the fragment came, as far as ffmpeg told. */
  place(frames: readonly FrameToPlace[], nextArrivedMs: number): FrameTimes {
    const usualTicks = (this.#usualMs ?? UNKNOWN_USUAL_MS) * STAMP_TICKS_A_MS
    const ordered = frames.map(frame => this.#order.next(frame, usualTicks))
    const timed = toTime(frames, ordered.map(({ decodeTicks }) => decodeTicks))
      .map((frame, i) => ({ ...frame, isShownBefore: ordered[i]!.isShownBefore }))
    const starts = this.#ticksOf(this.#clock.place(timed, nextArrivedMs)), before = this.#before
    const { holes, isFirstOne } = this.#judge(starts, timed, nextArrivedMs)
    const { endTicks } = this.#before = this.#lastOf(starts.at(-1)!, timed.at(-1)!, nextArrivedMs)
    const showScale = this.rate * this.#timescale / 1000 / STAMP_TICKS_A_MS
    return {
      startTicks: starts[0]!, endTicks, holes, isEndOpen: this.#before.isEndOpen,
      endBeforeTicks: isFirstOne && before?.isEndOpen === true ? starts[0]! : null,
      frames: starts.map((startTicks, i) => ({
        startTicks, durationTicks: (starts[i + 1] ?? endTicks) - startTicks,
        showAfterTicks: this.#showAfter(startTicks, Math.round(ordered[i]!.showAfterTicks * showScale), frames[i]!),
      })),
    }
  }

  /** Where frames are missing, and what is usual from now on. */
  #judge(starts: readonly number[], told: readonly FrameToTime[], nextArrivedMs: number):
  ReturnType<FrameHoles['judge']> {
    const longestMs = longestStandMs(this.#usualMs), before = this.#before // by what was usual before
    const ownMs = usualOf(starts.map(ticks => ({ arrivedMs: this.#ms(ticks) })))
    this.#usualMs = ownMs ?? this.#usualMs
    const frames = starts.map((startTicks, i) => ({ startTicks, told: told[i]! }))
    const judged = this.#holes.judge({ frames: before === null ? frames : [before, ...frames], nextArrivedMs,
      longestMs, usualMs: this.usualMs, rate: this.rate })
    this.#usualMs = ownMs ?? this.#holes.usualStepMs ?? this.#usualMs
    return before === null ? { ...judged, isFirstOne: false } : judged
  }

  /** It stands as long as usual, or for longer where the next fragment shows that it does. */
  #lastOf(startTicks: number, told: FrameToTime, nextArrivedMs: number): LastFrame {
    // A frame that was placed before its arrival leaves room as well: what a line held up comes at once.
    const roomMs = nextArrivedMs - Math.min(told.arrivedMs, this.#ms(startTicks))
    const standsMs = Math.min(this.usualMs, roomMs)
    const endTicks = startTicks + Math.max(1, Math.round(standsMs * this.#timescale / 1000))
    const isEndOpen = roomMs > Math.max(SLOW_LEAST_MS, standsMs + STEADY_MS)
    return { startTicks, told, endTicks, isEndOpen }
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
  end(): Hole[] { return this.#holes.end() }
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
  frames: readonly FrameToPlace[], decodeTicks: readonly (number | null)[],
  { nextArrivedMs, firstMs }: { readonly nextArrivedMs: number, readonly firstMs: number | null }
): FrameToPlace[] {
  const arrivals = [...frames.map(frame => frame.arrivedMs), nextArrivedMs]
  const stamped = stampedSteps(decodeTicks)
  const likely = likelySteps(stamped, usualOf(frames))
  const isSeldom = firstMs !== null && stamped.some(stepMs => stepMs >= SELDOM_MS)
    && isAsLongAgo(stamped, arrivals, firstMs)
  const steps = isSeldom ? stamped : likely
  if (isSeldom) arrivals[0] = firstMs
  let sinceFirstMs = 0, leastLateMs = Infinity, prompt = 0
  for (const [i, arrivedMs] of arrivals.entries()) {
    if (arrivedMs !== null && arrivedMs - sinceFirstMs < leastLateMs) {
      leastLateMs = arrivedMs - sinceFirstMs
      prompt = i
    }
    sinceFirstMs += steps[i] ?? 0
  }
  const arrived = frames.map((frame, i) => ({ ...frame, arrivedMs: arrivals[i] ?? null }))
  let atMs = arrivals[prompt] ?? nextArrivedMs
  for (let i = prompt - 1; i >= 0; i--) {
    atMs -= steps[i]!
    arrived[i]!.arrivedMs = atMs
  }
  for (const [i, frame] of arrived.entries()) {
    if (i > 0) frame.arrivedMs ??= arrived[i - 1]!.arrivedMs! + steps[i - 1]!
  }
  return arrived
}

/** From each frame to the next; 0 where one has no stamp. */
function stampedSteps(decodeTicks: readonly (number | null)[]): number[] {
  return decodeTicks.slice(1).map((ticks, i) => {
    const before = decodeTicks[i] ?? null
    return ticks === null || before === null ? 0 : (ticks - before) / STAMP_TICKS_A_MS
  })
}

/**
 * Whether stamps that grow lead from the first picture to no later than the others came: the session is as old
 * as they say.
 */
function isAsLongAgo(steps: readonly number[], arrivals: readonly (number | null)[], firstMs: number): boolean {
  let atMs = firstMs
  return steps.every(stepMs => stepMs > 0) && arrivals.every((arrivedMs, i) => {
    atMs += steps[i - 1] ?? 0
    return arrivedMs === null || atMs <= arrivedMs + FIRST_AGREES_MS
  })
}

/**
 * From each frame to the next: by the stamps, where they grow; the usual distance where one is of another
 * count.
 */
function likelySteps(stamped: readonly number[], arrivalsMs: number | null): number[] {
  const stampedMs = median(stamped) ?? 0
  const usualMs = arrivalsMs ?? (stampedMs > 0 && stampedMs <= LONGEST_STEP_MS ? stampedMs : UNKNOWN_USUAL_MS)
  if (stamped.some(stepMs => stepMs <= 0)) return [...stamped.map(() => usualMs), usualMs]
  const mostMs = Math.min(LONGEST_STEP_MS, MOST_LIKELY_STEPS * stampedMs)
  return [...stamped.map(stepMs => stepMs <= mostMs ? stepMs : usualMs), usualMs]
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
