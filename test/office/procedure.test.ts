import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import t from 'tap'
import { LiveRules } from '../../src/office/live-rules.ts'
import { openProcedure } from '../../src/office/procedure.ts'
import { epochMs } from '../../src/domain/index.ts'
import { SHIPPED_RULE_SETS } from '../../src/rules/index.ts'
import { at, CUSTODIAN, done, FrontDesk, hour, LOBBY, newKey, OUTSIDE, party, police } from '../requests/support/front-desk.ts'

const log = pino({ level: 'silent' })
const RULES = 'xinyi-113-09-30.yaml'

/** The front desk's people, footage and holds, with an office opened over them as the daemon does it. */
async function opened(t: Parameters<typeof FrontDesk.open>[0], rulesIn: string | null = null) {
  const front = await FrontDesk.open(t), { office: { db, audit, access, clock }, stateDir, port, footage } = front
  const ruleSets = rulesIn === null ? null : path.join(stateDir, rulesIn)
  const rules = new LiveRules({ folder: ruleSets, log })
  await rules.reload()
  const time = { wallNow: () => clock.wallNow(), steadyNow: () => Date.parse('2026-11-22T08:00:00.000Z') + clock.monoNow() }
  const office = await openProcedure({
    catalogue: { db, [Symbol.dispose]: () => undefined }, audit, access, holds: port, footage, rules, time, clock, log,
    config: { state: { dir: stateDir }, office: { managingUnit: '資訊室', ruleSets, calendar: path.join(stateDir, 'calendar') } },
  })
  return { front, office, db, audit, clock }
}

/** One viewing of the lobby with its line, as viewing makes it. */
function view({ front, office }: Awaited<ReturnType<typeof opened>>, application: string): void {
  const line = hour(LOBBY)
  front.office.audit.transaction(() => {
    const { seq } = front.office.audit.append({ action: 'viewing.opened', actor: { kind: 'account', name: '人員lin (lin)', role: 'custodian', source: 'desk' }, object: 'session-1', application, result: 'done', detail: {} })
    office.book.log.enter({
      auditSeq: seq, application, applicant: '趙警員', unit: '信義分局', matter: '偵辦竊盜案', basis: '刑事訴訟法第230條', uses: { accompanied: true, copied: false, forInquiry: false, other: null },
      persons: [{ name: '趙警員', part: 'applicant' }], ranges: [{ camera: LOBBY, cameraName: '大廳', from: line.from, to: line.to }],
    })
  })
}

t.test('a use of an approved case reconciles, also after the case was closed; a use after that is an orphan', async t => {
  const scene = await opened(t), { front, office } = scene
  const asked = done(await office.desk.receive(await front.as('lin', 'clerk'), { key: newKey(), content: police() })).application
  view(scene, asked.number)
  await office.nightly()
  t.equal(office.view().book.orphans, 1, 'viewed before anybody approved')
  t.equal(office.book.reconciler.view()?.byKind['form-not-approved'], 1)

  const signed = done(await front.signAll(asked, OUTSIDE)).application
  const approved = done(await front.act(CUSTODIAN, signed, { kind: 'sign-statement', name: '趙警員' })).application
  view(scene, approved.number)
  done(await front.act(CUSTODIAN, approved, { kind: 'close', reason: '已調閱完畢' }))
  await office.nightly()
  t.same(office.book.reconciler.view()?.byKind, { 'outside-approval': 1 }, 'the first use was before the approval; the second stands although the case is closed')
  front.office.pass(60_000)
  view(scene, approved.number)
  view(scene, '115-調-9999')
  await office.nightly()
  t.same(office.book.reconciler.view()?.byKind, { 'outside-approval': 2, 'line-without-form': 1 })
})

t.test('a book that began today is not called unreconciled for two days', async t => {
  const scene = await opened(t), { front, office } = scene
  view(scene, done(await office.desk.receive(await front.as('lin', 'clerk'), { key: newKey(), content: police() })).application.number)
  for (const [days, isLate] of [[0, false], [1, false], [2, true]] as const) {
    front.office.pass(days === 0 ? 60_000 : 86_400_000)
    await office.sweep()
    t.match(office.view().book, { reconciledAt: null, isReconcilingLate: isLate }, `the first use was ${days} days ago`)
  }
  await office.nightly()
  t.equal(office.view().book.isReconcilingLate, false)
})

t.test('grants that opened in a month are told with who signed last, and end by the sweep', async t => {
  const { front, office, clock } = await opened(t)
  const approved = done(await front.signAll(done(await front.receive(police())).application, OUTSIDE)).application
  const range = { startAt: at('2026-11-01T00:00:00'), endAt: at('2026-12-01T00:00:00') }
  t.match([...office.desk.records.openedIn(range)], [{ application: approved.number, by: '人員boss (boss)', acts: 'view copy' }])
  t.same([...office.desk.records.openedIn({ startAt: range.endAt, endAt: at('2027-01-01T00:00:00') })], [])
  done(await front.act(CUSTODIAN, approved, { kind: 'sign-statement', name: '趙警員' }))
  t.match(office.desk.records.approvalOf(approved.number), { view: true, copy: true, preRollMs: 0 })
  front.office.pass(40 * 86_400_000)
  await office.sweep()
  t.same(office.desk.grants.list(), [])
  t.ok(clock.wallNow() > range.endAt)
})

t.test('a viewing before the statement was signed is not approved', async t => {
  const { front, office } = await opened(t)
  const approved = done(await front.signAll(done(await front.receive(party())).application, OUTSIDE)).application
  t.equal(office.desk.records.approvalOf(approved.number), 'not-approved')
  front.office.pass(60_000)
  const signed = done(await front.act(CUSTODIAN, approved, { kind: 'sign-statement', name: '𡍼大明' })).application
  t.match(office.desk.records.approvalOf(approved.number), { view: true, copy: false, from: signed.statements[0]!.at })
})

t.test('an altered approval counts as none', async t => {
  const { front, office, db } = await opened(t)
  const approved = done(await front.signAll(done(await front.receive(police())).application, OUTSIDE)).application
  db.exec('DROP TRIGGER application_event_as_written')
  db.prepare("UPDATE application_event SET record = replace(record, '大廳及大門', '全部') WHERE number = ?").run(approved.number)
  t.equal(office.desk.records.approvalOf(approved.number), 'not-approved')
})

t.test('cases that are late or soon due are counted; a decided one is not', async t => {
  const { front, office } = await opened(t)
  const case1 = done(await front.receive(party())).application
  t.same(office.desk.records.dueWithin(3), { overdue: 0, soon: 0 })
  front.office.pass(13 * 86_400_000)
  t.same(office.desk.records.dueWithin(3), { overdue: 0, soon: 1 })
  front.office.pass(10 * 86_400_000)
  await office.sweep()
  t.same(office.view().cases, { overdue: 1, soon: 0 })
  done(await front.act(['lin', 'clerk'], case1, { kind: 'withdraw', reason: '申請人撤回' }))
  t.same(office.desk.records.dueWithin(3), { overdue: 0, soon: 0 })
})

t.test('without a rule set the office is closed and says so; it opens when one is put there', async t => {
  const { front, office } = await opened(t, 'rules'), folder = path.join(front.stateDir, 'rules')
  t.match(office.view(), { rules: 'none', ruleProblems: 1 })
  const clerk = await front.as('lin', 'clerk')
  await t.rejects(office.desk.receive(clerk, { key: newKey(), content: police() }), { code: 'CUSTOS_RULE_SET_MISSING' })
  t.equal(office.shelf.mayCombine(['clerk'], epochMs(front.office.clock.wallNow()))?.en, 'no rule set is in force')
  await office.nightly()
  t.equal(front.count('application'), 0, 'nothing was half received')

  mkdirSync(folder)
  copyFileSync(path.join(SHIPPED_RULE_SETS, RULES), path.join(folder, RULES))
  await office.sweep()
  t.match(office.view(), { rules: 'in-force', ruleProblems: 0 })
  done(await office.desk.receive(await front.as('lin', 'clerk'), { key: newKey(), content: police() }))

  writeFileSync(path.join(folder, RULES), readFileSync(path.join(folder, RULES), 'utf8').replace(/^chains:/m, 'chain:'))
  await office.sweep()
  t.equal(office.view().rules, 'in-force', 'the rules read before go on')
  t.ok(office.view().ruleProblems > 0)
  rmSync(folder, { recursive: true })
  await office.sweep()
  t.equal(office.view().rules, 'in-force')
})

t.test('calendars: missing years are named, the next one from November on; a damaged file counts as none', async t => {
  const { office, front } = await opened(t)
  t.match(office.view(), { calendarMissing: [2026, 2027], calendarProblems: 0 })
  const folder = path.join(front.stateDir, 'calendar')
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, '2026.csv'), 'not a calendar')
  await office.sweep()
  t.match(office.view(), { calendarMissing: [2026, 2027], calendarProblems: 1 })
})
