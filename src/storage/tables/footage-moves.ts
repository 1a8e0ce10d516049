import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { defineKeepUntil } from './keep-until-function.ts'

/** Footage recorded since `since` that is to move by `byMs`, as far as it has not yet. */
export interface FootageMove { readonly moveId: number, readonly since: EpochMs, readonly byMs: number }

interface Raw { readonly move_id: number, readonly since_at: number, readonly by_ms: number }
interface Progress extends Raw {
  readonly done_segment: number
  readonly last_segment: number
  readonly unsealed: string
}

/** Table `footage_move`, and the rows of `segment` that it tells of. */
export function footageMoveTable(db: Db) {
  const insert = db.prepare<[number, number]>(
    `INSERT INTO footage_move (since_at, by_ms, last_segment, unsealed)
    SELECT ?, ?, coalesce((SELECT max(segment_id) FROM segment), 0),
      (SELECT json_group_array(segment_id) FROM segment WHERE sealed_at IS NULL AND ended_at IS NULL)`)
  const all = db.prepare<[], Raw>('SELECT move_id, since_at, by_ms FROM footage_move ORDER BY move_id')
  const first = db.prepare<[], Progress>('SELECT * FROM footage_move ORDER BY move_id LIMIT 1')
  const nth = db.prepare<[number, number, number], number>(
    `SELECT segment_id FROM segment WHERE segment_id > ? AND segment_id <= ?
    ORDER BY segment_id LIMIT 1 OFFSET ?`).pluck()
  const setDone = db.prepare<[number, number]>('UPDATE footage_move SET done_segment = ? WHERE move_id = ?')
  const remove = db.prepare<[number]>('DELETE FROM footage_move WHERE move_id = ?')
  return {
    /** Of all segments that are there now; those not sealed yet stay for their sealing. */
    add(since: EpochMs, byMs: number): void { insert.run(since, byMs) },
    /** In the order in which they are to be done. */
    pending: (): FootageMove[] => all.all().map(row =>
      ({ moveId: row.move_id, since: epochMs(row.since_at), byMs: row.by_ms })),
    /** Moves the next `rows` segments of the oldest move, which ends with the last of them. */
    step(rows: number, keepUntilOf: (floorRule: string, newestAt: EpochMs) => EpochMs): void {
      const move = first.get()
      if (move === undefined) return
      const upTo = nth.get(move.done_segment, move.last_segment, rows - 1) ?? move.last_segment
      defineKeepUntil(db, keepUntilOf)
      db.prepare<[number, number, number, number, number, string]>(
        `UPDATE segment SET newest_at = newest_at + ?,
          keep_until = max(keep_until, custos_keep_until(floor_rule, newest_at + ?))
        WHERE segment_id > ? AND segment_id <= ? AND newest_at >= ?
          AND sealed_at IS NOT NULL AND ended_at IS NULL
          AND segment_id NOT IN (SELECT value FROM json_each(?))`,
      ).run(move.by_ms, move.by_ms, move.done_segment, upTo, move.since_at, move.unsealed)
      if (upTo >= move.last_segment) remove.run(move.move_id)
      else setDone.run(upTo, move.move_id)
    },
  }
}
