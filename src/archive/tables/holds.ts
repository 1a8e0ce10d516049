import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { ItemHold, ItemNo } from '../item.ts'

interface HoldRow {
  hold_id: string, item_no: string, authority: string, placed_by: string, placed_key: string, placed_at: number, until: number, approved_by: string | null, approved_at: number | null
  ask_key: string | null, ask_by: string | null, ask_steady: number | null, ask_reason: string | null, ended_at: number | null, ended_by: string | null, end_reason: string | null
}
const instantOrNull = (at: number | null): EpochMs | null => at === null ? null : epochMs(at)

/** With what two-person acts compare. */
export interface StoredHold extends ItemHold { readonly itemNo: string, readonly placedKey: string, readonly ask: { readonly key: string, readonly by: string, readonly steadyMs: number, readonly reason: string } | null }

/** Table `archive_hold`. */
export function holdTable(db: Db) {
  const add = db.prepare<(string | number | null)[]>('INSERT INTO archive_hold VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, NULL, ?, ?, ?)')
  const one = db.prepare<[string], HoldRow>('SELECT * FROM archive_hold WHERE hold_id = ?')
  const of = db.prepare<[string], HoldRow>('SELECT * FROM archive_hold WHERE item_no = ? ORDER BY placed_at, hold_id')
  const approve = db.prepare<[string, number, string]>('UPDATE archive_hold SET approved_by = ?, approved_at = ? WHERE hold_id = ? AND approved_at IS NULL AND ended_at IS NULL')
  const ask = db.prepare<[string, string, number, string, string]>('UPDATE archive_hold SET ask_key = ?, ask_by = ?, ask_steady = ?, ask_reason = ? WHERE hold_id = ? AND ended_at IS NULL')
  const end = db.prepare<[number, string, string, string]>('UPDATE archive_hold SET ended_at = ?, ended_by = ?, end_reason = ? WHERE hold_id = ? AND ended_at IS NULL')
  const toApprove = db.prepare<[], { n: number, since: number | null }>('SELECT count(*) AS n, min(placed_at) AS since FROM archive_hold WHERE approved_at IS NULL AND ended_at IS NULL')
  const holdOf = (row: HoldRow): ItemHold => ({
    holdId: row.hold_id, authority: row.authority, placedBy: row.placed_by, placedAt: epochMs(row.placed_at), until: epochMs(row.until), approvedBy: row.approved_by, approvedAt: instantOrNull(row.approved_at),
    endedAt: instantOrNull(row.ended_at), endedBy: row.ended_by, endReason: row.end_reason,
  })
  const insert = (no: ItemNo, hold: ItemHold, placedKey: string): void => {
    add.run(hold.holdId, no, hold.authority, hold.placedBy, placedKey, hold.placedAt, hold.until, hold.approvedBy, hold.approvedAt, hold.endedAt, hold.endedBy, hold.endReason)
  }
  return {
    add: insert,
    /** From a sidecar. Who placed it is known there by words only. */
    import: (no: ItemNo, hold: ItemHold): void => { insert(no, hold, `sidecar:${hold.placedBy}`) },
    of: (no: string): ItemHold[] => of.all(no).map(holdOf),
    get(holdId: string): StoredHold | null {
      const row = one.get(holdId)
      if (row === undefined) return null
      return { ...holdOf(row), itemNo: row.item_no, placedKey: row.placed_key, ask: row.ask_key === null ? null : { key: row.ask_key, by: row.ask_by ?? '', steadyMs: row.ask_steady ?? 0, reason: row.ask_reason ?? '' } }
    },
    approve: (holdId: string, by: string, at: EpochMs): boolean => approve.run(by, at, holdId).changes === 1,
    ask: (holdId: string, key: string, by: string, steadyMs: number, reason: string): boolean => ask.run(key, by, Math.round(steadyMs), reason, holdId).changes === 1,
    end: (holdId: string, at: EpochMs, by: string, reason: string): boolean => end.run(at, by, reason, holdId).changes === 1,
    toApprove: (): { readonly count: number, readonly since: EpochMs | null } => { const row = toApprove.get(); return { count: row?.n ?? 0, since: instantOrNull(row?.since ?? null) } },
  }
}
