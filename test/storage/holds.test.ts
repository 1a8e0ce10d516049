import path from 'node:path'
import t from 'tap'
import { epochMs, type EpochMs } from '../../src/domain/index.ts'
import { parseHolds } from '../../src/storage/hold-book.ts'
import { StorageError } from '../../src/platform/file-system.ts'
import { checkInvariants, RecorderRig } from '../support/recorder-rig.ts'

const DAY_MS = 86_400_000
const MONTHS_LATER = 40 * DAY_MS
const BY = { kind: 'machine-user', name: '王小明', role: null, source: 'test' } as const
const ask = (rig: RecorderRig, fromAt: EpochMs, toAt: EpochMs) => {
  const { cameraUuid } = rig.segments()[0]!
  return { camera: { id: rig.camera, uuid: cameraUuid }, stream: null, fromAt, toAt, authority: '臺北地檢 115 年字第 1 號', application: null, by: BY }
}
const later = (at: EpochMs, ms: number) => epochMs(at + ms)
const holdsFile = async (rig: RecorderRig, volume = 0) => rig.memory.readText(path.join(rig.volumes[volume]!.path, 'custos-holds.json'), 1 << 20, 'look')
const auditOf = (rig: RecorderRig) => rig.rows<{ action: string }>('SELECT action FROM audit_entry ORDER BY seq').map(row => row.action)

t.test('held footage is passed over, however old, until a recorded act lets it go', async t => {
  const rig = await RecorderRig.open(t, { slots: 3 })
  await rig.fillSlots(3)
  rig.endRun()
  const oldest = rig.segments()[0]!
  const hold = await rig.storage.holds.place(ask(rig, oldest.startAt, later(oldest.startAt, 100)))
  for (let month = 0; month < 4; month++) {
    rig.clock.drift(MONTHS_LATER, 0)
    await rig.fillSlots(1)
    rig.endRun()
  }
  t.ok(rig.segments().some(segment => segment.slot === oldest.slot && segment.generation === oldest.generation), 'two turnovers later it is still there')
  await rig.storage.holds.end(hold.holdId, BY, '不起訴處分確定')
  rig.clock.drift(MONTHS_LATER, 0)
  await rig.fillSlots(2)
  t.notOk(rig.segments().some(segment => segment.slot === oldest.slot && segment.generation === oldest.generation))
  t.same(await checkInvariants(rig), [])
  t.match(auditOf(rig).filter(action => action.startsWith('hold.')), ['hold.placed', 'hold.ended'])
  await t.rejects(rig.storage.holds.end(hold.holdId, BY, 'again'), { code: 'CUSTOS_HOLD_ENDED' })
})

t.test('a hold reaches a volume that was away, or did not take it, once it is back', async t => {
  const rig = await RecorderRig.open(t, { volumes: ['disk1', 'disk2'] })
  await rig.fillSlots(2)
  const { startAt } = rig.segments()[0]!
  const isTold = async (holdId: string) => (await holdsFile(rig, 1)).includes(holdId)

  const giveBack = rig.memory.takeAway('/volumes/disk2')
  await rig.recheck()
  const whileAway = await rig.storage.holds.place(ask(rig, startAt, later(startAt, 100)))
  giveBack()
  await rig.recheck()
  t.ok(await isTold(whileAway.holdId), 'placed while it was away')

  rig.fs.break({ step: 'holds', mode: 'not-applied' })
  const refused = ask(rig, startAt, later(startAt, 200))
  await t.rejects(rig.storage.holds.place(refused), StorageError)
  await rig.recheck()
  const [last] = rig.rows<{ hold_id: string }>('SELECT hold_id FROM hold ORDER BY placed_at DESC, rowid DESC LIMIT 1')
  for (const volume of [0, 1]) t.ok((await holdsFile(rig, volume)).includes(last!.hold_id), `on volume ${volume}`)
})

t.test('a hold on all that there is stops the ring, and nothing is overwritten', async t => {
  const rig = await RecorderRig.open(t, { slots: 3 })
  await rig.fillSlots(3)
  rig.endRun()
  const before = rig.segments().map(({ slot, generation }) => `${slot}/${generation}`)
  await rig.storage.holds.place(ask(rig, epochMs(0), later(rig.clock.wallNow(), DAY_MS)))
  rig.clock.drift(MONTHS_LATER, 0)
  await t.rejects(rig.fillSlots(2), { code: 'CUSTOS_RING_FULL', message: /until a person acts/ })
  t.same(rig.segments().map(({ slot, generation }) => `${slot}/${generation}`), before)
})

t.test('a hold placed while the slot is open, or before its time has come, holds what is recorded later', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.append(2, { dataBytes: 220_000 })
  const from = rig.nextAt
  const request = ask(rig, later(from, 1500), later(from, 2500))
  t.match(rig.storage.holds.cost(request), { newlyHeld: 0 })
  await rig.storage.holds.place(request)
  await rig.fillSlots(3)
  rig.endRun()
  await rig.lane.close()
  const held = rig.rows<{ hold_count: number, start_at: number, end_at: number }>('SELECT hold_count, start_at, end_at FROM segment WHERE sealed_at IS NOT NULL')
  for (const row of held) t.equal(row.hold_count, row.start_at < request.toAt && row.end_at > request.fromAt ? 1 : 0)
  t.ok(held.some(row => row.hold_count === 1) && held.some(row => row.hold_count === 0))
})

t.test('the hold is durable in the catalogue and on every volume before the caller hears of it', async t => {
  const rig = await RecorderRig.open(t, { slots: 3, volumes: ['disk1', 'disk2'] })
  await rig.fillSlots(2)
  const { startAt } = rig.segments()[0]!
  const hold = await rig.storage.holds.place(ask(rig, startAt, later(startAt, 100)))
  for (const volume of [0, 1]) t.match(parseHolds(await holdsFile(rig, volume)), [{ holdId: hold.holdId, authority: '臺北地檢 115 年字第 1 號', placedBy: '王小明' }])
  await rig.killAndReopen()
  t.equal(rig.rows("SELECT * FROM hold WHERE ended_at IS NULL").length, 1)
  await rig.storage.holds.end(hold.holdId, BY, '案結')
  for (const volume of [0, 1]) t.same(parseHolds(await holdsFile(rig, volume)), [])
})

t.test('a volume that fails to take the hold is told; the hold is in force all the same and written there when the volume is back', async t => {
  const rig = await RecorderRig.open(t, { slots: 3 })
  await rig.fillSlots(2)
  const { startAt } = rig.segments()[0]!
  rig.fs.break({ step: 'holds', mode: 'not-applied' })
  await t.rejects(rig.storage.holds.place(ask(rig, startAt, later(startAt, 100))), /holds/)
  t.equal(rig.rows<{ n: number }>('SELECT count(*) AS n FROM segment WHERE hold_count > 0')[0]?.n, 1)
  await rig.restart()
  t.equal(parseHolds(await holdsFile(rig))?.length, 1)
})

t.test('holds come back from the volumes into a catalogue that does not know them; ended ones do not', async t => {
  const rig = await RecorderRig.open(t, { slots: 3 })
  await rig.fillSlots(2)
  rig.endRun()
  const { startAt } = rig.segments()[0]!
  const first = await rig.storage.holds.place(ask(rig, startAt, later(startAt, 100)))
  const second = await rig.storage.holds.place(ask(rig, startAt, later(startAt, 200)))
  const stale = await holdsFile(rig)
  await rig.storage.holds.end(second.holdId, BY, '案結')
  await rig.close()
  rig.catalogue(db => { db.exec('DROP TRIGGER hold_stays'); db.prepare('DELETE FROM hold WHERE hold_id = ?').run(first.holdId); db.exec('UPDATE segment SET hold_count = 0') })
  await rig.memory.publishText(path.join(rig.volumes[0]!.path, 'custos-holds.json'), stale)
  await rig.restart()
  t.match(rig.rows('SELECT hold_id FROM hold WHERE ended_at IS NULL'), [{ hold_id: first.holdId }])
  t.equal(rig.rows<{ n: number }>('SELECT count(*) AS n FROM segment WHERE hold_count = 1')[0]?.n, 1, 'and they hold')
  t.ok(auditOf(rig).includes('hold.imported'))
  t.match(parseHolds(await holdsFile(rig)), [{ holdId: first.holdId }], 'the file is put right')
})

t.test('what makes no sense is refused with the reason, and leaves nothing', async t => {
  const rig = await RecorderRig.open(t, { slots: 3 })
  await rig.append(1)
  const now = rig.clock.wallNow()
  await t.rejects(rig.storage.holds.place(ask(rig, now, now)), { code: 'CUSTOS_HOLD_REFUSED', message: /ends .* before it begins/ })
  await t.rejects(rig.storage.holds.place({ ...ask(rig, now, later(now, 1)), authority: '  ' }), { message: /authority is empty/ })
  await t.rejects(rig.storage.holds.end('f'.repeat(32), BY, 'x'), { code: 'CUSTOS_HOLD_UNKNOWN', message: /there is no hold/ })
  t.equal(rig.rows('SELECT * FROM hold').length, 0)
  for (const damaged of ['', '{}', '{"format":1,"holds":[{"id":"zz"}]}', '[]', '{"format":2,"holds":[]}']) t.same(parseHolds(damaged), null)
  t.throws(() => rig.catalogue(db => { db.exec("INSERT INTO hold SELECT 'a' FROM camera") }))
})

t.test('a file of holds that cannot be understood is kept beside the new one, and told', async t => {
  const rig = await RecorderRig.open(t, { slots: 3 })
  await rig.fillSlots(2)
  rig.endRun()
  const { startAt } = rig.segments()[0]!
  await rig.storage.holds.place(ask(rig, startAt, later(startAt, 100)))
  await rig.close()
  const file = path.join(rig.volumes[0]!.path, 'custos-holds.json')
  await rig.memory.publishText(file, '{"format":1,"holds":[{"id":"torn')
  await rig.restart()
  t.equal(parseHolds(await holdsFile(rig))?.length, 1, 'what the catalogue knows is written anew')
  const kept = (await rig.memory.list(rig.volumes[0]!.path, 'look')).filter(name => name.startsWith('custos-holds.json.damaged-'))
  t.equal(kept.length, 1)
})
