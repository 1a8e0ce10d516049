import { epochMs, type CameraChange, type CameraId, type CameraTrait, type CameraUuid,
  type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** Table `camera_trait`. */
export function cameraTraitTable(db: Db) {
  const find = db.prepare<[string, string], { value: string }>(
    'SELECT value FROM camera_trait WHERE camera_uuid = ? AND trait = ?')
  const put = db.prepare<[string, string, string, string | null,
    number]>(`INSERT INTO camera_trait (camera_uuid, trait, value, before, since_at)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (camera_uuid, trait)
    DO UPDATE SET value = excluded.value, before = excluded.before, since_at = excluded.since_at`)
  const changed = db.prepare<[number], { id: string, trait: CameraTrait, since_at: number }>(
    `SELECT id, trait, since_at FROM camera_trait
    JOIN camera ON uuid = camera_uuid
    WHERE retired_at IS NULL AND before IS NOT NULL AND since_at > ? ORDER BY id, trait`)
  return {
    find: (camera: CameraUuid, trait: CameraTrait): string | null => find.get(camera, trait)?.value ?? null,
    put(camera: CameraUuid, trait: CameraTrait,
    { value, before, since }: { value: string, before: string | null, since: EpochMs }): void {
      put.run(camera, trait, value, before, since)
    },
    changedSince: (at: EpochMs): CameraChange[] =>
      changed.all(at).map(({ id, trait, since_at: since }) =>
        ({ cameraId: id as CameraId, what: trait, since: epochMs(since) })),
  }
}
