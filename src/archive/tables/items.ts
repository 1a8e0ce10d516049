import { cameraId, cameraUuid, epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { isItemNo, type ArchivedRange, type ArchiveItem, type CountsFrom, type Filed, type ItemHold, type ItemKind, type ItemNo } from '../item.ts'
import type { SidecarItem } from '../sidecar.ts'
import { holdTable } from './holds.ts'

/** The table has one word for both that stay here; a case of the office's own has its number by `存`. */
type StoredKind = Exclude<ItemKind, 'decided'>
const storedKind = (kind: ItemKind): StoredKind => kind === 'decided' ? 'preserved' : kind
const kindOf = ({ kind, application }: ItemRow): ItemKind => kind === 'preserved' && /^\d{1,3}-存-/.test(application) ? 'decided' : kind

interface ItemRow {
  item_no: string, application: string, kind: StoredKind, reason: string, requester: string, approver: string, footage_sha256: string, payload_sha256: string, bytes: number, made_at: number, recorded_to: number, counts_from: CountsFrom
  expires_at: number, expiry_text: string, key_id: string, state: ArchiveItem['state'], file_no: string | null, filed_by: string | null, filed_at: number | null, revision: number, sidecar_revision: number, verified_at: number
  lost_since: number | null, lost_what: string | null, audit_seq: number
  stamp_timeline: string | null, stamp_at: number | null, later_ms: number
}
interface RangeRow { camera_uuid: string, camera_id: string, camera: string, from_at: number, to_at: number }

/** An item as the catalogue has it. `sidecarRevision` 0: none is known to be on disk. */
export interface StoredItem extends ArchiveItem { readonly recordedTo: EpochMs, readonly revision: number, readonly sidecarRevision: number }

export function itemNo(text: string): ItemNo {
  if (!isItemNo(text)) throw new TypeError(`the catalogue holds no item number but ${JSON.stringify(text.slice(0, 40))}`)
  return text
}

/** Tables `archive_volume`, `archive_item`, `archive_range`, `archive_notice`. */
export function itemTables(db: Db) {
  const holds = holdTable(db)
  const volume = db.prepare<[], string>('SELECT uuid FROM archive_volume').pluck()
  const takeVolume = db.prepare<[string, number]>('INSERT INTO archive_volume VALUES (1, ?, ?)')
  const add = db.prepare<(string | number | null)[]>('INSERT INTO archive_item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?, ?, ?)')
  const addRange = db.prepare<(string | number)[]>('INSERT INTO archive_range VALUES (?, ?, ?, ?, ?, ?, ?)')
  const one = db.prepare<[string], ItemRow>('SELECT * FROM archive_item WHERE item_no = ?')
  const there = db.prepare<[], ItemRow>("SELECT * FROM archive_item WHERE state <> 'destroyed' ORDER BY expires_at, item_no")
  const all = db.prepare<[], ItemRow>('SELECT * FROM archive_item ORDER BY made_at, item_no')
  const ofApplication = db.prepare<[string], ItemRow>('SELECT * FROM archive_item WHERE application = ? ORDER BY made_at, item_no')
  const numbers = db.prepare<[], string>('SELECT item_no FROM archive_item').pluck()
  const ranges = db.prepare<[string], RangeRow>('SELECT camera_uuid, camera_id, camera, from_at, to_at FROM archive_range WHERE item_no = ? ORDER BY position')
  const setState = db.prepare<[string, string, string]>('UPDATE archive_item SET state = ? WHERE item_no = ? AND state = ?')
  const setFiled = db.prepare<[string | null, string | null, number | null, string]>("UPDATE archive_item SET file_no = ?, filed_by = ?, filed_at = ?, revision = revision + 1 WHERE item_no = ? AND state = 'kept'")
  const touch = db.prepare<[string]>('UPDATE archive_item SET revision = revision + 1 WHERE item_no = ?')
  const raise = db.prepare<[number, string]>('UPDATE archive_item SET revision = max(revision, ?) WHERE item_no = ?')
  const sidecarIs = db.prepare<[number, string]>('UPDATE archive_item SET sidecar_revision = ? WHERE item_no = ?')
  const date = db.prepare<[number, string]>(`UPDATE archive_item SET later_ms = max(later_ms, ?), stamp_timeline = NULL, stamp_at = NULL,
    revision = revision + 1 WHERE item_no = ? AND stamp_at IS NOT NULL`)
  const takeDate = db.prepare<[number, string | null, number | null, string]>(
    'UPDATE archive_item SET later_ms = max(later_ms, ?), stamp_timeline = ?, stamp_at = ? WHERE item_no = ?')
  const setVerified = db.prepare<[number, string]>('UPDATE archive_item SET verified_at = ?, lost_since = NULL, lost_what = NULL WHERE item_no = ?')
  const setLost = db.prepare<[number, string, string]>('UPDATE archive_item SET lost_since = ?, lost_what = ? WHERE item_no = ? AND lost_since IS NULL')
  const used = db.prepare<[], { items: number, bytes: number }>("SELECT count(*) AS items, coalesce(sum(bytes), 0) AS bytes FROM archive_item WHERE state <> 'destroyed'")
  const putSince = db.prepare<[number], number>('SELECT coalesce(sum(bytes), 0) FROM archive_item WHERE made_at >= ?').pluck()
  const notices = db.prepare<[string, number], number>('SELECT days FROM archive_notice WHERE item_no = ? AND destroys_at = ?').pluck()
  const addNotice = db.prepare<[string, number, number, number, number]>('INSERT INTO archive_notice VALUES (?, ?, ?, ?, ?)')

  const filedOf = (row: ItemRow): Filed | null => row.file_no === null ? null : { fileNo: row.file_no, by: row.filed_by ?? '', at: epochMs(row.filed_at ?? 0) }
  const itemOf = (row: ItemRow): StoredItem => ({
    itemNo: itemNo(row.item_no), application: row.application, kind: kindOf(row), reason: row.reason, requester: row.requester, approver: row.approver, footageSha256: row.footage_sha256, payloadSha256: row.payload_sha256, bytes: row.bytes,
    ranges: ranges.all(row.item_no).map((each): ArchivedRange => ({ cameraUuid: cameraUuid(each.camera_uuid), cameraId: cameraId(each.camera_id), cameraName: each.camera, from: epochMs(each.from_at), to: epochMs(each.to_at) })),
    madeAt: epochMs(row.made_at), recordedTo: epochMs(row.recorded_to), countsFrom: row.counts_from, expiresAt: epochMs(row.expires_at), expiryText: row.expiry_text, keyId: row.key_id, state: row.state, filed: filedOf(row),
    stamp: row.stamp_timeline === null || row.stamp_at === null ? null : { timeline: row.stamp_timeline, at: epochMs(row.stamp_at) },
    laterMs: row.later_ms,
    holds: holds.of(row.item_no), revision: row.revision, sidecarRevision: row.sidecar_revision, verifiedAt: epochMs(row.verified_at),
    lost: row.lost_since === null ? null : { since: epochMs(row.lost_since), what: row.lost_what ?? '' },
  })
  return {
    holds,
    volume: (): string | null => volume.get() ?? null,
    takeVolume: (uuid: string, at: EpochMs): void => { takeVolume.run(uuid, at) },
    /** With ranges and, of a sidecar, its holds. */
    add(item: SidecarItem, verifiedAt: EpochMs, auditSeq: number): void {
      add.run(item.itemNo, item.application, storedKind(item.kind), item.reason, item.requester, item.approver, item.footageSha256, item.payloadSha256, item.bytes, item.madeAt, item.recordedTo, item.countsFrom, item.expiresAt, item.expiryText,
        item.keyId, 'kept', item.filed?.fileNo ?? null, item.filed?.by ?? null, item.filed?.at ?? null, item.revision, item.revision, verifiedAt, auditSeq,
        item.stamp?.timeline ?? null, item.stamp?.at ?? null, item.laterMs)
      for (const [position, { cameraUuid: uuid, cameraId: id, cameraName, from, to }] of item.ranges.entries()) addRange.run(item.itemNo, position, uuid, id, cameraName, from, to)
      for (const hold of item.holds) holds.import(item.itemNo, hold)
    },
    get(no: ItemNo): StoredItem | null { const row = one.get(no); return row === undefined ? null : itemOf(row) },
    /** Kept and being destroyed, in the order of their ends. */
    there: (): StoredItem[] => there.all().map(itemOf),
    all: (): StoredItem[] => all.all().map(itemOf),
    ofApplication: (application: string): StoredItem[] => ofApplication.all(application).map(itemOf),
    numbers: (): ItemNo[] => numbers.all().map(itemNo),
    /** Whether it was in `from`. */
    move: (no: ItemNo, from: ArchiveItem['state'], to: ArchiveItem['state']): boolean => setState.run(to, no, from).changes === 1,
    setFiled: (no: ItemNo, filed: Filed | null): boolean => setFiled.run(filed?.fileNo ?? null, filed?.by ?? null, filed?.at ?? null, no).changes === 1,
    /** Something changed that the sidecar tells. */
    touch: (no: ItemNo): void => { touch.run(no) },
    raise: (no: ItemNo, revision: number): void => { raise.run(revision, no) },
    /** It was made so much later than was thought. False: it is dated already. */
    date: (no: ItemNo, laterMs: number): boolean => date.run(laterMs, no).changes === 1,
    /** As its sidecar has it. */
    takeDate: (no: ItemNo, { stamp, laterMs }: Pick<SidecarItem, 'stamp' | 'laterMs'>): void => {
      takeDate.run(laterMs, stamp?.timeline ?? null, stamp?.at ?? null, no)
    },
    sidecarIs: (no: ItemNo, revision: number): void => { sidecarIs.run(revision, no) },
    setVerified: (no: ItemNo, at: EpochMs): void => { setVerified.run(at, no) },
    setLost: (no: ItemNo, at: EpochMs, what: string): boolean => setLost.run(at, what, no).changes === 1,
    used: (): { readonly items: number, readonly bytes: number } => used.get() ?? { items: 0, bytes: 0 },
    putSince: (at: number): number => putSince.get(at) ?? 0,
    noticesOf: (no: ItemNo, destroysAt: EpochMs): number[] => notices.all(no, destroysAt),
    addNotice: (no: ItemNo, destroysAt: EpochMs, days: number, at: EpochMs, auditSeq: number): void => { addNotice.run(no, destroysAt, days, at, auditSeq) },
  }
}
export type ItemTables = ReturnType<typeof itemTables>

export const holdsInForce = (item: { readonly holds: readonly ItemHold[] }): readonly ItemHold[] => item.holds.filter(hold => hold.endedAt === null)
