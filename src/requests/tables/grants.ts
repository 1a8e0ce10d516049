import { epochMs, type CameraUuid, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { ApplicationNumber } from '../cases/application-number.ts'
import type { Grant } from '../cases/grant.ts'

export type GrantEnd = 'expired' | 'revoked' | 'closed' | 'withdrawn'
export interface StoredGrant { readonly number: ApplicationNumber, readonly acts: 'view' | 'copy' | 'view copy', readonly place: string, readonly openedAt: EpochMs, readonly validUntil: EpochMs, readonly ended: { readonly at: EpochMs, readonly reason: GrantEnd } | null }
interface Raw { number: string, acts: StoredGrant['acts'], place: string, opened_at: number, valid_until: number, ended_at: number | null, end_reason: GrantEnd | null }
const grantOf = (raw: Raw): StoredGrant => ({
  number: raw.number as ApplicationNumber, acts: raw.acts, place: raw.place, openedAt: epochMs(raw.opened_at), validUntil: epochMs(raw.valid_until),
  ended: raw.ended_at === null || raw.end_reason === null ? null : { at: epochMs(raw.ended_at), reason: raw.end_reason },
})

/** Tables `application_grant` and `application_grant_line`: where to find what may be open. */
export function grantTables(db: Db) {
  const insert = db.prepare<[string, number, string, string, number, number]>('INSERT OR IGNORE INTO application_grant (number, version, acts, place, opened_at, valid_until) VALUES (?, ?, ?, ?, ?, ?)')
  const insertLine = db.prepare<[string, string, number, number]>('INSERT INTO application_grant_line (number, camera_uuid, from_at, to_at) VALUES (?, ?, ?, ?)')
  const end = db.prepare<[number, string, string]>('UPDATE application_grant SET ended_at = ?, end_reason = ? WHERE number = ? AND ended_at IS NULL')
  const get = db.prepare<[string], Raw>('SELECT * FROM application_grant WHERE number = ?')
  const open = db.prepare<[], Raw>('SELECT * FROM application_grant WHERE ended_at IS NULL ORDER BY valid_until, number')
  const opened = db.prepare<[number, number], Raw>('SELECT * FROM application_grant WHERE opened_at >= ? AND opened_at < ? ORDER BY opened_at, number')
  const overdue = db.prepare<[number], Raw>('SELECT * FROM application_grant WHERE ended_at IS NULL AND valid_until <= ? ORDER BY valid_until, number')
  const covering = db.prepare<[string, number, number, number], string>(`SELECT number FROM application_grant_line JOIN application_grant USING (number)
    WHERE camera_uuid = ? AND from_at <= ? AND to_at > ? AND ended_at IS NULL AND valid_until > ? ORDER BY number`).pluck()
  return {
    /** False when the case has its grant already: a statement signed later opens the same one. */
    open(grant: Grant, version: number): boolean {
      const acts = [grant.canView ? 'view' : '', grant.copy === null ? '' : 'copy'].filter(act => act !== '').join(' ')
      if (insert.run(grant.application, version, acts, grant.place, grant.approvedAt, grant.validUntil).changes === 0) return false
      for (const line of grant.scope) insertLine.run(grant.application, line.camera, line.from, line.to)
      return true
    },
    /** False when it was not open. */
    end: (number: string, at: EpochMs, reason: GrantEnd): boolean => end.run(at, reason, number).changes === 1,
    get(number: string): StoredGrant | null { const raw = get.get(number); return raw === undefined ? null : grantOf(raw) },
    allOpen: (): StoredGrant[] => open.all().map(grantOf),
    openedIn: (startAt: EpochMs, endAt: EpochMs): StoredGrant[] => opened.all(startAt, endAt).map(grantOf),
    overdue: (at: EpochMs): StoredGrant[] => overdue.all(at).map(grantOf),
    covering: (camera: CameraUuid, at: EpochMs, now: EpochMs): string[] => covering.all(camera, at, at, now),
  }
}
