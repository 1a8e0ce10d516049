import type { OrderOfSacrifice } from '../capacity/index.ts'
import type { CameraConfig } from '../domain/index.ts'
import type { Ingest } from '../ingest/index.ts'
import type { Storage } from '../storage/index.ts'

/** The parts that cameras of the configuration concern. */
export interface CameraParts {
  readonly storage: Pick<Storage, 'expectRate' | 'lane' | 'retireAllBut'>
  readonly ingest: Pick<Ingest, 'configure'>
  readonly sacrifice: Pick<OrderOfSacrifice, 'configure'>
}

/**
 * Takes over the cameras of a configuration: all that can be done, whatever else fails. Throws the first
 * failure; calling it again does the rest.
 */
export async function applyCameras(
  cameras: readonly CameraConfig[], { storage, ingest, sacrifice }: CameraParts,
): Promise<void> {
  const failures: unknown[] = []
  const attempt = async (work: () => unknown): Promise<boolean> => {
    try { await work(); return true } catch (error) { failures.push(error); return false }
  }
  for (const { id: cameraId, streams } of cameras) {
    for (const { name: stream, declaredBps } of streams) storage.expectRate({ cameraId, stream }, declaredBps)
  }
  // One camera that cannot be entered now must not keep the others from being recorded.
  const ready: CameraConfig[] = []
  for (const camera of cameras) {
    if (await attempt(() => { for (const { name } of camera.streams) storage.lane(camera.id, name) })) {
      ready.push(camera)
    }
  }
  await attempt(() => ingest.configure(ready))
  await attempt(() => storage.retireAllBut(new Set(cameras.map(camera => camera.id))))
  await attempt(() => { sacrifice.configure(cameras) })
  if (failures.length > 0) throw failures[0]
}
