import { cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, volumeUuid, type CameraId, type CameraUuid, type EpochMs, type SlotNumber, type StreamName, type VolumeUuid } from '../../domain/index.ts'
import type { SegmentKey } from '../../footage/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { FaultKind, SegmentFault } from '../segment-check.ts'

/** How far round the scrubber is on one volume. */
export interface ScrubPosition { readonly firstSlot: SlotNumber, readonly doneSlots: number, readonly passBeganAt: EpochMs, readonly lastPassAt: EpochMs | null }

/** Footage that stands in the catalogue and no longer reads as it was sealed. */
export interface RottenFootage {
  readonly cameraId: CameraId
  readonly cameraUuid: CameraUuid
  readonly stream: StreamName
  readonly volumeUuid: VolumeUuid
  readonly slot: SlotNumber
  readonly kind: FaultKind
  readonly fromAt: EpochMs
  readonly toAt: EpochMs
  readonly foundAt: EpochMs
}
const MOST_TOLD = 200

/** Tables `scrub_position` and `scrub_finding`. */
export function scrubTable(db: Db) {
  const position = db.prepare<[string], { first_slot: number, done_slots: number, pass_began_at: number, last_pass_at: number | null }>('SELECT first_slot, done_slots, pass_began_at, last_pass_at FROM scrub_position WHERE volume_uuid = ?')
  const save = db.prepare<[string, number, number, number, number | null]>('INSERT OR REPLACE INTO scrub_position VALUES (?, ?, ?, ?, ?)')
  const isLive = db.prepare<[string, number, number], { camera_uuid: string, stream: string }>('SELECT camera_uuid, stream FROM segment WHERE volume_uuid = ? AND slot = ? AND generation = ? AND ended_at IS NULL')
  const insert = db.prepare<[string, number, number, string, string, string, number, number, number | null, number | null, number]>(
    `INSERT INTO scrub_finding (volume_uuid, slot, generation, camera_uuid, stream, kind, from_at, to_at, first_record, records, found_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (volume_uuid, slot, generation, kind, from_at) WHERE cleared_at IS NULL DO NOTHING`)
  const standingOf = db.prepare<[string, number, number], { finding_id: number, kind: string, from_at: number }>(
    'SELECT finding_id, kind, from_at FROM scrub_finding WHERE volume_uuid = ? AND slot = ? AND generation = ? AND cleared_at IS NULL')
  const clear = db.prepare<[number, number]>('UPDATE scrub_finding SET cleared_at = ? WHERE finding_id = ?')
  const standing = db.prepare<[number], { id: string, camera_uuid: string, stream: string, volume_uuid: string, slot: number, generation: number, kind: FaultKind, from_at: number, to_at: number, found_at: number }>(
    `SELECT camera.id, f.camera_uuid, f.stream, f.volume_uuid, f.slot, f.generation, f.kind, f.from_at, f.to_at, f.found_at FROM scrub_finding AS f
     JOIN segment USING (volume_uuid, slot, generation) JOIN camera ON camera.uuid = f.camera_uuid
     WHERE f.cleared_at IS NULL AND segment.ended_at IS NULL ORDER BY f.finding_id DESC LIMIT ?`)
  return {
    position(volume: VolumeUuid): ScrubPosition | null {
      const row = position.get(volume)
      return row === undefined ? null : { firstSlot: slotNumber(row.first_slot), doneSlots: row.done_slots, passBeganAt: epochMs(row.pass_began_at), lastPassAt: row.last_pass_at === null ? null : epochMs(row.last_pass_at) }
    },
    savePosition(volume: VolumeUuid, at: ScrubPosition): void { save.run(volume, at.firstSlot, at.doneSlots, at.passBeganAt, at.lastPassAt) },
    /** Whether the segment still stands; if not, its slot was zeroed for another one and what was read proves nothing. */
    isLive: (key: SegmentKey): boolean => isLive.get(key.volumeUuid, key.slot, key.generation) !== undefined,
    /** False when it is known already. */
    insert(key: SegmentKey & { cameraUuid: CameraUuid, stream: StreamName }, fault: SegmentFault, now: EpochMs): boolean {
      return insert.run(key.volumeUuid, key.slot, key.generation, key.cameraUuid, key.stream, fault.kind, fault.fromAt, fault.toAt, fault.firstRecord, fault.records, now).changes === 1
    },
    hasStanding: (key: SegmentKey): boolean => standingOf.get(key.volumeUuid, key.slot, key.generation) !== undefined,
    /** Ends findings that a later look did not make again. Returns how many. */
    clearOthers(key: SegmentKey, faults: readonly SegmentFault[], now: EpochMs): number {
      const gone = standingOf.all(key.volumeUuid, key.slot, key.generation).filter(row => !faults.some(fault => fault.kind === row.kind && fault.fromAt === row.from_at))
      for (const row of gone) clear.run(now, row.finding_id)
      return gone.length
    },
    /** The newest findings about footage that is still there, MOST_TOLD at most. */
    standing: (): RottenFootage[] => standing.all(MOST_TOLD).map(row => ({
      cameraId: cameraId(row.id), cameraUuid: cameraUuid(row.camera_uuid), stream: streamName(row.stream), volumeUuid: volumeUuid(row.volume_uuid), slot: slotNumber(row.slot), generation: generation(row.generation),
      kind: row.kind, fromAt: epochMs(row.from_at), toAt: epochMs(row.to_at), foundAt: epochMs(row.found_at),
    })),
  }
}
