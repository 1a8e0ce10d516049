import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { cameraId } from '../../src/domain/index.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { dieAndStayDead, newFolder, rebuild, stand } from './support/rebuilding.ts'
import { foundButTold, gapsOf, loseFragmentInOutage, recordAgain } from './support/told-gaps.ts'

const GATE = cameraId('gate')

t.test('a recorder that tried in vain to record with the old catalogue does not take the name', async t => {
  const rig = await RecorderRig.open(t, { slots: 8 })
  await rig.append(2)
  rig.endRun()
  await rig.sync()
  const backup = newFolder(t)
  rig.copyCatalogue(backup)
  await rig.storage.retireAllBut(new Set())
  rig.clock.drift(60_000, 0)
  stand(rig, rig.camera)
  await rig.append(2)
  rig.endRun()
  const [{ uuid }] = rig.rows<{ uuid: string }>('SELECT uuid FROM camera WHERE retired_at IS NULL') as [{ uuid: string }]
  await rig.close()
  rig.stateDir = backup
  rig.clock.drift(60_000, 0)
  await rig.restart()
  t.match(rig.storage.volumeStatus(), [{ state: 'foreign' }])
  await t.rejects(rig.append(1), { code: 'CUSTOS_NO_VOLUME' })
  rig.endRun('storage-failed')
  await rig.close()
  await rebuild(rig, [rig.camera, GATE])
  t.same(rig.rows('SELECT uuid FROM camera WHERE retired_at IS NULL'), [{ uuid }])
})

t.test('a start whose clock was ahead for some seconds does not decide whose a name is', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  await rig.append(2)
  rig.endRun()
  await rig.sync()
  await rig.close()
  const backup = newFolder(t)
  rig.copyCatalogue(backup)
  const gone = rig.volumes.find(({ identity }) => identity.uuid === rig.rows<{ volume_uuid: string }>('SELECT volume_uuid FROM segment')[0]!.volume_uuid)!
  // Another device under the same name, by a recorder whose clock is a month ahead until it is set.
  rig.clock.stepWall(30 * 86_400_000)
  await rig.restart()
  await rig.storage.retireAllBut(new Set())
  rig.clock.stepWall(-30 * 86_400_000)
  rig.clock.drift(60_000, 0)
  stand(rig, rig.camera)
  const other = rig.volumes.find(each => each !== gone)!
  const giveBack0 = rig.memory.takeAway(gone.path)
  await rig.recheck()
  rig.nextAt = rig.clock.wallNow()
  await rig.append(2)
  rig.endRun()
  await rig.close()
  giveBack0()
  // That disk fails, and the catalogue too: the backup goes on with the first disk.
  rig.stateDir = backup
  const giveBack = rig.memory.takeAway(other.path)
  await rebuild(rig, [rig.camera, GATE])
  rig.clock.drift(3_600_000, 0)
  await rig.restart()
  rig.nextAt = rig.clock.wallNow()
  await rig.append(6)
  rig.endRun()
  const [{ uuid }] = rig.rows<{ uuid: string }>('SELECT uuid FROM camera WHERE retired_at IS NULL') as [{ uuid: string }]
  await rig.close()
  giveBack()
  await rebuild(rig, [rig.camera, GATE])
  t.same(rig.rows('SELECT uuid FROM camera WHERE retired_at IS NULL'), [{ uuid }], 'the one that was recorded last, by an hour')
})

t.test('backup, kill, rebuild, start: the gap of the kill begins at the last frame', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  await rig.append(2)
  await rig.sync()
  await rig.recheck()
  const backup = newFolder(t)
  rig.copyCatalogue(backup)
  const lowest = rig.volumes.map(({ identity }) => identity.uuid).sort()[0]
  const fill = async () => {
    rig.nextAt = rig.clock.wallNow()
    await rig.fillSlots(1)
    await rig.sync()
    rig.clock.drift(30_000, 0)
  }
  for (let i = 0; i < 6 || rig.lane.openSlot!.volume.identity.uuid !== lowest; i++) await fill() // a rebuild enters volumes in the order of their uuids
  await rig.sync()
  const lastEnd = rig.nextAt
  await dieAndStayDead(rig, newFolder(t))
  rig.stateDir = backup
  await rebuild(rig, [rig.camera, GATE])
  await rig.restart()
  await rig.lane.recover()
  t.match(rig.lane.gapNow(), { startAt: lastEnd })
  t.same(await foundButTold(rig), [])
})

for (const isLost of [false, true]) {
  t.test(`a gap that lasts does not end at footage of a clock that was ahead (catalogue ${isLost ? 'lost' : 'whole'})`, async t => {
    const rig = await RecorderRig.open(t, { slots: 8 })
    rig.clock.stepWall(30 * 86_400_000) // a month ahead for its first seconds
    rig.nextAt = rig.clock.wallNow()
    await rig.append(2)
    rig.endRun('clock-stepped')
    rig.clock.stepWall(-30 * 86_400_000)
    rig.lane.noteNoFootage('starting')
    rig.nextAt = rig.clock.wallNow()
    await rig.append(4)
    const lastEnd = rig.nextAt
    rig.endRun('recorder-stopped')
    await rig.close()
    if (isLost) rig.stateDir = newFolder(t)
    await rebuild(rig, [rig.camera, GATE])
    rig.clock.drift(60_000, 0)
    const since = await recordAgain(rig, 4)
    const over = gapsOf(rig).filter(g => g.start_at <= since && (g.end_at ?? Infinity) >= rig.nextAt)
    t.same(over, [], 'no gap over what was recorded now')
    t.ok(gapsOf(rig).some(g => g.start_at === lastEnd && g.end_at === since))
  })
}

t.test('while one disk is away no gap is told over footage of that disk, which the catalogue knows', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  await rig.fillSlots(5)
  rig.endRun('recorder-stopped')
  await rig.close()
  const before = gapsOf(rig)
  const giveBack = rig.memory.takeAway('/volumes/disk2')
  await rebuild(rig, [rig.camera, GATE])
  t.same(gapsOf(rig), before, 'while it is away')
  giveBack()
  await rig.restart()
  t.same(rig.storage.volumeStatus().map(({ state }) => state), ['ok', 'ok'])
  t.same(await foundButTold(rig), [])
})

t.test('a kill, then a rebuild while the disk of the open slot is away', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  await rig.fillSlots(1)
  await rig.append(2) // on the other disk
  await rig.sync()
  const lastEnd = rig.nextAt
  const home = rig.lane.openSlot!.volume.path
  await dieAndStayDead(rig, newFolder(t))
  const giveBack = rig.memory.takeAway(home)
  await rebuild(rig, [rig.camera, GATE])
  giveBack()
  await rig.restart()
  t.same(rig.storage.volumeStatus().map(({ state }) => state), ['ok', 'ok'])
  await rig.lane.recover()
  await rig.append(2)
  const again = rig.appended.at(-2)!.startAt
  await rig.recheck()
  t.same(await foundButTold(rig), [])
  t.match(gapsOf(rig), [{ start_at: lastEnd, end_at: again }])
  t.match(rig.rows('SELECT end_at FROM run ORDER BY run_id LIMIT 1'), [{ end_at: lastEnd }])
})

t.test('a rebuild while a disk is away keeps the gaps beside the footage of that disk', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  for (let i = 0; i < 3; i++) {
    await rig.fillSlots(1)
    rig.endRun()
    rig.clock.drift(60_000, 0)
  }
  await rig.close()
  t.equal(new Set(rig.rows<{ volume_uuid: string }>('SELECT volume_uuid FROM segment').map(row => row.volume_uuid)).size, 2)
  rig.stateDir = newFolder(t)
  await rebuild(rig, [rig.camera, GATE]) // the catalogue was lost
  const before = gapsOf(rig)
  t.equal(before.length, 3)
  const giveBack = rig.memory.takeAway('/volumes/disk2')
  await rebuild(rig, [rig.camera, GATE])
  giveBack()
  t.same(gapsOf(rig), before)
})

t.test('a rebuild keeps the gap of a lost fragment', async t => {
  const rig = await RecorderRig.open(t, { slots: 12 })
  const { startAt, endAt } = await loseFragmentInOutage(rig)
  const told = () => rig.rows(`SELECT start_at, end_at FROM gap WHERE start_at < ${endAt} AND end_at > ${startAt}`)
  t.same(told(), [{ start_at: startAt, end_at: endAt }])
  await rig.append(2)
  rig.endRun()
  await rig.close()
  await rebuild(rig, [rig.camera, GATE])
  t.same(told(), [{ start_at: startAt, end_at: endAt }], 'after the rebuild')
})

t.test('what a slot that failed holds is told as lost as long as no row claims it', async t => {
  const rig = await RecorderRig.open(t, { slots: 6 })
  await rig.append(1)
  rig.fs.break({ step: 'append sync', mode: 'not-applied' })
  await rig.sync()
  await rig.append(2)
  rig.endRun('recorder-stopped')
  await rig.close()
  const told = () => rig.rows("SELECT cause FROM gap WHERE cause = 'storage-failed'").length
  t.equal(told(), 1)
  await rebuild(rig, [rig.camera])
  t.equal(told(), 1)
  await rig.restart()
  t.same((await rig.found()).map(({ name }) => name), rig.appended.slice(1).map(({ name }) => name))
  await rig.close()
  rig.stateDir = newFolder(t) // without a catalogue nobody knows that it failed
  await rebuild(rig, [rig.camera])
  await rig.restart()
  t.same((await rig.found()).map(({ name }) => name), rig.appended.map(({ name }) => name))
  t.same(await foundButTold(rig), [])
})

t.test('what is lost since a clock that was ahead is told from the last frame before that', async t => {
  const rig = await RecorderRig.open(t, { slots: 8 })
  await rig.append(4)
  rig.endRun('clock-stepped')
  const lastEnd = rig.nextAt
  rig.clock.stepWall(30 * 86_400_000)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(2)
  await rig.sync()
  await dieAndStayDead(rig, newFolder(t))
  rig.clock.stepWall(-30 * 86_400_000)
  rig.clock.drift(3_600_000, 0)
  rig.stateDir = newFolder(t)
  await rebuild(rig, [rig.camera])
  const since = await recordAgain(rig, 2)
  t.ok(gapsOf(rig).some(gap => gap.start_at === lastEnd && gap.end_at === since), JSON.stringify(gapsOf(rig)))
  t.same(await foundButTold(rig), [])
})

t.test('a rebuild tells what is missing of a clock that was ahead, though the gap that lasts began at an earlier time',
  async t => {
    const rig = await RecorderRig.open(t, { slots: 8 })
    const aheadMs = 30 * 86_400_000
    rig.clock.stepWall(aheadMs)
    rig.nextAt = rig.clock.wallNow()
    await rig.append(2)
    rig.endRun()
    const lostFrom = rig.nextAt
    rig.clock.drift(60_000, 0)
    rig.nextAt = rig.clock.wallNow()
    const lostTo = rig.nextAt
    await rig.append(2)
    rig.endRun()
    await rig.sync()
    rig.clock.stepWall(-aheadMs)
    const setBackAt = rig.clock.wallNow()
    rig.lane.noteNoFootage('unreachable')
    rig.clock.drift(60_000, 0)
    const forgotten = rig.rows(`DELETE FROM gap WHERE start_at = ${lostFrom} RETURNING gap_id`)
    t.equal(forgotten.length, 1)
    await dieAndStayDead(rig, newFolder(t))
    await rebuild(rig, [rig.camera, GATE])
    t.match(gapsOf(rig).filter(gap => gap.start_at === lostFrom), [{ end_at: lostTo }])
    t.match(gapsOf(rig).filter(gap => gap.end_at === null), [{ start_at: setBackAt }], 'nor does that one begin later')
  })

t.test('what is lost since the newest footage begins behind it, though its number was given to a run that stored nothing',
  async t => {
    const rig = await RecorderRig.open(t, { slots: 8 })
    await rig.append(2)
    rig.endRun()
    await rig.sync()
    const backup = newFolder(t)
    rig.copyCatalogue(backup)
    rig.clock.drift(60_000, 0)
    rig.nextAt = rig.clock.wallNow()
    await rig.append(4)
    rig.endRun()
    await rig.sync()
    const newestEnd = rig.nextAt
    const [{ id }] = rig.rows<{ id: number }>('SELECT max(run_id) AS id FROM run') as [{ id: number }]
    await rig.close()
    rig.stateDir = backup
    rig.clock.drift(60_000, 0)
    const db = new Database(path.join(backup, 'catalogue.db'))
    db.prepare(`INSERT INTO run (run_id, camera_uuid, stream, codec, width_px, height_px, start_at, end_at, end_reason)
      SELECT ?, camera_uuid, stream, codec, width_px, height_px, ?, ?, 'storage-failed' FROM run LIMIT 1`)
      .run(id, rig.clock.wallNow(), rig.clock.wallNow())
    db.close()
    await rebuild(rig, [rig.camera, GATE])
    t.match(gapsOf(rig).at(-1), { start_at: newestEnd, end_at: null })
    await rig.restart()
    t.same(await foundButTold(rig), [])
  })
