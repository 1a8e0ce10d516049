import type { FrameToTime } from './frame-clock.ts'
import { median } from './median.ts'

/** Ticks of the video track since the child was started. */
export interface Hole { readonly startTicks: number, readonly endTicks: number }

/** A frame as it was placed. */
export interface StandingFrame {
  readonly startTicks: number
  /** As it came. */
  readonly told: FrameToTime
}

export interface FramesToJudge {
  /** The last one of the fragment before first, where there is one. */
  readonly frames: readonly StandingFrame[]
  /** When the frame behind them came. */
  readonly nextArrivedMs: number
  /** How long frames may stand, by what was usual before these. */
  readonly longestMs: number
  /** Distance of frames as last seen, these among them. */
  readonly usualMs: number
  /** Milliseconds of the recorder's clock in one of the camera's. */
  readonly rate: number
}

/** What stands longer than this is a hole, unless the frames beside show that the camera sends as seldom. */
const HOLE_MOST_MS = 1500
/** Shorter pauses are the unsteadiness of a camera's own clock, however many frames it sends. */
const HOLE_LEAST_MS = 200
const HOLE_USUAL_FRAMES = 2.5
/** A frame stamped so much later than it was placed is of another count, which tells nothing. */
const ANOTHER_COUNT = 2
/** So many frames show whether a late one was held up: then they come sooner than usual. */
const DOUBT_FRAMES = 8
const HELD_UP_SHARE = 0.75
/** A camera that sends this seldom has a frame in a fragment: what is usual shows by those before and behind. */
export const SLOW_LEAST_MS = 450
const STEPS_KEPT = 4
/** Where a fragment has but one frame, what is usual is the one in the middle of so many. */
const USUAL_STEPS = 3
/** A loss is noticed when what follows it comes. */
const LOSS_MARGIN_MS = 200
const LOSSES_KEPT = 16

/**
 * How long a frame may stand before time counts as lost [G7], for frames that usually stand `usualMs`, and
 * unless the camera slowed down.
 */
export function longestStandMs(usualMs: number | null): number {
  if (usualMs === null) return HOLE_MOST_MS
  return Math.min(HOLE_MOST_MS, Math.max(HOLE_LEAST_MS, HOLE_USUAL_FRAMES * usualMs))
}

/** A frame came late by its arrival alone: whether others are missing shows by those behind it. */
interface Doubt {
  readonly hole: Hole
  /** Beyond the usual distance. */
  readonly lateMs: number
  readonly cameMs: number
  frames: number
}

/**
 * Tells where frames are missing: by how long each stands, how late it came and was stamped, and whether those
 * beside it stand as long. A camera that sends a frame in several seconds loses nothing between them.
 */
export class FrameHoles {
  readonly #timescale: number
  #doubts: Doubt[] = []
  /** Distances that were none of a hole. */
  #steps: number[] = []
  #seen: number[] = []
  #lossesMs: number[] = []
  /** Taken for a camera that slowed down by the arrival of the frame behind alone. */
  #believed: Hole | null = null

  constructor(timescale: number) { this.#timescale = timescale }

  /** Data was lost on the way then: what stood meanwhile is no camera that slowed down. */
  noteLosses(lossesMs: readonly number[]): void {
    this.#lossesMs = [...this.#lossesMs, ...lossesMs].slice(-LOSSES_KEPT)
  }

  /** Of the last frames; null where none is known. */
  get usualStepMs(): number | null { return median(this.#seen) }

  /** `isFirstOne`: the first of the frames stands on to the second, without a hole or a doubt. */
  judge(toJudge: FramesToJudge): { readonly holes: Hole[], readonly isFirstOne: boolean } {
    const { frames } = toJudge, holes: Hole[] = this.#disproved(frames)
    let isFirstOne = false
    for (const [i, to] of frames.slice(1).entries()) {
      holes.push(...this.#settle(to.told.arrivedMs, toJudge.usualMs))
      const hole = { startTicks: frames[i]!.startTicks, endTicks: to.startTicks }
      const verdict = this.#verdict(hole, i, toJudge)
      this.#seen = [...this.#seen.slice(1 - USUAL_STEPS), this.#lengthMs(hole)]
      if (verdict === 'hole') holes.push(hole)
      if (verdict !== 'none') continue
      this.#steps = [...this.#steps.slice(1 - STEPS_KEPT), this.#lengthMs(hole)]
      if (i === 0) isFirstOne = true
    }
    return { holes: holes.sort((a, b) => a.startTicks - b.startTicks), isFirstOne }
  }

  /** What was in doubt when the session ended. */
  end(): Hole[] { return this.#doubts.splice(0).map(({ hole }) => hole) }

  #lengthMs({ startTicks, endTicks }: Hole): number {
    return (endTicks - startTicks) * 1000 / this.#timescale
  }

  /**
   * A frame was decided to stand long, and was stamped as late as that, or came so late and those behind it do
   * not make up for it: where only the decision went from stamps to arrivals, nothing is missing.
   */
  #verdict(hole: Hole, i: number, { frames, longestMs, usualMs, rate, nextArrivedMs }: FramesToJudge):
  'none' | 'doubt' | 'hole' {
    const from = frames[i]!.told, to = frames[i + 1]!.told, behind = frames[i + 2]
    const standsMs = this.#lengthMs(hole)
    if (standsMs <= longestMs) return 'none'
    if (!this.#isLossIn(from, to)) {
      if (this.#steps.some(stepMs => isAsSlow(stepMs, standsMs))) return 'none'
      const nextMs = behind === undefined ? nextArrivedMs - to.arrivedMs
        : this.#lengthMs({ startTicks: hole.endTicks, endTicks: behind.startTicks })
      if (isAsSlow(nextMs, standsMs)) {
        if (behind === undefined) this.#believed = hole
        return 'none'
      }
    }
    const stampedMs = stampedBetween(from, to) * rate, elapsedMs = to.arrivedMs - from.arrivedMs
    if (stampedMs > longestMs && stampedMs <= ANOTHER_COUNT * standsMs) return 'hole'
    if (elapsedMs <= longestMs) return 'none'
    this.#doubts.push({ hole, lateMs: elapsedMs - usualMs, cameMs: to.arrivedMs, frames: 0 })
    return 'doubt'
  }

  /** The frame behind was only held up by the line: it stood where a camera that did not slow down has it. */
  #disproved(frames: readonly StandingFrame[]): Hole[] {
    const believed = this.#believed, [first, second] = frames
    if (believed === null || first === undefined || second === undefined) return []
    this.#believed = null
    const stepMs = this.#lengthMs({ startTicks: first.startTicks, endTicks: second.startTicks })
    if (isAsSlow(stepMs, this.#lengthMs(believed))) return []
    this.#steps = []
    return [believed]
  }

  #isLossIn(from: FrameToTime, to: FrameToTime): boolean {
    return this.#lossesMs.some(atMs => atMs > from.arrivedMs && atMs <= to.arrivedMs + LOSS_MARGIN_MS)
  }

  /** A frame more has come: what is no doubt any more. */
  #settle(arrivedMs: number, usualMs: number): Hole[] {
    const settled: Hole[] = []
    this.#doubts = this.#doubts.filter(doubt => {
      const usuallyMs = ++doubt.frames * usualMs, tookMs = arrivedMs - doubt.cameMs
      if (usuallyMs - tookMs >= doubt.lateMs / 2) return false // it was held up
      if (doubt.frames < DOUBT_FRAMES) return true
      if (tookMs > usuallyMs * HELD_UP_SHARE) settled.push(doubt.hole)
      return false
    })
    return settled
  }
}

const isAsSlow = (stepMs: number, standsMs: number): boolean =>
  stepMs >= SLOW_LEAST_MS && standsMs <= HOLE_USUAL_FRAMES * stepMs

/** From a frame to the next by their stamps; 0 where they say nothing. */
const stampedBetween = (from: FrameToTime, to: FrameToTime): number =>
  from.stampMs === null || to.stampMs === null ? 0 : to.stampMs - from.stampMs
