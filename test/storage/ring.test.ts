import t from 'tap'
import { builtInit } from '../support/fragments.ts'
import { epochMs, isoOf } from '../../src/domain/index.ts'
import { keepUntil, type FloorRule } from '../../src/retention/index.ts'
import { RingFullError } from '../../src/storage/index.ts'
import type { FaultyFileSystem } from '../support/faulty-file-system.ts'
import { checkInvariants, FLOOR_31_DAYS, RecorderRig } from '../support/recorder-rig.ts'
import { ended, pass } from '../support/rig-time.ts'

const DAY_MS = 86_400_000
const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 1000 }, timezone: 'Asia/Taipei' }
const LONG = { dataBytes: 220_000 } // four of them fill a slot
const statesOf = (rig: RecorderRig) => rig.rows<{ state: string }>('SELECT state FROM slot ORDER BY volume_uuid, slot').map(({ state }) => state).join(' ')
const ringFull = async (work: Promise<unknown>): Promise<RingFullError> => {
  const error: unknown = await work.then(() => null, (thrown: unknown) => thrown)
  if (!(error instanceof RingFullError)) throw new Error(`not full: ${String(error)}`, { cause: error })
  return error
}

t.test('free slots are taken first, on every volume, before anything is used again', async t => {
  const rig = await RecorderRig.open(t, { slots: 2, volumes: ['disk1', 'disk2'], floor: SHORT })
  await rig.fillSlots(4)
  t.same(rig.segments().map(segment => segment.generation), [1, 1, 1, 1])
  t.equal(new Set(rig.segments().map(segment => segment.volumeUuid)).size, 2)
  await rig.append(1, LONG)
  t.same(rig.rows<{ generation: number }>('SELECT generation FROM slot').filter(slot => slot.generation === 2).length, 1)
  t.same(await checkInvariants(rig), [])
})

t.test('then the slot whose newest frame is oldest, whichever volume it is on', async t => {
  const rig = await RecorderRig.open(t, { slots: 2, volumes: ['disk1', 'disk2'], floor: SHORT })
  await rig.fillSlots(4)
  for (let i = 0; i < 9; i++) {
    const [oldest] = rig.segments()
    await rig.fillSlots(1)
    const reused = rig.rows<{ volume_uuid: string, slot: number, generation: number }>('SELECT volume_uuid, slot, generation FROM segment WHERE ended_at IS NOT NULL ORDER BY segment_id').at(i)
    t.same(reused, { volume_uuid: oldest?.volumeUuid, slot: oldest?.slot, generation: oldest?.generation }, `turn ${i}`)
  }
  t.same(await checkInvariants(rig), [])
})

t.test('a start makes slots ready only once it has seen all volumes', async t => {
  const rig = await RecorderRig.open(t, { slots: 12, volumes: ['disk1', 'disk2'], floor: SHORT })
  rig.isAuditBroken = true // nothing is overwritten, and no slot is made ready
  await rig.fillSlots(24)
  const oldestFirst = rig.segments().map(({ volumeUuid, slot }) => `${volumeUuid}/${slot}`)
  const late = rig.volumes.find(({ identity }) => identity.uuid === rig.segments()[0]!.volumeUuid)!
  rig.isAuditBroken = false
  const arm = (fs: FaultyFileSystem) => { fs.break({ mode: 'hang', step: 'holds', under: late.path, until: rig.clock.alarm(1_000) }) }
  await ended(rig, 'the start', rig.restart({ arm, mayHang: true }))
  await pass(rig, 1_000)
  const gone = rig.rows<{ at: string }>("SELECT volume_uuid || '/' || slot AS at FROM segment WHERE ended_at IS NOT NULL ORDER BY freed_audit_seq")
  t.ok(gone.length > 1, `${gone.length} slots were made ready`)
  t.same(gone.map(({ at }) => at), oldestFirst.slice(0, gone.length))
})

t.test('inside the floor nothing is overwritten: the ring is full until exactly the oldest footage may go', async t => {
  const rig = await RecorderRig.open(t, { slots: 3 })
  await rig.fillSlots(3)
  const [oldest] = rig.segments()
  const free = keepUntil(FLOOR_31_DAYS, oldest!.endAt!)
  t.equal(isoOf(free), '2026-12-23T16:00:00.000Z')
  const before = await rig.found()
  t.equal((await ringFull(rig.append(1, LONG))).freeAt, free)
  rig.clock.drift(free - rig.clock.wallNow() - 1, 0)
  t.equal((await ringFull(rig.append(1, LONG))).freeAt, free, 'a millisecond before')
  t.same((await rig.found()).map(record => record.name), before.map(record => record.name), 'not a record is gone')
  rig.clock.drift(1, 0)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(1, LONG)
  t.equal(rig.segments().some(segment => segment.slot === oldest!.slot && segment.generation === 1), false)
  t.same(await checkInvariants(rig), [])
})

t.test('a ring that is full because of a floor that was lowered later names the first slot that may go', async t => {
  const rig = await RecorderRig.open(t, { slots: 2 })
  await rig.fillSlots(1)
  await rig.close()
  rig.floor = { floor: { kind: 'calendar-days', days: 1 }, timezone: 'Asia/Taipei' }
  await rig.killAndReopen()
  await rig.fillSlots(1)
  await ringFull(rig.append(1, LONG)) // the second is sealed beside it
  await rig.sync()
  const [first, second] = rig.segments()
  t.ok(first!.keepUntil! > second!.keepUntil!, 'what was promised more keeps its promise')
  t.equal((await ringFull(rig.append(1, LONG))).freeAt, second!.keepUntil)
  rig.clock.drift(second!.keepUntil! - rig.clock.wallNow(), 0)
  rig.nextAt = rig.clock.wallNow()
  await rig.append(1, LONG)
  t.same(rig.segments().map(segment => [segment.slot, segment.generation]), [[first!.slot, 1], [second!.slot, 2]])
})

t.test('a killed recorder that starts under another floor goes on in another slot', async t => {
  const rig = await RecorderRig.open(t, { slots: 4, floor: SHORT })
  await rig.append(2)
  await rig.sync()
  rig.floor = FLOOR_31_DAYS
  await rig.killAndReopen()
  await rig.append(1)
  await rig.sync()
  t.match(rig.rows("SELECT slot, floor_rule, sealed_at IS NOT NULL AS is_sealed FROM segment ORDER BY slot"), [
    { slot: 0, floor_rule: '1000ms Asia/Taipei', is_sealed: 1 }, { slot: 1, floor_rule: '31d Asia/Taipei', is_sealed: 0 },
  ])
})

t.test('a raised floor protects what was recorded under the lower one', async t => {
  const rig = await RecorderRig.open(t, { slots: 2, floor: SHORT })
  await rig.fillSlots(2)
  await rig.close()
  rig.floor = FLOOR_31_DAYS
  await rig.killAndReopen()
  t.equal((await ringFull(rig.append(1, LONG))).freeAt, keepUntil(FLOOR_31_DAYS, rig.segments()[0]!.endAt!))
})

t.test('a clock that was set forward frees nothing', async t => {
  const rig = await RecorderRig.open(t, { slots: 2 })
  await rig.fillSlots(2)
  rig.clock.stepWall(400 * DAY_MS)
  t.not((await ringFull(rig.append(1, LONG))).freeAt, null)
  rig.clock.stepWall(-400 * DAY_MS)
  t.not((await ringFull(rig.append(1, LONG))).freeAt, null)
  t.equal((await rig.found()).length, 8)
})

t.test('a slot that is being read is passed over, and comes next when its reader is gone', async t => {
  const rig = await RecorderRig.open(t, { slots: 3, floor: SHORT })
  await rig.fillSlots(3)
  const [oldest, second] = rig.segments()
  const reader = await rig.storage.openReader(oldest!)
  await rig.append(1, LONG)
  t.equal(rig.segments().some(segment => segment.slot === second!.slot && segment.generation === 1), false, 'the second oldest went')
  for (let i = 0; i < 4; i++) await reader.read(i)
  await reader[Symbol.asyncDispose]()
  await rig.append(4, LONG)
  t.equal(rig.segments().some(segment => segment.slot === oldest!.slot && segment.generation === 1), false)
})

t.test('a quarantined slot is never used again and never stands in the way of the others', async t => {
  const rig = await RecorderRig.open(t, { slots: 4, floor: SHORT })
  await rig.append(2, LONG)
  await rig.sync()
  rig.fs.break({ step: 'append body', mode: 'not-applied' })
  await rig.append(1, LONG)
  t.match(statesOf(rig), /quarantined/)
  const bad = rig.rows<{ slot: number }>("SELECT slot FROM slot WHERE state = 'quarantined'")[0]!.slot
  const bytes = Buffer.from(rig.rawSlot(bad))
  await rig.fillSlots(12)
  t.same(Buffer.compare(rig.rawSlot(bad), bytes), 0, 'not a byte of it changed')
  t.equal(rig.rows<{ generation: number }>(`SELECT generation FROM slot WHERE slot = ${bad}`)[0]!.generation, 1)
  t.same(await checkInvariants(rig), [])
})

t.test('two streams never write to one slot', async t => {
  const rig = await RecorderRig.open(t, { slots: 6, floor: SHORT })
  for (let i = 0; i < 20; i++) {
    await rig.append(1, LONG)
    const other = rig.storage.lane(rig.camera, 'sub' as typeof rig.stream)
    const main = rig.lane
    rig.lane = other
    const run = rig.run
    rig.run = null
    await rig.append(1, { ...LONG, prefix: 's' })
    rig.lane = main
    rig.run = run
  }
  const open = rig.rows<{ volume_uuid: string, slot: number }>('SELECT volume_uuid, slot FROM segment WHERE ended_at IS NULL')
  t.equal(new Set(open.map(row => `${row.volume_uuid}/${row.slot}`)).size, open.length)
  for (const { name } of await rig.found()) if (!name.startsWith('f')) t.fail(`${name} in the main stream`)
  t.same(await checkInvariants(rig), [])
})

t.test('nothing of the generation before can be read from a slot that was opened again', async t => {
  const rig = await RecorderRig.open(t, { slots: 2, floor: SHORT })
  await rig.fillSlots(2)
  const [oldest] = rig.segments()
  const stale = rig.appended.slice(0, 4).map(({ name }) => name)
  await rig.append(1, { dataBytes: 500 })
  const raw = rig.rawSlot(oldest!.slot)
  for (const name of stale) t.equal(raw.indexOf(name), -1, name)
})

t.test('without a volume there is no slot, and the refusal says so', async t => {
  const rig = await RecorderRig.open(t, { slots: 2 })
  const giveBack = rig.memory.takeAway('/volumes/disk1')
  await rig.restart()
  await t.rejects(rig.append(1), { code: 'CUSTOS_NO_VOLUME' })
  giveBack()
  await rig.recheck()
  await rig.append(1)
  t.equal((await rig.found()).length, 1)
})

t.test('footage that the catalogue does not know, as after its restore from a backup, is not overwritten', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  const backup = rig.memory.afterKill()
  rig.freeze(backup) // the catalogue as it was in the beginning: every slot free
  const empty = rig.stateDir
  await rig.reopen()
  await rig.append(8, LONG)
  await rig.close()
  const bytes = [0, 1].map(slot => Buffer.from(rig.rawSlot(slot)))
  rig.stateDir = empty
  await rig.restart().catch(() => undefined)
  await rig.append(4, LONG).catch(() => undefined)
  for (const [slot, before] of bytes.entries()) t.equal(Buffer.compare(rig.rawSlot(slot), before), 0, `slot ${slot}`)
})

t.test('a disk that was exchanged under its mount point while recording is not written to', async t => {
  const rig = await RecorderRig.open(t, { slots: 3, volumes: ['disk1', 'disk2'] })
  await rig.append(1, LONG)
  const other = rig.volumes.map(volume => [0, 1, 2].map(slot => { const raw = rig.rawSlot(slot, volume); return { raw, was: Buffer.from(raw) } })).flat()
  const foreign = Buffer.from(rig.rawSlot(rig.segments()[0]!.slot, rig.volumes.find(volume => volume.identity.uuid === rig.segments()[0]!.volumeUuid)!))
  foreign.fill(0x77, foreign.indexOf('custosSLOTHeader') + 16 + 4, foreign.indexOf('custosSLOTHeader') + 16 + 20) // no volume of ours
  for (const { raw, was } of other) if (was.every(byte => byte === 0)) foreign.copy(raw)
  await rig.append(6, LONG).catch(() => undefined)
  for (const { raw, was } of other) if (was.every(byte => byte === 0)) t.equal(Buffer.compare(raw, foreign), 0)
})

t.test('a new disk under the name of one that died is taken into use', async t => {
  const rig = await RecorderRig.open(t, { slots: 2 })
  await rig.append(2)
  await rig.close()
  rig.memory.takeAway('/volumes/disk1')
  const { initVolume } = await import('../../src/storage/index.ts')
  rig.volumes[0] = await initVolume(rig.memory, { folder: '/volumes/disk1', id: rig.configured[0]!.id, sizeBytes: 2 << 20, slotSizeBytes: 1 << 20, now: new Date() })
  await rig.restart()
  rig.nextAt = epochMs(rig.clock.wallNow())
  await rig.append(2)
  t.same(rig.storage.volumeStatus().map(({ id, state }) => [id, state]), [['disk1', 'ok']])
  t.equal(rig.segments().at(-1)?.volumeUuid, rig.volumes[0].identity.uuid)
})

t.test('a stream that begins slot after slot is stopped at its budget and may go on later; the others are not touched', async t => {
  const rig = await RecorderRig.open(t, { slots: 60, floor: { floor: { kind: 'plain', durationMs: 1 }, timezone: 'Asia/Taipei' } })
  rig.storage.expectRate({ cameraId: rig.camera, stream: rig.stream }, 8000)
  let opened = 0
  const beginAnother = async () => {
    rig.init = builtInit({ width: 64 + 16 * (opened % 2) }) // other parameter sets take another slot
    await rig.append(1)
    rig.endRun('parameter-sets-changed')
    opened++
  }
  await t.rejects((async () => { for (;;) await beginAnother() })(), { code: 'CUSTOS_SLOT_BUDGET' })
  t.equal(opened, 4 * 2 + 24, 'twice what 3.6 MB an hour fill in slots of 1 MiB, and 24')
  rig.endRun('slot-budget')
  rig.clock.drift(1_800_000, 0)
  await beginAnother()
})
