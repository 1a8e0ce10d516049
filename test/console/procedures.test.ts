import t from 'tap'
import { at, CHIEF, CLERK, CUSTODIAN, DIRECTOR, DOOR, hour, INSIDE, LOBBY, OUTSIDE, party, police, SECRETARY, staff } from '../requests/support/front-desk.ts'
import { Console } from './support/caller.ts'
import { Counter, good, pathOf, type Refused, type Told } from './support/procedure.ts'

const WITHIN = at('2026-11-20T09:30:00')
interface Rules { readonly forms: readonly { readonly id: string, readonly annex: string, readonly acts?: readonly string[], readonly chain?: string, readonly fields: readonly { readonly id: string, readonly label: string }[] }[], readonly chains: readonly { readonly id: string, readonly steps: readonly { readonly post: string }[] }[] }

t.test('附件2: 公務機關來文 — read the form, look whether it stands, receive, four posts in order, view and copy open', async t => {
  const console = await Console.open(t), counter = new Counter(console), { grants } = console.front.desk
  const rules = await counter.read<Rules>(CLERK, '/api/rules/current')
  const form = rules.forms.find(each => each.annex === '附件2')
  t.match(form, { id: 'form-2', acts: ['view', 'copy'] }, 'the form as the rule has it')
  t.same(rules.chains.find(each => each.id === form?.chain)?.steps.map(step => step.post), ['clerk', 'chief', 'secretary', 'director'])
  const { cameras } = await counter.read<{ cameras: { uuid: string, name: string }[] }>(CLERK, '/api/cameras')
  t.same(cameras.map(({ name }) => name), ['大廳', '大門'])
  const asked = `from=${at('2026-11-20T09:00:00')}&to=${at('2026-11-20T10:00:00')}`
  t.match(await counter.read(CLERK, `/api/footage?camera=${LOBBY}&${asked}`), { found: { state: 'whole' } }, 'R31: whether it stands, before anything is approved')

  const taken = good<Told>(await counter.receive(CLERK, police()), 201)
  let { application } = taken
  const { number } = application
  t.match(taken, { isReplay: false, holding: { state: 'held' }, holds: { placed: 2, newlyHeld: 2 }, footage: [{ state: 'whole' }, { state: 'whole' }] }, 'R32: held at once, with what that costs')
  t.equal((await counter.sign(CUSTODIAN, application)).status, 403, 'R29: not a post of the chain')
  t.match((await counter.sign(DIRECTOR, application, { step: 3 })), { status: 409, body: { code: 'not-this-step' } }, 'no step is skipped')
  for (const who of [CLERK, CHIEF, SECRETARY] as const) {
    application = good<Told>(await counter.sign(who, application)).application
    t.equal((await (await counter.as(CLERK)).get(`/api/grants/${encodeURIComponent(number)}`)).status, 404, 'R31: nothing is open before the last signature')
  }
  const decided = good<Told>(await counter.sign(DIRECTOR, application))
  t.equal(decided.application.state.kind, 'approved')
  t.match(decided.notices, [{ notice: 'approval', title: /./ }])
  t.match(await counter.read(CUSTODIAN, `/api/grants/${encodeURIComponent(number)}`), { number, canView: true, canCopy: true, statement: 'missing', place: '本所調閱室', validUntil: at('2026-11-30T00:00:00') })
  good(await counter.act(CUSTODIAN, decided.application, { kind: 'sign-statement', name: '趙警員' }))
  t.match(await counter.read(CUSTODIAN, `/api/grants/${encodeURIComponent(number)}`), { statement: 'signed' })
  for (const act of ['view', 'copy'] as const) t.match(grants.mayLeave(console.front.desk.reader.search(await console.front.as(...CLERK), {}).lines[0]!.number, { camera: DOOR, at: WITHIN, act }), { ok: true })
  t.same((await counter.read<{ steps: { verb: string }[] }>(CLERK, pathOf(number))).steps.map(step => step.verb), ['received', 'signed', 'signed', 'signed', 'signed', 'statement-signed'])
})

t.test('附件3: 民眾 — identity seen, never a copy, the wish for one on record, refused or approved, closed', async t => {
  const console = await Console.open(t), counter = new Counter(console)
  t.match(await counter.receive(CLERK, party({ acts: { view: true, copy: true, preserve: false }, necessity: '想帶走' })), { status: 422, body: { code: 'bad-content', problems: [{ where: 'acts.copy' }] } }, 'R30')
  let { application } = good<Told>(await counter.receive(CLERK, party({ acts: { view: true, copy: false, preserve: true } })), 201)
  const { number } = application
  t.same([...application.content.fields['applicant'] ?? ''], ['𡍼', '大', '明'], 'every code point of the name')
  t.equal(application.content.fields['applicant-id'], 'A12****789')
  t.match(good(await (await counter.as(CLERK)).post(`${pathOf(number)}/id-number`, { place: 'fields.applicant-id' })), { idNumber: 'A123456789' })
  application = good<Told>(await counter.act(CLERK, application, { kind: 'record-copy-request', words: '請給我一份影像' })).application
  t.match(await counter.read(CLERK, `/api/applications?name=${encodeURIComponent('𡍼')}`), { lines: [{ number, names: ['𡍼大明'], state: 'under-review', hasCopyRequest: true, due: { isOverdue: false } }], next: null })
  for (const who of OUTSIDE) application = good<Told>(await counter.sign(who, application)).application
  t.match((await counter.read<{ dues: object[] }>(CLERK, pathOf(number))).dues, [{ what: 'copy-request' }], 'R58: still owed')
  application = good<Told>(await counter.act(DIRECTOR, application, { kind: 'answer-copy-request', outcome: 'refused', ground: 'third-party', reason: '涉及他人影像' })).application
  application = good<Told>(await counter.act(CUSTODIAN, application, { kind: 'sign-statement', name: '𡍼大明' })).application
  t.match(await counter.read(CUSTODIAN, `/api/grants/${encodeURIComponent(number)}`), { canView: true, canCopy: false })
  t.equal(good<Told>(await counter.act(CUSTODIAN, application, { kind: 'close', reason: '已閱畢' })).application.state.kind, 'closed')
  t.match((await counter.read<{ holds: { authority: string }[] }>(CLERK, pathOf(number))).holds, [{ authority: /准予保存/ }], 'R33')
})

t.test('附件4: 本所人員 — asks from their own account, their head first, the deciding post last and able to take it back', async t => {
  const console = await Console.open(t), counter = new Counter(console)
  let { application } = good<Told>(await counter.receive(['lee', 'staff'], staff({ applicantAccount: 'somebody', applicantUnit: '別的課' })), 201)
  t.match(application.content, { applicantAccount: 'lee', applicantUnit: '資訊室' }, 'who asks is the session\'s word, not the form\'s')
  t.match((await counter.read<{ turn: object[] }>(['lee', 'staff'], pathOf(application.number))).turn, [{ account: 'chen', capacity: 'holder' }, { account: 'wang' }])
  for (const who of INSIDE) application = good<Told>(await counter.sign(who, application)).application
  t.match(await counter.read(CLERK, '/api/grants'), { grants: [{ number: application.number, acts: 'view', ended: null }] })
  t.match(await counter.act(DIRECTOR, application, { kind: 'revoke', reason: '誤核' }), { status: 409, body: { code: 'wrong-role' } })
  t.equal(good<Told>(await counter.act(SECRETARY, application, { kind: 'revoke', reason: '誤核' })).application.state.kind, 'closed')
  t.equal((await (await counter.as(CUSTODIAN)).get(`/api/grants/${encodeURIComponent(application.number)}`)).status, 404, 'at once')
  const own = good<Told>(await counter.receive(['chen', 'staff'], staff({ fields: { applicant: '人員chen', purpose: '業務' } })), 201).application
  t.match(await counter.sign(CHIEF, own), { status: 409, body: { code: 'own-request' } }, 'R38')
  t.equal((await (await counter.as(['lee', 'staff'])).get(pathOf(own.number))).status, 404, 'staff see their own')
  t.equal((await counter.receive(['admin', 'system-admin'], staff())).status, 403)
})

t.test('completing: asked for, handed in with masks, a scan attached and read back', async t => {
  const console = await Console.open(t), counter = new Counter(console)
  let { application } = good<Told>(await counter.receive(CLERK, party({ identity: null })), 201)
  t.match(await counter.sign(CLERK, application), { status: 422, body: { code: 'incomplete' } })
  application = good<Told>(await counter.act(CLERK, application, { kind: 'ask-to-complete', items: '請補身分查驗' })).application
  application = good<Told>(await counter.act(CLERK, application, { kind: 'complete', content: party({ asked: [hour(DOOR)], fields: { ...party().fields, 'applicant-id': 'A12****789' } }) })).application
  t.equal(application.state.kind, 'under-review')
  let clerk = await counter.as(CLERK)
  const pdf = Buffer.from('%PDF-1.7\n掃描\n')
  const stored = good<{ sha256: string, sizeBytes: number }>(await clerk.send('POST', '/api/attachments', pdf, { 'content-type': 'application/pdf' }), 201)
  t.equal(stored.sizeBytes, pdf.length)
  application = good<Told>(await counter.act(CLERK, application, { kind: 'attach', attachment: { sha256: stored.sha256, name: '委任書.pdf' } })).application
  clerk = await counter.as(CLERK) // a person has five sessions at most
  const read = await clerk.get(`${pathOf(application.number)}/attachments/${stored.sha256}`)
  t.same([read.raw, read.headers['content-type'], read.headers['x-content-type-options']], [pdf, 'application/pdf', 'nosniff'])
  t.match(read.headers['content-disposition'], /^attachment; filename\*=UTF-8''115-/)
  t.equal(console.front.office.entries('application.attachment-read').length, 1)
  t.match(await clerk.send('POST', '/api/attachments', Buffer.from('<script>'), { 'content-type': 'application/pdf' }), { status: 415 })
  t.match(await clerk.send('POST', '/api/attachments', Buffer.from('<html>'), { 'content-type': 'text/html' }), { status: 415 })
  t.match(await clerk.send('POST', '/api/attachments', Buffer.concat([pdf, Buffer.alloc(20 * 1024 * 1024)]), { 'content-type': 'application/pdf' }), { status: 422, body: { code: 'CUSTOS_ATTACHMENT_REFUSED' } })
  t.match(await clerk.send('POST', '/api/attachments', Buffer.alloc(0), { 'content-type': 'application/pdf' }), { status: 422 })
  t.equal((await clerk.get(`${pathOf(application.number)}/attachments/${'0'.repeat(64)}`)).status, 422)
})

t.test('replays, stale versions and ranges that cannot be', async t => {
  const console = await Console.open(t), counter = new Counter(console), clerk = await counter.as(CLERK)
  const key = 'the-same-key', first = good<Told>(await clerk.post('/api/applications', police(), { 'idempotency-key': key }), 201)
  const again = good<Told>(await clerk.post('/api/applications', police(), { 'idempotency-key': key }), 201)
  t.same([again.isReplay, again.application], [true, first.application], 'sent again: answered as the first time')
  t.equal(console.front.count('application'), 1)
  t.match(await clerk.post('/api/applications', party(), { 'idempotency-key': key }), { status: 409, body: { code: 'CUSTOS_REQUEST_KEY' } })
  t.match(await clerk.post('/api/applications', party(), { 'idempotency-key': undefined }), { status: 400, body: { code: 'CUSTOS_CONSOLE_REQUEST', en: /Idempotency-Key/ } })
  t.match(await clerk.post('/api/applications', party(), { 'idempotency-key': 'a b' }), { status: 400 })
  good(await counter.sign(CLERK, first.application))
  const stale = (await counter.sign(CHIEF, { ...first.application, state: { kind: 'under-review', step: 1 } })) as { status: number, body: Refused }
  t.match(stale, { status: 409, body: { code: 'stale', zh: /新版本/, version: 2, changes: [{ verb: 'signed', by: /lin/ }] } })
  const refused = async (asked: object): Promise<Refused> => good<Refused>(await clerk.post('/api/applications', { ...party(), asked: [asked] }), 422)
  t.match(await refused({ camera: LOBBY, from: WITHIN, to: WITHIN - 1 }), { code: 'bad-content', problems: [{ where: 'asked[0]', zh: /結束必須晚於開始/ }] })
  t.match(await refused({ camera: LOBBY, from: WITHIN, to: at('2030-01-01T00:00:00') }), { problems: [{ where: 'asked[0]', en: /too long|future/ }] })
  t.match(await refused({ camera: LOBBY, from: at('2026-11-22T15:59:00'), to: at('2026-11-23T18:00:00') }), { problems: [{ en: /future/ }] })
  t.match(await refused({ camera: 'e'.repeat(32), from: WITHIN, to: WITHIN + 1000 }), { problems: [{ zh: '沒有這支鏡頭。' }] })
  const partly = good<Told>(await clerk.post('/api/applications', party({ asked: [{ camera: LOBBY, from: at('2026-11-20T11:00:00'), to: at('2026-11-20T13:00:00') }, { camera: LOBBY, from: at('2026-10-01T11:00:00'), to: at('2026-10-01T13:00:00') }] })), 201)
  t.same(partly.footage.map(line => line.state).sort(), ['gone', 'partly'], 'what is partly gone is still received, and told')
  t.match(await clerk.get(`/api/footage?camera=${LOBBY}&from=5&to=5`), { status: 422 })
  t.match(await clerk.get(`/api/footage?camera=${'e'.repeat(32)}&from=5&to=6`), { status: 404 })
})
