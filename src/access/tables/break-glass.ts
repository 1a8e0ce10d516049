import type { Db } from '../../platform/catalogue.ts'

interface RawOpening {
  opening_id: number, reason: string, first_by: string, first_source: string, asked_steady: number, second_by: string | null, second_source: string | null, opened_at: number | null, closes_steady: number | null,
  closed_at: number | null, closed_by: string | null, application: string | null, settled_at: number | null
}
/** `openedAtMs` null: the word of one person so far. */
export interface Opening {
  readonly openingId: number, readonly reason: string, readonly firstBy: string, readonly firstSource: string, readonly askedSteadyMs: number, readonly secondBy: string | null, readonly secondSource: string | null
  readonly openedAtMs: number | null, readonly closesSteadyMs: number | null, readonly closedAtMs: number | null, readonly closedBy: string | null, readonly application: string | null
}

/** Table `break_glass`. */
export function breakGlassTable(db: Db) {
  const ask = db.prepare<[string, string, string, number]>('INSERT INTO break_glass (reason, first_by, first_source, asked_steady) VALUES (?, ?, ?, ?)')
  const waiting = db.prepare<[number], RawOpening>('SELECT * FROM break_glass WHERE opened_at IS NULL AND asked_steady > ? ORDER BY opening_id')
  const open = db.prepare<[string, string, number, number, number]>('UPDATE break_glass SET second_by = ?, second_source = ?, opened_at = ?, closes_steady = ? WHERE opening_id = ? AND opened_at IS NULL')
  const close = db.prepare<[number, string, number]>('UPDATE break_glass SET closed_at = ?, closed_by = ? WHERE opening_id = ? AND opened_at IS NOT NULL AND closed_at IS NULL')
  const settle = db.prepare<[string, number, string, number]>('UPDATE break_glass SET application = ?, settled_at = ?, settled_by = ? WHERE opening_id = ? AND opened_at IS NOT NULL AND settled_at IS NULL')
  const get = db.prepare<[number], RawOpening>('SELECT * FROM break_glass WHERE opening_id = ?')
  const standing = db.prepare<[], RawOpening>('SELECT * FROM break_glass WHERE opened_at IS NOT NULL AND (closed_at IS NULL OR settled_at IS NULL) ORDER BY opening_id')
  return {
    ask: (reason: string, by: string, source: string, steadyMs: number): number => Number(ask.run(reason, by, source, Math.floor(steadyMs)).lastInsertRowid),
    waitingSince: (steadyMs: number): Opening[] => waiting.all(Math.floor(steadyMs)).map(openingOf),
    open: (id: number, by: string, source: string, atMs: number, closesSteadyMs: number): boolean => open.run(by, source, atMs, Math.floor(closesSteadyMs), id).changes === 1,
    close: (id: number, atMs: number, by: string): boolean => close.run(atMs, by, id).changes === 1,
    settle: (id: number, application: string, atMs: number, by: string): boolean => settle.run(application, atMs, by, id).changes === 1,
    get(id: number): Opening | null { const row = get.get(id); return row === undefined ? null : openingOf(row) },
    /** Open still, or without the form that is owed. */
    standing: (): Opening[] => standing.all().map(openingOf),
  }
}

const openingOf = (row: RawOpening): Opening => ({
  openingId: row.opening_id, reason: row.reason, firstBy: row.first_by, firstSource: row.first_source, askedSteadyMs: row.asked_steady, secondBy: row.second_by, secondSource: row.second_source, openedAtMs: row.opened_at,
  closesSteadyMs: row.closes_steady, closedAtMs: row.closed_at, closedBy: row.closed_by, application: row.application,
})
