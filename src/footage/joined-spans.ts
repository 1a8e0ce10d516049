import { epochMs, type EpochMs, type TimeRange } from '../domain/index.ts'

/** The same instants as spans of which none touches the next, in order. */
export function joinedSpans(spans: readonly TimeRange[]): TimeRange[] {
  const joined: { startAt: EpochMs, endAt: EpochMs }[] = []
  for (const { startAt, endAt } of spans.toSorted((a, b) => a.startAt - b.startAt)) {
    const last = joined.at(-1)
    if (last !== undefined && startAt <= last.endAt) last.endAt = epochMs(Math.max(last.endAt, endAt))
    else joined.push({ startAt, endAt })
  }
  return joined
}
