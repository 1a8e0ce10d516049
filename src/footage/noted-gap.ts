import { epochMs, type Gap, type GapCause, type TimeRange } from '../domain/index.ts'

/** As it was noted [G7]. `endAt` is null while it lasts. */
export type NotedGap = Pick<Gap, 'startAt' | 'endAt' | 'cause'>

/** Of `cause` null nothing was noted. */
export interface ExplainedSpan extends TimeRange { readonly cause: GapCause | null }
export const SEEN_MS = 200 // a shorter pause is the time between two pictures of a slow camera

/** A hole in what was recorded, part by part, with what was noted of each. Pure. That only key frames were recorded explains no hole: each lasts until the next. */
export function explainHole(hole: TimeRange, noted: readonly NotedGap[]): ExplainedSpan[] {
  const told: ExplainedSpan[] = []
  for (const { startAt, endAt, cause } of noted.filter(each => !isThinned(each)).map(each => reaching(hole, each))) {
    for (const open of without(hole, told, 1)) {
      const part = { startAt: epochMs(Math.max(startAt, open.startAt)), endAt: epochMs(Math.min(endAt, open.endAt)), cause }
      if (part.startAt < part.endAt) told.push(part)
    }
  }
  return [...told, ...without(hole, told, 1).map(span => ({ ...span, cause: null }))].sort((a, b) => a.startAt - b.startAt)
}

/** Recorded by its key frames alone: there are pictures, and between them none. */
export const isThinned = ({ cause }: Pick<NotedGap, 'cause'>): boolean => cause === 'key-frames-only'

/** A noted gap begins and ends by the recorder's clock, a hole at pictures: what lies between them is no gap of its own. */
function reaching({ startAt, endAt }: TimeRange, noted: NotedGap): TimeRange & { readonly cause: GapCause } {
  const notedEndAt = noted.endAt ?? endAt
  if (notedEndAt <= startAt || noted.startAt >= endAt) return { ...noted, endAt: notedEndAt }
  return { cause: noted.cause, startAt: noted.startAt - startAt < SEEN_MS ? startAt : noted.startAt, endAt: endAt - notedEndAt < SEEN_MS ? endAt : notedEndAt }
}

/** The parts of `range` outside all `spans`, of at least `leastMs`, in order. */
export function without(range: TimeRange, spans: readonly TimeRange[], leastMs: number): TimeRange[] {
  const left: TimeRange[] = []
  let at: number = range.startAt
  for (const { startAt, endAt } of spans.toSorted((a, b) => a.startAt - b.startAt)) {
    if (endAt <= at || startAt >= range.endAt) continue
    if (startAt - at >= leastMs) left.push({ startAt: epochMs(at), endAt: startAt })
    at = Math.max(at, endAt)
  }
  if (range.endAt - at >= leastMs) left.push({ startAt: epochMs(at), endAt: range.endAt })
  return left
}
