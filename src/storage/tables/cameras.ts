import { randomBytes } from 'node:crypto'
import { cameraUuid, type CameraId, type CameraUuid, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** For a camera that was never recorded. */
export const mintCameraUuid = (): CameraUuid => cameraUuid(randomBytes(16).toString('hex'))

/** Table `camera`: which device stood behind an id, and when. */
export function cameraTable(db: Db) {
  const byId = db.prepare<[string], { uuid: string }>('SELECT uuid FROM camera WHERE id = ? AND retired_at IS NULL')
  const insert = db.prepare<[string, string, number]>('INSERT INTO camera (uuid, id, first_recorded_at) VALUES (?, ?, ?)')
  const active = db.prepare<[], { uuid: string, id: string }>('SELECT uuid, id FROM camera WHERE retired_at IS NULL')
  const retire = db.prepare<[number, string]>('UPDATE camera SET retired_at = ? WHERE uuid = ? AND retired_at IS NULL')
  const exists = db.prepare<[string], { uuid: string }>('SELECT uuid FROM camera WHERE uuid = ?')
  const insertRetired = db.prepare<[string, string, number, number]>('INSERT INTO camera (uuid, id, first_recorded_at, retired_at) VALUES (?, ?, ?, ?)')
  const idOf = db.prepare<[string], { id: string }>('SELECT id FROM camera WHERE uuid = ?')
  const named = db.prepare<[string], { uuid: string, id: string }>('SELECT uuid, id FROM camera WHERE id = ? ORDER BY retired_at IS NULL DESC, retired_at DESC LIMIT 1')
  const all = db.prepare<[], { uuid: string, id: string, retired_at: number | null }>('SELECT uuid, id, retired_at FROM camera ORDER BY retired_at IS NULL DESC, id, first_recorded_at')
  return {
    /** Those in use first; one that left the configuration stays, for its footage may. */
    all: (): { uuid: CameraUuid, id: CameraId, isRetired: boolean }[] => all.all().map(({ uuid, id, retired_at: retiredAt }) => ({ uuid: cameraUuid(uuid), id: id as CameraId, isRetired: retiredAt !== null })),
    /** The camera of this id, else the last one that had it; never mints. */
    find(id: CameraId): { id: CameraId, uuid: CameraUuid } | null {
      const row = named.get(id)
      return row === undefined ? null : { id, uuid: cameraUuid(row.uuid) }
    },
    /** Null for one that was never recorded. */
    of(uuid: CameraUuid): { id: CameraId, uuid: CameraUuid } | null {
      const row = idOf.get(uuid)
      return row === undefined ? null : { id: row.id as CameraId, uuid }
    },
    /** A camera that a volume knows and this catalogue does not. It comes into use again only when somebody configures it. */
    remember(uuid: CameraUuid, id: CameraId, at: EpochMs): void { if (exists.get(uuid) === undefined) insertRetired.run(uuid, id, at, at) },
    /** The uuid of the camera in use under this id; null when it was never recorded. */
    inUse(id: CameraId): CameraUuid | null {
      const known = byId.get(id)
      return known === undefined ? null : cameraUuid(known.uuid)
    },
    insert(uuid: CameraUuid, id: CameraId, now: EpochMs): void { insert.run(uuid, id, now) },
    /** A camera whose footage was found: in use again where its id is free, and else a former one. */
    adopt(uuid: CameraUuid, id: CameraId, at: EpochMs): void {
      if (exists.get(uuid) !== undefined) return
      if (byId.get(id) === undefined) insert.run(uuid, id, at)
      else insertRetired.run(uuid, id, at, at)
    },
    /** Cameras that left the configuration: a later one of the same id is another camera. */
    retireAllBut(ids: ReadonlySet<CameraId>, now: EpochMs): void {
      for (const row of active.all()) if (!ids.has(row.id as CameraId)) retire.run(now, row.uuid)
    },
  }
}
