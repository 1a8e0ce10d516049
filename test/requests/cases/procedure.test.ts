import t from 'tap'
import { ApplicationError, grantOf, mayLeave, next, whoMaySign, type Content } from '../../../src/requests/index.ts'
import { officeDay } from '../../../src/rules/index.ts'
import {
  act, as, at, CHIEF, CLERK, codeOf, context, CUSTODIAN, DIRECTOR, DOOR, DOOR_HOUR, effectsOf, INSIDE, LOBBY, LOBBY_HOUR, mustGo, NOW, OUTSIDE, party, police, received, RULES, SECRETARY, sign, signAll, staff, STAFFING, take,
} from './support.ts'

const kinds = (outcome: Parameters<typeof effectsOf>[0]) => effectsOf(outcome).map(effect => effect.kind === 'draft-notice' ? `notice ${effect.notice}` : effect.kind)
const WITHIN = at('2026-02-20T09:30:00')
const LATER = at('2026-03-02T15:00:00')

t.test('附件2: the police ask, four sign in order, 主任 decides, and a copy may leave', async t => {
  const taken = take(police())
  t.same(kinds(taken), ['hold'], 'R32: held at once')
  let application = mustGo(taken)
  t.equal(application.ruleSet.name, 'xinyi-113-09-30@1', 'R1')
  t.equal(codeOf(sign(application, CHIEF)), 'wrong-role', 'no skipping: the chief is not the first')
  t.equal(codeOf(sign(application, DIRECTOR, { step: 3 })), 'not-this-step')
  for (const actor of [CLERK, CHIEF, SECRETARY]) {
    application = mustGo(sign(application, actor))
    t.equal(grantOf(application, RULES), null, 'R31: nothing opens before the last signature')
  }
  const decided = sign(application, DIRECTOR)
  t.same(kinds(decided), ['hold', 'open-grant', 'notice approval'])
  application = mustGo(decided)
  t.equal(application.state.kind, 'approved')
  const unsigned = grantOf(application, RULES)!
  t.same(mayLeave(unsigned, { camera: LOBBY, at: WITHIN, act: 'copy', now: LATER }), { ok: false, why: 'no-statement' }, 'R35')
  application = mustGo(act(application, CUSTODIAN, { kind: 'sign-statement', name: '趙警員' }))
  const grant = grantOf(application, RULES)!
  for (const kind of ['view', 'copy'] as const) t.same(mayLeave(grant, { camera: DOOR, at: WITHIN, act: kind, now: LATER }), { ok: true, isPreRoll: false }, kind)
  t.equal(grant.copy?.application, '115-調-0001')
  t.equal(officeDay(grant.validUntil).toString(), '2026-03-10', 'seven days after the approval, to their end')
  t.equal(grant.place, '本所調閱室')
})

t.test('附件3: a party sees, and no box, word or call makes a copy of it', async t => {
  t.match(take(party({ acts: { view: true, copy: true, preserve: false }, necessity: '想帶走' })), { ok: false, refusal: { code: 'bad-content', problems: [{ where: 'acts.copy' }] } }, 'R30')
  let application = received(party({ acts: { view: true, copy: false, preserve: true } }))
  t.equal(codeOf(sign(application, CLERK, { acts: { view: true, copy: true, preserve: false } })), 'wider-than-asked')
  application = mustGo(act(application, CLERK, { kind: 'record-copy-request', words: '請給我一份影像' }))
  const decided = signAll(application, OUTSIDE)
  t.ok(kinds(decided).includes('preserve'), 'R33: kept here, and nothing else')
  application = mustGo(decided)
  application = mustGo(act(application, DIRECTOR, { kind: 'answer-copy-request', outcome: 'refused', ground: 'third-party', reason: '涉及他人影像' }))
  application = mustGo(act(application, CUSTODIAN, { kind: 'sign-statement', name: '𡍼大明' }))
  t.equal(application.content.fields['applicant'], '𡍼大明', 'the rare character is kept')
  const grant = grantOf(application, RULES)!
  t.equal(grant.copy, null)
  t.match(mayLeave(grant, { camera: LOBBY, at: WITHIN, act: 'view', now: LATER }), { ok: true })
  t.match(mayLeave(grant, { camera: LOBBY, at: WITHIN, act: 'copy', now: LATER }), { why: 'act-not-granted' })
  t.equal(codeOf(act(received(police()), CLERK, { kind: 'record-copy-request', words: '…' })), 'not-for-this-form')
})

t.test('附件4: the applicant\'s head, the managing clerk and the managing head; any of them ends it', async t => {
  const application = received(staff())
  t.equal(codeOf(take(staff('lee'), as('wang', 'staff'))), 'wrong-role', 'nobody hands in for somebody else')
  const approved = mustGo(signAll(application, INSIDE))
  const grant = grantOf(approved, RULES)!
  t.equal(grant.statement, 'not-needed', 'the account has signed its own undertaking (R53)')
  t.match(mayLeave(grant, { camera: LOBBY, at: WITHIN, act: 'view', now: LATER }), { ok: true })
  t.equal(codeOf(act(approved, CUSTODIAN, { kind: 'sign-statement', name: '李資訊' })), 'no-statement')
  const refused = sign(application, CHIEF, { decision: 'refuse', reason: '非業務所需', ground: 'no-necessity' })
  t.same(kinds(refused), ['release-hold', 'notice refusal'])
  t.equal(mustGo(refused).state.kind, 'refused')
  t.equal(codeOf(take(staff('lee', { applicantUnit: null }))), 'bad-content')
})

t.test('a lower step\'s refusal is an opinion; 主任 decides and says why', async t => {
  let application = mustGo(sign(received(party()), CLERK, { decision: 'refuse', reason: '與皮夾無關' }))
  t.same(application.state, { kind: 'under-review', step: 1 })
  application = mustGo(sign(mustGo(sign(application, CHIEF)), SECRETARY))
  t.equal(codeOf(sign(application, DIRECTOR)), 'reason-needed', 'overruling needs words')
  t.equal(mustGo(sign(application, DIRECTOR, { reason: '確有需要' })).state.kind, 'approved')
  t.equal(codeOf(sign(application, DIRECTOR, { decision: 'refuse' })), 'reason-needed')
  t.equal(codeOf(sign(application, DIRECTOR, { decision: 'refuse', reason: '妨害他人' })), 'ground-needed', 'R60')
  t.equal(codeOf(sign(application, DIRECTOR, { decision: 'refuse', reason: '妨害他人', ground: 'made-up' })), 'ground-needed')
  const refused = sign(application, DIRECTOR, { decision: 'refuse', reason: '妨害他人', ground: 'third-party' })
  const notice = effectsOf(refused).find(effect => effect.kind === 'draft-notice')
  t.match(notice, { notice: 'refusal', values: { 理由: '妨害他人', 法令依據: /第10條/, 救濟教示: /臺北市信義區戶政事務所.*訴願/ } }, 'R36')
  t.same(mustGo(refused).state.kind, 'refused')
})

t.test('approval may be narrower than asked, never wider', async t => {
  let application = mustGo(sign(received(police()), CLERK, { scope: [LOBBY_HOUR] }))
  t.equal(codeOf(sign(application, CHIEF, { scope: [LOBBY_HOUR, DOOR_HOUR] })), 'wider-than-asked', 'what a step took out does not come back')
  t.equal(codeOf(sign(application, CHIEF, { scope: [{ ...LOBBY_HOUR, to: at('2026-02-20T10:00:01') }] })), 'wider-than-asked')
  t.equal(codeOf(sign(application, CHIEF, { scope: [] })), 'nothing-left')
  application = mustGo(sign(mustGo(sign(application, CHIEF)), SECRETARY, { acts: { view: true, copy: false, preserve: false } }))
  t.equal(codeOf(sign(application, DIRECTOR, { acts: { view: true, copy: true, preserve: false }, reason: '…', ground: 'other' })), 'wider-than-asked')
  t.equal(codeOf(sign(application, DIRECTOR)), 'reason-needed', 'part of it is refused')
  t.equal(codeOf(sign(application, DIRECTOR, { reason: '大門與案情無關' })), 'ground-needed')
  const decided = sign(application, DIRECTOR, { reason: '大門與案情無關', ground: 'too-broad' })
  t.ok(kinds(decided).includes('notice refusal'), 'R36: 部分駁回')
  application = mustGo(decided)
  t.equal(application.state.kind, 'partly-approved')
  const grant = grantOf(mustGo(act(application, CUSTODIAN, { kind: 'sign-statement', name: '趙警員' })), RULES)!
  t.equal(grant.copy, null)
  t.match(mayLeave(grant, { camera: DOOR, at: WITHIN, act: 'view', now: LATER }), { why: 'not-this-camera' })
})

t.test('what is missing is asked for; seven days later the chain may refuse', async t => {
  const short: Content = party({ identity: null, fields: { applicant: '吳小姐' } })
  let application = received(short)
  t.equal(codeOf(sign(application, CLERK)), 'incomplete')
  const asked = act(application, CLERK, { kind: 'ask-to-complete', items: '請補身分查驗及事由' })
  t.match(effectsOf(asked), [{ kind: 'draft-notice', notice: 'completion', values: { 期限: '115年3月9日', 補正事項: '請補身分查驗及事由' } }])
  application = mustGo(asked)
  t.equal(codeOf(sign(application, CLERK)), 'wrong-state')
  t.equal(codeOf(act(application, CLERK, { kind: 'lapse' }, context(at('2026-03-09T23:59:59')))), 'not-yet-lapsed')
  const lapsed = mustGo(act(application, CLERK, { kind: 'lapse' }, context(at('2026-03-10T00:00:00'))))
  t.equal(codeOf(sign(lapsed, CLERK)), 'incomplete', 'still nobody can agree')
  t.equal(codeOf(act(application, CLERK, { kind: 'complete', content: police() })), 'not-for-this-form')
  const wider = act(application, CLERK, { kind: 'complete', content: party({ asked: [LOBBY_HOUR, DOOR_HOUR] }) }, context(at('2026-03-05')))
  t.same(kinds(wider), ['hold'], 'what is asked now is held')
  application = mustGo(wider)
  t.equal(application.deadline?.pausedDays, 3)
  t.same(application.state, { kind: 'under-review', step: 0 })
})

t.test('退回補正 ends the round: everybody signs the new version again', async t => {
  let application = mustGo(sign(mustGo(sign(received(police()), CLERK)), CHIEF))
  t.equal(codeOf(sign(application, SECRETARY, { decision: 'return' })), 'reason-needed')
  application = mustGo(sign(application, SECRETARY, { decision: 'return', reason: '請敘明必要性' }))
  t.equal(application.state.kind, 'completing')
  application = mustGo(act(application, CLERK, { kind: 'complete', content: police({ necessity: '法院函請提出' }) }))
  t.same([application.signatures.length, application.pastRounds[0]?.length], [0, 3])
  t.equal(codeOf(sign(application, SECRETARY)), 'wrong-role', 'the clerk is first again')
})

t.test('nobody decides on their own request, nor with a conflict (R38)', async t => {
  const own = received(staff('chen', { applicantUnit: '戶籍課' }))
  t.equal(codeOf(sign(own, CHIEF)), 'own-request', 'the head of the unit applies')
  t.same([...whoMaySign(own, context())], [['zhang', 'deputy']], 'the step moves to the deputy')
  t.equal(mustGo(sign(own, DIRECTOR)).signatures[0]?.capacity, 'deputy')
  const noDeputy = context(NOW, { staffing: { ...STAFFING, deputies: [] } })
  t.equal(whoMaySign(own, noDeputy).size, 0, 'stands still, and the screen can say so')
  t.equal(codeOf(take(party({ applicantAccount: 'lin' }))), 'own-request', 'the clerk does not take in their own')
  const signer = received(party({ agents: [{ account: 'chen', powerOfAttorney: '委任書', fields: { agent: '陳課長', 'agent-id': 'A123456789', 'agent-address': '臺北', 'agent-phone': '1', relation: '配偶' } }] }))
  t.equal(codeOf(sign(mustGo(sign(signer, CLERK)), CHIEF)), 'own-request', 'an agent is on the applicant\'s side')
  const namesake = mustGo(sign(received(party({ fields: { ...party().fields, applicant: '陳課長' } })), CLERK))
  t.equal(codeOf(sign(namesake, CHIEF)), 'same-name')
  t.equal(codeOf(sign(namesake, CHIEF, { isNotTheApplicant: true })), 'ok')

  let conflict = mustGo(sign(mustGo(sign(received(police()), CLERK)), CHIEF))
  conflict = mustGo(act(conflict, CHIEF, { kind: 'recuse', account: 'chen', reason: '申請人為配偶' }))
  t.same([conflict.signatures.length, conflict.state], [0, { kind: 'under-review', step: 0 }], 'what they signed counts no more')
  conflict = mustGo(sign(conflict, CLERK))
  t.equal(codeOf(sign(conflict, CHIEF)), 'recused')
  t.equal(mustGo(sign(conflict, SECRETARY)).signatures[1]?.capacity, 'deputy')
  t.equal(codeOf(act(conflict, SECRETARY, { kind: 'recuse', account: 'zhang', reason: '…' })), 'ok', 'the secretary stands in for the director, and may')
  t.equal(codeOf(act(conflict, CLERK, { kind: 'recuse', account: 'zhang', reason: '…' })), 'wrong-role')
})

t.test('an office of five runs every chain, also with one of them away; three do not', async t => {
  for (const away of ['chen', 'wang'] as const) {
    const staffing = { appointments: STAFFING.appointments.filter(entry => entry.account !== away), deputies: STAFFING.deputies.filter(entry => entry.account !== away) }
    const when = context(NOW, { staffing })
    let application = received(police())
    for (let step = 0; step < 4; step++) {
      const [account] = [...whoMaySign(application, when).keys()].toSorted((a, b) => Number(a === 'zhang') - Number(b === 'zhang'))
      application = mustGo(sign(application, as(account!, account === 'lin' ? 'clerk' : 'approver'), {}, when))
    }
    t.equal(application.state.kind, 'approved', `without ${away}`)
    t.equal(new Set(application.signatures.map(signature => signature.account)).size, 3)
  }
  let both = mustGo(sign(received(police()), CLERK))
  both = mustGo(sign(both, SECRETARY))
  both = mustGo(sign(both, SECRETARY))
  t.equal(codeOf(sign(both, SECRETARY)), 'signed-before', 'who stands in for 課長 and is 秘書 does not decide as well')
})

t.test('posts and deputies hold on their days only, and only in the post\'s role', async t => {
  const application = received(police())
  t.equal(codeOf(sign(application, as('lin', 'custodian'))), 'wrong-role', 'rights go with the role acted in')
  t.equal(codeOf(sign(application, as('lee', 'clerk'))), 'not-in-post')
  const ended = { appointments: STAFFING.appointments.map(entry => entry.post === 'clerk' ? { ...entry, to: '2026-03-01' } : entry), deputies: [{ account: 'lee', post: 'clerk', unit: null, from: '2026-03-02', to: '2026-03-02' }] }
  const when = (text: string) => context(at(text), { staffing: ended })
  t.equal(codeOf(sign(application, CLERK, {}, when('2026-03-01T23:59:59'))), 'ok')
  t.equal(codeOf(sign(application, CLERK, {}, when('2026-03-02T00:00:00'))), 'not-in-post')
  t.equal(codeOf(sign(application, as('lee', 'clerk'), {}, when('2026-03-02T23:59:59'))), 'ok')
  t.equal(codeOf(sign(application, as('lee', 'clerk'), {}, when('2026-03-03T00:00:00'))), 'not-in-post')
})

t.test('an approval of a stale version is refused', async t => {
  const first = received(police())
  const signature = (version: number) => ({ kind: 'decide', step: 0, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, grant: null, actor: CLERK, version }) as const
  const changed = mustGo(act(first, CLERK, { kind: 'attach', attachment: { sha256: 'd'.repeat(64), name: '公文.pdf', sizeBytes: 1000 } }))
  t.equal(codeOf(next(changed, signature(first.version), context())), 'stale')
  t.equal(codeOf(next(changed, signature(changed.version + 1), context())), 'stale')
  const signed = mustGo(next(changed, signature(changed.version), context()))
  t.equal(codeOf(next(signed, signature(changed.version), context())), 'stale', 'the same call twice signs once')
})

t.test('a third party has ten days; then, or after the answer, 主任 decides', async t => {
  let application = mustGo(act(received(police()), CLERK, { kind: 'ask-third-party' }))
  for (const actor of [CLERK, CHIEF, SECRETARY]) application = mustGo(sign(application, actor))
  t.equal(codeOf(sign(application, DIRECTOR)), 'third-party-pending')
  t.equal(codeOf(sign(application, DIRECTOR, {}, context(at('2026-03-12T23:59:59')))), 'third-party-pending')
  t.equal(codeOf(sign(application, DIRECTOR, {}, context(at('2026-03-13T00:00:00')))), 'ok')
  const answered = mustGo(act(application, CLERK, { kind: 'third-party-answered', summary: '不同意' }))
  t.equal(codeOf(sign(answered, DIRECTOR)), 'ok')
  t.equal(codeOf(sign(application, DIRECTOR, { decision: 'refuse', reason: '…', ground: 'third-party' })), 'ok', 'refusing need not wait')
})

t.test('withdrawn, revoked and closed cases open nothing', async t => {
  const approved = mustGo(signAll(received(police()), OUTSIDE))
  for (const [actor, command] of [[CLERK, { kind: 'withdraw', reason: '已尋獲' }], [DIRECTOR, { kind: 'revoke', reason: '案件撤銷' }], [CUSTODIAN, { kind: 'close', reason: '已調閱' }]] as const) {
    const ended = act(approved, actor, command)
    t.same(kinds(ended), ['release-hold', 'end-grant'], command.kind)
    t.equal(grantOf(mustGo(ended), RULES), null)
    t.equal(codeOf(act(mustGo(ended), actor, command)), 'wrong-state')
  }
  t.equal(codeOf(act(approved, CLERK, { kind: 'revoke', reason: '…' })), 'wrong-role')
  t.equal(codeOf(act(approved, as('lee', 'system-admin'), { kind: 'close', reason: '…' })), 'wrong-role')
})

t.test('a deadline is extended once, with words', async t => {
  let application = received(police())
  t.equal(codeOf(act(application, CLERK, { kind: 'extend-deadline', reason: ' ', period: { days: 15 } })), 'bad-words')
  const extended = act(application, CLERK, { kind: 'extend-deadline', reason: '須調閱多支鏡頭', period: { days: 15 } })
  t.match(effectsOf(extended), [{ notice: 'extension', values: { 延長期限: '115年4月1日', 法令依據: /第13條/ } }])
  application = mustGo(extended)
  t.equal(codeOf(act(application, CLERK, { kind: 'extend-deadline', reason: '再延', period: { days: 1 } })), 'extended-before')
  t.equal(codeOf(act(received(staff()), CLERK, { kind: 'extend-deadline', reason: '…', period: { days: 1 } })), 'no-extension')
})

t.test('rules that are not the case\'s own decide nothing', async t => {
  const application = { ...received(police()), ruleSet: { name: 'xinyi-113-09-30@1', sha256: '0'.repeat(64) } }
  t.throws(() => sign(application, CLERK), RangeError)
  t.throws(() => grantOf({ ...mustGo(signAll(received(police()), OUTSIDE)), signatures: [] }, RULES), ApplicationError)
})
