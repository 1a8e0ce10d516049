import t from 'tap'
import { cameraId, epochMs } from '../../src/domain/index.ts'
import type { FloorRule } from '../../src/retention/index.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { stand } from './support/rebuilding.ts'
import { foundButTold, gapsOf, recordUnread, settle } from './support/told-gaps.ts'

const GATE = cameraId('gate')
const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 60_000 }, timezone: 'Asia/Taipei' }

t.test('what was overwritten while a disk was away was recorded, and is not told as lost', async t => {
  const rig = await RecorderRig.open(t, { slots: 3, volumes: ['disk1', 'disk2'], floor: SHORT })
  await rig.append(4)
  await rig.sync()
  const home = rig.lane.openSlot!.volume.path
  rig.freeze(rig.memory.afterKill())
  const giveBack = rig.frozenMemory!.takeAway(home)
  await rig.reopen()
  rig.time.tick()
  await rig.lane.recover()
  for (let i = 0; i < 6; i++) {
    rig.nextAt = rig.clock.wallNow()
    await rig.fillSlots(1)
    await rig.sync()
    rig.endRun()
    rig.clock.drift(70_000, 0)
    rig.time.tick()
  }
  const overwritten = rig.rows<{ start_at: number, end_at: number }>('SELECT start_at, end_at FROM segment WHERE freed_kept_until IS NOT NULL')
  t.ok(overwritten.length > 0)
  giveBack()
  await rig.recheck()
  await rig.recheck()
  t.same(gapsOf(rig).filter(g => overwritten.some(s => g.start_at < s.end_at && (g.end_at ?? Infinity) > s.start_at)), [])
})

for (const late of [false, true]) {
  t.test(`time lost inside a run of an outage is told, where the volume is found ${late ? 'late' : 'at the start'}`, async t => {
    const rig = await RecorderRig.open(t, { slots: 12, volumes: ['disk1', 'disk2'] })
    await rig.append(2)
    await rig.sync()
    const home = rig.lane.openSlot!.volume.path
    rig.catalogueFaults.break({ kind: 'busy', lasts: true })
    await rig.append(2)
    await rig.sync()
    const startAt = rig.nextAt
    rig.lane.noteHole(startAt, epochMs(startAt + 4000), 'no-frames') // as the run's reader tells it
    rig.clock.drift(4000, 0)
    rig.nextAt = epochMs(startAt + 4000)
    await rig.append(2)
    await rig.sync()
    rig.freeze(rig.memory.afterKill())
    rig.catalogueFaults.heal()
    const giveBack = late ? rig.frozenMemory!.takeAway(home) : () => undefined
    await rig.reopen()
    await rig.lane.recover()
    await rig.append(2)
    await settle(rig)
    giveBack()
    await rig.recheck()
    await rig.recheck()
    t.equal((await rig.found()).length, 8)
    t.same(await foundButTold(rig), [])
    t.match(gapsOf(rig).filter(g => g.start_at < startAt + 4000 && (g.end_at ?? Infinity) > startAt), [{ start_at: startAt, end_at: startAt + 4000 }])
  })
}

t.test('a run of an outage is found by a recorder whose catalogue could not be read at the start', async t => {
  const rig = await RecorderRig.open(t, { slots: 12 })
  await rig.append(2)
  await rig.sync()
  rig.catalogueFaults.break({ kind: 'busy', lasts: true })
  const firstEnd = rig.nextAt
  rig.endRun()
  rig.clock.drift(5_000, 0)
  await rig.append(4)
  await rig.sync()
  const back = rig.appended.at(-4)!.startAt, lastEnd = rig.nextAt
  rig.freeze(rig.memory.afterKill())
  rig.catalogueFaults.heal()
  await rig.reopen()
  const from = await recordUnread(rig)
  t.equal((await rig.found()).length, 8)
  t.same(await foundButTold(rig), [])
  t.match(gapsOf(rig), [{ start_at: firstEnd, end_at: back }, { start_at: lastEnd, end_at: from }])
})

t.test('a slot found late, of before the clock was set back, leaves the gap of a later kill', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  await rig.append(40) // 20 s
  await rig.sync()
  const home = rig.lane.openSlot!.volume.path
  rig.freeze(rig.memory.afterKill())
  const giveBack = rig.frozenMemory!.takeAway(home)
  await rig.reopen()
  await rig.lane.recover()
  rig.clock.stepWall(-22_000) // the clock is set back, below what was recorded
  rig.lane.noteStarting()
  rig.nextAt = rig.clock.wallNow()
  await rig.append(4)
  await rig.sync()
  const lastEnd = rig.nextAt
  giveBack()
  rig.freeze(rig.memory.afterKill())
  const giveBack2 = rig.frozenMemory!.takeAway(home)
  await rig.reopen()
  await rig.lane.recover()
  rig.lane.noteStarting()
  rig.clock.drift(2_000, 0)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(2)
  const again = rig.appended.at(-2)!.startAt
  const kill = () => gapsOf(rig).filter(g => g.end_at === again)
  t.match(kill(), [{ start_at: lastEnd, end_at: again }], 'told before')
  giveBack2()
  await rig.recheck()
  await rig.recheck()
  t.match(kill(), [{ start_at: lastEnd, end_at: again }], 'and after the slot was found')
})

t.test('no number of a run is given twice, though a camera flapped in an outage', async t => {
  const rig = await RecorderRig.open(t, { slots: 8 })
  await rig.append(1)
  const lobby = rig.lane
  stand(rig, GATE)
  await rig.append(1)
  await rig.sync()
  rig.catalogueFaults.break({ kind: 'busy', lasts: true })
  for (let i = 0; i < 24; i++) { rig.endRun(); await rig.append(1) } // the camera flaps
  await rig.sync()
  void lobby
  rig.freeze(rig.memory.afterKill())
  rig.catalogueFaults.heal()
  await rig.reopen()
  await rig.append(1) // the lobby, whose slot was recovered first
  await rig.storage.lane(GATE, rig.stream).recover()
  const gate = await rig.content(1)
  const ids = new Set(gate.kind === 'footage' ? gate.entries.map(({ runId }) => runId as number) : [])
  const [lobbys] = rig.rows<{ id: number }>("SELECT max(run_id) AS id FROM run JOIN camera ON uuid = camera_uuid WHERE camera.id = 'lobby'")
  t.notOk(ids.has(lobbys!.id), `run ${lobbys!.id} of the lobby is one of the gate's ${[...ids].at(0)} to ${[...ids].at(-1)}`)
  t.equal(rig.rows("SELECT run_id FROM run JOIN camera ON uuid = camera_uuid WHERE camera.id = 'gate'").length, ids.size, 'each run of the gate has a row')
})

t.test('a gap that begins in an outage of hours is told from where it began', async t => {
  const rig = await RecorderRig.open(t)
  rig.catalogueFaults.break({ kind: 'busy', lasts: true })
  const from = rig.clock.wallNow()
  for (let i = 0; i < 50_100; i++) {
    rig.lane.noteNoFootage('unreachable')
    rig.clock.drift(1_000, 0)
  }
  rig.catalogueFaults.heal()
  await rig.close()
  t.match(gapsOf(rig), [{ start_at: from }])
})
