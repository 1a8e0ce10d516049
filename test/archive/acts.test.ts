import pino from 'pino'
import t from 'tap'
import { atMachine } from '../../src/access/index.ts'
import { Archive, initArchive, realArchiveDisk, type ItemNo } from '../../src/archive/index.ts'
import { epochMs } from '../../src/domain/index.ts'
import { Office } from '../access/support/office.ts'
import { ACTING, ArchiveRig, at, DAY_MS, facts } from './support/rig.ts'
import { agreedTime } from '../support/archive-time.ts'

const SECOND = atMachine({ kind: 'machine-user', name: '陳大文', role: null, source: 'login root' })
const lastDay = Temporal.PlainDate.from('2028-03-01')
const authority = '臺灣臺北地方檢察署115年度他字第1234號函'

/** An archive in an office with people in it. */
async function staffed(owner: { testdir(): string, teardown(work: () => unknown): void }) {
  const rig = await ArchiveRig.open(owner)
  const office = new Office(owner)
  const dir = `${rig.folder}/office-archive`
  await initArchive(realArchiveDisk, dir, 'now')
  let aheadMs = 0 // trusted time runs for the archive alone: sessions and passwords of the office stay as they are
  const now = () => epochMs(office.clock.wallNow() + aheadMs)
  const archive = await Archive.open({
    db: office.db, audit: office.audit, rights: office.access.sessions, time: { wallNow: () => office.clock.wallNow(), steadyNow: () => office.clock.monoNow() }, rule: () => rig.rule, dir, quotaBytes: 2 ** 30, stateDir: `${rig.folder}/office-state`,
    trustedTime: agreedTime(now), log: pino({ level: 'silent' }),
  })
  const itemNo: ItemNo = (await archive.put(ACTING, { folder: rig.source({ 'a.txt': 'a' }), facts: facts() })).itemNo
  await office.withDirector()
  const people = {
    custodian: await office.person('lee', ['custodian']), clerk: await office.person('lin', ['clerk']), chief: await office.person('chen', ['chief', 'custodian']), records: await office.person('wu', ['records']), admin: await office.person('root', ['system-admin']),
  }
  return { archive, office, itemNo, people, later: (ms: number) => { aheadMs += ms } }
}

t.test('a hold is in force at once, wants another person\'s approval, and two people end it within five minutes (R23, P4)', async t => {
  const { archive, office, itemNo, people } = await staffed(t)
  const custodian = await office.acting(people.custodian, 'custodian')
  const hold = archive.acts.placeHold(custodian, itemNo, { authority, lastDay })
  t.same(archive.view().holdsToApprove.count, 1)
  t.equal(hold.until, at('2028-03-02'))
  t.throws(() => { archive.acts.approveHold(custodian, hold.holdId) }, { code: 'CUSTOS_RIGHT_MISSING' })
  archive.acts.approveHold(await office.acting(people.chief, 'chief'), hold.holdId)
  t.match(archive.get(itemNo)?.holds, [{ approvedBy: '人員chen (chen)', authority }])
  t.same(archive.view().holdsToApprove.count, 0)

  const director = await office.acting(people.chief, 'chief')
  t.throws(() => { archive.acts.endHold(director, hold.holdId) }, { code: 'CUSTOS_ARCHIVE_REFUSED' }, 'nobody asked')
  archive.acts.askEndHold(await office.acting(people.clerk, 'clerk'), hold.holdId, '案件已結')
  office.pass(5 * 60_000)
  const chief = await office.acting(people.chief, 'chief')
  t.throws(() => { archive.acts.endHold(chief, hold.holdId) }, { code: 'CUSTOS_ARCHIVE_REFUSED' }, 'too late')
  archive.acts.askEndHold(await office.acting(people.chief, 'custodian'), hold.holdId, '案件已結')
  t.throws(() => { archive.acts.endHold(chief, hold.holdId) }, { code: /CUSTOS_(ARCHIVE_REFUSED|RIGHT_MISSING|SESSION_ENDED)/ }, 'one person in two roles')
  archive.acts.askEndHold(await office.acting(people.custodian, 'custodian'), hold.holdId, '案件已結')
  archive.acts.endHold(await office.acting(people.chief, 'chief'), hold.holdId)
  t.match(archive.get(itemNo)?.holds, [{ endedBy: '人員lee (lee)、人員chen (chen)', endReason: '案件已結' }])
  t.same(office.entries().filter(entry => entry.action.startsWith('archive.hold')).map(entry => `${entry.action} ${entry.result}`), [
    'archive.hold-placed done', 'archive.hold-approved refused', 'archive.hold-approved done', 'archive.hold-ended refused', 'archive.hold-end-asked done', 'archive.hold-ended refused', 'archive.hold-end-asked done',
    'archive.hold-ended refused', 'archive.hold-end-asked done', 'archive.hold-ended done',
  ])
})

t.test('a hold needs an authority and an end that lies ahead, within ten years', async t => {
  const rig = await ArchiveRig.open(t)
  const itemNo = await rig.put()
  for (const ask of [{ authority: ' ', lastDay }, { authority, lastDay: Temporal.PlainDate.from('2026-11-25') }, { authority, lastDay: Temporal.PlainDate.from('2036-11-27') }]) {
    t.throws(() => rig.archive.acts.placeHold(ACTING, itemNo, ask), { code: 'CUSTOS_ARCHIVE_REFUSED' })
  }
  t.throws(() => rig.archive.acts.placeHold(ACTING, 'A115-0099' as ItemNo, { authority, lastDay }), { code: 'CUSTOS_ARCHIVE_ITEM' })
  t.ok(rig.archive.acts.placeHold(ACTING, itemNo, { authority, lastDay: Temporal.PlainDate.from('2026-11-26') }), 'today is a last day too')
})

t.test('only the records role marks and unmarks what was filed (R63)', async t => {
  const { archive, office, itemNo, people } = await staffed(t)
  for (const [member, role] of [[people.custodian, 'custodian'], [people.admin, 'system-admin'], [people.chief, 'chief']] as const) {
    const acting = await office.acting(member, role)
    t.throws(() => { archive.acts.markFiled(acting, itemNo, '文號') }, { code: 'CUSTOS_RIGHT_MISSING' }, role)
  }
  const records = await office.acting(people.records, 'records')
  archive.acts.markFiled(records, itemNo, '北市信戶資字第1150001號')
  t.match(archive.get(itemNo)?.filed, { fileNo: '北市信戶資字第1150001號', by: '人員wu (wu)' })
  t.equal(archive.view().next.length, 0)
  t.throws(() => { archive.acts.markFiled(records, itemNo, '再一次') }, { code: 'CUSTOS_ARCHIVE_REFUSED' })
  archive.acts.unmarkFiled(records, itemNo, '誤標')
  t.equal(archive.get(itemNo)?.filed, null)
  t.throws(() => { archive.acts.unmarkFiled(records, itemNo, '誤標') }, { code: 'CUSTOS_ARCHIVE_REFUSED' })
})

t.test('the destruction record is signed by the custodian, then by another person who approves; a missed signature kept nothing longer (R23)', async t => {
  const { archive, office, itemNo, people, later } = await staffed(t)
  later(366 * DAY_MS)
  t.equal(await archive.sweep(), 1)
  t.match(archive.view().unsigned, { count: 1 })
  const chief = await office.acting(people.chief, 'chief')
  t.throws(() => archive.acts.sign(chief, itemNo), { code: 'CUSTOS_ARCHIVE_REFUSED' }, 'the custodian signs first')
  const clerk = await office.acting(people.clerk, 'clerk')
  t.throws(() => archive.acts.sign(clerk, itemNo), { code: 'CUSTOS_RIGHT_MISSING' })
  t.equal(archive.acts.sign(await office.acting(people.chief, 'custodian'), itemNo).signatures.length, 1)
  t.throws(() => archive.acts.sign(office.machine, itemNo), { code: 'CUSTOS_RIGHT_MISSING' })
  const chiefAgain = await office.acting(people.chief, 'chief')
  t.throws(() => archive.acts.sign(chiefAgain, itemNo), { code: 'CUSTOS_ARCHIVE_REFUSED' }, 'the same person in another role')
  t.match(archive.view().unsigned, { count: 1 })
  const signed = archive.acts.sign(await office.acting(office.director ?? people.chief, 'director'), itemNo)
  t.match(signed.signatures, [{ box: 'custodian', account: 'chen' }, { box: 'head', account: 'boss', sha256: signed.sha256 }])
  t.match(archive.view().unsigned, { count: 0, since: null })
  t.throws(() => archive.acts.placeHold(office.machine, itemNo, { authority, lastDay }), { code: 'CUSTOS_ARCHIVE_REFUSED' })
})

t.test('no method of the archive removes an item, whoever calls it [G3]', async t => {
  const methods = [...Object.getOwnPropertyNames(Archive.prototype), ...Object.getOwnPropertyNames(Object.getPrototypeOf((await ArchiveRig.open(t)).archive.acts))].filter(name => name !== 'constructor').sort()
  t.same(methods, ['approveHold', 'askEndHold', 'destruction', 'destructions', 'endHold', 'get', 'isUsable', 'keyBackups', 'lapseHolds', 'list', 'markFiled', 'ofApplication', 'placeHold', 'put', 'read', 'rebuild', 'refreshSidecar', 'sign', 'sweep', 'tellKeyBackup', 'unmarkFiled', 'verify', 'verifyNext', 'view'],
    'a new one is looked at by a person: may it make anything go earlier?')
  const rig = await ArchiveRig.open({ testdir: () => t.testdir(), teardown: work => { t.teardown(work) } })
  const itemNo = await rig.put()
  rig.passTo(at('2027-11-26T23:00:00'))
  const { archive } = rig
  const hold = archive.acts.placeHold(ACTING, itemNo, { authority, lastDay: Temporal.PlainDate.from('2027-11-26') })
  archive.acts.approveHold(SECOND, hold.holdId)
  archive.acts.askEndHold(ACTING, hold.holdId, '結案')
  archive.acts.endHold(SECOND, hold.holdId)
  archive.acts.markFiled(ACTING, itemNo, '1')
  archive.acts.unmarkFiled(ACTING, itemNo, '2')
  for (const work of [() => archive.sweep(), () => archive.verify(itemNo), () => archive.verifyNext(), () => archive.rebuild(), () => archive.refreshSidecar(itemNo), () => archive.sweep()]) await work()
  t.equal(await archive.verify(itemNo), null, 'after every act there is, an hour before its time, it is whole')
})
