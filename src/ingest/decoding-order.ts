import { MalformedMediaError, sequenceParameters, type InitSegment } from '../media/index.ts'
import { median } from './median.ts'

/** A frame's stamp in decoding order, and how long after its decoding it is shown. */
export interface OrderedStamp {
  readonly decodeTicks: number | null
  readonly showAfterTicks: number
  /** Before one that was decoded before it. */
  readonly isShownBefore: boolean
}

/** H.264 and H.265 keep at most this many decoded pictures: ITU-T H.264 §A.3.1, H.265 §A.4.2. */
export const MOST_HELD = 16
/** Stamps further apart than both belong to no one group of reordered pictures. */
const ONE_GROUP_TICKS = 2 * 90_000
const ONE_GROUP_STEPS = 8
/** Fewer stamps tell no step. */
const LEAST_STAMPS = 4

/** A frame as its stamp and its head tell. */
export interface StampedFrame {
  readonly stampTicks: number | null
  /** Whether it is of type B; asked only where that decides. */
  readonly isBidirectional: () => boolean
}

/**
 * Turns stamps, which tell when a frame is shown, into decoding times: where frames are shown in another
 * order than they are decoded, the smallest of the last stamps is the decoding time. A stream that does not
 * reorder keeps its stamps, however they go.
 */
export class DecodingOrder {
  readonly #isDepthKnown: boolean
  /** How many frames at most are decoded before one that is shown before them. */
  #depth: number
  /** Stamps of the last frames in decoding order. */
  #last: number[] = []
  /** The stamps of which the next decoding time is chosen, ascending: as many as the depth. */
  #waiting: number[] = []

  /** `declared`: the depth that the parameter sets tell; null where they do not. */
  constructor(declared: number | null) {
    this.#isDepthKnown = declared !== null
    this.#depth = declared ?? 0
  }

  /** 0: the stream does not reorder. */
  get depth(): number { return this.#depth }

  /** Of the same depth, at its beginning. */
  anew(): DecodingOrder {
    const order = new DecodingOrder(this.#isDepthKnown ? this.#depth : null)
    order.#depth = this.#depth
    return order
  }

  /** Looks at the first frames of a session before their times are decided. */
  learn(frames: readonly StampedFrame[]): void {
    for (const frame of frames) if (frame.stampTicks !== null) this.#look(frame.stampTicks, frame)
    this.#last = []
  }

  /** `usualTicks`: from one frame to the next. */
  next(frame: StampedFrame, usualTicks: number): OrderedStamp {
    const { stampTicks } = frame
    if (stampTicks === null) return { decodeTicks: null, showAfterTicks: 0, isShownBefore: false }
    const later = this.#look(stampTicks, frame)
    const before = this.#last.at(-2)
    const goesOn = before !== undefined && isOneGroup(stampTicks, before, this.#last)
    const missing = goesOn ? this.#depth - this.#waiting.length : this.#depth
    const waiting = [
      ...Array.from({ length: missing }, (_, i) => stampTicks - (missing - i) * usualTicks),
      ...goesOn ? this.#waiting : [],
    ]
    const [decodeTicks = stampTicks, ...rest] = [...waiting, stampTicks].sort((a, b) => a - b)
    this.#waiting = rest
    const isShownBefore = this.#depth > 0 && later > 0
    return { decodeTicks, showAfterTicks: stampTicks - decodeTicks, isShownBefore }
  }

  /** Returns how many of the last frames are shown after it. */
  #look(stampTicks: number, { isBidirectional }: StampedFrame): number {
    const later = this.#last.filter(
      ticks => ticks > stampTicks && isOneGroup(ticks, stampTicks, this.#last)
    ).length
    this.#last = [...this.#last.slice(1 - MOST_HELD), stampTicks]
    if (!this.#isDepthKnown && later > this.#depth && isBidirectional()) this.#depth = later
    return later
  }
}

/** Whether pictures of these stamps may be of one group of reordered ones. `last`: the stamps before, in any order. */
export function isOneGroup(aTicks: number, bTicks: number, last: readonly number[]): boolean {
  const apartTicks = Math.abs(aTicks - bTicks)
  if (apartTicks <= ONE_GROUP_TICKS) return true
  if (last.length < LEAST_STAMPS) return false
  const ascending = [...last].sort((a, b) => a - b)
  const steps = ascending.slice(1).map((ticks, i) => ticks - ascending[i]!)
  return apartTicks <= ONE_GROUP_STEPS * (median(steps) ?? 0)
}

/** Of the pictures that the header describes. Null: not told, types of slices tell. */
export function declaredDepth({ video: { codec, parameterSets } }: InitSegment): number | null {
  const sps = [...parameterSets].find(([id]) => id.startsWith('sps'))?.[1]
  if (sps === undefined) return 0
  try { return sequenceParameters(codec, sps).reorderedPictures } catch (error) {
    if (error instanceof MalformedMediaError) return 0
    throw error
  }
}
