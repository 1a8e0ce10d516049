import type { EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

export type ScreenKind = 'granted' | 'live' | 'aiming'
/** A screen as the books have it. */
export interface StoredScreen { readonly id: string, readonly kind: ScreenKind, readonly application: string | null, readonly account: string, readonly openedAt: EpochMs }
export interface NewScreen extends StoredScreen { readonly secondAccount: string | null, readonly visitor: string | null, readonly openedSeq: number }

/** Applications that were viewed, by the screens' own record (R44). */
export const viewedApplications = (db: Db): string[] => db.prepare<[], string>('SELECT DISTINCT application FROM viewing_session WHERE application IS NOT NULL ORDER BY application').pluck().all()

/** Table `viewing_session`. */
export function screenTable(db: Db) {
  const add = db.prepare<[string, string, string | null, string, string | null, string | null, number, number]>(
    'INSERT INTO viewing_session (id, kind, application, account, second_account, visitor, opened_at, opened_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const close = db.prepare<[number, string, number, string]>('UPDATE viewing_session SET closed_at = ?, close_reason = ?, closed_seq = ? WHERE id = ? AND closed_at IS NULL')
  const open = db.prepare<[], StoredScreen>('SELECT id, kind, application, account, opened_at AS openedAt FROM viewing_session WHERE closed_at IS NULL ORDER BY opened_at')
  return {
    add(screen: NewScreen): void { add.run(screen.id, screen.kind, screen.application, screen.account, screen.secondAccount, screen.visitor, screen.openedAt, screen.openedSeq) },
    close: (id: string, at: EpochMs, reason: string, seq: number): boolean => close.run(at, reason, seq, id).changes === 1,
    open: (): StoredScreen[] => open.all(),
  }
}
