import path from 'node:path'
import t from 'tap'
import { cameraId, epochMs, streamName, type CameraId } from '../../src/domain/index.ts'
import { StorageError } from '../../src/platform/file-system.ts'
import type { FloorRule } from '../../src/retention/index.ts'
import type { RebuildReport } from '../../src/storage/index.ts'
import { decideNames } from '../../src/storage/rebuild.ts'
import { FaultyFileSystem } from '../support/faulty-file-system.ts'
import { checkInvariants, RecorderRig } from '../support/recorder-rig.ts'
import { dieAndStayDead, newFolder, rebuild as rebuildWith, stand } from './support/rebuilding.ts'

const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 60_000 }, timezone: 'Asia/Taipei' }
const LARGE = { dataBytes: 220_000 } // four of them fill a slot
const GATE = cameraId('gate'), YARD = cameraId('yard'), SUB = streamName('sub')

type Row = Record<string, string | number | null>
/** What must come back to the letter, and in which order it is compared. */
const COMPARED = {
  camera: 'SELECT uuid, id, first_recorded_at, retired_at IS NULL AS is_active FROM camera ORDER BY uuid',
  volume: 'SELECT uuid, id, slot_size_bytes, slot_count FROM volume ORDER BY uuid',
  slot: 'SELECT volume_uuid, slot, generation, state FROM slot ORDER BY 1, 2',
  segment: `SELECT volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule, end_at, keep_until, records, used_bytes, merkle_root, sealed_at IS NOT NULL AS is_sealed, hold_count, is_quarantined
    FROM segment WHERE ended_at IS NULL ORDER BY 1, 2`,
  run: 'SELECT run_id, camera_uuid, stream, codec, width_px, height_px, start_at, end_at FROM run ORDER BY run_id',
  gap: 'SELECT camera_uuid, stream, start_at, end_at FROM gap ORDER BY 1, 2, 3',
  hold: 'SELECT hold_id, camera_uuid, stream, from_at, to_at, authority, application, placed_by, placed_at FROM hold WHERE ended_at IS NULL ORDER BY hold_id',
} as const
type Table = keyof typeof COMPARED
const TABLES = Object.keys(COMPARED) as Table[]
const rowsOf = (rig: RecorderRig, table: Table): Row[] => rig.rows<Row>(COMPARED[table])
const all = (rig: RecorderRig) => Object.fromEntries(TABLES.map(table => [table, rowsOf(rig, table)])) as Record<Table, Row[]>

/** Of the cameras that most of these configure. */
const rebuild = (rig: RecorderRig, cameras: readonly CameraId[] = [rig.camera, GATE]): Promise<RebuildReport> =>
  rebuildWith(rig, cameras)

type Tap = Parameters<typeof RecorderRig.open>[0]

/** Three cameras, four streams, two volumes, runs and gaps, a camera that left, a slot that failed. `turned`: and the ring has gone over what was recorded first. */
async function mixed(t: Tap, { turned = false } = {}): Promise<RecorderRig> {
  const rig = await RecorderRig.open(t, { slots: 9, volumes: ['disk1', 'disk2'], floor: SHORT })
  await rig.fillSlots(2)
  rig.endRun()
  rig.clock.drift(7_000, 0)
  stand(rig, GATE)
  await rig.fillSlots(2)
  rig.endRun('stalled')
  stand(rig, GATE, SUB)
  await rig.append(3)
  rig.endRun()
  stand(rig, YARD)
  await rig.append(5)
  rig.endRun('removed-from-config')
  await rig.storage.retireAllBut(new Set([rig.camera, GATE]))
  rig.clock.drift(90_000, 0)
  stand(rig, rig.camera)
  await rig.append(2, LARGE)
  await rig.sync()
  rig.fs.break({ step: 'append head', mode: 'applied-then-failed' })
  await rig.append(2, LARGE) // the first of them stands in two slots now, and is whole in none but the second
  if (turned) await rig.fillSlots(14)
  return rig
}

async function hold(rig: RecorderRig, lengthMs = 1000): Promise<void> {
  const [first] = rig.segments()
  await rig.storage.holds.place({
    camera: { id: rig.camera, uuid: first!.cameraUuid }, stream: null, fromAt: first!.startAt, toAt: epochMs(first!.startAt + lengthMs), authority: '秘書室 115-0042', application: '115-7',
    by: { kind: 'machine-user', name: '王小明', role: null, source: null },
  })
}

/** A camera that is not recorded any more has no gap that lasts: nobody waits for it. */
const withoutRetired = (rows: Record<Table, Row[]>): Record<Table, Row[]> => {
  const active = new Set(rows.camera.filter(row => row['is_active'] === 1).map(row => row['uuid']))
  return { ...rows, gap: rows.gap.filter(row => row['end_at'] !== null || active.has(row['camera_uuid']!)) }
}

t.test('from nothing, all that a catalogue says of footage comes back to the letter: cameras, volumes, slots, segments, runs, gaps, holds', async t => {
  const rig = await mixed(t)
  await hold(rig)
  rig.endRun('closed-by-camera')
  await rig.close()
  const before = withoutRetired(all(rig))
  t.match(before.slot.filter(row => row['state'] === 'quarantined'), { length: 1 }, 'a slot had failed')
  rig.stateDir = t.testdir()
  const report = await rebuild(rig)
  const after = all(rig)
  for (const table of TABLES) t.same(after[table], before[table], table)
  t.match(report, { holdsImported: 1, contradictions: [], stock: { cameras: 3, streams: 4, holds: 1, quarantinedSlots: 1 } })
  t.match(rig.rows("SELECT DISTINCT cause FROM gap UNION SELECT DISTINCT end_reason FROM run"), [{ cause: 'unknown' }], 'why is not on the volumes')
  t.match(JSON.parse(rig.rows<{ detail: string }>("SELECT detail FROM audit_entry WHERE action = 'catalogue.rebuilt'")[0]!.detail), { segments: report.stock.segments, volumes: [{ id: 'disk1' }, { id: 'disk2' }] })
  await rig.restart()
  t.same(await checkInvariants(rig), [])
  t.match(rig.storage.volumeStatus(), [{ state: 'ok' }, { state: 'ok' }])
  await rig.append(3)
  t.ok(rig.rows<{ n: number }>('SELECT max(run_id) AS n FROM run')[0]!.n > Number(before.run.at(-1)!['run_id']), 'run numbers go on')
})

t.test('after the ring has turned, what is left comes back, and recording goes on with reuse', async t => {
  const rig = await mixed(t, { turned: true })
  await hold(rig)
  rig.endRun()
  await rig.close()
  const before = all(rig)
  rig.stateDir = t.testdir()
  await rebuild(rig)
  for (const table of ['volume', 'slot', 'segment', 'hold'] as const) t.same(rowsOf(rig, table), before[table], table)
  const kept = new Set(before.segment.map(row => row['camera_uuid']))
  t.same(rowsOf(rig, 'camera').map(row => row['uuid']), before.camera.map(row => row['uuid']).filter(uuid => kept.has(uuid!)))
  await rig.restart()
  const held = rowsOf(rig, 'segment').filter(row => Number(row['hold_count']) > 0)
  t.equal(held.length, 1)
  for (let i = 0; i < 8; i++) {
    rig.clock.drift(60_000, 0)
    await rig.fillSlots(5)
  }
  rig.endRun()
  await rig.lane.close()
  t.same(await checkInvariants(rig), [])
  const now = rowsOf(rig, 'segment').map(row => `${row['volume_uuid']}/${row['slot']}/${row['generation']}`)
  t.ok(held.every(row => now.includes(`${row['volume_uuid']}/${row['slot']}/${row['generation']}`)), 'the hold holds')
  t.same(rig.rows("SELECT 1 FROM segment WHERE freed_trusted_at < freed_kept_until"), [])
})

t.test('after a kill the open slots stay open, and recovery goes on in them', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.fillSlots(1)
  await rig.append(2)
  await dieAndStayDead(rig, newFolder(t))
  rig.stateDir = path.join(rig.stateDir, 'lost')
  await rebuild(rig)
  t.match(rowsOf(rig, 'slot'), [{ state: 'sealed' }, { state: 'open' }, { state: 'free' }, { state: 'free' }])
  const lastEnd = rig.nextAt
  await rig.restart()
  await rig.lane.recover()
  await rig.append(2)
  t.same((await rig.found()).map(record => record.name), rig.appended.map(({ name }) => name))
  t.match(rowsOf(rig, 'gap'), [{ start_at: lastEnd, end_at: rig.appended.at(-2)!.startAt }])
  t.same(await checkInvariants(rig), [])
})

interface Folder { testdir(): string }

// ---- an old catalogue comes back ------------------------------------------------------------------------------------

/** A recorder whose catalogue is the one of `backup`, closed. */
const restored = (rig: RecorderRig, backup: string): void => { rig.stateDir = backup }
function backUp(t: Folder, rig: RecorderRig): string {
  const folder = t.testdir()
  rig.copyCatalogue(folder)
  return folder
}

t.test('a catalogue from a backup is refused, rebuild brings it into line, and keeps what only it knows', async t => {
  const rig = await RecorderRig.open(t, { slots: 6, floor: SHORT })
  await rig.fillSlots(3)
  rig.endRun('stalled')
  rig.clock.drift(5_000, 0)
  await rig.append(2)
  const backup = backUp(t, rig)
  await rig.fillSlots(2)
  rig.endRun()
  await rig.restart()
  await hold(rig)
  rig.clock.drift(120_000, 0)
  await rig.fillSlots(3)
  rig.endRun()
  await rig.close()
  const truth = all(rig)
  restored(rig, backup)
  await rig.restart()
  t.match(rig.storage.volumeStatus(), [{ state: 'foreign', detail: /came from a backup.*custos rebuild/ }])
  await t.rejects(rig.append(1), { code: 'CUSTOS_NO_VOLUME' })
  await rig.close()
  const report = await rebuild(rig)
  for (const table of ['volume', 'slot', 'segment', 'hold'] as const) t.same(rowsOf(rig, table), truth[table], table)
  t.match(rig.rows("SELECT cause, end_at FROM gap ORDER BY gap_id LIMIT 1"), [{ cause: 'stalled' }], 'why the first gap was is the backup\'s knowledge')
  t.match(report, { counts: { added: Number, ended: Number } })
  t.ok(report.counts.added > 0 && report.counts.ended > 0)
  await rig.restart()
  t.match(rig.storage.volumeStatus(), [{ state: 'ok' }])
  for (let i = 0; i < 4; i++) { rig.clock.drift(60_000, 0); await rig.fillSlots(2); rig.endRun() }
  t.same(await checkInvariants(rig), [])
  await rig.close()
  const again = await rebuild(rig)
  t.match(again.counts, { added: 0, corrected: 0, ended: 0, revived: 0, runs: 0, gaps: 0 }, 'what agrees is left alone')
  t.same(again.contradictions, [])
})

t.test('rebuilding what is in order changes nothing, be it after a stop or after a kill', async t => {
  for (const isKilled of [false, true]) {
    const rig = await mixed(t, { turned: true })
    if (isKilled) await dieAndStayDead(rig, newFolder(t))
    else { rig.endRun(); await rig.close() }
    const before = all(rig)
    await rebuild(rig)
    for (const table of TABLES) t.same(rowsOf(rig, table), before[table], table)
  }
})

t.test('a slot that was being made ready for its next use is left to recovery', async t => {
  for (const step of ['prepare look', 'prepare zero sync', 'prepare header sync']) {
    const rig = await RecorderRig.open(t, { slots: 2, floor: SHORT })
    await rig.fillSlots(2)
    rig.endRun()
    rig.clock.drift(120_000, 0)
    let memory = rig.memory, copied = false
    const stateDir = t.testdir({})
    rig.fs.break({ step, mode: 'crash', onCrash: () => { memory = rig.memory.afterKill(); rig.copyCatalogue(stateDir); copied = true } })
    await rig.append(1).catch(() => undefined)
    t.ok(copied)
    await rig.close().catch(() => undefined)
    Object.assign(rig, { memory, fs: new FaultyFileSystem(memory), stateDir, run: null })
    const report = await rebuild(rig)
    t.same(report.contradictions, [], step)
    await rig.restart()
    await rig.fillSlots(1)
    t.same(await checkInvariants(rig), [], step)
  }
})

t.test('a gap that was told while a volume was away is cut by what that volume holds', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  const beganAt = rig.nextAt
  await rig.append(2)
  await rig.sync()
  const backup = t.testdir()
  rig.copyCatalogue(backup)
  const { id } = rig.lane.openSlot!.volume.identity
  await rig.append(4)
  const endAt = rig.nextAt
  await rig.close()
  rig.stateDir = backup
  rig.run = null
  const giveBack = rig.memory.takeAway(`/volumes/${id}`)
  rig.clock.drift(60_000, 0)
  await rig.restart()
  rig.lane.noteStarting()
  rig.nextAt = rig.clock.wallNow()
  const since = rig.nextAt
  await rig.append(1)
  rig.endRun()
  await rig.close()
  t.match(rig.rows('SELECT start_at, end_at FROM gap WHERE end_at > start_at'), [{ start_at: beganAt, end_at: since }])
  giveBack()
  await rebuild(rig)
  t.same(rig.rows(`SELECT start_at, end_at FROM gap WHERE start_at >= ${beganAt} AND end_at > start_at ORDER BY start_at LIMIT 1`), [{ start_at: endAt, end_at: since }])
})

t.test('a camera that was retired before the rebuild is missed until then', async t => {
  const rig = await RecorderRig.open(t, { slots: 6 })
  await rig.append(2)
  rig.endRun()
  await rig.sync()
  const backup = t.testdir()
  rig.copyCatalogue(backup)
  await rig.append(2)
  rig.endRun()
  const newestAt = rig.nextAt
  await rig.restart()
  await rig.close()
  rig.stateDir = backup
  rig.clock.drift(60_000, 0)
  await rig.restart()
  await rig.storage.retireAllBut(new Set())
  await rig.close()
  await rebuild(rig, [])
  const [{ retired_at: retiredAt }] = rig.rows<{ retired_at: number }>('SELECT retired_at FROM camera') as [{ retired_at: number }]
  t.ok(retiredAt >= newestAt + 60_000)
  t.match(rig.rows('SELECT start_at, end_at, cause FROM gap ORDER BY start_at DESC LIMIT 1'), [{ start_at: newestAt, end_at: retiredAt, cause: 'unknown' }])
})

t.test('a camera that was minted while the catalogue was lost gives its name back to the footage', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.fillSlots(1)
  const [{ uuid }] = rig.rows<{ uuid: string }>('SELECT uuid FROM camera') as [{ uuid: string }]
  rig.endRun()
  await rig.close()
  rig.stateDir = t.testdir()
  await rig.restart()
  await t.rejects(rig.append(1), { code: 'CUSTOS_NO_VOLUME' })
  rig.endRun('storage-failed')
  await rig.close()
  await rebuild(rig)
  t.match(rig.rows('SELECT uuid FROM camera WHERE retired_at IS NULL'), [{ uuid }])
  await rig.restart()
  t.equal(rig.segments().length, 1)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(2)
  t.match(rig.rows<{ n: number }>('SELECT count(DISTINCT camera_uuid) AS n FROM segment'), [{ n: 1 }])
})

t.test('after a backup a name goes to the camera that was recorded last, though the clock was ahead before', async t => {
  const rig = await RecorderRig.open(t, { slots: 8 })
  rig.nextAt = epochMs(rig.clock.wallNow() + 3_600_000)
  await rig.append(2)
  rig.endRun()
  await rig.sync()
  const backup = t.testdir()
  rig.copyCatalogue(backup)
  await rig.storage.retireAllBut(new Set())
  rig.clock.drift(60_000, 0)
  stand(rig, rig.camera)
  await rig.append(2)
  rig.endRun()
  const [{ uuid }] = rig.rows<{ uuid: string }>('SELECT uuid FROM camera WHERE retired_at IS NULL') as [{ uuid: string }]
  await rig.close()
  rig.stateDir = backup
  await rebuild(rig)
  t.same(rig.rows('SELECT uuid FROM camera WHERE retired_at IS NULL'), [{ uuid }])
})

t.test('names go to the newest footage, and a camera that the office retired stays retired', async t => {
  const trace = (uuid: string, newestAt: number | null, known: { retiredAt: number | null } | null, newestRun = 0) => ({
    newestRun,
    uuid: uuid.padEnd(32, '0') as never, id: cameraId('lobby'), firstAt: newestAt === null ? null : epochMs(newestAt), newestAt: newestAt === null ? null : epochMs(newestAt),
    known: known === null ? null : { firstRecordedAt: epochMs(1), retiredAt: known.retiredAt === null ? null : epochMs(known.retiredAt) },
  })
  const names = (...traces: ReturnType<typeof trace>[]) => decideNames(traces, new Set([cameraId('lobby')]), epochMs(99)).activate.map(uuid => (uuid as string)[0])
  t.same(names(trace('a', 10, null), trace('b', 20, null)), ['b'])
  t.same(names(trace('b', 20, null), trace('a', 10, null)), ['b'])
  t.same(names(trace('a', 10, { retiredAt: 10 }), trace('b', null, { retiredAt: null })), ['b'], 'retired by the office, the other has not begun')
  t.same(names(trace('a', 30, { retiredAt: 10 }), trace('b', null, { retiredAt: null })), ['a'], 'recorded after the backup was made')
  t.same(names(trace('a', null, { retiredAt: null })), ['a'])
  t.same(names(trace('a', 30, { retiredAt: 10 }), trace('b', 20, { retiredAt: null })), ['b'], 'a clock was ahead')
  t.same(names(trace('a', 30, { retiredAt: null }, 7), trace('b', 20, null, 8)), ['b'],
    'a clock was ahead before a backup was made')
  t.match(decideNames([trace('a', 10, null)], new Set(), epochMs(99)), { activate: [], retire: new Map([['a'.padEnd(32, '0'), 10]]) }, 'nobody configured it')
})

// ---- damage ----------------------------------------------------------------------------------------------------------

t.test('slots that cannot be told are named and stay out of use; the others come back', async t => {
  const rig = await RecorderRig.open(t, { slots: 6 })
  await rig.fillSlots(4)
  rig.endRun()
  await rig.close()
  rig.rawSlot(0)[50]! ^= 1
  rig.rawSlot(1)[(1 << 20) - 300]! ^= 1 // in its index
  rig.rawSlot(2).copy(rig.rawSlot(5)) // a file that was copied by hand
  const before = Buffer.concat([0, 1, 2, 3, 4, 5].map(slot => rig.rawSlot(slot)))
  rig.stateDir = t.testdir()
  const report = await rebuild(rig)
  t.match(report.volumes, [{ isRead: true, damaged: { count: 2, examples: [/disk1\/0: the header fails its CRC/, /disk1\/5: it holds slot 2/] } }])
  t.match(rowsOf(rig, 'slot').map(row => row['state']), ['quarantined', 'quarantined', 'sealed', 'sealed', 'free', 'quarantined'])
  t.match(rowsOf(rig, 'segment'), [{ slot: 1, records: 4, is_quarantined: 1 }, { slot: 2 }, { slot: 3 }])
  t.ok(before.equals(Buffer.concat([0, 1, 2, 3, 4, 5].map(slot => rig.rawSlot(slot)))), 'no slot was written to')
  await rig.restart()
  t.equal((await rig.found()).length, 12)
  await rig.append(1)
  t.equal(rig.rows<{ n: number }>("SELECT count(*) AS n FROM slot WHERE state = 'quarantined'")[0]!.n, 3)
})

t.test('where the catalogue is whole, a spoilt index or header costs no row', async t => {
  const rig = await RecorderRig.open(t, { slots: 6 })
  await rig.fillSlots(3)
  rig.endRun()
  await rig.close()
  const before = rowsOf(rig, 'segment')
  rig.rawSlot(0)[50]! ^= 1
  rig.rawSlot(1)[(1 << 20) - 300]! ^= 1
  const report = await rebuild(rig)
  t.match(report.contradictions, [{ kind: 'index-lost', count: 1, examples: ['disk1/1/1'] }])
  t.same(rowsOf(rig, 'segment'), before.map((row, i) => i === 0 ? { ...row, is_quarantined: 1 } : row))
  t.match(rowsOf(rig, 'slot').slice(0, 3).map(row => row['state']), ['quarantined', 'sealed', 'sealed'])
})

t.test('a volume older than its catalogue is refused; after a rebuild the slots it is behind in stay out of use', async t => {
  const rig = await RecorderRig.open(t, { slots: 3, floor: SHORT })
  await rig.fillSlots(2)
  rig.endRun()
  await rig.restart()
  const image = rig.memory.afterKill()
  await rig.close()
  await rig.restart()
  rig.clock.drift(120_000, 0)
  await rig.fillSlots(3)
  rig.endRun()
  await rig.close()
  rig.memory = image
  await rig.restart()
  t.match(rig.storage.volumeStatus(), [{ state: 'foreign', detail: /older than this catalogue/ }])
  await rig.close()
  const report = await rebuild(rig)
  t.match(report.contradictions.map(each => each.kind), ['newer-than-volume', 'gone-from-slot'])
  await rig.restart()
  t.match(rig.storage.volumeStatus(), [{ state: 'ok' }])
  await rig.fillSlots(1)
  t.same(await checkInvariants(rig).then(wrong => wrong.filter(text => !text.includes('quarantined'))), [])
})

t.test('of a slot that ends earlier on the volume than in the catalogue, what is there is kept', async t => {
  const rig = await RecorderRig.open(t, { slots: 6 })
  await rig.append(2)
  await rig.sync()
  const image = rig.memory.afterKill()
  await rig.append(1)
  rig.endRun()
  await rig.restart()
  await rig.close()
  rig.memory = image
  await rig.restart()
  t.match(rig.storage.volumeStatus(), [{ state: 'foreign', detail: /older than this catalogue/ }])
  await rig.close()
  const before = rig.rawSlot(0)
  const report = await rebuild(rig)
  t.match(report.contradictions, [{ kind: 'unsealed-in-slot', count: 1, examples: ['disk1/0/1'] }])
  t.match(rowsOf(rig, 'segment'), [{ slot: 0, records: 2, is_sealed: 1, is_quarantined: 1 }])
  t.match(rowsOf(rig, 'slot')[0], { state: 'quarantined' })
  t.ok(before.equals(rig.rawSlot(0)), 'the slot was not written to')
  await rig.restart()
  t.equal((await rig.found()).length, 2)
})

t.test('so it is where an older image took the slot out of the catalogue before', async t => {
  const rig = await RecorderRig.open(t, { slots: 6 })
  const blank = Buffer.from(rig.rawSlot(0))
  await rig.append(2)
  await rig.sync()
  const image = Buffer.from(rig.rawSlot(0))
  await rig.append(1)
  rig.endRun()
  await rig.close()
  blank.copy(rig.rawSlot(0))
  t.match((await rebuild(rig)).contradictions, [{ kind: 'gone-from-slot', count: 1 }])
  image.copy(rig.rawSlot(0))
  const report = await rebuild(rig)
  t.match(report.contradictions.map(({ kind }) => kind), ['still-on-disk', 'unsealed-in-slot'])
  t.match(rowsOf(rig, 'segment'), [{ slot: 0, records: 2, is_sealed: 1, is_quarantined: 1 }])
  t.match(rowsOf(rig, 'slot')[0], { state: 'quarantined' })
  await rig.restart()
  t.equal((await rig.found()).length, 2)
})

t.test('a slot that an older image took out of use stays so when its records are back', async t => {
  const rig = await RecorderRig.open(t, { slots: 2, floor: SHORT })
  await rig.fillSlots(2)
  rig.endRun()
  await rig.restart()
  const older = Buffer.from(rig.rawSlot(0))
  rig.clock.drift(120_000, 0)
  await rig.append(2)
  await rig.sync()
  const image = Buffer.from(rig.rawSlot(0))
  rig.freeze(rig.memory.afterKill())
  await rig.reopen()
  await rig.close() // nobody asked for the lane: the slot stays open
  older.copy(rig.rawSlot(0))
  t.match((await rebuild(rig)).contradictions, [{ kind: 'newer-than-volume', count: 1 }])
  image.copy(rig.rawSlot(0))
  t.match((await rebuild(rig)).contradictions.map(({ kind }) => kind), ['still-on-disk'])
  t.match(rowsOf(rig, 'segment')[0], { slot: 0, generation: 2, records: 2, is_sealed: 1, is_quarantined: 1 })
  await rig.restart()
  await rig.lane.recover()
  t.equal(rig.lane.openSlot, null)
  await rig.lane.close()
  t.match(rig.storage.volumeStatus(), [{ slots: { open: 0, sealed: 1, quarantined: 1 } }])
  t.equal((await rig.found()).length, 4 + 2)
})

t.test('an image of a slot whose volume failed before it could be sealed keeps what it has', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(2)
  await rig.sync()
  const image = Buffer.from(rig.rawSlot(0))
  await rig.append(3)
  await rig.sync()
  rig.fs.break({ step: 'append body', mode: 'not-applied' })
  await rig.append(1)
  await rig.sync()
  rig.endRun()
  await rig.close()
  t.match(rowsOf(rig, 'segment')[0], { slot: 0, records: 5, is_sealed: 1, is_quarantined: 1 })
  t.notOk((await rebuild(rig)).contradictions.some(({ kind }) => kind === 'unsealed-in-slot'),
    'what the fault left is no image')
  image.copy(rig.rawSlot(0))
  const report = await rebuild(rig)
  t.match(report.contradictions, [{ kind: 'unsealed-in-slot', count: 1, examples: ['disk1/0/1'] }])
  t.match(rowsOf(rig, 'segment')[0], { slot: 0, records: 2, is_sealed: 1, is_quarantined: 1 })
  await rig.restart()
  t.equal((await rig.found()).length, 3)
})

t.test('a slot that the disk does not give is asked again, and what a rebuild never read the next one takes back', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.fillSlots(2)
  rig.endRun()
  await rig.close()
  const states = () => rowsOf(rig, 'slot').map(row => row['state'])
  const whileTimePasses = async (): Promise<RebuildReport> => {
    let isDone = false
    const rebuilt = rebuild(rig).finally(() => { isDone = true })
    while (!isDone) {
      await rig.clock.advance(1_000)
      await new Promise(resolve => { setImmediate(resolve) }) // the list of holds is written in a turn of its own
    }
    return await rebuilt
  }
  const failFor = (ms: number) => {
    const over = rig.clock.monoNow() + ms
    const { open } = rig.fs
    rig.fs.open = (file, mode, step) => rig.clock.monoNow() >= over || step !== 'survey open' ? open.call(rig.fs, file, mode, step)
      : Promise.reject(new StorageError('io', step, file, new Error('injected')))
  }
  failFor(11_000)
  t.match((await whileTimePasses()).volumes, [{ damaged: { count: 0 }, unread: 0 }])
  t.same(states(), ['sealed', 'sealed', 'free', 'free'])
  failFor(3_600_000)
  t.match((await whileTimePasses()).volumes, [{ damaged: { count: 4, examples: [/disk1\/0: the disk did not give it/] }, unread: 4 }])
  t.same(states(), ['quarantined', 'quarantined', 'quarantined', 'quarantined'])
  rig.clock.drift(3_600_000, 0)
  t.match((await whileTimePasses()).volumes, [{ damaged: { count: 0 }, unread: 0 }])
  t.same(states(), ['sealed', 'sealed', 'free', 'free'])
  t.match(rowsOf(rig, 'segment'), [{ records: 4, is_quarantined: 0 }, { records: 4, is_quarantined: 0 }])
})

t.test('a volume that is not there is told, and its footage is taken in when it is', async t => {
  const rig = await mixed(t)
  rig.endRun()
  await rig.close()
  const before = withoutRetired(all(rig))
  const giveBack = rig.memory.takeAway('/volumes/disk2')
  rig.stateDir = t.testdir()
  t.match(await rebuild(rig), { volumes: [{ id: 'disk1', isRead: true }, { id: 'disk2', isRead: false }] })
  giveBack()
  await rig.restart()
  t.match(rig.storage.volumeStatus(), [{ state: 'ok' }, { state: 'foreign', detail: /rebuild/ }])
  await rig.close()
  await rebuild(rig)
  for (const table of TABLES) t.same(rowsOf(rig, table), before[table], table)
})

t.test('a file of holds that cannot be read is told and left as it is', async t => {
  const rig = await RecorderRig.open(t, { volumes: ['disk1', 'disk2'] })
  await rig.fillSlots(1)
  await hold(rig)
  rig.endRun()
  await rig.close()
  const file = path.join(rig.volumes[0]!.path, 'custos-holds.json')
  await rig.memory.publishText(file, '{"format":1,"holds":[{"id":')
  rig.stateDir = t.testdir()
  t.match(await rebuild(rig), { holdsImported: 1, holdFaults: [/disk1: .*damaged/] })
  t.equal(await rig.memory.readText(file, 1000, 'test'), '{"format":1,"holds":[{"id":')
})
