import t from 'tap'
import { at, CHIEF, CLERK, codeOf, CUSTODIAN, DIRECTOR, done, DOOR, FrontDesk, hour, INSIDE, LOBBY, OUTSIDE, party, police, SECRETARY, staff } from './support/front-desk.ts'

const WITHIN = at('2026-11-20T09:30:00')

t.test('附件2: received and held at once, four signatures in order, 主任 decides, and view and copy open for what was granted', async t => {
  const front = await FrontDesk.open(t)
  const { desk } = front
  const taken = done(await front.receive(police()))
  let { application } = taken
  const { number } = application
  t.equal(number, '115-調-0001')
  t.match(application.ruleSet, { name: 'xinyi-113-09-30@1', sha256: /^[0-9a-f]{64}$/ }, 'R1: the rules it is made under')
  t.same(taken.holds, { placed: 2, ended: 0 })
  t.same(taken.cost, { slots: 2, bytes: 2 << 20, newlyHeld: 2 }, 'R32: held, and what that costs')
  t.match(taken.holding, { state: 'held', zh: '已保全。', reason: null }, 'the recorder has said so')
  t.same(taken.footage.map(line => line.state), ['whole', 'whole'], 'R31: whether it still exists')
  t.same(front.holdsOf(number), ['door: 申請案 115-調-0001 受理中', 'lobby: 申請案 115-調-0001 受理中'])
  t.match(await front.published(), /申請案 115-調-0001 受理中/, 'on the volume too, when the clerk is told')

  await t.rejects(front.sign(CUSTODIAN, application), { code: 'CUSTOS_RIGHT_MISSING' })
  t.equal(codeOf(await front.sign(CHIEF, application)), 'wrong-role', 'R29: no skipping; the clerk is first')
  t.equal(codeOf(await front.sign(DIRECTOR, application, { step: 3 })), 'not-this-step')
  application = done(await front.sign(CLERK, application)).application
  t.equal(codeOf(await front.sign(SECRETARY, application)), 'not-in-post', 'the chief is next')
  for (const who of [CHIEF, SECRETARY]) {
    application = done(await front.sign(who, application)).application
    t.same([desk.grants.open(number), desk.grants.covering(LOBBY, WITHIN)], [null, []], 'R31: nothing opens before the last signature')
  }
  const decided = done(await front.sign(DIRECTOR, application))
  t.equal(decided.application.state.kind, 'approved')
  t.match(decided.notices, [{ notice: 'approval', values: { 案號: number, 調閱處所: '本所調閱室' } }])
  t.same(front.holdsOf(number), ['door', 'lobby'].map(camera => `${camera}: 申請案 115-調-0001 核准，至115年11月30日00時00分00秒止`), 'the hold lasts as long as the grant')
  t.same(desk.grants.mayLeave(number, { camera: LOBBY, at: WITHIN, act: 'copy' }), { ok: false, why: 'no-statement' }, 'R35')
  done(await front.act(CUSTODIAN, decided.application, { kind: 'sign-statement', name: '趙警員' }))
  for (const act of ['view', 'copy'] as const) t.match(desk.grants.mayLeave(number, { camera: DOOR, at: WITHIN, act }), { ok: true })
  t.match(desk.grants.mayLeave(number, { camera: DOOR, at: at('2026-11-20T10:00:00'), act: 'view' }), { why: 'outside-range' })
  t.match(desk.grants.covering(LOBBY, WITHIN).map(grant => grant.application), [number])
  t.match(desk.grants.list(), [{ number, acts: 'view copy', place: '本所調閱室', validUntil: at('2026-11-30T00:00:00') }])
  t.same(front.actions(number).filter(action => action !== 'hold.placed' && action !== 'hold.ended'), [
    'application.received', 'application.signed refused', 'application.signed refused', 'application.signed refused', 'application.signed', 'application.signed refused', 'application.signed', 'application.signed', 'application.signed', 'grant.opened', 'application.statement-signed',
  ], 'each step, and each refusal')
  const view = await desk.reader.read(await front.as(...CLERK), number)
  t.same(view.steps.map(step => step.verb), ['received', 'signed', 'signed', 'signed', 'signed', 'statement-signed'])
  const detail = front.office.entries('application.statement-signed')[0]?.detail ?? ''
  t.ok(detail.includes(view.steps.at(-1)!.recordSha256), 'the log knows the hash of the record')
})

t.test('附件3: a party sees and never copies; the wish for a copy is on record and answered (R30, R33, R58)', async t => {
  const front = await FrontDesk.open(t)
  const { desk } = front
  t.match(await front.receive(party({ acts: { view: true, copy: true, preserve: false }, necessity: '想帶走' })), { ok: false, refusal: { code: 'bad-content', problems: [{ where: 'acts.copy' }] } })
  let { application } = done(await front.receive(party({ acts: { view: true, copy: false, preserve: true } })))
  const { number } = application
  t.equal(application.content.fields['applicant'], '𡍼大明', 'every code point of the name')
  t.equal(application.content.fields['applicant-id'], 'A12****789')
  t.equal(codeOf(await front.sign(CLERK, application, { acts: { view: true, copy: true, preserve: false } })), 'wider-than-asked')
  application = done(await front.act(CLERK, application, { kind: 'record-copy-request', words: '請給我一份影像' })).application
  const line = desk.reader.search(await front.as(...CLERK), { name: '𡍼' }).lines[0]
  t.match(line, { number, names: ['𡍼大明'], hasCopyRequest: true, due: { isOverdue: false } })
  application = done(await front.signAll(application, OUTSIDE)).application
  t.match((await desk.reader.read(await front.as(...CLERK), number)).dues, [{ what: 'copy-request' }], 'decided, but this is still owed')
  application = done(await front.act(DIRECTOR, application, { kind: 'answer-copy-request', outcome: 'refused', ground: 'third-party', reason: '涉及他人影像' })).application
  t.same((await desk.reader.read(await front.as(...CLERK), number)).dues, [])
  application = done(await front.act(CUSTODIAN, application, { kind: 'sign-statement', name: '𡍼大明' })).application
  t.match(desk.grants.mayLeave(number, { camera: LOBBY, at: WITHIN, act: 'view' }), { ok: true })
  t.match(desk.grants.mayLeave(number, { camera: LOBBY, at: WITHIN, act: 'copy' }), { ok: false, why: 'act-not-granted' })
  done(await front.act(CUSTODIAN, application, { kind: 'close', reason: '已閱畢' }))
  t.equal(desk.grants.open(number), null)
  t.match(front.holdsOf(number), [/准予保存/], 'R33: held until the copy stands in the archive')
})

t.test('附件4: the applicant\'s head, the managing clerk, the managing head; the unit is the account\'s', async t => {
  const front = await FrontDesk.open(t)
  const { desk } = front
  const { application } = done(await front.receive(staff({ applicantAccount: 'somebody', applicantUnit: '別的課' }), ['lee', 'staff']))
  t.match(application.content, { applicantAccount: 'lee', applicantUnit: '資訊室' })
  t.same([...(await desk.reader.read(await front.as('lee', 'staff'), application.number)).turn], [['chen', 'holder'], ['wang', 'holder']])
  const decided = done(await front.signAll(application, INSIDE))
  t.match(desk.grants.mayLeave(application.number, { camera: LOBBY, at: WITHIN, act: 'view' }), { ok: true })
  t.match(desk.grants.mayLeave(application.number, { camera: LOBBY, at: WITHIN, act: 'copy' }), { why: 'act-not-granted' })
  t.equal(codeOf(await front.act(DIRECTOR, decided.application, { kind: 'revoke', reason: '誤核' })), 'wrong-role', 'not the deciding post of this chain')
  done(await front.act(SECRETARY, decided.application, { kind: 'revoke', reason: '誤核' }))
  t.match(desk.grants.mayLeave(application.number, { camera: LOBBY, at: WITHIN, act: 'view' }), { why: 'no-grant' }, 'at once')
  t.same(front.holdsOf(application.number), [])

  const own = done(await front.receive(staff({ fields: { applicant: '人員chen', purpose: '業務' } }), ['chen', 'staff'])).application
  t.equal(codeOf(await front.sign(CHIEF, own)), 'own-request', 'R38')
  const other = done(await front.receive(staff(), ['lee', 'staff'])).application
  const refused = done(await front.sign(CHIEF, other, { decision: 'refuse', reason: '非業務所需', ground: 'no-necessity' }))
  t.same([refused.application.state.kind, refused.notices.map(notice => notice.notice), front.holdsOf(other.number)], ['refused', ['refusal'], []], 'any step ends it, and the hold with it')
  await t.rejects(async () => await desk.reader.read(await front.as('lee', 'staff'), own.number), { code: 'CUSTOS_APPLICATION_UNKNOWN' }, 'staff see their own')
  t.same(desk.reader.search(await front.as('lee', 'staff'), {}).lines.map(line => line.number), [other.number, application.number])
  await t.rejects(front.act(['lee', 'staff'], own, { kind: 'withdraw', reason: '不是我的' }), { code: 'CUSTOS_APPLICATION_UNKNOWN' })
  await t.rejects(front.receive(staff(), ['admin', 'system-admin']), { code: 'CUSTOS_RIGHT_MISSING' })
})

t.test('a deputy signs as deputy, for the post they stand in for and in no other', async t => {
  const front = await FrontDesk.open(t)
  const { access, clock } = front.office
  const { application } = done(await front.receive(police()))
  const signed = done(await front.sign(CHIEF, done(await front.sign(CLERK, application)).application)).application
  const [lin, wang] = [access.accounts.list().find(account => account.accountId === 'lin')!.accountId, access.accounts.list().find(account => account.accountId === 'wang')!.accountId]
  access.register.nameDeputy({ absentId: wang, deputyId: lin, role: 'secretary', fromAtMs: clock.wallNow() - 1, toAtMs: clock.wallNow() + 86_400_000, document: '差假單' }, await front.as(...DIRECTOR))
  const answer = await front.desk.act(await front.asDeputy('lin', 'secretary', wang), application.number, {
    key: 'deputy-signs', command: { kind: 'decide', version: signed.version, step: 2, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, grant: null },
  })
  t.match(done(answer).application.signatures[2], { post: 'secretary', account: 'lin', capacity: 'deputy' })
})

t.test('what is missing is asked for; a new range replaces the held one; the deadline is extended once', async t => {
  const front = await FrontDesk.open(t)
  const fields = { applicant: '吳小姐', 'applicant-id': 'B100000001' }
  let { application } = done(await front.receive(party({ identity: null, fields })))
  const { number } = application
  t.equal(codeOf(await front.sign(CLERK, application)), 'incomplete')
  const asked = done(await front.act(CLERK, application, { kind: 'ask-to-complete', items: '請補身分查驗' }))
  t.match(asked.notices, [{ notice: 'completion', values: { 補正事項: '請補身分查驗' } }])
  t.match((await front.desk.reader.read(await front.as(...CLERK), number)).dues, [{ isPaused: true }])
  const completed = done(await front.act(CLERK, asked.application, { kind: 'complete', content: party({ asked: [hour(DOOR)], fields: { ...party().fields, ...fields, 'applicant-id': 'B10****001' } }) }))
  t.same(front.holdsOf(number), ['door: 申請案 115-調-0001 受理中'])
  t.match(completed.holds, { placed: 1, ended: 1 })
  t.equal(front.desk.reader.idNumber(await front.as(...CLERK), number, 'fields.applicant-id'), 'B100000001', 'the mask that came back stands for the number')
  t.equal(front.office.entries('application.id-number-shown').length, 1, 'and that it was shown is on record')
  t.match(completed.warnings, [{ where: 'fields.applicant-id' }], 'the check digit warns and never blocks')
  application = done(await front.act(CLERK, completed.application, { kind: 'extend-deadline', reason: '案情複雜', period: { days: 15 } })).application
  t.equal(codeOf(await front.act(CLERK, application, { kind: 'extend-deadline', reason: '再延', period: { days: 1 } })), 'extended-before')
  const [due] = (await front.desk.reader.read(await front.as(...CLERK), number)).dues
  t.equal(due?.due.day.toString(), '2026-12-22', '15 and 15 days from 11-22')
  const lines = async (dueBy: string) => front.desk.reader.search(await front.as(...CLERK), { dueBy }).lines.length
  t.same([await lines('2026-12-21'), await lines('2026-12-22')], [0, 1])
  t.match(await front.act(CLERK, application, { kind: 'withdraw', reason: '已尋獲' }), { ok: true, holds: { ended: 1 } })
  t.same([front.holdsOf(number), await lines('2027-12-31')], [[], 0])
})

t.test('a partial approval holds and opens only what was left; when its time is over, sweep lets go', async t => {
  const front = await FrontDesk.open(t)
  const { desk, office } = front
  const { application } = done(await front.receive(police()))
  const decided = done(await front.signAll(application, OUTSIDE, { scope: [hour(LOBBY)], reason: '大門無關', ground: 'too-broad' }))
  t.equal(decided.application.state.kind, 'partly-approved')
  t.same(front.holdsOf(application.number).length, 1)
  t.same(desk.grants.covering(DOOR, WITHIN), [])
  t.equal(desk.grants.sweep(), 0)
  office.clock.drift(0, -20 * 86_400_000) // somebody sets the wall clock back
  t.equal(desk.grants.covering(LOBBY, WITHIN).length, 1)
  office.clock.drift(9 * 86_400_000, 0)
  t.same([desk.grants.covering(LOBBY, WITHIN), desk.grants.sweep()], [[], 0], 'closed by the clock that goes on; still held by the other')
  t.equal(front.holdsOf(application.number).length, 1)
  office.clock.drift(0, 20 * 86_400_000)
  t.equal(desk.grants.sweep(), 1)
  await front.keeper.settle()
  t.same([front.holdsOf(application.number), desk.grants.list()], [[], []])
  t.match(front.office.entries('grant.ended').map(entry => entry.name), ['custos'])
  t.notMatch(await front.published(), /115-調-0001/)
})
