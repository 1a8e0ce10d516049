import { epochMs, type CameraChange, type CameraId, type CameraUuid, type DeviceFacts,
  type EpochMs } from '../../domain/index.ts'
import type { SeenDevice } from '../../footage/index.ts'
import type { Db } from '../../platform/catalogue.ts'

interface Row extends DeviceFacts { first_seen_at: number, last_seen_at: number }

/** Runs that began so close together are of one connection to the camera. */
const TOGETHER_MS = 60_000

/** Table `camera_device`. */
export function deviceTable(db: Db) {
  const columns = 'first_seen_at, last_seen_at, maker, model, firmware, serial'
  const newest = db.prepare<[string], Row>(`SELECT ${columns} FROM camera_device WHERE camera_uuid = ? ORDER BY first_seen_at DESC LIMIT 1`)
  const at = db.prepare<[string, number], Row>(`SELECT ${columns} FROM camera_device WHERE camera_uuid = ? AND first_seen_at <= ? ORDER BY first_seen_at DESC LIMIT 1`)
  const since = db.prepare<[string, number], { count: number }>('SELECT count(*) AS count FROM camera_device WHERE camera_uuid = ? AND first_seen_at > ?')
  const insert = db.prepare<[string, number, number, string | null, string | null, string | null, string | null]>(`INSERT INTO camera_device (camera_uuid, ${columns}) VALUES (?, ?, ?, ?, ?, ?, ?)`)
  const seen = db.prepare<[number, string, number]>('UPDATE camera_device SET last_seen_at = max(last_seen_at, ?) WHERE camera_uuid = ? AND first_seen_at = ?')
  const connected = db.prepare<{ camera: string, now: number }, { start_at: number | null }>(`
    SELECT min(start_at) AS start_at FROM run WHERE camera_uuid = @camera AND end_at IS NULL AND start_at <= @now
      AND start_at > (SELECT max(start_at) FROM run WHERE camera_uuid = @camera AND end_at IS NULL AND start_at <= @now) - ${TOGETHER_MS}`)
  const reconnected = db.prepare<[string, number, number], { run_id: number }>('SELECT run_id FROM run WHERE camera_uuid = ? AND start_at > ? AND start_at <= ? LIMIT 1')
  const replaced = db.prepare<[number], { id: string, first_seen_at: number }>(`
    SELECT id, now.first_seen_at FROM camera_device now JOIN camera ON uuid = now.camera_uuid
    JOIN camera_device before ON before.camera_uuid = now.camera_uuid AND before.first_seen_at =
      (SELECT max(first_seen_at) FROM camera_device
       WHERE camera_uuid = now.camera_uuid AND first_seen_at < now.first_seen_at)
    WHERE retired_at IS NULL AND now.first_seen_at > ?
      AND (before.maker IS NOT now.maker OR before.serial IS NOT now.serial)
      AND now.first_seen_at =
        (SELECT max(first_seen_at) FROM camera_device WHERE camera_uuid = now.camera_uuid)
    ORDER BY id`)
  const seenOf = (row: Row | undefined): SeenDevice | null => row === undefined ? null
    : { maker: row.maker, model: row.model, firmware: row.firmware, serial: row.serial, firstSeenAt: epochMs(row.first_seen_at), lastSeenAt: epochMs(row.last_seen_at) }
  return {
    newest: (camera: CameraUuid): SeenDevice | null => seenOf(newest.get(camera)),
    /** The device that stood there at an instant; null when none had been heard of, or the camera was connected to anew since it last was. */
    at(camera: CameraUuid, instant: EpochMs): SeenDevice | null {
      const device = seenOf(at.get(camera, instant))
      return device === null || (device.lastSeenAt < instant && reconnected.get(camera, device.lastSeenAt, instant) !== undefined) ? null : device
    },
    /** How many came new since. */
    countSince: (camera: CameraUuid, instant: EpochMs): number => since.get(camera, instant)!.count,
    /** When the connection that is open now began; null when nothing is being recorded. */
    connectedSince(camera: CameraUuid, now: EpochMs): EpochMs | null {
      const startAt = connected.get({ camera, now })?.start_at ?? null
      return startAt === null ? null : epochMs(startAt)
    },
    /**
     * Cameras whose device is another since, by maker or serial number; another firmware is the same device.
     */
    replacedSince: (at: EpochMs): CameraChange[] =>
      replaced.all(at).map(({ id, first_seen_at: since }) =>
        ({ cameraId: id as CameraId, what: 'device', since: epochMs(since) })),
    insert(camera: CameraUuid, { firstSeenAt, lastSeenAt, maker, model, firmware,
    serial }: SeenDevice): void { insert.run(camera, firstSeenAt, lastSeenAt, maker, model, firmware,
    serial) },
    seenAgain(camera: CameraUuid, { firstSeenAt }: SeenDevice,
    now: EpochMs): void { seen.run(now, camera, firstSeenAt) },
  }
}
