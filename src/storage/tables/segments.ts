import {
  cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, volumeUuid,
  type CameraUuid, type EpochMs, type SlotNumber, type StreamName, type TimeRange, type VolumeUuid,
} from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { SegmentKey, SegmentRow } from '../../footage/index.ts'

export type NewSegment = Omit<SegmentRow, 'cameraId' | 'endAt' | 'keepUntil' | 'newestAt' | 'records' | 'usedBytes' | 'merkleRoot'>

interface Raw {
  volume_uuid: string, slot: number, generation: number, id: string, camera_uuid: string, stream: string, start_at: number, floor_rule: string
  end_at: number | null, keep_until: number | null, newest_at: number | null, records: number | null, used_bytes: number | null, merkle_root: string | null
}
const toRow = (raw: Raw): SegmentRow => ({
  volumeUuid: volumeUuid(raw.volume_uuid), slot: slotNumber(raw.slot), generation: generation(raw.generation), cameraId: cameraId(raw.id),
  cameraUuid: cameraUuid(raw.camera_uuid), stream: streamName(raw.stream), startAt: epochMs(raw.start_at), floorRule: raw.floor_rule,
  endAt: raw.end_at === null ? null : epochMs(raw.end_at), keepUntil: raw.keep_until === null ? null : epochMs(raw.keep_until),
  newestAt: raw.newest_at === null ? null : epochMs(raw.newest_at), records: raw.records, usedBytes: raw.used_bytes, merkleRoot: raw.merkle_root,
})

export interface Seal { readonly endAt: EpochMs, readonly newestAt: EpochMs, readonly keepUntil: EpochMs, readonly records: number, readonly usedBytes: number, readonly merkleRoot: Buffer, readonly sealedAt: EpochMs }

const PAGE_ROWS = 64

/** Why a slot was free to go, as the guard said. */
export interface Freed { readonly at: EpochMs, readonly trustedAt: EpochMs, readonly keptUntil: EpochMs, readonly floorRule: string, readonly auditSeq: number | null }

/** Table `segment`: one row a slot generation. */
export function segmentTable(db: Db) {
  const from = `SELECT volume_uuid, slot, generation, id, camera_uuid, stream, start_at, floor_rule, end_at, keep_until, newest_at, records, used_bytes, merkle_root
    FROM segment JOIN camera ON camera.uuid = segment.camera_uuid`
  // One step of a loose scan: a few rules stand beside each other for a month after a change, and each is a
  // run of the index.
  const nextRule = db.prepare<[string, string], { rule: string }>(`SELECT floor_rule AS rule FROM segment INDEXED BY segment_reuse
    WHERE volume_uuid = ? AND floor_rule > ? AND sealed_at IS NOT NULL AND ended_at IS NULL AND hold_count = 0 AND is_quarantined = 0 ORDER BY volume_uuid, floor_rule, newest_at LIMIT 1`)
  const oldestOfRule = db.prepare<[string, string, number, number], Raw>(`${from} WHERE volume_uuid = ? AND floor_rule = ?
    AND sealed_at IS NOT NULL AND ended_at IS NULL AND hold_count = 0 AND is_quarantined = 0 ORDER BY newest_at LIMIT ? OFFSET ?`)
  const unsealed = db.prepare<[string], Raw>(`${from} WHERE volume_uuid = ? AND sealed_at IS NULL AND ended_at IS NULL`)
  const one = db.prepare<[string, number, number], { segment_id: number }>('SELECT segment_id FROM segment WHERE volume_uuid = ? AND slot = ? AND generation = ? AND ended_at IS NULL')
  const insert = db.prepare<[string, number, number, string, string, number, string]>(
    'INSERT INTO segment (volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule) VALUES (?, ?, ?, ?, ?, ?, ?)')
  const seal = db.prepare<[number, number, number, number, number, string, number, string, number, number]>(
    'UPDATE segment SET end_at = ?, newest_at = ?, keep_until = ?, records = ?, used_bytes = ?, merkle_root = ?, sealed_at = ? WHERE volume_uuid = ? AND slot = ? AND generation = ? AND sealed_at IS NULL')
  const markQuarantined = db.prepare<[string, number, number]>('UPDATE segment SET is_quarantined = 1 WHERE volume_uuid = ? AND slot = ? AND generation = ?')
  const free = db.prepare<[number, number, number, string, number | null, string, number, number]>(
    `UPDATE segment SET ended_at = ?, freed_trusted_at = ?, freed_kept_until = ?, freed_floor_rule = ?, freed_audit_seq = ?
     WHERE volume_uuid = ? AND slot = ? AND generation = ? AND ended_at IS NULL AND hold_count = 0 AND is_quarantined = 0`)
  const held = db.prepare<[string], { n: number }>('SELECT count(*) AS n FROM segment WHERE volume_uuid = ? AND hold_count > 0 AND ended_at IS NULL')
  const end = db.prepare<[number, string, number, number]>('UPDATE segment SET ended_at = ? WHERE volume_uuid = ? AND slot = ? AND generation = ? AND ended_at IS NULL')
  const oldestOfStream = db.prepare<[string, string], { at: number | null }>('SELECT min(start_at) AS at FROM segment WHERE camera_uuid = ? AND stream = ? AND ended_at IS NULL')
  const newestBefore = db.prepare<[string, string, number], { at: number | null }>(`SELECT max(coalesce(end_at, start_at)) AS at
    FROM segment WHERE camera_uuid = ? AND stream = ? AND start_at < ? AND ended_at IS NULL`)
  const lastOfStream = db.prepare<[string, string], Raw>(
    `${from} WHERE camera_uuid = ? AND stream = ? AND ended_at IS NULL ORDER BY segment_id DESC LIMIT 1`)
  const newestOfStream = db.prepare<[string, string], { at: number | null }>('SELECT max(coalesce(end_at, start_at)) AS at FROM segment WHERE camera_uuid = ? AND stream = ? AND ended_at IS NULL')
  const recordedIn = db.prepare<[string, string, number, number, number, string, number, number], {
    start_at: number, end_at: number | null }>(
    `SELECT start_at, end_at FROM segment WHERE camera_uuid = ? AND stream = ? AND start_at < ?
     AND CASE WHEN end_at IS NULL THEN start_at > ? ELSE end_at > ? END
     AND (ended_at IS NULL OR freed_kept_until IS NOT NULL)
     AND NOT (volume_uuid = ? AND slot = ? AND generation = ?)`)
  const overwrittenIn = db.prepare<[string, string, number, number], { start_at: number, end_at: number }>(
    `SELECT start_at, end_at FROM segment WHERE camera_uuid = ? AND stream = ? AND start_at < ? AND end_at > ?
     AND freed_kept_until IS NOT NULL`)
  const oldestOfVolume = db.prepare<[string], { at: number | null }>('SELECT start_at AS at FROM segment WHERE volume_uuid = ? AND sealed_at IS NOT NULL AND ended_at IS NULL ORDER BY end_at LIMIT 1')
  const sealedFrom = db.prepare<[string, number, number], Raw & { is_quarantined: number }>(`${from.replace('SELECT ', 'SELECT is_quarantined, ')} WHERE volume_uuid = ? AND slot >= ? AND slot < ?
    AND sealed_at IS NOT NULL AND ended_at IS NULL ORDER BY slot LIMIT 1`)
  const inRange = db.prepare<[string, string, number, number], Raw>(
    `${from} WHERE camera_uuid = ? AND stream = ? AND start_at < ? AND ended_at IS NULL AND (end_at IS NULL OR end_at > ?)
     ORDER BY start_at, segment_id`)
  const numbered = db.prepare<[number], Raw>(`${from} WHERE segment_id = ?`)
  /** A page at a time: nearly always the first row decides, and a reader may hold many. */
  function* paged(volume: VolumeUuid, rule: string): Generator<SegmentRow> {
    for (let offset = 0, size = 1; ; offset += size, size = PAGE_ROWS) {
      const rows = oldestOfRule.all(volume, rule, size, offset)
      yield* rows.map(toRow)
      if (rows.length < size) return
    }
  }
  // The newest by number: by time it would be a scan of the whole table, which keeps what was overwritten
  // too.
  const lastOpened = db.prepare<[number], number>(`SELECT start_at FROM (SELECT start_at, records FROM segment
    ORDER BY segment_id DESC LIMIT ?) WHERE records > 0`).pluck()
  const instant = (row: { at: number | null } | undefined): EpochMs | null => row?.at == null ? null : epochMs(row.at)
  return {
    /**
     * Segments that only floor and readers keep, by the floor rule they were recorded under; of each rule
     * the one whose newest frame is oldest first.
     */
    *reusable(volume: VolumeUuid): Generator<Iterable<SegmentRow>> {
      for (let rule = nextRule.get(volume, '')?.rule ?? null; rule !== null; rule = nextRule.get(volume, rule)?.rule ?? null) yield paged(volume, rule)
    },
    /** The first sealed segment in the slots `[from, to)`. */
    sealedFrom(volume: VolumeUuid, slotFrom: SlotNumber, slotTo: number): (SegmentRow & { isQuarantined: boolean }) | null {
      const raw = sealedFrom.get(volume, slotFrom, slotTo)
      return raw === undefined ? null : { ...toRow(raw), isQuarantined: raw.is_quarantined === 1 }
    },
    has: (key: SegmentKey): boolean => one.get(key.volumeUuid, key.slot, key.generation) !== undefined,
    unsealed: (volume: VolumeUuid): SegmentRow[] => unsealed.all(volume).map(toRow),
    insert(segment: NewSegment): void {
      insert.run(segment.volumeUuid, segment.slot, segment.generation, segment.cameraUuid, segment.stream, segment.startAt, segment.floorRule)
    },
    seal(key: SegmentKey, facts: Seal): void {
      const { changes } = seal.run(facts.endAt, facts.newestAt, facts.keepUntil, facts.records, facts.usedBytes, facts.merkleRoot.toString('hex'), facts.sealedAt, key.volumeUuid, key.slot, key.generation)
      if (changes !== 1) throw new TypeError(`segment ${key.slot}/${key.generation} is sealed already`)
    },
    markQuarantined(key: SegmentKey): void { markQuarantined.run(key.volumeUuid, key.slot, key.generation) },
    /**
     * Ends a sealed segment because its slot is used again. A hold or a fault since the guard looked makes
     * it throw [G1][G2].
     */
    free(key: SegmentKey, why: Freed): void {
      const { changes } = free.run(why.at, why.trustedAt, why.keptUntil, why.floorRule, why.auditSeq, key.volumeUuid, key.slot, key.generation)
      if (changes !== 1) throw new TypeError(`segment ${key.slot}/${key.generation} may not be freed`)
    },
    /** Starts of the newest `most` segments, of those that hold footage. */
    lastOpened: (most: number): EpochMs[] => lastOpened.all(most).map(epochMs),
    heldSlots: (volume: VolumeUuid): number => held.get(volume)?.n ?? 0,
    /** Ends a segment that no frame was ever in; a slot that was only made ready has none. */
    endIfAny(key: SegmentKey, now: EpochMs): void { end.run(now, key.volumeUuid, key.slot, key.generation) },
    oldestFrameOfStream: (camera: CameraUuid, stream: StreamName): EpochMs | null => instant(oldestOfStream.get(camera, stream)),
    newestFrameOfStream: (camera: CameraUuid, stream: StreamName): EpochMs | null => instant(newestOfStream.get(camera, stream)),
    /** Of the segments that began before `at`. */
    newestFrameBefore: (camera: CameraUuid, stream: StreamName, at: EpochMs): EpochMs | null =>
      instant(newestBefore.get(camera, stream, at)),
    /** The one that was entered last, whatever the clock showed then. */
    lastOfStream(camera: CameraUuid, stream: StreamName): SegmentRow | null {
      const raw = lastOfStream.get(camera, stream)
      return raw === undefined ? null : toRow(raw)
    },
    /**
     * What other segments of the stream recorded of a range, those too that were overwritten by the rule. One
     * that is still open, and began later than this one, may reach to the end of the range.
     */
    recordedIn: ({ cameraUuid: camera, stream, startAt, volumeUuid, slot, generation }: SegmentRow, range: TimeRange): TimeRange[] =>
      recordedIn.all(camera, stream, range.endAt, startAt, range.startAt, volumeUuid, slot, generation)
        .map(row => ({ startAt: epochMs(row.start_at), endAt: row.end_at === null ? range.endAt : epochMs(row.end_at) })),
    /** What of a range was recorded, and overwritten by the rule. */
    overwrittenIn: (camera: CameraUuid, stream: StreamName, range: TimeRange): TimeRange[] =>
      overwrittenIn.all(camera, stream, range.endAt, range.startAt)
        .map(row => ({ startAt: epochMs(row.start_at), endAt: epochMs(row.end_at) })),
    oldestFrameOfVolume: (volume: VolumeUuid): EpochMs | null => instant(oldestOfVolume.get(volume)),
    /** Throws TypeError for a number that no segment has. */
    numbered(row: number): SegmentRow {
      const raw = numbered.get(row)
      if (raw === undefined) throw new TypeError(`there is no segment ${row}`)
      return toRow(raw)
    },
    inRange: (camera: CameraUuid, stream: StreamName, range: TimeRange): SegmentRow[] => inRange.all(camera, stream, range.endAt, range.startAt).map(toRow),
  }
}
