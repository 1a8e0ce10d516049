import {
  cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, volumeUuid,
  type CameraId, type CameraUuid, type EpochMs, type Generation, type SlotNumber, type StreamName, type TimeRange, type VolumeUuid,
} from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** One use of a slot. `endAt` and what follows are null until it is sealed. */
export interface SegmentRow {
  readonly volumeUuid: VolumeUuid
  readonly slot: SlotNumber
  readonly generation: Generation
  readonly cameraId: CameraId
  readonly cameraUuid: CameraUuid
  readonly stream: StreamName
  readonly startAt: EpochMs
  readonly floorRule: string
  readonly endAt: EpochMs | null
  readonly keepUntil: EpochMs | null
  readonly usedBytes: number | null
  readonly merkleRoot: string | null
}
export type SegmentKey = Pick<SegmentRow, 'volumeUuid' | 'slot' | 'generation'>
export type NewSegment = Omit<SegmentRow, 'cameraId' | 'endAt' | 'keepUntil' | 'usedBytes' | 'merkleRoot'>

interface Raw {
  volume_uuid: string, slot: number, generation: number, id: string, camera_uuid: string, stream: string, start_at: number, floor_rule: string
  end_at: number | null, keep_until: number | null, used_bytes: number | null, merkle_root: string | null
}
const toRow = (raw: Raw): SegmentRow => ({
  volumeUuid: volumeUuid(raw.volume_uuid), slot: slotNumber(raw.slot), generation: generation(raw.generation), cameraId: cameraId(raw.id),
  cameraUuid: cameraUuid(raw.camera_uuid), stream: streamName(raw.stream), startAt: epochMs(raw.start_at), floorRule: raw.floor_rule,
  endAt: raw.end_at === null ? null : epochMs(raw.end_at), keepUntil: raw.keep_until === null ? null : epochMs(raw.keep_until),
  usedBytes: raw.used_bytes, merkleRoot: raw.merkle_root,
})

export interface Seal { readonly endAt: EpochMs, readonly keepUntil: EpochMs, readonly records: number, readonly usedBytes: number, readonly merkleRoot: Buffer, readonly sealedAt: EpochMs }

/** Table `segment`: one row a slot generation. */
export function segmentTable(db: Db) {
  const from = `SELECT volume_uuid, slot, generation, id, camera_uuid, stream, start_at, floor_rule, end_at, keep_until, used_bytes, merkle_root
    FROM segment JOIN camera ON camera.uuid = segment.camera_uuid`
  // A segment that was sealed because its slot failed is footage too, but its slot is quarantined and no candidate.
  const oldest = db.prepare<[string, number], Raw>(`${from} WHERE volume_uuid = ? AND sealed_at IS NOT NULL AND ended_at IS NULL
    AND EXISTS (SELECT 1 FROM slot WHERE slot.volume_uuid = segment.volume_uuid AND slot.slot = segment.slot AND slot.state = 'sealed') ORDER BY end_at LIMIT ?`)
  const unsealed = db.prepare<[string], Raw>(`${from} WHERE volume_uuid = ? AND sealed_at IS NULL AND ended_at IS NULL`)
  const insert = db.prepare<[string, number, number, string, string, number, string]>(
    'INSERT INTO segment (volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule) VALUES (?, ?, ?, ?, ?, ?, ?)')
  const seal = db.prepare<[number, number, number, number, string, number, string, number, number]>(
    'UPDATE segment SET end_at = ?, keep_until = ?, records = ?, used_bytes = ?, merkle_root = ?, sealed_at = ? WHERE volume_uuid = ? AND slot = ? AND generation = ? AND sealed_at IS NULL')
  const end = db.prepare<[number, string, number, number]>('UPDATE segment SET ended_at = ? WHERE volume_uuid = ? AND slot = ? AND generation = ? AND ended_at IS NULL')
  const oldestOfStream = db.prepare<[string, string], { at: number | null }>('SELECT min(start_at) AS at FROM segment WHERE camera_uuid = ? AND stream = ? AND ended_at IS NULL')
  const newestOfStream = db.prepare<[string, string], { at: number | null }>('SELECT max(coalesce(end_at, start_at)) AS at FROM segment WHERE camera_uuid = ? AND stream = ? AND ended_at IS NULL')
  const oldestOfVolume = db.prepare<[string], { at: number | null }>('SELECT start_at AS at FROM segment WHERE volume_uuid = ? AND sealed_at IS NOT NULL AND ended_at IS NULL ORDER BY end_at LIMIT 1')
  const inRange = db.prepare<[string, string, number, number], Raw>(
    `${from} WHERE camera_uuid = ? AND stream = ? AND start_at < ? AND ended_at IS NULL AND (end_at IS NULL OR end_at > ?) ORDER BY start_at`)
  const instant = (row: { at: number | null } | undefined): EpochMs | null => row?.at == null ? null : epochMs(row.at)
  return {
    /** Segments in the sealed slots of a volume, the one whose newest frame is oldest first. */
    oldest: (volume: VolumeUuid, limit: number): SegmentRow[] => oldest.all(volume, limit).map(toRow),
    unsealed: (volume: VolumeUuid): SegmentRow[] => unsealed.all(volume).map(toRow),
    insert(segment: NewSegment): void {
      insert.run(segment.volumeUuid, segment.slot, segment.generation, segment.cameraUuid, segment.stream, segment.startAt, segment.floorRule)
    },
    seal(key: SegmentKey, facts: Seal): void {
      const { changes } = seal.run(facts.endAt, facts.keepUntil, facts.records, facts.usedBytes, facts.merkleRoot.toString('hex'), facts.sealedAt, key.volumeUuid, key.slot, key.generation)
      if (changes !== 1) throw new TypeError(`segment ${key.slot}/${key.generation} is sealed already`)
    },
    end(key: SegmentKey, now: EpochMs): void {
      if (end.run(now, key.volumeUuid, key.slot, key.generation).changes !== 1) throw new TypeError(`segment ${key.slot}/${key.generation} has ended already`)
    },
    oldestFrameOfStream: (camera: CameraUuid, stream: StreamName): EpochMs | null => instant(oldestOfStream.get(camera, stream)),
    newestFrameOfStream: (camera: CameraUuid, stream: StreamName): EpochMs | null => instant(newestOfStream.get(camera, stream)),
    oldestFrameOfVolume: (volume: VolumeUuid): EpochMs | null => instant(oldestOfVolume.get(volume)),
    inRange: (camera: CameraUuid, stream: StreamName, range: TimeRange): SegmentRow[] => inRange.all(camera, stream, range.endAt, range.startAt).map(toRow),
  }
}
