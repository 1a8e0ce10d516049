import t from 'tap'
import { DAY_MS, goodPassword } from '../access/support/office.ts'
import { CHIEF, CLERK, CUSTODIAN, DIRECTOR, SECRETARY } from '../requests/support/front-desk.ts'
import { Console } from './support/caller.ts'
import { good } from './support/procedure.ts'

const ADMIN = ['admin', 'system-admin'] as const

t.test('an account: asked for by one, decided by another, opened with a one-time token, changed, locked out, closed (R65)', async t => {
  const console = await Console.open(t)
  const asked = { id: 'hsu', displayName: '許𡍼', unit: '戶籍課', post: '課員', roles: ['staff'], reason: '到職' }
  let admin = await console.as(...ADMIN)
  const { requestId } = good<{ requestId: number }>(await admin.post('/api/accounts', asked), 201)
  t.match(await admin.post('/api/accounts', asked), { status: 409, body: { code: 'CUSTOS_ACCOUNT_REFUSED', zh: /已有人使用/ } }, 'sent again, it meets its own state')
  t.match(await admin.post('/api/accounts', { ...asked, id: 'both', roles: ['system-admin', 'clerk'] }), { status: 409 })
  t.equal((await admin.post(`/api/account-requests/${requestId}/decision`, { decision: 'approved', reason: '可' })).status, 403)
  const boss = await console.as(...DIRECTOR)
  t.match(good(await boss.get('/api/account-requests')), { requests: [{ requestId, accountId: 'hsu', kind: 'open', reason: '到職' }] })
  const { token } = good<{ token: string }>(await boss.post(`/api/account-requests/${requestId}/decision`, { decision: 'approved', reason: '可' }))
  t.match(await boss.post(`/api/account-requests/${requestId}/decision`, { decision: 'approved', reason: '可' }), { status: 409 })
  const stranger = console.stranger(), hsu = { name: 'hsu', password: goodPassword(7), secret: null }
  t.equal((await stranger.post('/api/session/first-password', { name: 'hsu', token, newPassword: hsu.password })).status, 204)
  const session = await console.signedIn(hsu, 'staff')
  admin = await console.as(...ADMIN)
  const change = good<{ requestId: number }>(await admin.post('/api/accounts/hsu/change', { kind: 'change', wanted: { roles: ['staff', 'checker'], unit: '登記課' }, reason: '兼辦查核' }), 201)
  good(await (await console.as(...DIRECTOR)).post(`/api/account-requests/${change.requestId}/decision`, { decision: 'approved', reason: '可' }))
  t.equal((await session.get('/api/session')).status, 401, 'roles changed: signed in anew')
  t.match(good<{ accounts: { id: string }[] }>(await admin.get('/api/accounts')).accounts.find(({ id }) => id === 'hsu'), { name: '許𡍼', unit: '登記課', roles: ['checker', 'staff'], standing: 'active', hasFactor: false })
  t.notMatch(JSON.stringify((await admin.get('/api/accounts')).body), /hash|argon|mustChange|password/i)
  for (let n = 0; n < 5; n++) { console.front.office.pass(120_000); await stranger.post('/api/session', { name: 'hsu', password: 'wrong' }) }
  t.match(await stranger.post('/api/session', { name: 'hsu', password: hsu.password }), { status: 429 })
  admin = await console.as(...ADMIN)
  t.equal((await admin.post('/api/accounts/hsu/unlock')).status, 204)
  console.front.office.pass(120_000)
  t.equal((await stranger.post('/api/session', { name: 'hsu', password: hsu.password })).status, 200)
  t.equal((await (await console.as(...DIRECTOR)).post('/api/accounts/hsu/factor-reset', { reason: '遺失' })).status, 204)
  t.match(good(await (await console.as(...DIRECTOR)).post('/api/accounts/hsu/reset', { reason: '忘記' })), { token: /^[0-9A-Z-]{24}$/ })
  admin = await console.as(...ADMIN)
  t.equal((await admin.post('/api/accounts/hsu/disable', { reason: '停職' })).status, 204)
  t.equal((await admin.post('/api/accounts/hsu/disable', { reason: '停職' })).status, 409)
  t.equal((await admin.post('/api/accounts/hsu/leave', { reason: '離職', undertaking: { signed: false, note: '聯絡不上' } })).status, 204)
  t.match(good<{ accounts: { id: string }[] }>(await admin.get('/api/accounts')).accounts.find(({ id }) => id === 'hsu'), { standing: 'left', roles: [] })
})

t.test('deputies, hand-over by two, the yearly review by two (R12, R54)', async t => {
  const console = await Console.open(t), { office } = console.front
  const boss = await console.as(...DIRECTOR), now = office.clock.wallNow()
  const { deputyId } = good<{ deputyId: number }>(await boss.post('/api/deputies', { absentId: 'wang', deputyId: 'lin', role: 'secretary', fromAtMs: now - 1, toAtMs: now + DAY_MS, document: '差假單' }), 201)
  const lin = await console.as('lin', null)
  t.match(good(await lin.post('/api/session/role', { role: 'secretary', deputyFor: 'wang' })), { role: 'secretary', deputyFor: 'wang' })
  t.equal((await lin.post('/api/session/role', { role: 'secretary' })).status, 409, 'not in one\'s own name')
  t.match(good(await boss.get('/api/deputies')), { deputies: [{ deputyId, absentId: 'wang', deputyAccountId: 'lin', endedAtMs: null }] })
  t.equal((await (await console.as(...DIRECTOR)).post(`/api/deputies/${deputyId}/end`)).status, 204)
  t.equal((await lin.post('/api/applications', {})).status, 400)
  t.equal((await lin.get('/api/book/state')).status, 403, 'the role is gone with the deputyship')

  const { handOverId } = good<{ handOverId: number }>(await (await console.as(...CLERK)).post('/api/hand-overs', { toId: 'lee', items: '鑰匙、卷宗' }), 201)
  const lee = await console.as('lee', 'staff')
  t.match(good(await lee.get('/api/hand-overs')), { handOvers: [{ handOverId, role: 'clerk', fromId: 'lin', toId: 'lee', takenAtMs: null }] })
  t.same(good(await (await console.as(...CHIEF)).get('/api/hand-overs')), { handOvers: [] })
  t.equal((await (await console.as('lee', 'staff')).post(`/api/hand-overs/${handOverId}/take`)).status, 204)
  t.equal((await lee.get('/api/session')).status, 401)
  t.match((await console.stranger().post('/api/session', { name: 'lin', password: console.front.member('lin').password, code: office.code(console.front.member('lin')) })).body, { kind: 'password-due', why: 'must-change' })

  const { reviewId, sha256 } = good<{ reviewId: number, sha256: string }>(await (await console.as(...ADMIN)).post('/api/account-reviews', { year: 2026 }), 201)
  t.equal((await (await console.as(...SECRETARY)).post(`/api/account-reviews/${reviewId}/sign`, { remark: '相符' })).status, 204)
  t.match(good(await (await console.as(...ADMIN)).get(`/api/account-reviews/${reviewId}`)), { sha256, signedBy: 'wang', remark: '相符' })
})

t.test('break-glass: two persons, shown while it stands, and a form owed (R13)', async t => {
  const console = await Console.open(t)
  const first = await console.as(...CUSTODIAN), second = await console.as(...DIRECTOR), clerk = await console.as(...CLERK)
  t.match(good(await first.post('/api/break-glass', { reason: '大廳傷人' })), { kind: 'first' })
  t.equal((await first.post('/api/break-glass', { reason: '大廳傷人' })).status, 409, 'the same person again is no second')
  const { openingId } = good<{ openingId: number }>(await second.post('/api/break-glass', { reason: '同意' }))
  t.match(good(await second.get('/api/break-glass')), { open: [{ openingId, by: ['lin', 'boss'], reason: '大廳傷人' }], formsOwed: [{ openingId }] })
  t.equal((await second.post(`/api/break-glass/${openingId}/close`)).status, 204)
  t.equal((await clerk.post(`/api/break-glass/${openingId}/settle`, { application: '115-調-0001' })).status, 204)
  t.same(good(await second.get('/api/break-glass')), { open: [], formsOwed: [] })
})
