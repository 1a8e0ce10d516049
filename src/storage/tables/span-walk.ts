import type { CameraUuid, StreamName, TimeRange } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** A row of a table of spans. `endAt` is null while it lasts. */
export interface WalkedSpan {
  readonly row: number
  readonly startAt: number
  readonly endAt: number | null
}
/** Where a walk goes on: behind this row. */
export interface WalkMark { readonly startAt: number, readonly row: number }

/** Names of a table with `camera_uuid` and `stream`, and of its columns. */
export interface SpanTable {
  readonly table: string
  readonly row: string
  readonly startAt: string
  readonly endAt: string
  /** Rows that count; the condition of its index `<table>_by_length`. */
  readonly where: string
}

export interface SpanWalk {
  readonly camera: CameraUuid
  readonly stream: StreamName
  readonly range: TimeRange
  /** Null: from the beginning. */
  readonly after: WalkMark | null
  readonly most: number
}

/** Before every instant that is kept. */
export const BEGINNING: WalkMark = { startAt: -62_167_219_200_000, row: 0 }

/**
 * Rows of one stream that may overlap a range, in the order of their start and number: from where the longest
 * that is over would reach into it, and those that last. Fewer than `most`: there are no more.
 */
export function spanWalk(db: Db, of: SpanTable): (walk: SpanWalk) => WalkedSpan[] {
  const { table, row, startAt, endAt, where } = of, length = `${endAt} - ${startAt}`
  const byLength = `${table} INDEXED BY ${table}_by_length`
  const own = `camera_uuid = @camera AND stream = @stream AND ${where}`
  const columns = `${row} AS row, ${startAt} AS startAt, ${endAt} AS endAt`
  const behind = `(${startAt}, ${row}) > (@startAt, @row)`
  interface Of { readonly camera: string, readonly stream: string }
  const longest = db.prepare<[Of], number | null>(
    `SELECT ${length} FROM ${byLength} WHERE ${own} ORDER BY ${length} DESC LIMIT 1`).pluck()
  const lasting = db.prepare<[Of & WalkMark & { readonly bound: number, readonly most: number }], WalkedSpan>(
    `SELECT ${columns} FROM ${byLength} WHERE ${own} AND ${length} IS NULL AND ${startAt} < @bound
     AND ${startAt} >= @startAt AND ${behind} ORDER BY ${startAt}, ${row} LIMIT @most`)
  const walk = db.prepare<
    [Of & WalkMark & { readonly from: number, readonly to: number, readonly most: number }], WalkedSpan>(
    `SELECT ${columns} FROM ${table} WHERE ${own} AND ${startAt} >= @from AND ${startAt} < @to
     AND ${behind} ORDER BY ${startAt}, ${row} LIMIT @most`)
  return ({ camera, stream, range, after, most }) => {
    const bound = range.startAt - (longest.get({ camera, stream }) ?? 0), mark = after ?? BEGINNING
    const reaching = mark.startAt >= bound ? []
      : lasting.all({ camera, stream, ...mark, bound: Math.min(bound, range.endAt), most })
    if (reaching.length === most) return reaching
    const from = Math.max(bound, mark.startAt)
    return [...reaching,
      ...walk.all({ camera, stream, ...mark, from, to: range.endAt, most: most - reaching.length })]
  }
}
