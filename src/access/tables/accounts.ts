import type { Db } from '../../platform/catalogue.ts'
import type { Account, AccountState, DisabledWhy, MustChange } from '../account-machine.ts'
import { accountId, isRole, type AccountId, type Role } from '../roles.ts'

interface RawAccount {
  account_id: string, display_name: string, unit: string, post: string, state: AccountState, disabled_why: DisabledWhy | null, ends_at: number | null, custodian_id: string | null, must_change: MustChange | null,
  active_steady: number | null, used_steady: number | null, used_at: number | null, created_at: number, left_at: number | null, roles: string
}
interface RawRequest { request_id: number, account_id: string, kind: RequestKind, wanted: string, reason: string, asked_by: string, asked_at: number, decision: 'approved' | 'refused' | null }

export type RequestKind = 'open' | 'change' | 'enable'
/** What a request would change; absent means as it is. */
export interface Wanted { readonly roles?: readonly Role[], readonly unit?: string, readonly post?: string, readonly endsAtMs?: number | null, readonly displayName?: string }
export interface AccountRequest { readonly requestId: number, readonly accountId: AccountId, readonly kind: RequestKind, readonly wanted: Wanted, readonly reason: string, readonly askedBy: string, readonly askedAtMs: number, readonly decision: 'approved' | 'refused' | null }

const COLUMNS = `account.*, (SELECT coalesce(group_concat(role, ','), '') FROM account_role WHERE account_role.account_id = account.account_id) AS roles`

/** Tables `account`, `account_role`, `account_request`. */
export function accountTable(db: Db) {
  const get = db.prepare<[string], RawAccount>(`SELECT ${COLUMNS} FROM account WHERE account_id = ?`)
  const all = db.prepare<[], RawAccount>(`SELECT ${COLUMNS} FROM account ORDER BY account_id`)
  const insert = db.prepare<[string, string, string, string, number | null, string | null, number]>(
    `INSERT INTO account (account_id, display_name, unit, post, state, ends_at, custodian_id, created_at) VALUES (?, ?, ?, ?, 'applied', ?, ?, ?)`)
  const setState = db.prepare<[AccountState, DisabledWhy | null, number | null, number | null, string]>('UPDATE account SET state = ?, disabled_why = ?, active_steady = coalesce(?, active_steady), left_at = ? WHERE account_id = ?')
  const setFacts = db.prepare<[string, string, string, number | null, string]>('UPDATE account SET display_name = ?, unit = ?, post = ?, ends_at = ? WHERE account_id = ?')
  const setUsed = db.prepare<[number, number, string]>('UPDATE account SET used_steady = ?, used_at = ? WHERE account_id = ?')
  const setMustChange = db.prepare<[MustChange | null, string]>('UPDATE account SET must_change = ? WHERE account_id = ?')
  const dropRoles = db.prepare<[string]>('DELETE FROM account_role WHERE account_id = ?')
  const addRole = db.prepare<[string, string]>('INSERT INTO account_role VALUES (?, ?)')
  const ask = db.prepare<[string, RequestKind, string, string, string, number]>('INSERT INTO account_request (account_id, kind, wanted, reason, asked_by, asked_at) VALUES (?, ?, ?, ?, ?, ?)')
  const request = db.prepare<[number], RawRequest>('SELECT * FROM account_request WHERE request_id = ?')
  const openRequests = db.prepare<[], RawRequest>('SELECT * FROM account_request WHERE decision IS NULL ORDER BY request_id')
  const decide = db.prepare<[string, string, string, number, number]>('UPDATE account_request SET decision = ?, decision_reason = ?, decided_by = ?, decided_at = ? WHERE request_id = ? AND decision IS NULL')
  return {
    get(id: string): Account | null { const row = get.get(id); return row === undefined ? null : accountOf(row) },
    all: (): Account[] => all.all().map(accountOf),
    /** In state `applied`. */
    add(account: Pick<Account, 'accountId' | 'displayName' | 'unit' | 'post' | 'endsAtMs' | 'custodianId' | 'createdAtMs'>): void {
      insert.run(account.accountId, account.displayName, account.unit, account.post, account.endsAtMs, account.custodianId, account.createdAtMs)
    },
    setState(id: AccountId, state: AccountState, more: { readonly why?: DisabledWhy, readonly activeSteadyMs?: number, readonly leftAtMs?: number } = {}): void {
      setState.run(state, more.why ?? null, more.activeSteadyMs === undefined ? null : Math.floor(more.activeSteadyMs), more.leftAtMs ?? null, id)
    },
    setRoles(id: AccountId, roles: readonly Role[]): void {
      dropRoles.run(id)
      for (const role of new Set(roles)) addRole.run(id, role)
    },
    setFacts(id: AccountId, facts: Pick<Account, 'displayName' | 'unit' | 'post' | 'endsAtMs'>): void { setFacts.run(facts.displayName, facts.unit, facts.post, facts.endsAtMs, id) },
    setUsed(id: AccountId, steadyMs: number, atMs: number): void { setUsed.run(Math.floor(steadyMs), atMs, id) },
    setMustChange(id: AccountId, why: MustChange | null): void { setMustChange.run(why, id) },
    ask(id: AccountId, kind: RequestKind, wanted: Wanted, reason: string, by: string, atMs: number): number { return Number(ask.run(id, kind, JSON.stringify(wanted), reason, by, atMs).lastInsertRowid) },
    request(id: number): AccountRequest | null { const row = request.get(id); return row === undefined ? null : requestOf(row) },
    openRequests: (): AccountRequest[] => openRequests.all().map(requestOf),
    /** False when it was decided before. */
    decide: (id: number, decision: 'approved' | 'refused', reason: string, by: string, atMs: number): boolean => decide.run(decision, reason, by, atMs, id).changes === 1,
  }
}

const accountOf = (row: RawAccount): Account => ({
  accountId: accountId(row.account_id), displayName: row.display_name, unit: row.unit, post: row.post, roles: row.roles.split(',').filter(isRole).sort(), state: row.state, disabledWhy: row.disabled_why, endsAtMs: row.ends_at,
  custodianId: row.custodian_id === null ? null : accountId(row.custodian_id), mustChange: row.must_change, activeSteadyMs: row.active_steady, usedSteadyMs: row.used_steady, usedAtMs: row.used_at, createdAtMs: row.created_at, leftAtMs: row.left_at,
})
const requestOf = (row: RawRequest): AccountRequest => ({
  requestId: row.request_id, accountId: accountId(row.account_id), kind: row.kind, wanted: JSON.parse(row.wanted) as Wanted, reason: row.reason, askedBy: row.asked_by, askedAtMs: row.asked_at, decision: row.decision,
})
