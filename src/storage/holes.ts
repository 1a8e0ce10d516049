import type { EpochMs, RunId, TimeRange } from '../domain/index.ts'
import type { Span } from './slot-survey.ts'
import { MOST_OVERLAP_MS } from './stream-lane.ts'

/** Time that nothing recorded, between two pieces of footage. */
export interface Hole extends TimeRange {
  /** The runs of the pieces before and behind it. */
  readonly afterRun: RunId
  readonly beforeRun: RunId
  readonly isInRun: boolean
}
export interface FoundHoles {
  /** In the order of recording. */
  readonly holes: readonly Hole[]
  /** Where the clock was set back: the last frame before that, its run and the next. */
  readonly stepsBack: readonly { readonly at: EpochMs, readonly afterRun: RunId, readonly beforeRun: RunId }[]
}

/**
 * What is missing between pieces of one stream, which are told apart in time by the numbers of their runs: a
 * clock may have shown the same twice. Where it went ahead and came back, what lies between the pieces before
 * and after is missing, and not what it passed over. Pure. `now`: the clock of now, behind all of them.
 */
export function holesBetween(spans: readonly Span[], now: EpochMs): FoundHoles {
  const inOrder = spans.toSorted((a, b) => a.runId - b.runId || a.startAt - b.startAt)
  const comesBackTo = earliestBehind(inOrder)
  const holes: Hole[] = [], stepsBack: { at: EpochMs, afterRun: RunId, beforeRun: RunId }[] = []
  let last: Span | null = null
  for (const [position, span] of inOrder.entries()) {
    if (last !== null && last.endAt - span.startAt > MOST_OVERLAP_MS) {
      stepsBack.push({ at: last.endAt, afterRun: last.runId, beforeRun: span.runId })
      const before = lastBefore(inOrder, position)
      if (before !== null) holes.push(holeOf(before, span))
    } else if (last !== null && span.startAt > last.endAt) {
      if (!isAhead(span, last, comesBackTo[position]!, now)) holes.push(holeOf(last, span))
    }
    const goesOn: boolean = last !== null && Math.abs(last.endAt - span.startAt) <= MOST_OVERLAP_MS
    last = goesOn && last!.endAt > span.endAt ? { ...span, endAt: last!.endAt } : span
  }
  return { holes, stepsBack }
}

const holeOf = (before: Span, { runId, startAt }: Span): Hole => ({
  startAt: before.endAt, endAt: startAt, afterRun: before.runId, beforeRun: runId,
  isInRun: before.runId === runId,
})

/**
 * The clock came back to between the two, or is there now: what it passed over was still to come.
 */
function isAhead({ startAt }: Span, { endAt }: Span, comesBackTo: number, now: EpochMs): boolean {
  return [comesBackTo, now].some(at => at < startAt - MOST_OVERLAP_MS && at >= endAt - MOST_OVERLAP_MS)
}

/** For each piece the earliest start of those behind it. */
function earliestBehind(inOrder: readonly Span[]): number[] {
  let earliest = Infinity
  const found: number[] = []
  for (const { startAt } of inOrder.toReversed()) {
    found.push(earliest)
    earliest = Math.min(earliest, startAt)
  }
  return found.reverse()
}

/** The newest piece before this one that the clock had not shown more than. */
function lastBefore(inOrder: readonly Span[], position: number): Span | null {
  const { startAt } = inOrder[position]!
  for (let at = position - 1; at >= 0; at--) {
    const each = inOrder[at]!
    if (each.endAt <= startAt) return each
    if (each.startAt <= startAt) return null // it lies over this one's beginning
  }
  return null
}
