import t from 'tap'
import { cameraId } from '../../src/domain/index.ts'
import { builtInit } from '../support/fragments.ts'
import { checkInvariants, RecorderRig } from '../support/recorder-rig.ts'
import type { TestOwner } from '../support/virtual-clock.ts'

interface RunRow { readonly start_at: number, readonly end_at: number | null, readonly end_reason: string | null }
interface GapRow { readonly start_at: number, readonly end_at: number | null, readonly cause: string }
const runsOf = (rig: RecorderRig) => rig.rows<RunRow>('SELECT start_at, end_at, end_reason FROM run ORDER BY run_id')
const gapsOf = (rig: RecorderRig) => rig.rows<GapRow>('SELECT start_at, end_at, cause FROM gap ORDER BY start_at, gap_id')
const names = async (rig: RecorderRig) => (await rig.found()).map(record => record.name)
const wanted = (rig: RecorderRig) => rig.appended.map(({ name }) => name)

t.test('after a kill the run has ended at its last frame and the gap begins there, though the supervisor looked first', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(6)
  const lastEnd = rig.nextAt
  await rig.killAndReopen()
  rig.lane.noteStarting() // what the stream's supervisor does before it waits for recovery
  await rig.lane.recover()
  t.match(runsOf(rig), [{ end_at: lastEnd, end_reason: 'recorder-killed' }])
  t.match(rig.lane.gapNow(), { startAt: lastEnd })
  await rig.append(1)
  t.match(gapsOf(rig), [{ start_at: lastEnd, cause: 'recorder-killed' }])
  t.equal(gapsOf(rig)[0]?.end_at, rig.appended.at(-1)?.startAt)
})

t.test('what an ended run had stored and a power cut took is a gap, and so is a run of which nothing is left',
  async t => {
    const rig = await RecorderRig.open(t)
    const powerCut = () => { rig.freeze(rig.memory.afterPowerCut(() => 0.999)) } // nothing that was not synced stays
    await rig.append(4)
    await rig.sync()
    const syncedTo = rig.nextAt
    await rig.append(2)
    rig.endRun()
    const firstEnd = rig.nextAt
    rig.clock.drift(5_000, 0)
    await rig.append(2)
    const [, second] = rig.rows<{ start_at: number }>('SELECT start_at FROM run ORDER BY run_id')
    rig.endRun()
    powerCut()
    await rig.reopen()
    await rig.lane.recover()
    t.equal((await rig.found()).length, 4)
    t.match(gapsOf(rig), [
      { start_at: syncedTo, end_at: firstEnd, cause: 'recorder-killed' },
      { start_at: firstEnd, end_at: second!.start_at, cause: 'closed-by-camera' },
      { start_at: second!.start_at, end_at: rig.nextAt, cause: 'recorder-killed' },
      { start_at: rig.nextAt, end_at: null, cause: 'closed-by-camera' },
    ])
  })

t.test('what a power cut took before the clock was set back is told, though the gap that lasts began at an earlier time',
  async t => {
    const rig = await RecorderRig.open(t)
    await rig.append(4)
    await rig.sync()
    const syncedTo = rig.nextAt
    await rig.append(2)
    const lostTo = rig.nextAt
    rig.clock.stepWall(-2_000_000)
    rig.endRun()
    rig.freeze(rig.memory.afterPowerCut(() => 0.999))
    await rig.reopen()
    const startedAt = rig.clock.wallNow()
    rig.lane.noteStarting()
    await rig.lane.recover()
    t.match(gapsOf(rig), [
      { start_at: startedAt, end_at: null, cause: 'starting' },
      { start_at: syncedTo, end_at: lostTo, cause: 'recorder-killed' },
      { start_at: lostTo, end_at: lostTo, cause: 'closed-by-camera' },
    ])
  })

for (const word of ['run_id >= ?', 'CASE WHEN end_at IS NULL THEN']) {
  t.test(`one read fault of the catalogue at a start, at ${word}: the slot is sealed and the lost tail told`, async t => {
    const started = async () => {
      const rig = await RecorderRig.open(t, { slots: 8 })
      await rig.append(4)
      await rig.sync()
      await rig.append(2)
      rig.endRun()
      rig.freeze(rig.memory.afterPowerCut(() => 0.999))
      await rig.reopen()
      rig.catalogueFaults.forget()
      return rig
    }
    const well = await started()
    await well.lane.recover()
    const { source } = well.catalogueFaults.statements().find(each => each.source.includes(word))!
    const rig = await started()
    rig.catalogueFaults.break({ kind: 'io-read', at: source })
    await rig.lane.recover()
    rig.catalogueFaults.heal()
    for (let i = 0; i < 6; i++) await rig.recheck()
    await rig.append(4)
    rig.endRun()
    await rig.lane.close()
    for (let i = 0; i < 6; i++) await rig.recheck()
    t.same(rig.rows('SELECT slot FROM segment WHERE sealed_at IS NULL'), [])
    t.equal(rig.rows("SELECT * FROM gap WHERE cause = 'recorder-killed'").length, 1)
  })
}

t.test('a camera that leaves before the last end of its stream was looked up has its gaps', async t => {
  const killed = async () => {
    const rig = await RecorderRig.open(t, { slots: 8 })
    await rig.append(4)
    await rig.sync()
    rig.freeze(rig.memory.afterKill())
    await rig.reopen()
    rig.catalogueFaults.forget()
    return rig
  }
  const well = await killed()
  await well.lane.recover()
  const { source } = well.catalogueFaults.statements()
    .find(each => each.source.includes('FROM run WHERE end_at IS'))!
  const rig = await killed()
  const lastEnd = rig.nextAt
  rig.catalogueFaults.break({ kind: 'io-read', at: source })
  await rig.lane.recover()
  rig.catalogueFaults.heal()
  await rig.append(2)
  const goesOnAt = rig.appended.at(-2)!.startAt
  rig.endRun('removed-from-config')
  await rig.storage.retireAllBut(new Set())
  await rig.recheck()
  t.match(gapsOf(rig), [
    { start_at: lastEnd, end_at: goesOnAt, cause: 'recorder-killed' },
    { start_at: rig.nextAt, end_at: null, cause: 'removed-from-config' },
  ])
})

t.test('a slot of before that comes back late: no frame since then stands in a gap', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  await rig.append(4)
  await rig.sync()
  const on = rig.lane.openSlot!.volume.path
  rig.freeze(rig.memory.afterKill())
  const giveBack = frozenMemory(rig).takeAway(on)
  await rig.reopen()
  await rig.lane.recover()
  await rig.append(4)
  await rig.sync()
  rig.endRun()
  rig.init = builtInit({ width: 128 })
  await rig.beginRun() // other parameter sets: the slot before is sealed
  await rig.recheck()
  giveBack()
  rig.freeze(rig.memory.afterKill())
  await rig.reopen()
  await rig.lane.recover()
  const gaps = rig.rows<GapRow>('SELECT start_at, end_at, cause FROM gap')
  const isTold = (at: number) => gaps.some(gap => at >= gap.start_at && at < (gap.end_at ?? Infinity))
  const found = await rig.found()
  t.equal(found.length, 8)
  t.same(found.filter(({ startAt }) => isTold(startAt)).map(({ name }) => name), [])
})

t.test('a kill between the first fragment of a run and the row that ends the gap before it: the footage is not called lost', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(2)
  rig.endRun()
  const lostFrom = rig.nextAt
  rig.clock.drift(5_000, 0)
  await rig.append(2)
  const back = rig.appended.at(-2)!.startAt
  rig.catalogue(db => db.prepare('UPDATE gap SET end_at = NULL').run())
  await rig.killAndReopen()
  await rig.lane.recover()
  t.match(gapsOf(rig), [{ start_at: lostFrom, end_at: back }, { start_at: rig.nextAt, end_at: null, cause: 'recorder-killed' }])
})

t.test('a volume that comes back while its streams record elsewhere is sealed, and the run that goes on is left alone', async t => {
  const rig = await RecorderRig.open(t, { slots: 3, volumes: ['disk1', 'disk2'] })
  await rig.append(4)
  const home = rig.volumes.find(volume => volume.identity.uuid === rig.segments()[0]?.volumeUuid)!
  rig.freeze(rig.memory.afterKill())
  const giveBack = frozenMemory(rig).takeAway(home.path)
  await rig.reopen()
  await rig.append(4)
  giveBack()
  await rig.recheck()
  t.match(runsOf(rig).at(-1), { end_at: null, end_reason: null })
  t.equal(rig.lane.gapNow(), null)
  await rig.append(2)
  t.same((await names(rig)).sort(), wanted(rig))
  t.same(await checkInvariants(rig), [])
  const [late] = rig.segments().filter(segment => segment.volumeUuid === home.identity.uuid)
  t.not(late?.merkleRoot, null, 'what was open on it is history')
})

/** What `freeze` kept. */
function frozenMemory(rig: RecorderRig) {
  const copy = rig.frozenMemory
  if (copy === null) throw new Error('nothing was frozen')
  return copy
}

t.test('a volume that comes late is taken into use within its ten seconds, and one that never comes stops nobody', async t => {
  const rig = await RecorderRig.open(t, { slots: 2, volumes: ['disk1', 'disk2'] })
  const giveBack = rig.memory.takeAway('/volumes/disk2')
  await rig.restart()
  t.same(rig.storage.volumeStatus().map(({ id, state }) => [id, state]), [['disk1', 'ok'], ['disk2', 'missing']])
  await rig.append(2)
  giveBack()
  await rig.recheck()
  t.same(rig.storage.volumeStatus().map(({ id, state, slots }) => [id, state, slots.free]), [['disk1', 'ok', 1], ['disk2', 'ok', 2]])
})

t.test('footage without rows, as after the loss of the catalogue, is refused and never overwritten', async t => {
  const rig = await RecorderRig.open(t, { slots: 2 })
  await rig.append(3)
  await rig.close()
  const bytes = Buffer.from(rig.rawSlot(0))
  rig.stateDir = t.testdir()
  await rig.restart()
  t.match(rig.storage.volumeStatus(), [{ state: 'foreign', detail: /rebuild/ }])
  await t.rejects(rig.append(1), { code: 'CUSTOS_NO_VOLUME' })
  t.equal(Buffer.compare(rig.rawSlot(0), bytes), 0)
})

t.test('what happens to volumes is audited: taken into use, refused, a slot given up, taken out', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  await rig.append(1)
  for (let fault = 0; fault < 3; fault++) {
    rig.fs.break({ step: 'append body', mode: 'not-applied' })
    await rig.append(1)
  }
  rig.freeze(rig.memory.afterKill())
  frozenMemory(rig).takeAway(rig.volumes[0]!.path)
  await rig.reopen()
  const told = rig.rows<{ action: string, object: string, result: string }>("SELECT action, object, result FROM audit_entry WHERE action LIKE 'volume.%' OR action = 'slot.quarantined' ORDER BY seq")
  t.match(told.slice(0, 2), [{ action: 'volume.in-use', object: 'disk1' }, { action: 'volume.in-use', object: 'disk2' }])
  t.equal(told.filter(entry => entry.action === 'slot.quarantined').length, 3)
  t.ok(told.some(entry => entry.action === 'volume.refused' && entry.object === 'disk1' && entry.result === 'refused'))
})

t.test('a disk that is pulled while it is in use loses no slot to quarantine; the others record, and it is taken back when it is there again', async t => {
  const rig = await RecorderRig.open(t, { slots: 6, volumes: ['disk1', 'disk2'] })
  await rig.fillSlots(2)
  const pulled = rig.volumes[0]!
  const giveBack = rig.memory.takeAway(pulled.path)
  await rig.fillSlots(4)
  t.match(rig.storage.volumeStatus(), [{ id: 'disk1', state: 'missing' }, { id: 'disk2', state: 'ok' }])
  t.ok(rig.rows<{ n: number }>(`SELECT count(*) AS n FROM slot WHERE state = 'quarantined' AND volume_uuid = '${pulled.identity.uuid}'`)[0]!.n <= 1, 'at most the one that was open')
  giveBack()
  await rig.recheck()
  t.match(rig.storage.volumeStatus(), [{ id: 'disk1', state: 'ok' }, { id: 'disk2', state: 'ok' }])
  await rig.restart()
  t.same(await checkInvariants(rig), [], 'what was being prepared is zeroed and free')
})

t.test('footage that was sealed between two slots that were not is no gap at the next start', async t => {
  const rig = await RecorderRig.open(t, { slots: 6, volumes: ['disk1', 'disk2'] })
  await rig.append(4)
  await rig.sync()
  rig.freeze(rig.memory.afterKill())
  const giveBack = frozenMemory(rig).takeAway(rig.lane.openSlot!.volume.path), firstEnd = rig.nextAt
  await rig.reopen()
  await rig.append(10, { dataBytes: 220_000 })
  const again = rig.appended[4]!.startAt
  await rig.sync()
  giveBack()
  const lastEnd = rig.nextAt
  await rig.killAndReopen()
  await rig.lane.recover()
  t.ok(rig.segments().length > 2, 'one was sealed between the two')
  t.match(gapsOf(rig), [{ start_at: firstEnd, end_at: again }, { start_at: lastEnd, end_at: null }])
  t.equal(gapsOf(rig).length, 2)
})

t.test('a camera that leaves the configuration has its slot sealed, and its id comes back as another camera', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(3)
  rig.endRun('removed-from-config')
  await rig.storage.retireAllBut(new Set())
  t.same(rig.rows<{ state: string }>("SELECT state FROM slot WHERE state IN ('open', 'sealed')"), [{ state: 'sealed' }])
  rig.lane = rig.storage.lane(rig.camera, rig.stream)
  rig.clock.drift(1000, 0)
  await rig.append(1)
  t.equal(rig.segments().length, 1, 'the new one has only its own')
  t.equal(rig.rows<{ n: number }>('SELECT count(*) AS n FROM camera')[0]?.n, 2)
  t.same(await checkInvariants(rig), [])
})

t.test('a camera that left while the recorder was down is sealed at the start', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(3)
  rig.freeze(rig.memory.afterKill())
  await rig.reopen()
  const other = 'gate' as typeof rig.camera
  rig.lane = rig.storage.lane(other, rig.stream)
  await rig.storage.retireAllBut(new Set([other]))
  t.match(await rig.content(0), { sealed: { slot: 0 }, entries: { length: 3 } })
})

/** A recorder that was killed while it recorded the camera, and starts without it and without its volume. */
async function leftWithItsVolume(t: TestOwner) {
  const rig = await RecorderRig.open(t, { slots: 3, volumes: ['disk1', 'disk2'] })
  await rig.append(4)
  await rig.sync()
  rig.freeze(rig.memory.afterKill())
  const giveBack = frozenMemory(rig).takeAway(rig.lane.openSlot!.volume.path)
  const other = cameraId('gate')
  const reopen = async () => {
    await rig.reopen({ camera: other })
    await rig.storage.retireAllBut(new Set([other]))
  }
  return { rig, giveBack, reopen }
}

t.test('a camera that left while the recorder was down, and whose volume is away, has its gap', async t => {
  const { rig, reopen } = await leftWithItsVolume(t)
  await reopen()
  t.match(runsOf(rig), [{ end_reason: 'recorder-killed' }])
  const [gap] = gapsOf(rig)
  t.match(gap, { end_at: null, cause: 'recorder-killed' })
  t.ok(gap!.start_at <= rig.nextAt)
})

t.test('when that volume is back, its slot is sealed and the gap begins behind its footage', async t => {
  const { rig, giveBack, reopen } = await leftWithItsVolume(t)
  await reopen()
  giveBack()
  await rig.recheck()
  t.same(rig.rows('SELECT slot FROM segment WHERE sealed_at IS NULL'), [])
  t.match(runsOf(rig), [{ end_at: rig.nextAt }])
  t.match(gapsOf(rig), [{ start_at: rig.nextAt, end_at: null, cause: 'recorder-killed' }])
  t.same(await checkInvariants(rig), [])
})
