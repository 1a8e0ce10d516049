import type { Db } from '../../platform/catalogue.ts'
import { accountId, isRole, type AccountId, type Role } from '../roles.ts'

interface RawDeputy { deputy_id: number, absent_id: string, deputy_account_id: string, role: string, from_at: number, to_at: number, document: string, named_by: string, ended_at: number | null }
interface RawHandOver { hand_over_id: number, role: string, from_id: string, to_id: string, items: string, given_at: number, taken_at: number | null }
interface RawReview { review_id: number, year: number, list: string, sha256: string, made_by: string, made_at: number, signed_by: string | null, signed_at: number | null, remark: string | null }

export interface Deputy { readonly deputyId: number, readonly absentId: AccountId, readonly deputyAccountId: AccountId, readonly role: Role, readonly fromAtMs: number, readonly toAtMs: number, readonly document: string, readonly namedBy: string, readonly endedAtMs: number | null }
export interface HandOver { readonly handOverId: number, readonly role: Role, readonly fromId: AccountId, readonly toId: AccountId, readonly items: string, readonly givenAtMs: number, readonly takenAtMs: number | null }
export interface AccountReview { readonly reviewId: number, readonly year: number, readonly list: string, readonly sha256: string, readonly madeBy: string, readonly madeAtMs: number, readonly signedBy: string | null, readonly signedAtMs: number | null, readonly remark: string | null }

const roleOf = (text: string): Role => { if (!isRole(text)) throw new TypeError(`a stored role ${JSON.stringify(text)} is none`); return text }

/** Tables `deputy`, `hand_over`, `undertaking`, `account_review`. */
export function registerTables(db: Db) {
  const addDeputy = db.prepare<[string, string, string, number, number, string, string]>('INSERT INTO deputy (absent_id, deputy_account_id, role, from_at, to_at, document, named_by) VALUES (?, ?, ?, ?, ?, ?, ?)')
  const endDeputy = db.prepare<[number, number]>('UPDATE deputy SET ended_at = ? WHERE deputy_id = ? AND ended_at IS NULL')
  const deputiesOf = db.prepare<[string, number, number], RawDeputy>('SELECT * FROM deputy WHERE deputy_account_id = ? AND ended_at IS NULL AND from_at <= ? AND to_at > ?')
  const deputies = db.prepare<[], RawDeputy>('SELECT * FROM deputy ORDER BY from_at, deputy_id')
  const give = db.prepare<[string, string, string, string, number]>('INSERT INTO hand_over (role, from_id, to_id, items, given_at) VALUES (?, ?, ?, ?, ?)')
  const take = db.prepare<[number, number]>('UPDATE hand_over SET taken_at = ? WHERE hand_over_id = ? AND taken_at IS NULL')
  const handOver = db.prepare<[number], RawHandOver>('SELECT * FROM hand_over WHERE hand_over_id = ?')
  const handOvers = db.prepare<[], RawHandOver>('SELECT * FROM hand_over ORDER BY hand_over_id')
  const pending = db.prepare<[string, string], RawHandOver>('SELECT * FROM hand_over WHERE from_id = ? AND role = ? AND taken_at IS NULL')
  const undertake = db.prepare<[string, string, string, number | null, string | null]>('INSERT INTO undertaking (account_id, kind, version, signed_at, note) VALUES (?, ?, ?, ?, ?)')
  const undertaken = db.prepare<[string, string], number>("SELECT 1 FROM undertaking WHERE account_id = ? AND kind = 'entry' AND version = ? AND signed_at IS NOT NULL LIMIT 1").pluck()
  const addReview = db.prepare<[number, string, string, string, number]>('INSERT INTO account_review (year, list, sha256, made_by, made_at) VALUES (?, ?, ?, ?, ?)')
  const signReview = db.prepare<[string, number, string, number]>('UPDATE account_review SET signed_by = ?, signed_at = ?, remark = ? WHERE review_id = ? AND signed_at IS NULL')
  const review = db.prepare<[number], RawReview>('SELECT * FROM account_review WHERE review_id = ?')
  const lastSigned = db.prepare<[], number | null>('SELECT max(signed_at) FROM account_review').pluck()
  return {
    addDeputy: (row: Omit<Deputy, 'deputyId' | 'endedAtMs'>): number => Number(addDeputy.run(row.absentId, row.deputyAccountId, row.role, row.fromAtMs, row.toAtMs, row.document, row.namedBy).lastInsertRowid),
    endDeputy: (id: number, atMs: number): boolean => endDeputy.run(atMs, id).changes === 1,
    /** Whom somebody stands in for at this wall instant. */
    deputiesOf: (id: AccountId, wallMs: number): Deputy[] => deputiesOf.all(id, wallMs, wallMs).map(deputyOf),
    deputies: (): Deputy[] => deputies.all().map(deputyOf),
    give: (row: Pick<HandOver, 'role' | 'fromId' | 'toId' | 'items' | 'givenAtMs'>): number => Number(give.run(row.role, row.fromId, row.toId, row.items, row.givenAtMs).lastInsertRowid),
    take: (id: number, atMs: number): boolean => take.run(atMs, id).changes === 1,
    handOver(id: number): HandOver | null { const row = handOver.get(id); return row === undefined ? null : handOverOf(row) },
    handOvers: (): HandOver[] => handOvers.all().map(handOverOf),
    isPending: (from: AccountId, role: Role): boolean => pending.get(from, role) !== undefined,
    undertake(id: AccountId, kind: 'entry' | 'leaving', version: string, signedAtMs: number | null, note: string | null): void { undertake.run(id, kind, version, signedAtMs, note) },
    hasUndertaken: (id: AccountId, version: string): boolean => undertaken.get(id, version) !== undefined,
    addReview: (row: Pick<AccountReview, 'year' | 'list' | 'sha256' | 'madeBy' | 'madeAtMs'>): number => Number(addReview.run(row.year, row.list, row.sha256, row.madeBy, row.madeAtMs).lastInsertRowid),
    signReview: (id: number, by: string, atMs: number, remark: string): boolean => signReview.run(by, atMs, remark, id).changes === 1,
    review(id: number): AccountReview | null { const row = review.get(id); return row === undefined ? null : reviewOf(row) },
    lastSignedAtMs: (): number | null => lastSigned.get() ?? null,
  }
}

const deputyOf = (row: RawDeputy): Deputy => ({
  deputyId: row.deputy_id, absentId: accountId(row.absent_id), deputyAccountId: accountId(row.deputy_account_id), role: roleOf(row.role), fromAtMs: row.from_at, toAtMs: row.to_at, document: row.document, namedBy: row.named_by, endedAtMs: row.ended_at,
})
const handOverOf = (row: RawHandOver): HandOver => ({ handOverId: row.hand_over_id, role: roleOf(row.role), fromId: accountId(row.from_id), toId: accountId(row.to_id), items: row.items, givenAtMs: row.given_at, takenAtMs: row.taken_at })
const reviewOf = (row: RawReview): AccountReview => ({
  reviewId: row.review_id, year: row.year, list: row.list, sha256: row.sha256, madeBy: row.made_by, madeAtMs: row.made_at, signedBy: row.signed_by, signedAtMs: row.signed_at, remark: row.remark,
})
