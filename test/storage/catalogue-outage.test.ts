import t, { type Test } from 'tap'
import type { FloorRule } from '../../src/retention/index.ts'
import { StorageError } from '../../src/platform/file-system.ts'
import { UNENTERED_FILE } from '../../src/storage/unentered-mark.ts'
import type { CatalogueFault } from '../support/faulty-catalogue.ts'
import { checkInvariants, RecorderRig } from '../support/recorder-rig.ts'
import { ended } from '../support/rig-time.ts'
import { stand } from './support/rebuilding.ts'
import { loseFragmentInOutage, recordUnread, settle } from './support/told-gaps.ts'

const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 1000 }, timezone: 'Asia/Taipei' }
const LONG = { dataBytes: 220_000 } // four of them fill a slot
const OUTAGES: readonly CatalogueFault[] = [{ kind: 'busy', lasts: true }, { kind: 'full-at-commit', lasts: true }, { kind: 'full-rolled-back', lasts: true }, { kind: 'io-write', lasts: true }]
const names = async (rig: RecorderRig) => (await rig.found()).map(record => record.name)
const wanted = (rig: RecorderRig) => rig.appended.map(({ name }) => name)
const statesOf = (rig: RecorderRig) => rig.rows<{ state: string, n: number }>('SELECT state, count(*) AS n FROM slot GROUP BY state ORDER BY state')
const countsOf = (rig: RecorderRig) => Object.entries(rig.storage.volumeStatus()[0]!.slots).filter(([, n]) => n > 0).map(([state, n]) => ({ state, n })).sort((a, b) => a.state < b.state ? -1 : 1)
const isMarked = async (rig: RecorderRig) => (JSON.parse(await rig.memory.readText(`${rig.volumes[0]!.path}/${UNENTERED_FILE}`, 1000, 'test').catch(() => '{}')) as { unentered?: boolean }).unentered === true


for (const fault of OUTAGES) {
  t.test(`ten minutes in which the catalogue takes nothing (${fault.kind}) lose no frame, and everything is told afterwards`, async t => {
    const rig = await RecorderRig.open(t, { slots: 40 })
    await rig.append(3, LONG)
    await rig.sync()
    rig.catalogueFaults.break(fault)
    for (let run = 0; run < 5; run++) { // slots are filled, runs end and begin
      await rig.append(20, LONG)
      await rig.sync()
      rig.endRun('closed-by-camera')
      await rig.clock.advance(110_000)
    }
    t.match(rig.storage.catalogueStatus(), { state: 'failed', backlog: { pending: Number } })
    t.ok(await isMarked(rig), 'the volume says that it is ahead of the catalogue')
    rig.catalogueFaults.heal()
    await settle(rig)
    t.match(rig.storage.catalogueStatus(), { state: 'ok', backlog: null })
    t.same(await names(rig), wanted(rig))
    t.same(countsOf(rig), statesOf(rig))
    t.same(rig.storage.volumeStatus().map(({ state }) => state), ['ok'])
    t.equal(rig.rows<{ n: number }>("SELECT count(*) AS n FROM gap WHERE cause = 'closed-by-camera'")[0]!.n, 5, 'each gap is told')
    t.equal(rig.rows<{ n: number }>("SELECT count(*) AS n FROM audit_entry WHERE action = 'segment.sealed'")[0]!.n, rig.rows<{ n: number }>('SELECT count(*) AS n FROM segment WHERE sealed_at IS NOT NULL')[0]!.n)
    t.equal(await isMarked(rig), false)
    t.same(await checkInvariants(rig), [])
    await rig.append(5, LONG)
    await rig.restart()
    await rig.lane.recover()
    t.same(await names(rig), wanted(rig))
    t.same(await checkInvariants(rig), [])
  })
}

t.test('a ring that has wrapped keeps slots ready, so that an outage finds some', async t => {
  const rig = await RecorderRig.open(t, { slots: 64, floor: SHORT })
  rig.storage.expectRate({ cameraId: rig.camera, stream: rig.stream }, 4e6)
  await rig.fillSlots(70)
  await rig.recheck()
  const { free } = rig.storage.volumeStatus()[0]!.slots
  t.ok(free >= 6 && free <= 8, `${free} slots are ready`)
  t.same(await checkInvariants(rig), [])
  rig.endRun()
  await rig.restart()
  await rig.fillSlots(3)
  await rig.recheck()
  t.ok(rig.storage.volumeStatus()[0]!.slots.free >= 6, 'and soon again after a start')
  rig.catalogueFaults.break({ kind: 'busy', lasts: true })
  const before = rig.appended.length
  await rig.append(4 * free, LONG)
  rig.catalogueFaults.heal()
  await settle(rig)
  t.same((await names(rig)).slice(-4 * free), wanted(rig).slice(before))
  t.same(countsOf(rig), statesOf(rig))
  t.same(await checkInvariants(rig), [])
})

t.test('without a slot that is ready nothing is overwritten while the log cannot be written', async t => {
  const rig = await RecorderRig.open(t, { slots: 4, floor: SHORT })
  await rig.fillSlots(6)
  const before = await names(rig)
  rig.catalogueFaults.break({ kind: 'busy', lasts: true })
  await t.rejects(ended(rig, 'appending', rig.append(8, LONG)), { code: 'CUSTOS_CATALOGUE_FAULT' })
  const after = await names(rig)
  t.same(before.filter(name => !after.includes(name)), [])
  rig.catalogueFaults.heal()
  await settle(rig)
  await rig.append(4, LONG)
  t.same(await checkInvariants(rig), [])
})

t.test('without a slot that is ready a lock of seconds costs nothing: the stream waits', async t => {
  const rig = await RecorderRig.open(t, { slots: 4, floor: SHORT })
  await rig.fillSlots(6)
  rig.catalogueFaults.break({ kind: 'busy', lasts: true })
  const appending = rig.append(8, LONG)
  for (let i = 0; i < 8; i++) await rig.clock.advance(500)
  rig.catalogueFaults.heal()
  await ended(rig, 'appending', appending)
  t.same((await names(rig)).slice(-8), wanted(rig).slice(-8))
  t.same(await checkInvariants(rig), [])
})

for (const isHealed of [true, false]) {
  t.test(`a kill in the middle of an outage loses nothing that was synced, with a catalogue that is ${isHealed ? 'well' : 'still locked'} at the start`, async t => {
    const rig = await RecorderRig.open(t, { slots: 40 })
    await rig.append(3, LONG)
    await rig.sync()
    rig.catalogueFaults.break({ kind: 'busy', lasts: true })
    for (let run = 0; run < 3; run++) {
      await rig.append(9, LONG)
      await rig.sync()
      if (run < 2) { rig.endRun('closed-by-camera'); await rig.clock.advance(60_000) }
    }
    rig.freeze(rig.memory.afterKill())
    if (isHealed) rig.catalogueFaults.heal()
    await rig.reopen()
    await rig.lane.recover()
    await rig.append(6, LONG)
    rig.catalogueFaults.heal()
    await settle(rig)
    t.same(await names(rig), wanted(rig))
    t.same(countsOf(rig), statesOf(rig))
    t.same(await checkInvariants(rig), [])
    const runs = rig.rows<{ run_id: number, start_at: number, end_at: number | null }>('SELECT run_id, start_at, end_at FROM run ORDER BY start_at')
    t.equal(runs.length, 4)
    t.same(runs.filter(({ end_at }) => end_at === null).length, 1)
    const gaps = rig.rows<{ start_at: number, end_at: number }>('SELECT start_at, end_at FROM gap ORDER BY start_at')
    for (const [position, run] of runs.slice(0, -1).entries()) {
      t.ok(gaps.some(gap => gap.start_at <= run.end_at! + 10 && gap.end_at >= runs[position + 1]!.start_at - 10), `the time after run ${run.run_id} is told`)
    }
    t.equal(await isMarked(rig), false)
    await rig.killAndReopen()
    await rig.lane.recover()
    t.same(await names(rig), wanted(rig))
    t.same(await checkInvariants(rig), [])
  })
}

t.test('the gap of a kill ends where its camera was recorded again, also where the row of that died with the recorder', async t => {
  const rig = await RecorderRig.open(t, { slots: 8 })
  const endNow = (): number => rig.appended.at(-1)!.startAt + 500
  await rig.append(3)
  await rig.sync()
  const firstEnd = endNow()
  await rig.killAndReopen()
  await rig.lane.recover()
  await settle(rig)
  rig.catalogueFaults.break({ kind: 'busy', lasts: true })
  await rig.append(3)
  await rig.sync()
  const again = rig.appended[3]!.startAt, secondEnd = endNow()
  rig.freeze(rig.memory.afterKill())
  rig.catalogueFaults.heal()
  await rig.reopen()
  await rig.lane.recover()
  await settle(rig)
  t.same(await names(rig), wanted(rig))
  t.same(rig.rows('SELECT start_at, end_at, cause FROM gap ORDER BY start_at'), [
    { start_at: firstEnd, end_at: again, cause: 'recorder-killed' }, { start_at: secondEnd, end_at: null, cause: 'recorder-killed' },
  ])
})

/** Kills the recorder; the next one cannot read the open slot at its start, records elsewhere, and reads it later. */
async function startUnread(t: Test, rig: RecorderRig): Promise<void> {
  rig.freeze(rig.memory.afterKill())
  await rig.reopen({ arm: fs => { fs.break({ step: 'recover open', mode: 'not-applied' }) } })
  await rig.lane.recover()
  t.ok(rig.fs.hasBroken)
  await rig.append(2)
  await rig.recheck()
  t.same(await names(rig), wanted(rig))
}

t.test('a slot that cannot be read at the start is tried again: its footage stays, and the gap since the kill begins behind it', async t => {
  const rig = await RecorderRig.open(t, { slots: 12 })
  await rig.append(3)
  await rig.sync()
  const end = rig.nextAt
  await startUnread(t, rig)
  t.equal(rig.rows<{ n: number }>("SELECT count(*) AS n FROM slot WHERE state = 'quarantined'")[0]!.n, 0)
  t.match(rig.rows<{ start_at: number }>("SELECT start_at FROM gap WHERE cause = 'recorder-killed'"), [{ start_at: end }])
  t.same(await checkInvariants(rig), [])
})

t.test('so it is where two recorders had recorded to that slot, one after the other', async t => {
  const rig = await RecorderRig.open(t, { slots: 12 })
  await rig.append(3)
  await rig.sync()
  const firstEnd = rig.nextAt
  await rig.killAndReopen()
  await rig.append(3)
  await rig.sync()
  const again = rig.appended[3]!.startAt, secondEnd = rig.nextAt
  await startUnread(t, rig)
  t.same(rig.rows('SELECT start_at, end_at, cause FROM gap ORDER BY start_at'), [
    { start_at: firstEnd, end_at: again, cause: 'recorder-killed' },
    { start_at: secondEnd, end_at: rig.appended[6]!.startAt, cause: 'recorder-killed' },
  ])
  t.same(await checkInvariants(rig), [])
})

t.test('what a slot that failed lost in an outage is told by the next start, though its run went on elsewhere', async t => {
  const rig = await RecorderRig.open(t, { slots: 12 })
  const { name: lost, startAt, endAt } = await loseFragmentInOutage(rig)
  t.same(await names(rig), wanted(rig).filter(name => name !== lost))
  t.match(rig.rows(`SELECT start_at, end_at, cause FROM gap WHERE start_at < ${endAt} AND end_at > ${startAt}`),
    [{ start_at: startAt, end_at: endAt, cause: 'unknown' }])
})

for (const isStopped of [true, false]) {
  t.test(`a catalogue that cannot be read at the start is told of the time since the last ${isStopped ? 'stop' : 'kill'} later`, async t => {
    const rig = await RecorderRig.open(t, { slots: 12 })
    await rig.append(3)
    await rig.sync()
    const end = rig.nextAt
    if (isStopped) {
      rig.catalogueFaults.break({ kind: 'io-write', lasts: true })
      rig.endRun('recorder-stopped')
      await rig.close()
      rig.catalogueFaults.heal()
      await rig.restart()
    } else await rig.killAndReopen()
    const from = await recordUnread(rig)
    t.match(rig.rows('SELECT end_at FROM run ORDER BY run_id'), [{ end_at: end }, { end_at: null }])
    t.match(rig.rows('SELECT start_at, end_at, cause FROM gap'), [{ start_at: end, end_at: from, cause: 'recorder-killed' }])
    t.same(await names(rig), wanted(rig))
    t.same(await checkInvariants(rig), [])
  })
}

const HOUR_MS = 3_600_000

t.test('a slot that stays unreadable for an hour keeps what can be read of it in the catalogue, and is used no more', async t => {
  const rig = await RecorderRig.open(t, { slots: 12 })
  await rig.append(3, LONG)
  await rig.sync()
  const bad = rig.segments().at(-1)!
  const isBad = (file: string) => file.endsWith(`${String(bad.slot).padStart(7, '0')}.mp4`)
  for (const readable of [2, 0]) {
    rig.freeze(rig.memory.afterKill())
    await rig.reopen({ arm: fs => {
      let records = 0
      fs.onStep = (step, file) => {
        if (step === 'recover open') records = 0
        if (isBad(file) && (readable === 0 ? step === 'recover open' : step === 'read record' && ++records > readable)) throw new StorageError('io', step, file, new Error('injected'))
      }
    } })
    await rig.lane.recover()
    for (let round = 0; round < 3; round++) await rig.recheck()
    t.equal(rig.segments().find(({ slot }) => slot === bad.slot)?.records ?? null, readable === 2 ? null : 2, 'it is tried again')
    await rig.clock.advance(HOUR_MS)
    await rig.recheck()
    rig.fs.onStep = null
    const [row] = rig.rows<{ records: number, is_quarantined: number, ended_at: number | null }>(`SELECT records, is_quarantined, ended_at FROM segment WHERE slot = ${bad.slot}`)
    t.match(row, { records: 2, is_quarantined: 1, ended_at: null })
    t.same((await names(rig)).slice(0, 2), wanted(rig).slice(0, 2))
  }
  await rig.append(5, LONG)
  t.same(await checkInvariants(rig), [])
})

t.test('a camera that leaves and comes again while the catalogue is locked is another one, and in use', async t => {
  const rig = await RecorderRig.open(t, { slots: 8 })
  await rig.append(2)
  rig.endRun('removed-from-config')
  rig.catalogueFaults.break({ kind: 'busy', lasts: true })
  await rig.storage.retireAllBut(new Set())
  rig.clock.drift(60_000, 0)
  stand(rig, rig.camera) // the configuration has it again
  await rig.storage.retireAllBut(new Set([rig.camera]))
  await rig.append(2)
  await rig.sync()
  rig.catalogueFaults.heal()
  await settle(rig)
  const inUse = () => rig.rows<{ uuid: string }>('SELECT uuid FROM camera WHERE retired_at IS NULL').map(({ uuid }) => uuid)
  const [{ uuid }] = rig.rows<{ uuid: string }>('SELECT camera_uuid AS uuid FROM run ORDER BY run_id DESC LIMIT 1') as [{ uuid: string }]
  t.same(inUse(), [uuid], 'the one that is recorded')
  await rig.append(2)
  rig.endRun('recorder-stopped')
  await rig.restart()
  rig.nextAt = rig.clock.wallNow()
  await rig.append(2)
  t.same(inUse(), [uuid], 'the same camera after a start')
})
