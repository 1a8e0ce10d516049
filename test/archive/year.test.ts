import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { ItemNo } from '../../src/archive/index.ts'
import { epochMs } from '../../src/domain/index.ts'
import { officeDay } from '../../src/rules/index.ts'
import { timeTables } from '../../src/trusted-time/index.ts'
import { ACTING, ArchiveRig, at, contentOf, DAY_MS } from './support/rig.ts'

const HOUR_MS = 3_600_000
const small = { 'a.txt': 'a' }
const dayOf = (ms: number): string => officeDay(epochMs(ms)).toString()

/** A look a day, as long as `until` is not reached. */
async function walk(rig: ArchiveRig, until: number): Promise<void> {
  while (rig.clock.wallNow() < until) {
    rig.pass(Math.min(24 * HOUR_MS, until - rig.clock.wallNow()))
    await rig.archive.sweep()
  }
}
const noticesOf = (rig: ArchiveRig, itemNo: ItemNo): string[] => rig.entries('archive.notice').filter(entry => entry.object === itemNo).map(entry => `${(JSON.parse(entry.detail) as { days: number }).days} ${dayOf(entry.at)}`)
const destroyedOn = (rig: ArchiveRig, itemNo: ItemNo): string | null => { const record = rig.archive.destruction(itemNo); return record === null ? null : dayOf(record.destroyedAt) }

t.test('two years in seconds: each notice and each destruction on its local day, holds and filed items stay, the leap day is counted', async t => {
  const rig = await ArchiveRig.open(t)
  const plain = await rig.put({ footageSha256: '1'.repeat(64) }, small)
  const held = await rig.put({ footageSha256: '2'.repeat(64) }, small)
  const filed = await rig.put({ footageSha256: '3'.repeat(64) }, small)
  rig.rule = { period: { years: 1 }, from: 'recorded' }
  const recorded = await rig.put({ footageSha256: '4'.repeat(64), kind: 'preserved' }, small)
  rig.rule = { period: { years: 1 }, from: 'copied' }
  rig.archive.acts.placeHold(ACTING, held, { authority: '地檢署函', lastDay: Temporal.PlainDate.from('2028-01-31') })
  rig.archive.acts.markFiled(ACTING, filed, '北市信戶資字第1號')
  await walk(rig, at('2027-02-28T18:00:00'))
  const beforeLeap = await rig.put({ footageSha256: '5'.repeat(64) }, small)
  await walk(rig, at('2028-02-29T12:00:00'))
  const onLeapDay = await rig.put({ footageSha256: '6'.repeat(64) }, small)
  t.equal(destroyedOn(rig, beforeLeap), null, 'copied on 28 February 2027, it is there on the 29th of the leap year')
  await walk(rig, at('2028-03-02'))
  rig.archive.acts.unmarkFiled(ACTING, filed, '檔案已銷毀')
  await rig.archive.sweep()
  await walk(rig, at('2029-03-02'))

  t.same(noticesOf(rig, plain), ['30 2027-10-27', '7 2027-11-19', '1 2027-11-25'])
  t.equal(destroyedOn(rig, plain), '2027-11-27')
  t.same(noticesOf(rig, recorded), ['30 2027-10-21', '7 2027-11-13', '1 2027-11-19'])
  t.equal(destroyedOn(rig, recorded), '2027-11-21')
  t.same(noticesOf(rig, held), ['30 2028-01-01', '7 2028-01-24', '1 2028-01-30'])
  t.equal(destroyedOn(rig, held), '2028-02-01')
  t.same(noticesOf(rig, filed), [])
  t.equal(destroyedOn(rig, filed), '2028-03-02', 'unmarked, it goes with the next sweep')
  t.same(noticesOf(rig, beforeLeap), ['30 2028-01-30', '7 2028-02-22', '1 2028-02-28'])
  t.equal(destroyedOn(rig, beforeLeap), '2028-03-01')
  t.same(noticesOf(rig, onLeapDay), ['30 2029-01-29', '7 2029-02-21', '1 2029-02-27'])
  t.equal(destroyedOn(rig, onLeapDay), '2029-03-01')
  for (const record of rig.archive.destructions()) t.ok(record.destroyedAt - record.expiresAt < DAY_MS || [held, filed].includes(record.itemNo), 'within a day')
  t.same(readdirSync(path.join(rig.dir, 'items')), [])
  t.equal(rig.entries('archive.hold-lapsed').length, 1)
  t.match(rig.archive.view(), { items: 0, bytes: 0, unsigned: { count: 6 }, lost: [], strays: 0, overdue: 0 })
})

t.test('the destruction record has every field of R24 and no picture, and stands in the audit log', async t => {
  const rig = await ArchiveRig.open(t)
  for (const [place, day] of [['主任保險箱', '2027-12-31'], ['已覆寫之備份', '2027-01-31']] as const) rig.archive.acts.tellKeyBackup(ACTING, { place, lastDay: Temporal.PlainDate.from(day) })
  const itemNo = await rig.put()
  const item = rig.archive.get(itemNo)
  rig.passTo(at('2027-11-27T00:10:00'))
  t.equal(await rig.archive.sweep(), 1)
  t.equal(await rig.archive.sweep(), 0)
  const record = rig.archive.destruction(itemNo)
  t.match(record, {
    itemNo, application: '115-0001', ranges: [{ cameraName: '大廳', from: at('2026-11-20T09:00:00') }], bytes: item?.bytes, footageSha256: 'c'.repeat(64), payloadSha256: item?.payloadSha256, copiedAt: item?.madeAt, expiresAt: at('2027-11-27'),
    expiryText: /民法第120條/, destroyedAt: at('2027-11-27T00:10:00'), method: /消除電子檔/, keyId: item?.keyId, executor: /custos/, readBack: /查無/, otherKeyCopies: '主任保險箱（至116年12月31日）', signatures: [],
  })
  const [entry] = rig.entries('archive.destroyed')
  t.match(entry, { object: itemNo, result: 'done', name: 'custos' })
  t.equal((JSON.parse(entry?.detail ?? '{}') as { record: string }).record, record?.sha256)
  t.notOk(existsSync(path.dirname(rig.itemFile(itemNo, 'payload'))))
  t.equal(readdirSync(path.join(rig.stateDir, 'keys')).filter(name => name.startsWith('archive-master')).length, 1)
  await t.rejects(rig.archive.read(ACTING, itemNo), { code: 'CUSTOS_ARCHIVE_ITEM' })
  for (const sql of ["UPDATE archive_destruction SET content = '{}'", 'DELETE FROM archive_destruction', 'DELETE FROM archive_item']) t.throws(() => rig.db.exec(sql), /never|destroyed with a record/)
})

t.test('no jump of the clock destroys anything or gives a notice, forward, backward or at a restart', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await rig.put()
  for (const jumpMs of [400 * DAY_MS, -800 * DAY_MS, 10_000 * DAY_MS, -9_600 * DAY_MS]) {
    rig.clock.stepWall(jumpMs)
    rig.time.tick()
    t.equal(await rig.archive.sweep(), 0)
    await rig.start()
    t.equal(await rig.archive.sweep(), 0)
  }
  t.equal(rig.archive.get(itemNo)?.state, 'kept')
  t.same(rig.entries('archive.notice'), [])
  rig.clock.stepWall(366 * DAY_MS)
  rig.time.tick()
  rig.pass(366 * DAY_MS)
  t.equal(await rig.archive.sweep(), 0, 'the year ran, but the clocks disagree')
  t.equal(rig.archive.view().overdue, 1)
})

t.test('after a time off the latest notice is given, and destruction made up for', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await rig.put()
  rig.passTo(at('2027-11-24T09:00:00'))
  await rig.start()
  await rig.archive.sweep()
  await rig.archive.sweep()
  t.same(noticesOf(rig, itemNo), ['7 2027-11-24'])
  t.same(rig.archive.view().expiring, { count: 1, soonestAt: at('2027-11-27') })
  rig.passTo(at('2028-05-01'))
  await rig.start()
  await rig.archive.sweep()
  t.same(noticesOf(rig, itemNo), ['7 2027-11-24'])
  t.equal(destroyedOn(rig, itemNo), '2028-05-01')
})

t.test('put in while the clock was in doubt, it is kept from the later of both clocks', async t => {
  const rig = await ArchiveRig.open(t)
  rig.clock.stepWall(20 * DAY_MS)
  rig.time.tick()
  const itemNo = await rig.put()
  t.equal(rig.archive.get(itemNo)?.expiresAt, at('2027-12-17'))
  t.match(rig.archive.get(itemNo)?.expiryText, /未經確認/)
})

/** Off for six days, the battery of the clock is dead: at the boot no clock shows the time off, and a copy is put in. */
async function putBehind(t: Test, rig: ArchiveRig): Promise<ItemNo> {
  rig.clock.stepWall(-56 * 365 * DAY_MS)
  rig.bootId = 'boot-2'
  await rig.startTime()
  await rig.start()
  const itemNo = await rig.put({}, small)
  t.match(rig.archive.get(itemNo), { expiresAt: at('2027-11-27'), laterMs: 0, stamp: {} })
  t.match(rig.archive.get(itemNo)?.expiryText, /未經確認/)
  return itemNo
}
/** The clock is set, six days later than trusted time knows, and two people vouch for it. */
function setRight(t: Test, rig: ArchiveRig): void {
  rig.clock.stepWall((56 * 365 + 6) * DAY_MS)
  rig.time.tick()
  const { db, clock, bootId } = rig
  for (const name of ['first', 'second']) {
    timeTables(db).addConfirmation({ name, reason: 'compared', login: name, wallMs: clock.wallNow(), monoMs: clock.monoNow(), bootId })
  }
  rig.time.takeConfirmations()
  t.equal(rig.time.status().state, 'agreed')
}
const TRUE_END = at('2027-12-03')

t.test('put in while both clocks were behind, it is kept for the year that it has [G3]', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await putBehind(t, rig)
  t.equal(await rig.archive.sweep(), 0)
  setRight(t, rig)
  await walk(rig, TRUE_END - HOUR_MS)
  t.match(rig.archive.get(itemNo), { state: 'kept', stamp: null, laterMs: 6 * DAY_MS })
  t.same(noticesOf(rig, itemNo).map(each => each.split(' ')[1]), ['2027-11-02', '2027-11-25', '2027-12-01'])
  await walk(rig, TRUE_END + HOUR_MS)
  t.equal(destroyedOn(rig, itemNo), '2027-12-03')
  t.match(rig.archive.destruction(itemNo), { expiresAt: TRUE_END, expiryText: /順延至116年12月2日/ })
  t.throws(() => rig.db.exec('UPDATE archive_item SET later_ms = 0'), /never dated earlier/)
})

t.test('its date outlives the catalogue, once it is known; until then it counts from when the clocks agree', async t => {
  for (const isDatedBefore of [true, false]) {
    const rig = await ArchiveRig.open(t)
    const itemNo = await putBehind(t, rig)
    if (isDatedBefore) {
      setRight(t, rig)
      await rig.archive.sweep()
      await rig.loseCatalogue()
    } else {
      rig.clock.stepWall((56 * 365 + 6) * DAY_MS)
      await rig.loseCatalogue()
    }
    await rig.archive.sweep()
    await walk(rig, TRUE_END - HOUR_MS)
    t.match(rig.archive.get(itemNo), { state: 'kept', stamp: null })
    await walk(rig, TRUE_END + HOUR_MS)
    t.equal(destroyedOn(rig, itemNo), '2027-12-03')
  }
})

t.test('a catalogue restored from an older backup takes in when it was made', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await putBehind(t, rig)
  setRight(t, rig)
  await rig.archive.sweep()
  rig.db.exec(`DROP TRIGGER archive_item_dated_later;
    UPDATE archive_item SET revision = 1, sidecar_revision = 1, later_ms = 0, stamp_timeline = 'other', stamp_at = 1`)
  await rig.archive.sweep()
  t.match(rig.archive.get(itemNo), { stamp: null, laterMs: 6 * DAY_MS })
})

t.test('a clock that is behind while trusted time is right keeps nothing longer', async t => {
  const rig = await ArchiveRig.open(t)
  rig.clock.stepWall(-6 * DAY_MS)
  rig.time.tick()
  const itemNo = await rig.put({}, small)
  rig.clock.stepWall(6 * DAY_MS)
  rig.time.tick()
  await rig.archive.sweep()
  t.match(rig.archive.get(itemNo), { stamp: null, laterMs: 0, expiresAt: at('2027-11-27') })
})

t.test('an item that is being read goes when it was read', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await rig.put()
  const reading = await rig.archive.read(ACTING, itemNo)
  rig.passTo(at('2027-11-27T01:00:00'))
  t.equal(await rig.archive.sweep(), 0)
  t.equal(Object.keys(await contentOf(reading)).length, 2)
  t.equal(await rig.archive.sweep(), 1)
})

t.test('catalogue and trigger keep a pin that somebody tries to shorten by hand', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await rig.put()
  t.throws(() => rig.db.exec('UPDATE archive_item SET expires_at = 1'), /never changed/)
  t.throws(() => rig.db.exec("UPDATE archive_item SET state = 'destroyed'"), /kept, then destroyed/)
  rig.db.exec('DROP TRIGGER archive_item_as_pinned; UPDATE archive_item SET expires_at = 1, made_at = 1')
  rig.passTo(at('2027-06-01'))
  t.equal(await rig.archive.sweep(), 0, 'the sidecar still says when')
  t.match(rig.archive.get(itemNo), { state: 'kept', lost: { what: /differ in madeAt/ } })
})
