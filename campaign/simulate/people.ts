import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, rmSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { atMachine } from '../../src/access/index.ts'
import type { ArchiveFacts } from '../../src/archive/index.ts'
import { AuditLog } from '../../src/audit/index.ts'
import { cameraId, cameraUuid, epochMs, streamName, type AuditActor } from '../../src/domain/index.ts'
import { openHoldDesk, rebuildCatalogue } from '../../src/storage/index.ts'
import type { Dice } from './dice.ts'
import { holdsOn } from './oracle/volume-files.ts'
import { configuredVolumes } from './recorder.ts'
import { textOf } from './stream-driver.ts'
import type { World } from './world.ts'

const SECOND_MS = 1_000, HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS
const CLERK: AuditActor = { kind: 'machine-user', name: 'clerk', role: null, source: null }
const MOST_CAMERAS_MORE = 3

// ---- cameras of the configuration

export function addCamera(world: World, dice: Dice): void {
  if (world.streams.length >= world.usualCameras + MOST_CAMERAS_MORE) return
  const name = `x${dice.whole(0, 99)}`
  if (world.streams.some(({ facts }) => facts.camera === name) || world.oracle.catalogue.isInUse(name)) return
  world.addStream(name)
  world.reconfigure()
}
export function removeCamera(world: World, dice: Dice): void {
  if (world.streams.length <= Math.max(1, world.usualCameras - MOST_CAMERAS_MORE)) return
  world.removeStream(dice.pick(world.streams))
  world.reconfigure()
}
/** Another device under the name of one that was taken down. */
export function exchangeCamera(world: World, dice: Dice): void {
  if (world.streams.length < 2) return
  const stream = dice.pick(world.streams)
  const { camera } = stream.facts
  const afterMs = dice.between(3, 30) * SECOND_MS
  world.removeStream(stream)
  const add = (): void => {
    if (world.streams.some(each => each.facts.camera === camera)) return
    // What the catalogue has not taken yet, a kill undoes; once all is well it has taken it.
    if (world.oracle.catalogue.isInUse(camera) && !world.isCalm) {
      world.queue.after(HOUR_MS, add)
      return
    }
    world.addStream(camera)
    world.reconfigure()
  }
  world.reconfigure(() => { world.queue.after(afterMs, add) })
}

// ---- holds, by the recorder or by a command beside it

export function placeHold(world: World, dice: Dice): void {
  const { recorder } = world
  const stream = dice.pick(world.streams)
  const toAt = world.machine.wallNow - (dice.chance(0.3) ? -dice.between(0, 2) * DAY_MS : dice.between(0, 30) * DAY_MS)
  const fromAt = toAt - dice.between(0.02, 2) * DAY_MS
  const ask = (uuid: string) => ({
    camera: { id: cameraId(stream.facts.camera), uuid: uuid as never }, stream: null, fromAt: epochMs(fromAt), toAt: epochMs(toAt), authority: 'order', application: null, by: CLERK,
  })
  const placed = (hold: { holdId: string, cameraUuid: string, fromAt: number, toAt: number }): void => {
    world.note(`hold ${hold.holdId} is placed on ${stream.key}`)
    world.oracle.holds.placed({ id: hold.holdId, cameraUuid: hold.cameraUuid, fromAt: hold.fromAt, toAt: hold.toAt })
  }
  if (recorder?.upSince != null && dice.chance(0.5)) {
    const uuid = recorder.life.quietly(() => recorder.storage.footage.cameras()).find(camera => camera.id === stream.facts.camera)?.uuid
    if (uuid === undefined) return
    recorder.storage.holds.place(ask(uuid)).then(hold => { if (!recorder.life.isGone) placed(hold) }, (error: unknown) => { world.note(`hold refused: ${textOf(error)}`) })
    return
  }
  world.runCommand('hold', async program => {
    const catalogue = program.openCatalogue('beside')
    const audit = new AuditLog({ db: catalogue.db, clock: program.clock })
    const desk = await openHoldDesk({ catalogue, audit, fs: program.fs, clock: program.clock, volumes: configuredVolumes(world) })
    const camera = desk.findCamera(cameraId(stream.facts.camera))
    return camera === null ? null : { hold: await desk.book.place(ask(camera.uuid)), isEverywhere: desk.refused().length === 0 }
  }, done => { if (done !== null && done.isEverywhere) placed(done.hold) })
}

export function endHold(world: World, dice: Dice): void {
  const { recorder, oracle: { holds } } = world
  const inForce = holds.inForce
  if (recorder?.upSince == null || inForce.length <= 2) return
  const { id } = dice.pick(inForce)
  holds.ending(id)
  recorder.storage.holds.end(id, CLERK, 'closed').then(
    () => { if (!recorder.life.isGone) holds.ended(id) },
    (error: unknown) => { world.note(`hold not ended: ${textOf(error)}`) },
  )
}

// ---- readers

const READ_EVERY_MS = 2_500

/** Reads what is next to be overwritten, for a while. */
export function readOldest(world: World, dice: Dice): void {
  const { recorder, oracle } = world
  if (recorder?.upSince == null) return
  const key = oracle.catalogue.ask<{ camera: string, stream: string }>(`SELECT camera.id AS camera, stream FROM segment JOIN camera ON camera.uuid = camera_uuid
    WHERE sealed_at IS NOT NULL AND ended_at IS NULL AND hold_count = 0 AND is_quarantined = 0 AND retired_at IS NULL ORDER BY newest_at LIMIT 1 OFFSET ?`, dice.whole(0, 3))[0]
  if (key === undefined) return
  const reads = dice.whole(2, 30)
  void (async () => {
    const segment = recorder.storage.segmentsIn(cameraId(key.camera), streamName(key.stream), { startAt: epochMs(0), endAt: epochMs(world.machine.wallNow) })[0]
    if (segment === undefined) return
    oracle.leases.asked(segment.volumeUuid, segment.slot, segment.generation, world.now)
    await using reader = await recorder.storage.openReader(segment)
    const disk = world.volumes.map(({ path: folder }) => world.machine.mounts.get(folder)).find(each => each?.texts.get('custos-volume.json')?.includes(segment.volumeUuid))
    for (let i = 0; i < reads; i++) {
      if (recorder.life.isGone || disk == null) break
      await reader.read(i % reader.footage.entries.length)
      oracle.leases.read(reader, disk, segment.slot, segment.generation, world.now)
      await recorder.program.clock.wait(READ_EVERY_MS)
    }
    oracle.leases.ends(reader)
  })().catch((error: unknown) => { world.note(`reader: ${textOf(error)}`) })
}

// ---- the archive

const ARCHIVIST = atMachine({ kind: 'machine-user', name: 'archivist', role: null, source: null })

/** Puts a copy into the archive: always the same small folder, for another case each time. */
export function archiveCopy(world: World, dice: Dice): void {
  const { recorder, machine, oracle } = world
  if (recorder?.upSince == null || recorder.isStopping) return
  const stream = dice.pick(world.streams), to = epochMs(machine.wallNow - DAY_MS)
  const { wallOffsetMs } = machine
  const facts: ArchiveFacts = {
    application: `115-${world.figures.windows}`, kind: 'copy-master', reason: 'case', requester: 'officer', approver: 'head',
    footageSha256: createHash('sha256').update(String(world.figures.windows)).digest('hex'),
    ranges: [{ cameraUuid: cameraUuid('a'.repeat(32)), cameraId: cameraId(stream.facts.camera), cameraName: 'camera', from: epochMs(to - HOUR_MS), to }],
  }
  const put = recorder.archive.put(ARCHIVIST, { folder: world.copyFolder, facts })
  world.queue.hold(Promise.race([put, recorder.life.gone]))
  put.then(({ itemNo }) => {
    if (recorder.life.isGone) return
    world.note(`${itemNo} is archived`)
    oracle.archive.put(itemNo, wallOffsetMs)
  }, (error: unknown) => { world.note(`not archived: ${textOf(error)}`) })
}

// ---- the catalogue's file

const FILES = ['catalogue.db', 'catalogue.db-wal', 'catalogue.db-shm']

/** The recorder is stopped, the file goes; days later somebody rebuilds it from the volumes. */
export function loseCatalogue(world: World, dice: Dice): void {
  world.stop(() => {
    replaceCatalogue(world, null)
    world.start()
    world.needRebuild(world.volumes, dice.between(0.01, 2) * DAY_MS)
  })
}

/** A copy of today's catalogue comes back some days later. */
export function restoreBackup(world: World, dice: Dice): void {
  const file = path.join(world.stateDir, `backup-${world.figures.windows}.db`)
  if (!existsSync(path.join(world.stateDir, FILES[0]!))) return
  const db = new Database(path.join(world.stateDir, FILES[0]!), { readonly: true })
  db.prepare('VACUUM INTO ?').run(file)
  db.close()
  world.note('the catalogue is backed up')
  world.queue.after(dice.between(0.2, 20) * DAY_MS, () => {
    world.stop(() => {
      replaceCatalogue(world, file)
      world.start()
      world.needRebuild(world.volumes, dice.between(0.01, 2) * DAY_MS)
    })
  })
}

function replaceCatalogue(world: World, by: string | null): void {
  world.oracle.catalogueReplaced({ isLost: by === null })
  for (const name of FILES) rmSync(path.join(world.stateDir, name), { force: true })
  if (by !== null) copyFileSync(by, path.join(world.stateDir, FILES[0]!))
  world.note(by === null ? 'the catalogue is lost' : 'the catalogue is replaced by its backup')
  const known = world.volumes.flatMap(({ home }) => home === null ? [] : [...holdsOn(home)])
  for (const { id } of world.oracle.holds.inForce) if (!known.includes(id)) world.oracle.holds.forget(id)
}

/**
 * `custos rebuild`, with the recorder stopped. Again in an hour where something died meanwhile, or a volume
 * was not there or could not be read.
 */
export function rebuild(world: World): void {
  world.rebuildDue = world.now + HOUR_MS
  if (world.isHeldBack) rebuildNow(world)
  else world.stop(() => { rebuildNow(world) })
}

function rebuildNow(world: World): void {
  world.isHeldBack = true
  const over = (): void => {
    world.isHeldBack = false
    world.start()
  }
  world.runCommand('rebuild', async program => {
    const catalogue = program.openCatalogue('own')
    const audit = new AuditLog({ db: catalogue.db, clock: program.clock })
    const cameras = world.streams.map(stream => cameraId(stream.facts.camera))
    const { bootId } = world.machine.hostClock(), { fs, clock } = program
    return await rebuildCatalogue({
      catalogue, audit, volumes: configuredVolumes(world), cameras, fs, clock, bootId, by: CLERK,
    })
  }, report => {
    world.oracle.rebuilt()
    world.note(`rebuilt: ${JSON.stringify(report.counts)}, ${report.contradictions.map(each => `${each.kind} ${each.count}`).join(', ')}`)
    for (const site of world.volumes) {
      const volume = report.volumes.find(each => each.id === site.id)
      if (volume?.isRead !== true) continue
      if (volume.unread === 0) world.outOfStep.delete(site)
      else world.outOfStep.add(site)
    }
    if (world.outOfStep.size === 0) world.rebuildDue = null
    over()
  }, over)
}
