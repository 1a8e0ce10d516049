import { cpSync } from 'node:fs'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { builtInit } from '../support/fragments.ts'
import { checkInvariants, RecorderRig } from '../support/recorder-rig.ts'

interface GapRow { readonly start_at: number, readonly end_at: number | null, readonly cause: string, readonly last_cause: string }
interface RunRow { readonly run_id: number, readonly start_at: number, readonly end_at: number | null, readonly end_reason: string | null }
const gapsOf = (rig: RecorderRig) => rig.rows<GapRow>('SELECT start_at, end_at, cause, last_cause FROM gap ORDER BY gap_id')
const timesOfGaps = (rig: RecorderRig) => gapsOf(rig).map(({ start_at, end_at }) => ({ start_at, end_at }))
const runsOf = (rig: RecorderRig) => rig.rows<RunRow>('SELECT run_id, start_at, end_at, end_reason FROM run ORDER BY run_id')
const names = async (rig: RecorderRig) => (await rig.found()).map(record => record.name)
const wanted = (rig: RecorderRig) => rig.appended.map(({ name }) => name)

/** A recorder that has started records again after so long. Returns when it started. */
async function recordsAgain(rig: RecorderRig, afterMs: number): Promise<number> {
  rig.lane.noteStarting()
  const since = rig.clock.wallNow()
  rig.clock.drift(afterMs, 0)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(1)
  return since
}

t.test('a run that comes back with the same parameters goes on in the open slot', async t => {
  const rig = await RecorderRig.open(t)
  for (let run = 0; run < 5; run++) {
    await rig.append(3)
    rig.endRun()
    rig.clock.drift(7_000, 0)
  }
  t.equal(rig.segments().length, 1)
  t.same(await names(rig), wanted(rig))
  t.same(await checkInvariants(rig), [])
})

t.test('other parameters, or a time before the last frame, take a new slot', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(2)
  rig.endRun('parameter-sets-changed')
  rig.init = builtInit({ width: 128 })
  await rig.append(2)
  rig.endRun('clock-stepped')
  t.equal(rig.segments().length, 2)
  rig.clock.stepWall(-3_600_000)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(2)
  t.equal(rig.segments().length, 3)
  t.same((await names(rig)).sort(), wanted(rig), 'nothing was merged or lost')
  t.same(await checkInvariants(rig), [])
})

t.test('a slot that is full is followed by the next without a lost record', async t => {
  const rig = await RecorderRig.open(t, { slots: 8 })
  await rig.append(25, { dataBytes: 170_000 })
  t.ok(rig.segments().length >= 5)
  t.same(await names(rig), wanted(rig))
  t.same(await checkInvariants(rig), [])
})

t.test('an append that fails goes to another slot, once', async t => {
  for (const [step, mode] of [['append body', 'not-applied'], ['append head', 'not-applied'], ['append body', 'applied-then-failed'], ['append head', 'applied-then-failed']] as const) {
    const rig = await RecorderRig.open(t)
    await rig.append(3)
    await rig.sync()
    rig.fs.break({ step, mode })
    await rig.append(1)
    t.ok(rig.fs.hasBroken)
    t.equal(rig.segments().length, 2)
    t.same(await names(rig), wanted(rig), `${step} ${mode}`)
    t.equal(rig.rows<{ n: number }>("SELECT count(*) AS n FROM slot WHERE state = 'quarantined'")[0]?.n, 1)
    t.same(gapsOf(rig).filter(gap => gap.cause === 'storage-failed'), [], 'nothing was lost, so there is no gap')
    t.same(await checkInvariants(rig), [])
  }
})

t.test('an append that fails on the second slot too is given back to the run', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(3)
  await rig.sync()
  rig.fs.onApplied = step => { if (step === 'prepare header sync') rig.fs.break({ step: 'append body', mode: 'not-applied' }) }
  rig.fs.break({ step: 'append body', mode: 'not-applied' })
  await t.rejects(rig.append(1), { code: 'CUSTOS_STORAGE_IO' })
  rig.fs.onApplied = null
  await rig.append(1)
  t.same((await names(rig)).slice(0, 3), wanted(rig).slice(0, 3))
})

t.test('what a failed sync lost is a gap with its cause, from the last frame that is safe to the next that was stored', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(4)
  await rig.sync()
  const safeEnd = rig.nextAt
  await rig.append(2)
  rig.fs.break({ step: 'append sync', mode: 'not-applied' })
  await rig.sync()
  t.ok(rig.fs.hasBroken)
  const resumed = rig.nextAt
  await rig.append(3)
  t.same(gapsOf(rig).map(({ start_at, end_at, cause }) => ({ start_at, end_at, cause })), [{ start_at: safeEnd, end_at: resumed, cause: 'storage-failed' }])
  const [first] = rig.segments()
  t.equal(first?.endAt, safeEnd, 'the row claims no more than what is safe')
  t.same(await checkInvariants(rig), [])
})

t.test('a fragment that fits no slot is refused and costs no second slot, however often it comes', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  for (let i = 0; i < 10; i++) {
    await t.rejects(rig.append(1, { dataBytes: 1_100_000 }), { code: 'CUSTOS_FRAGMENT_TOO_LARGE' })
    rig.endRun('storage-failed')
    rig.clock.drift(1000, 0)
  }
  t.equal(rig.segments().length, 1)
  await rig.append(2)
  t.same(await names(rig), wanted(rig))
  t.equal(rig.segments().length, 1)
})

t.test('the end of a run opens a gap at its last frame, and the next run closes it', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(4)
  const endAt = rig.nextAt
  rig.endRun('auth-refused')
  t.same(rig.lane.gapNow(), { startAt: endAt, cause: 'auth-refused' })
  rig.clock.drift(5_000, 0)
  rig.lane.noteNoFootage('unreachable')
  rig.clock.drift(5_000, 0)
  t.same(rig.lane.gapNow(), { startAt: endAt, cause: 'unreachable' }, 'it began when it began; why it lasts is the newest try')
  await rig.append(1)
  t.equal(rig.lane.gapNow(), null)
  t.same(gapsOf(rig), [{ start_at: endAt, end_at: endAt + 10_000, cause: 'auth-refused', last_cause: 'unreachable' }])
  t.match(runsOf(rig), [{ end_at: endAt, end_reason: 'auth-refused' }, { end_at: null }])
})

t.test('rounding between two runs is no gap, one lost frame is', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(2)
  const endAt = rig.nextAt
  rig.endRun()
  rig.nextAt = epochMs(endAt + 9)
  await rig.append(1)
  t.same(gapsOf(rig), [])
  const again = rig.nextAt
  rig.endRun()
  rig.clock.drift(34, 0)
  rig.nextAt = epochMs(again + 34)
  await rig.append(1)
  t.equal(gapsOf(rig).length, 1)
})

t.test('an outage during which the clock was set back is not forgotten', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(2)
  rig.endRun('unreachable')
  rig.clock.drift(1_800_000, 0)
  rig.clock.stepWall(-3_600_000)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(1)
  t.match(gapsOf(rig), [{ cause: 'unreachable' }])
  t.equal(rig.lane.gapNow(), null)
})

t.test('an outage during which the clock was set back is told by both clocks', async t => {
  const rig = await RecorderRig.open(t), DAY_MS = 86_400_000
  await rig.append(2)
  const endAt = rig.nextAt
  rig.endRun('unreachable')
  rig.clock.drift(600_000, 0)
  rig.lane.noteNoFootage('unreachable')
  const lastAt = rig.clock.wallNow()
  rig.clock.stepWall(-DAY_MS)
  rig.clock.drift(10_000, 0)
  rig.lane.noteNoFootage('unreachable')
  const since = rig.clock.wallNow()
  t.same(rig.lane.gapNow(), { startAt: since, cause: 'unreachable' })
  rig.clock.drift(300_000, 0)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(1)
  t.same(timesOfGaps(rig), [{ start_at: endAt, end_at: lastAt }, { start_at: since, end_at: since + 300_000 }])
})

t.test('a recorder that starts behind the gap it left has a gap from its start on', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(2)
  const endAt = rig.nextAt
  rig.endRun('unreachable')
  rig.clock.stepWall(-86_400_000)
  await rig.restart()
  rig.lane.noteStarting()
  const since = rig.clock.wallNow()
  rig.clock.drift(60_000, 0)
  await recordsAgain(rig, 0)
  t.same(timesOfGaps(rig), [{ start_at: endAt, end_at: endAt }, { start_at: since, end_at: since + 60_000 }])
})

t.test('a gap left by a recorder is told as far as that one ran, when the clock is set back before the next starts', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(2)
  const endAt = rig.nextAt
  rig.endRun('unreachable')
  rig.clock.drift(600_000, 0)
  rig.time.tick()
  const ranTo = rig.clock.wallNow()
  rig.clock.stepWall(-86_400_000)
  await rig.restart()
  const since = await recordsAgain(rig, 60_000)
  t.same(timesOfGaps(rig), [{ start_at: endAt, end_at: ranTo }, { start_at: since, end_at: since + 60_000 }])
})

for (const isVolumeAway of [false, true]) {
  t.test(`a kill while the clock was ahead is told by both clocks${isVolumeAway ? ', and its volume is away' : ''}`, async t => {
    const rig = await RecorderRig.open(t, { volumes: ['disk1', 'disk2'] })
    const beganAt = rig.nextAt
    await rig.append(2)
    const endAt = rig.nextAt, { id } = rig.lane.openSlot!.volume.identity
    rig.clock.drift(600_000, 0)
    rig.time.tick()
    const ranTo = rig.clock.wallNow()
    rig.clock.stepWall(-86_400_000)
    rig.freeze(rig.memory.afterKill())
    if (isVolumeAway) rig.frozenMemory!.takeAway(`/volumes/${id}`)
    await rig.reopen()
    const since = await recordsAgain(rig, 60_000)
    const told = timesOfGaps(rig).sort((a, b) => b.start_at - a.start_at)
    t.same(told, [{ start_at: isVolumeAway ? beganAt : endAt, end_at: ranTo + 60_000 }, { start_at: since, end_at: since + 60_000 }])
  })
}

t.test('footage of a clock that ran ahead does not hide what is lost when the clock gets there', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(2)
  rig.endRun('recorder-stopped')
  await rig.lane.close()
  rig.clock.stepWall(-7_200_000)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(2)
  const endAt = rig.nextAt
  rig.time.tick()
  rig.freeze(rig.memory.afterKill())
  rig.clock.drift(10_800_000, 0)
  await rig.reopen()
  await recordsAgain(rig, 0)
  t.match(gapsOf(rig).at(-1), { start_at: endAt, end_at: rig.appended.at(-1)!.startAt, cause: 'recorder-killed' })
})

t.test('footage of a clock that ran ahead, and that is found late, does not end a gap that began since', async t => {
  const rig = await RecorderRig.open(t, { volumes: ['disk1', 'disk2'] })
  await rig.append(2)
  const { id } = rig.lane.openSlot!.volume.identity
  rig.clock.stepWall(-7_200_000)
  rig.freeze(rig.memory.afterKill())
  const giveBack = rig.frozenMemory!.takeAway(`/volumes/${id}`)
  await rig.reopen()
  rig.nextAt = rig.clock.wallNow()
  await rig.append(2)
  const endAt = rig.nextAt
  rig.endRun('recorder-stopped')
  giveBack()
  await rig.restart()
  rig.clock.drift(10_800_000, 0)
  await recordsAgain(rig, 0)
  const told = timesOfGaps(rig).filter(gap => gap.start_at === endAt)
  t.same(told, [{ start_at: endAt, end_at: rig.appended.at(-1)!.startAt }])
})

t.test('a gap that was over when the recorder was killed is told so when the footage behind it is found late', async t => {
  const rig = await RecorderRig.open(t, { volumes: ['disk1', 'disk2'] })
  await rig.append(2)
  const lostFrom = rig.nextAt
  rig.endRun('closed-by-camera')
  rig.clock.drift(60_000, 0)
  await rig.beginRun()
  const again = rig.nextAt, { id } = rig.lane.openSlot!.volume.identity, before = t.testdir()
  rig.copyCatalogue(before)
  await rig.append(2)
  const endAt = rig.nextAt
  rig.freeze(rig.memory.afterKill())
  const giveBack = rig.frozenMemory!.takeAway(`/volumes/${id}`)
  await rig.reopen({ before: () => { cpSync(before, rig.stateDir, { recursive: true }) } })
  await recordsAgain(rig, 0)
  const since = rig.appended.at(-1)!.startAt
  giveBack()
  await rig.recheck()
  t.same(timesOfGaps(rig), [{ start_at: lostFrom, end_at: again }, { start_at: endAt, end_at: since }])
})

t.test('lost time inside a run is a gap of its own', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(2)
  rig.lane.noteHole(epochMs(rig.nextAt), epochMs(rig.nextAt + 3000), 'no-frames')
  t.match(gapsOf(rig), [{ end_at: rig.nextAt + 3000, cause: 'no-frames' }])
  t.equal(rig.lane.gapNow(), null)
})

t.test('a stream that never delivered has a gap from the first try on', async t => {
  const rig = await RecorderRig.open(t)
  const since = rig.clock.wallNow()
  rig.lane.noteNoFootage('unreachable')
  rig.clock.drift(60_000, 0)
  rig.lane.noteNoFootage('refused')
  t.same(rig.lane.gapNow(), { startAt: since, cause: 'refused' })
})

t.test('closing seals what is open and waits for it', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(5)
  rig.endRun('recorder-stopped')
  await rig.close()
  t.match(await rig.content(0), { kind: 'footage', entries: { length: 5 }, sealed: { slot: 0 } })
  t.equal(rig.memory.openFiles, 0)
  await rig.restart()
  t.same(await names(rig), wanted(rig))
  t.same(await checkInvariants(rig), [])
})

t.test('a run of which no frame could be stored does not end the gap before it', async t => {
  const rig = await RecorderRig.open(t, { slots: 2 })
  await rig.fillSlots(2)
  await t.rejects(rig.append(4, { dataBytes: 220_000 }), { code: 'CUSTOS_RING_FULL' })
  const since = rig.nextAt
  rig.endRun('storage-full')
  for (let tries = 0; tries < 3; tries++) {
    rig.clock.drift(5_000, 0)
    await t.rejects(rig.append(1, { dataBytes: 220_000 }), { code: 'CUSTOS_RING_FULL' })
    rig.endRun('storage-full')
  }
  t.match(gapsOf(rig), [{ start_at: since, end_at: null, cause: 'storage-full' }], 'one outage, one gap')
})
