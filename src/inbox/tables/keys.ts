import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** A key of a document system, as it was enrolled. */
export interface EnrolledKey {
  readonly keyId: string
  readonly system: string
  /** SPKI, DER. */
  readonly publicKey: Buffer
  readonly validFrom: EpochMs
  readonly validUntil: EpochMs
  readonly addedAt: EpochMs
  readonly addedBy: string
  readonly revoked: { readonly at: EpochMs, readonly by: string, readonly reason: string } | null
}
interface Raw { key_id: string, system: string, public_key: Buffer, valid_from: number, valid_until: number, added_at: number, added_by: string, revoked_at: number | null, revoked_by: string | null, revoke_reason: string | null }
const keyOf = (raw: Raw): EnrolledKey => ({
  keyId: raw.key_id, system: raw.system, publicKey: raw.public_key, validFrom: epochMs(raw.valid_from), validUntil: epochMs(raw.valid_until), addedAt: epochMs(raw.added_at), addedBy: raw.added_by,
  revoked: raw.revoked_at === null ? null : { at: epochMs(raw.revoked_at), by: raw.revoked_by ?? '', reason: raw.revoke_reason ?? '' },
})

/** Table `inbox_key`. */
export function inboxKeyTable(db: Db) {
  const get = db.prepare<[string], Raw>('SELECT * FROM inbox_key WHERE key_id = ?')
  const all = db.prepare<[], Raw>('SELECT * FROM inbox_key ORDER BY added_at, key_id')
  const insert = db.prepare<[string, string, Buffer, number, number, number, string]>('INSERT INTO inbox_key (key_id, system, public_key, valid_from, valid_until, added_at, added_by) VALUES (?, ?, ?, ?, ?, ?, ?)')
  const revoke = db.prepare<[number, string, string, string]>('UPDATE inbox_key SET revoked_at = ?, revoked_by = ?, revoke_reason = ? WHERE key_id = ? AND revoked_at IS NULL')
  return {
    get(keyId: string): EnrolledKey | null { const raw = get.get(keyId); return raw === undefined ? null : keyOf(raw) },
    all: (): EnrolledKey[] => all.all().map(keyOf),
    add(key: Omit<EnrolledKey, 'revoked'>): void { insert.run(key.keyId, key.system, key.publicKey, key.validFrom, key.validUntil, key.addedAt, key.addedBy) },
    /** False when it was revoked before, or is not there. */
    revoke: (keyId: string, at: EpochMs, by: string, reason: string): boolean => revoke.run(at, by, reason, keyId).changes === 1,
  }
}
