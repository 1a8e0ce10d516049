import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { AttachmentStore, ATTACHMENT_MOST_BYTES } from '../../src/requests/index.ts'
import { reserveOf } from '../../src/requests/upload-bounds.ts'
import { openPersonVault } from '../../src/requests/person-vault.ts'
import { at, CHIEF, CLERK, codeOf, done, DOOR, FrontDesk, hour, LOBBY, NOBODYS, OUTSIDE, party, police, SECRETARY } from './support/front-desk.ts'

const TABLES = ['application', 'application_event', 'application_name', 'application_id_number', 'application_grant', 'application_grant_line', 'case_hold', 'hold'] as const
const countAll = (front: FrontDesk) => TABLES.map(table => `${table} ${front.count(table)}`)

t.test('wherever a step is cut off, nothing of it stands; the next try does it all', async t => {
  const front = await FrontDesk.open(t)
  const { db } = front.office
  const empty = countAll(front)
  // Each table in turn refuses its row, as a full disk would in the midst of the transaction.
  for (const table of ['application', 'application_event', 'application_name', 'application_id_number', 'case_hold', 'audit_entry']) {
    db.exec(`CREATE TEMP TRIGGER cut BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'cut off'); END`)
    const acting = front.as(...CLERK)
    if (table === 'audit_entry') { await t.rejects(acting, { code: 'CUSTOS_AUDIT_UNWRITABLE' }); db.exec('DROP TRIGGER cut'); continue } // G10: not even a sign-in
    const ready = await acting
    await t.rejects(front.desk.receive(ready, { key: `cut-at-${table}`, content: party() }), /cut off/, table)
    db.exec('DROP TRIGGER cut')
    t.same(countAll(front), empty, `nothing stands after ${table}`)
  }
  const signer = await front.as(...CLERK)
  db.exec("CREATE TEMP TRIGGER cut BEFORE INSERT ON audit_entry WHEN new.action = 'application.received' BEGIN SELECT RAISE(ABORT, 'cut off'); END")
  await t.rejects(front.desk.receive(signer, { key: 'cut-at-the-entry', content: party() }), { code: 'CUSTOS_AUDIT_UNWRITABLE' })
  db.exec('DROP TRIGGER cut')
  t.same(countAll(front), empty, 'G10: no entry, no act')
  const { application } = done(await front.receive(party()))
  t.equal(application.number, '115-調-0001', 'no number was lost')

  const ready = done(await front.signAll(application, OUTSIDE.slice(0, 3))).application
  const before = countAll(front)
  const director = await front.as('boss', 'director')
  db.exec("CREATE TEMP TRIGGER cut BEFORE INSERT ON application_grant_line BEGIN SELECT RAISE(ABORT, 'cut off'); END")
  const command = { kind: 'decide', version: ready.version, step: 3, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, grant: null } as const
  await t.rejects(front.desk.act(director, ready.number, { key: 'last-approval', command }), /cut off/)
  db.exec('DROP TRIGGER cut')
  t.same(countAll(front), before)
  t.same([front.desk.reader.application(await front.as(...CLERK), ready.number).state.kind, front.holdsOf(ready.number)], ['under-review', ['lobby: 申請案 115-調-0001 受理中']])
})

t.test('a request sent twice is done once and answered as the first time', async t => {
  const front = await FrontDesk.open(t)
  const first = done(await front.receive(party(), CLERK, 'key-of-the-form'))
  const again = done(await front.receive(party(), CLERK, 'key-of-the-form'))
  t.same({ ...again, isReplay: false }, first)
  t.equal(again.isReplay, true)
  t.same([front.count('application'), front.count('case_hold'), front.count('hold')], [1, 1, 1])
  await t.rejects(front.receive(party({ asked: [hour(DOOR)] }), CLERK, 'key-of-the-form'), { code: 'CUSTOS_REQUEST_KEY' }, 'another request under the same key')
  await t.rejects(front.receive(party(), CLERK, 'short'), { code: 'CUSTOS_REQUEST_KEY' })
  const signed = done(await front.sign(CLERK, first.application, { key: 'clerk-signs' }))
  done(await front.sign(CHIEF, signed.application))
  const late = done(await front.sign(CLERK, first.application, { key: 'clerk-signs' }))
  t.same([late.isReplay, late.application.version, late.application.signatures.length], [true, 2, 1], 'the first answer, whatever happened since')
  t.equal(codeOf(await front.sign(SECRETARY, late.application, { key: 'clerk-signs' })), 'stale', 'a key is one person\'s')
})

t.test('who looked at an older version is refused, and told what changed', async t => {
  const front = await FrontDesk.open(t)
  const { application } = done(await front.receive(police()))
  const narrowed = done(await front.sign(CLERK, application, { scope: [hour(LOBBY)] })).application
  const stale = await front.act(CLERK, application, { kind: 'withdraw', reason: '撤回' })
  t.match(stale, { ok: false, refusal: { code: 'stale' }, version: 2, changes: [{ version: 2, verb: 'signed', by: '人員lin (lin)' }] })
  done(await front.sign(CHIEF, narrowed))
  t.equal(front.holdsOf(application.number).length, 2, 'until the decision all that was asked stays')
  front.office.db.prepare("INSERT INTO camera (uuid, id, first_recorded_at) VALUES (?, 'new', 1)").run('9'.repeat(32))
  t.throws(() => front.office.db.exec("UPDATE application_event SET verb = 'x'"), /never changed/)
  t.throws(() => front.office.db.exec('DELETE FROM application_event'), /never deleted/)
})

t.test('a record that was altered opens nothing', async t => {
  const front = await FrontDesk.open(t)
  const { db } = front.office
  const { number } = done(await front.signAll(done(await front.receive(party())).application, OUTSIDE)).application
  db.exec('DROP TRIGGER application_event_as_written')
  db.exec(`UPDATE application_event SET record = replace(record, '"preserve":false', '"preserve":true')`)
  t.throws(() => front.desk.grants.open(number), { code: 'CUSTOS_APPLICATION_ALTERED' })
  t.throws(() => front.desk.grants.covering(LOBBY, at('2026-11-20T09:30:00')), { code: 'CUSTOS_APPLICATION_ALTERED' })
})

t.test('a range that is partly gone, wholly gone, to come, or of no camera gets a plain answer', async t => {
  const front = await FrontDesk.open(t)
  const line = (from: string, to: string, camera = LOBBY) => ({ camera, from: at(from), to: at(to) })
  const partly = done(await front.receive(party({ asked: [line('2026-11-20T11:00:00', '2026-11-20T13:00:00'), line('2026-10-01T09:00:00', '2026-10-01T10:00:00')] })))
  t.match(partly.footage, [{ state: 'gone', foundMs: 0, zh: /已無影像/ }, { state: 'partly', foundMs: 3_600_000, zh: /僅部分/ }])
  t.match([partly.holds, partly.cost], [{ placed: 2 }, { slots: 1 }])
  const wrong = await front.receive(party({ asked: [line('2026-11-22T15:00:00', '2026-11-22T23:00:00'), line('2026-11-20T09:00:00', '2026-11-20T10:00:00', NOBODYS), line('2026-11-20T10:00:00', '2026-11-20T09:00:00')] }))
  t.match(wrong, { ok: false, refusal: { code: 'bad-content', problems: [{ where: 'asked[0]', zh: /尚未到來/ }, { where: 'asked[1]', zh: /沒有這支鏡頭/ }, { where: 'asked[2]', zh: /晚於開始/ }] } })
  t.equal(front.count('application'), 1)
  t.match(await front.receive(party({ authority: { kind: 'sealed-scan', sha256: 'a'.repeat(64) } })), { refusal: { problems: [{ where: 'authority.sha256', zh: /先上傳/ }] } })
  t.match(await front.receive(party({ fields: { ...party().fields, 'applicant-id': 'A12****789' } })), { refusal: { problems: [{ where: 'fields.applicant-id', zh: /重新填寫/ }] } })
  t.match(await front.receive(party({ form: 'form-9' })), { refusal: { code: 'bad-content', problems: [{ where: 'form' }] } })
})

t.test('a volume that does not take the list of holds: they protect, are not called held, and are asked for again', async t => {
  const front = await FrontDesk.open(t)
  front.fs.publishText = async () => { throw new Error('EIO') }
  const first = done(await front.receive(police(), CLERK, 'form-of-today'))
  t.match([first.holding, front.holdsOf(first.application.number).length], [{ state: 'being-held', zh: /待錄影程式確認/ }, 2])
  t.match(first.holding.reason, /EIO/)
  Reflect.deleteProperty(front.fs, 'publishText')
  t.match(done(await front.receive(police(), CLERK, 'form-of-today')).holding, { state: 'held' }, 'the retry asks again')
  t.match(await front.published(), /115-調-0001/)
  t.equal(front.office.entries('hold.placed').length, 2, 'each was placed once')
})

t.test('ID numbers stand nowhere in the clear', async t => {
  const front = await FrontDesk.open(t)
  const agent = { account: null, powerOfAttorney: '委任書', fields: { agent: '李代理', 'agent-id': 'F131232216', 'agent-address': '臺北', 'agent-phone': '1', relation: '配偶' } }
  const { application } = done(await front.receive(party({ agents: [agent] })))
  const dump = front.office.db.serialize().toString('latin1')
  for (const number of ['A123456789', 'F131232216']) t.notOk(dump.includes(number), number)
  t.equal(front.desk.reader.idNumber(await front.as(...CLERK), application.number, 'agents[0].fields.agent-id'), 'F131232216')
  t.equal(front.desk.reader.idNumber(await front.as(...CLERK), application.number, 'fields.nothing'), null)
  await t.rejects(async () => front.desk.reader.idNumber(await front.as('lee', 'staff'), application.number, 'fields.applicant-id'), { code: 'CUSTOS_APPLICATION_UNKNOWN' })

  const vault = openPersonVault(front.stateDir, false)
  t.equal(statSync(front.folder('keys', 'person-key')).mode & 0o777, 0o600)
  const sealed = openPersonVault(front.stateDir, true).seal('a place', 'A123456789')
  t.equal(vault.open('a place', sealed), 'A123456789', 'the same key next time')
  t.throws(() => vault.open('another place', sealed), { code: 'CUSTOS_PERSON_KEY_UNUSABLE' })
  t.throws(() => openPersonVault(front.folder('elsewhere'), true), { code: 'CUSTOS_PERSON_KEY_UNUSABLE' }, 'never made anew over sealed numbers')
  writeFileSync(front.folder('keys', 'person-key'), 'short')
  t.throws(() => openPersonVault(front.stateDir, true), { code: 'CUSTOS_PERSON_KEY_UNUSABLE', message: /5 bytes/ })
})

t.test('attachments: by hash, bounded, never overwritten, checked when read', async t => {
  const front = await FrontDesk.open(t)
  const { attachments, reader } = front.desk
  const scan = await attachments.put([Buffer.from('scan '), Buffer.from('of the seal')], 'lin')
  t.match(scan, { sizeBytes: 16, sha256: /^[0-9a-f]{64}$/ })
  t.same(await attachments.put([Buffer.from('scan of the seal')], 'lin'), scan, 'once is enough')
  t.same(readdirSync(front.folder('attachments')), [scan.sha256])
  await t.rejects(attachments.put([], 'lin'), { code: 'CUSTOS_ATTACHMENT_REFUSED' })
  await t.rejects(attachments.put([Buffer.alloc(ATTACHMENT_MOST_BYTES), Buffer.from('x')], 'lin'),
    { code: 'CUSTOS_ATTACHMENT_REFUSED' })
  t.equal(readdirSync(front.folder('attachments')).length, 1, 'what was refused is gone')

  const { application } = done(await front.receive(police({ authority: { kind: 'sealed-scan', sha256: scan.sha256 } })))
  t.equal(codeOf(await front.act(CLERK, application, { kind: 'attach', attachment: { sha256: 'b'.repeat(64), name: '公文.pdf', sizeBytes: 5 } })), 'bad-content', 'never handed in')
  const attached = done(await front.act(CLERK, application, { kind: 'attach', attachment: { sha256: scan.sha256, name: '公文.pdf', sizeBytes: 999 } })).application
  t.same(attached.attachments, [{ sha256: scan.sha256, name: '公文.pdf', sizeBytes: 16 }], 'the size is what was stored')
  const acting = await front.as(...CLERK)
  t.equal((await reader.attachment(acting, application.number, scan.sha256)).toString(), 'scan of the seal')
  await t.rejects(reader.attachment(acting, application.number, 'b'.repeat(64)), { code: 'CUSTOS_ATTACHMENT_REFUSED' })
  writeFileSync(front.folder('attachments', scan.sha256), 'scan of the sea1')
  await t.rejects(reader.attachment(acting, application.number, scan.sha256), { code: 'CUSTOS_ATTACHMENT_DAMAGED' })
  await t.rejects(attachments.put([Buffer.from('scan of the seal')], 'lin'),
    { code: 'CUSTOS_ATTACHMENT_DAMAGED' }, 'a damaged one is told, not written over')
  t.equal(readFileSync(front.folder('attachments', scan.sha256), 'utf8'), 'scan of the sea1')
  // below a file there is no folder
  const nowhere = new AttachmentStore(front.folder('attachments', scan.sha256), { steadyNow: () => 0 })
  await t.rejects(nowhere.put([Buffer.from('x')], 'lin'), { code: 'CUSTOS_ATTACHMENT_UNWRITABLE' })
})

t.test('what people hand in never takes the last of the system disk', async t => {
  const GIB = 2 ** 30
  t.same([100, 40, 8, 4].map(gib => reserveOf(gib * GIB) / GIB),
    [5, 2, 2, 1], 'two GiB, 5 % of a large disk, a quarter of a tiny one')
  const folder = t.testdir()
  let freeBytes = 2 * GIB + 3 * ATTACHMENT_MOST_BYTES
  const store =
    new AttachmentStore(folder,
    { steadyNow: () => 0, room: () => Promise.resolve({ freeBytes, totalBytes: 40 * GIB }) })
  const started = Promise.withResolvers<void>(), slow = Promise.withResolvers<void>()
  async function* upload() {
    yield Buffer.from('one')
    started.resolve()
    await slow.promise
    yield Buffer.from('two')
  }
  const first = store.put(upload(), 'lin')
  await started.promise
  await store.put([Buffer.from('three')], 'chen')
  freeBytes -= 2 * ATTACHMENT_MOST_BYTES // as others write too
  await t.rejects(store.put([Buffer.from('four')], 'chen'),
    { code: 'CUSTOS_ATTACHMENT_NO_ROOM',
    message: /空間不足.*\/ the system disk/ }, 'those under way count in full')
  slow.resolve()
  await first
  await store.put([Buffer.from('four')], 'chen')
  freeBytes = 2 * GIB
  await t.rejects(store.put([Buffer.from('five')], 'chen'), { code: 'CUSTOS_ATTACHMENT_NO_ROOM' })
  t.equal(readdirSync(path.join(folder, 'attachments')).length, 3, 'nothing is left of what was refused')
})

t.test('one person keeps a bounded amount waiting for a case; what a case names counts no longer',
  async t => {
  const front = await FrontDesk.open(t), { attachments } = front.desk
  const scan = (n: number) => Buffer.alloc(ATTACHMENT_MOST_BYTES, n)
  const shas: string[] = []
  for (let n = 1; n <= 10; n++) shas.push((await attachments.put([scan(n)], 'lin')).sha256)
  await t.rejects(attachments.put([Buffer.from('%PDF-1.7')], 'lin'), { code: 'CUSTOS_ATTACHMENT_WAITING' })
  await attachments.put([scan(1)], 'chen')
  t.equal((await attachments.put([Buffer.from('of another')], 'chen')).sizeBytes,
    10, 'nobody else is bound by it')
  const { application } =
    done(await front.receive(police({ authority: { kind: 'sealed-scan', sha256: shas[0]! } })))
  await attachments.put([Buffer.from('one more')], 'lin')
  await t.rejects(attachments.put([Buffer.from('and another')], 'lin'), { code: 'CUSTOS_ATTACHMENT_WAITING' })
  done(await front.act(CLERK, application,
    { kind: 'attach', attachment: { sha256: shas[1]!, name: '公文.pdf', sizeBytes: 0 } }))
  await attachments.put([Buffer.from('and another')], 'lin')
  front.office.pass(3_600_000)
  await attachments.put([scan(11)], 'lin')
})

t.test('two thousand applications: found by number, name and state, page by page', async t => {
  const front = await FrontDesk.open(t)
  const { desk } = front
  front.holds.publish = async () => undefined // 2,000 times the whole list is a test of the list
  let acting = await front.as(...CLERK)
  for (let n = 0; n < 2000; n++) {
    if (n % 500 === 0) acting = await front.as(...CLERK)
    const from = epochMs(at('2026-11-20T08:00:00') + n * 5000)
    const answer = await desk.receive(acting, { key: `application-${n}`, content: party({ asked: [{ camera: LOBBY, from, to: epochMs(from + 5000) }], fields: { ...party().fields, applicant: n % 400 === 7 ? `王${n}吉` : `某${n}` } }) })
    if (n % 500 === 0) done(await desk.act(acting, done(answer).application.number, { key: `withdraw-${n}`, command: { kind: 'withdraw', version: 1, reason: '撤回' } }))
  }
  const seen: string[] = []
  for (let after: ReturnType<typeof desk.reader.search>['next'] = null, pages = 0; pages === 0 || after !== null; pages++) {
    const page = desk.reader.search(acting, { after, limit: 150 })
    seen.push(...page.lines.map(line => line.number))
    after = page.next
  }
  t.equal(new Set(seen).size, 2000)
  t.same([seen[0], seen.at(-1)], ['115-調-2000', '115-調-0001'], 'newest first')
  t.same(desk.reader.search(acting, { name: '王' }).lines.map(line => line.names[0]), ['王1607吉', '王1207吉', '王807吉', '王407吉', '王7吉'])
  t.same(desk.reader.search(acting, { states: ['withdrawn'] }).lines.map(line => line.number), ['115-調-1501', '115-調-1001', '115-調-0501', '115-調-0001'])
  t.same(desk.reader.search(acting, { number: '調-0042' }).lines.map(line => line.number), ['115-調-0042'])
  t.equal(desk.reader.search(acting, { limit: 1e9 }).lines.length, 200, 'a page is bounded')
  t.equal(desk.reader.search(acting, { name: "%' OR 1=1" }).lines.length, 0)
})
