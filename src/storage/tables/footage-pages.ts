import {
  epochMs, streamName, type CameraUuid, type GapCause, type StreamName, type TimeRange,
} from '../../domain/index.ts'
import { joinedSpans, type NotedGap, type SegmentRow } from '../../footage/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { segmentTable } from './segments.ts'
import { BEGINNING, spanWalk, type WalkedSpan, type WalkMark } from './span-walk.ts'

export interface FoundMark extends WalkMark { readonly stream: StreamName }
export interface GapMark extends WalkMark { readonly kind: number }
/** `next`: the row that was looked at last; null when there are no more. */
export interface Page<Row, Mark> { readonly rows: Row[], readonly next: Mark | null }
export interface Bounds { readonly mostRows: number, readonly mostLooked: number }

interface Asked<Mark> { readonly camera: CameraUuid, readonly range: TimeRange, readonly after: Mark | null }
interface AskedOfStream<Mark> extends Asked<Mark> { readonly stream: StreamName }

/** What the catalogue knows of a range, page by page: each looks at few rows, however many there are. */
export function footagePages(db: Db, { mostRows, mostLooked }: Bounds) {
  const segments = segmentTable(db)
  const walk = spanWalk(db, {
    table: 'segment', row: 'segment_id', startAt: 'start_at', endAt: 'end_at', where: 'ended_at IS NULL',
  })
  const nextStream = db.prepare<[string, string], string | null>(
    'SELECT min(stream) FROM segment WHERE camera_uuid = ? AND stream > ? AND ended_at IS NULL').pluck()
  const streamAfter = (camera: CameraUuid, stream: string): StreamName | null => {
    const next = nextStream.get(camera, stream) ?? null
    return next === null ? null : streamName(next)
  }
  const gaps = gapWalk(db)
  const causeOf = db.prepare<[number], GapCause>('SELECT cause FROM gap WHERE gap_id = ?').pluck()
  return {
    segments({ range, ...asked }: AskedOfStream<WalkMark>): Page<SegmentRow, WalkMark> {
      const spans = walk({ ...asked, range, most: mostLooked }), isAll = spans.length < mostLooked
      const { rows, last } = pageOf({ spans, isAll }, range, mostRows)
      return {
        rows: rows.map(({ row }) => segments.numbered(row)), next: last === null ? null : markOf(last),
      }
    },

    gaps({ range, ...asked }: AskedOfStream<GapMark>): Page<NotedGap, GapMark> {
      const { rows, last } = pageOf(gaps({ ...asked, range, most: mostLooked }), range, mostRows)
      return {
        rows: rows.map(({ startAt, endAt, kind, row }) => ({
          startAt: epochMs(startAt), endAt: endAt === null ? null : epochMs(endAt),
          cause: kind === GAP ? causeOf.get(row)! : 'key-frames-only',
        })),
        next: last === null ? null : { ...markOf(last), kind: last.kind },
      }
    },

    /** In any stream: one stream after another, the spans of each in order. */
    found({ camera, range, after }: Asked<FoundMark>): Page<TimeRange, FoundMark> {
      const rows: TimeRange[] = []
      let left = mostLooked, mark: FoundMark | null = after
      let stream = after?.stream ?? streamAfter(camera, '')
      for (; stream !== null; stream = streamAfter(camera, stream)) {
        mark ??= { stream, ...BEGINNING }
        if (left <= 0 || rows.length === mostRows) return { rows, next: mark }
        const looked = walk({ camera, stream, range, after: mark, most: left })
        const { spans, through } = joinedWithin(looked, range, mostRows - rows.length)
        rows.push(...spans)
        if (through !== null) return { rows, next: { stream, ...markOf(through) } }
        if (looked.length === left) return { rows, next: { stream, ...markOf(looked.at(-1)!) } }
        left -= looked.length + 1
        mark = null
      }
      return { rows, next: null }
    },
  }
}

const markOf = ({ startAt, row }: WalkMark): WalkMark => ({ startAt, row })
const overlaps = ({ startAt, endAt }: WalkedSpan, range: TimeRange): boolean =>
  startAt < range.endAt && (endAt === null || endAt > range.startAt)

/** `isAll`: there are none behind them. */
interface Looked<Span> { readonly spans: readonly Span[], readonly isAll: boolean }

/** `last`: behind which the next page begins; null where there is none. */
function pageOf<Span extends WalkedSpan>({ spans, isAll }: Looked<Span>, range: TimeRange, mostRows: number) {
  const rows: Span[] = []
  for (const span of spans) {
    if (overlaps(span, range)) rows.push(span)
    if (rows.length === mostRows) return { rows, last: span }
  }
  return { rows, last: isAll ? null : spans.at(-1)! }
}

/** `through`: the last row that is among the spans, where there was no room for all; else null. */
function joinedWithin(looked: readonly WalkedSpan[], range: TimeRange, mostSpans: number) {
  const spansOf = (spans: readonly WalkedSpan[]): TimeRange[] =>
    joinedSpans(spans.filter(span => overlaps(span, range)).map(span => ({
      startAt: epochMs(Math.max(span.startAt, range.startAt)),
      endAt: epochMs(Math.min(span.endAt ?? range.endAt, range.endAt)),
    })))
  const all = spansOf(looked)
  if (all.length <= mostSpans) return { spans: all, through: null }
  const first = looked.slice(0, mostSpans)
  return { spans: spansOf(first), through: first.at(-1)! }
}

interface WalkedGap extends WalkedSpan { readonly kind: number }
const GAP = 0, KEY_FRAMES = 1
const MOST_ROW = Number.MAX_SAFE_INTEGER
const byMark = (a: WalkedGap, b: WalkedGap): number =>
  a.startAt - b.startAt || a.kind - b.kind || a.row - b.row

/** Gaps, and spans of which only key frames were recorded, as one walk: by start, kind and number. */
function gapWalk(db: Db): (asked: AskedOfStream<GapMark> & { readonly most: number }) => Looked<WalkedGap> {
  const kinds = [GAP, KEY_FRAMES], walks = [
    spanWalk(db, { table: 'gap', row: 'gap_id', startAt: 'start_at', endAt: 'end_at', where: 'TRUE' }),
    spanWalk(db, {
      table: 'sacrifice_step', row: 'step_id', startAt: 'started_at', endAt: 'ended_at',
      where: `mode = 'key-frames'`,
    }),
  ]
  return ({ after, most, ...asked }) => {
    const half = Math.ceil(most / 2)
    const own = (kind: number): WalkMark | null => after === null ? null
      : { startAt: after.startAt, row: kind === after.kind ? after.row : kind < after.kind ? MOST_ROW : 0 }
    const looked = kinds.map(kind =>
      walks[kind]!({ ...asked, after: own(kind), most: half }).map(span => ({ ...span, kind })))
    const ends = looked.filter(spans => spans.length === half).map(spans => spans.at(-1)!).sort(byMark)
    const spans = looked.flat().sort(byMark), [end] = ends // of one there may be more behind its end
    return end === undefined ? { spans, isAll: true }
      : { spans: spans.slice(0, spans.indexOf(end) + 1), isAll: false }
  }
}
