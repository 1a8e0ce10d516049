import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { AuditLog } from '../../../src/audit/index.ts'
import type { CameraId, StreamName } from '../../../src/domain/index.ts'
import { openCatalogue } from '../../../src/platform/catalogue.ts'
import { rebuildCatalogue, type RebuildReport } from '../../../src/storage/index.ts'
import { FaultyFileSystem } from '../../support/faulty-file-system.ts'
import type { RecorderRig } from '../../support/recorder-rig.ts'
import type { TestOwner } from '../../support/virtual-clock.ts'

/** A folder of its own: `t.testdir` gives the same one again, emptied. */
export function newFolder(owner: TestOwner): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-catalogue-'))
  owner.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  return folder
}

/** While no recorder runs. */
export async function rebuild(rig: RecorderRig, cameras: readonly CameraId[]): Promise<RebuildReport> {
  using catalogue = openCatalogue(rig.stateDir, rig.clock.wallNow())
  const audit = new AuditLog({ db: catalogue.db, clock: rig.clock })
  const { configured: volumes, fs, clock, bootId } = rig
  return await rebuildCatalogue({ catalogue, audit, volumes, cameras, fs, clock, bootId })
}

/** Records another camera from now on. */
export function stand(rig: RecorderRig, camera: CameraId, stream: StreamName = rig.stream): void {
  rig.lane = rig.storage.lane(camera, stream)
  rig.run = null
  rig.nextAt = rig.clock.wallNow()
}

/** Killed, and not started again; its catalogue is in `folder`. */
export async function dieAndStayDead(rig: RecorderRig, folder: string): Promise<void> {
  const memory = rig.memory.afterKill()
  rig.copyCatalogue(folder)
  await rig.close()
  rig.memory = memory
  rig.fs = new FaultyFileSystem(memory)
  rig.stateDir = folder
  rig.run = null
  rig.clock.drift(3_000, 0)
}
