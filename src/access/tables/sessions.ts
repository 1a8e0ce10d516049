import type { Db } from '../../platform/catalogue.ts'
import { accountId, isRole, type AccountId, type Role } from '../roles.ts'

interface RawSession {
  session_hash: Buffer, account_id: string, source: string, role: string | null, deputy_for: string | null, began_steady: number, touched_steady: number, viewed_steady: number | null, factor_steady: number | null,
  began_at: number, ended_at: number | null, end_reason: string | null
}

export type EndReason = 'signed-out' | 'idle' | 'too-long' | 'account-closed' | 'roles-changed' | 'password-changed' | 'too-many-sessions' | 'factor-failures'
export interface StoredSession {
  readonly hash: Buffer, readonly accountId: AccountId, readonly source: string, readonly role: Role | null, readonly deputyFor: AccountId | null
  readonly beganMs: number, readonly touchedMs: number, readonly viewedMs: number | null, readonly factorMs: number | null, readonly beganAtMs: number, readonly endedAtMs: number | null, readonly endReason: string | null
}

/** Ended sessions beyond these are forgotten, the oldest first: who signed in when stands in the audit log. */
const KEPT = 20_000

/** Table `session`. */
export function sessionTable(db: Db) {
  const get = db.prepare<[Buffer], RawSession>('SELECT * FROM session WHERE session_hash = ?')
  const open = db.prepare<[string], RawSession>('SELECT * FROM session WHERE account_id = ? AND ended_at IS NULL ORDER BY began_steady, session_hash')
  const allOpen = db.prepare<[], RawSession>('SELECT * FROM session WHERE ended_at IS NULL')
  const insert = db.prepare<[Buffer, string, string, string | null, number, number, number | null, number]>('INSERT INTO session (session_hash, account_id, source, role, began_steady, touched_steady, factor_steady, began_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const touch = db.prepare<[number, Buffer]>('UPDATE session SET touched_steady = ? WHERE session_hash = ? AND ended_at IS NULL')
  const view = db.prepare<[number | null, Buffer]>('UPDATE session SET viewed_steady = ? WHERE session_hash = ? AND ended_at IS NULL')
  const factor = db.prepare<[number, Buffer]>('UPDATE session SET factor_steady = ? WHERE session_hash = ? AND ended_at IS NULL')
  const role = db.prepare<[string, string | null, Buffer]>('UPDATE session SET role = ?, deputy_for = ? WHERE session_hash = ? AND ended_at IS NULL')
  const end = db.prepare<[number, string, Buffer]>('UPDATE session SET ended_at = ?, end_reason = ? WHERE session_hash = ? AND ended_at IS NULL')
  const count = db.prepare<[], number>('SELECT count(*) FROM session').pluck()
  const trim = db.prepare<[]>('DELETE FROM session WHERE session_hash = (SELECT session_hash FROM session WHERE ended_at IS NOT NULL ORDER BY ended_at LIMIT 1)')
  const floor = Math.floor
  return {
    get(hash: Buffer): StoredSession | null { const row = get.get(hash); return row === undefined ? null : sessionOf(row) },
    /** Oldest first. */
    openOf: (id: AccountId): StoredSession[] => open.all(id).map(sessionOf),
    open: (): StoredSession[] => allOpen.all().map(sessionOf),
    add(session: { readonly hash: Buffer, readonly accountId: AccountId, readonly source: string, readonly role: Role | null, readonly steadyMs: number, readonly hasFactor: boolean, readonly atMs: number }): void {
      const at = floor(session.steadyMs)
      insert.run(session.hash, session.accountId, session.source, session.role, at, at, session.hasFactor ? at : null, session.atMs)
      if ((count.get() ?? 0) > KEPT) trim.run()
    },
    touch(hash: Buffer, steadyMs: number): void { touch.run(floor(steadyMs), hash) },
    view(hash: Buffer, steadyMs: number | null): void { view.run(steadyMs === null ? null : floor(steadyMs), hash) },
    setFactor(hash: Buffer, steadyMs: number): void { factor.run(floor(steadyMs), hash) },
    setRole(hash: Buffer, to: Role, deputyFor: AccountId | null): void { role.run(to, deputyFor, hash) },
    /** False when it had ended before. */
    end: (hash: Buffer, reason: EndReason, atMs: number): boolean => end.run(atMs, reason, hash).changes === 1,
  }
}

const sessionOf = (row: RawSession): StoredSession => ({
  hash: row.session_hash, accountId: accountId(row.account_id), source: row.source, role: row.role !== null && isRole(row.role) ? row.role : null, deputyFor: row.deputy_for === null ? null : accountId(row.deputy_for),
  beganMs: row.began_steady, touchedMs: row.touched_steady, viewedMs: row.viewed_steady, factorMs: row.factor_steady, beganAtMs: row.began_at, endedAtMs: row.ended_at, endReason: row.end_reason,
})
