import t from 'tap'
import { DAY_MS, fromBase32, goodPassword, MINUTE_MS } from '../access/support/office.ts'
import { codeAt, STEP_MS } from '../../src/access/totp.ts'
import { Caller, Console } from './support/caller.ts'

interface Session { readonly role: string | null, readonly csrfToken: string, readonly isFactorFresh: boolean, readonly roles: readonly { role: string }[] }

t.test('a person signs in by steps: code, role, acts, and out', async t => {
  const console = await Console.open(t)
  const stranger = console.stranger(), lin = console.front.member('lin')
  t.match(await stranger.get('/api/session'), { status: 401, body: { code: 'CUSTOS_SESSION_ENDED', zh: /^尚未登入。$/, en: /^nobody is signed in$/, requestId: /^[0-9a-f-]{36}$/ } })
  t.match(await stranger.post('/api/session', { name: 'lin', password: lin.password }), { status: 200, body: { kind: 'code-needed' }, cookie: null })
  t.match(await stranger.post('/api/session', { name: 'lin', password: 'wrong' }), { status: 401, body: { code: 'CUSTOS_SIGN_IN_REFUSED' } })
  const caller = await console.as('lin', null)
  t.match(caller.cookie, /^custos-loopback=/)
  t.match(await caller.get('/api/session'), { status: 200, body: { role: null, account: { id: 'lin', name: '人員lin' }, isFactorFresh: true, needsFactor: true } })
  t.match(await caller.post('/api/session/role', { role: 'director' }), { status: 409, body: { code: 'CUSTOS_ACCOUNT_REFUSED', zh: '您目前沒有「核章主管（主任）」的職務。' } })
  t.match(await caller.post<Session>('/api/session/role', { role: 'clerk' }), { status: 200, body: { role: 'clerk' } })
  console.front.office.pass(6 * MINUTE_MS)
  t.match((await caller.get<Session>('/api/session')).body.isFactorFresh, false)
  t.match(await caller.post('/api/session/factor/show', { code: '000000' }), { status: 401 })
  t.match((await caller.post<Session>('/api/session/factor/show', { code: console.front.office.code(lin) })).body.isFactorFresh, true)
  t.match(await caller.send('DELETE', '/api/session'), { status: 204, cookie: null })
  t.equal((await caller.get('/api/session')).status, 401)
})

t.test('what a sign-in asks for first: the undertaking, a password that is due, a first password; a factor is enrolled', async t => {
  const console = await Console.open(t)
  const { office } = console.front
  office.directorActing = await console.front.as('boss', 'director')
  const { access } = office
  const made = access.accounts.apply({ id: 'new', displayName: '龔鑫𡍼', unit: '資訊室', post: '課員', roles: ['clerk'], reason: '到職' }, office.machine)
  const { token } = access.accounts.decide(made.requestId ?? 0, 'approved', '核可', office.directorActing)
  const stranger = console.stranger(), password = goodPassword(3)
  t.match(await stranger.post('/api/session/first-password', { name: 'new', token: token ?? '', newPassword: 'short' }), { status: 422, body: { code: 'CUSTOS_PASSWORD_REFUSED', problems: [{ where: 'newPassword' }] } })
  t.equal((await stranger.post('/api/session/first-password', { name: 'new', token: token ?? '', newPassword: password })).status, 204)
  t.match((await stranger.post('/api/session/first-password', { name: 'new', token: token ?? '', newPassword: password })).status, 401, 'once')
  t.match((await stranger.post('/api/session', { name: 'new', password })).body, { kind: 'undertaking-needed', version: '1' })
  const answer = await stranger.post<{ session: Session }>('/api/session', { name: 'new', password, undertakes: '1' })
  t.match(answer, { status: 200, body: { kind: 'session', session: { account: { name: '龔鑫𡍼' }, role: 'clerk', needsFactor: true, hasFactor: false } } })
  const caller = new Caller(console, answer.cookie, answer.body.session.csrfToken)
  const { secret } = (await caller.post<{ secret: string }>('/api/session/factor')).body
  t.match(await caller.post('/api/session/factor/confirm', { code: '123456' }), { status: 401 })
  office.pass(STEP_MS)
  const confirmed = await caller.post<{ recoveryCodes: string[] }>('/api/session/factor/confirm', { code: codeAt(fromBase32(secret), Math.floor(office.clock.wallNow() / STEP_MS)) })
  t.equal(confirmed.body.recoveryCodes.length, 10)
  const member = { name: 'new', password, secret: fromBase32(secret) }
  const again = { name: 'new', password }
  office.pass(89 * DAY_MS)
  t.match((await stranger.post('/api/session', { ...again, code: office.code(member) })).body, { kind: 'session' })
  office.pass(2 * DAY_MS)
  t.match((await stranger.post('/api/session', { ...again, code: office.code(member) })).body, { kind: 'password-due', why: 'expired' })
  t.equal((await stranger.post('/api/session/password', { ...again, code: office.code(member), newPassword: goodPassword(4) })).status, 204)
  t.match((await stranger.post('/api/session', { name: 'new', password: goodPassword(4), code: office.code(member) })).body, { kind: 'session' })
})

t.test('codes are taken once, five failures lock, and nothing secret is in the log', async t => {
  const console = await Console.open(t)
  const lin = console.front.member('lin'), code = console.front.office.code(lin)
  const signIn = (given: string) => console.stranger().post('/api/session', { name: 'lin', password: lin.password, code: given })
  const first = await signIn(code)
  t.equal(first.status, 200)
  t.equal((await signIn(code)).status, 401, 'a replayed code')
  for (let n = 0; n < 3; n++) { console.front.office.pass(MINUTE_MS); await signIn('000000') }
  console.front.office.pass(2 * MINUTE_MS)
  await signIn('000000')
  console.front.office.pass(2 * MINUTE_MS)
  const locked = await signIn('000000')
  t.match(locked, { status: 429, body: { code: 'CUSTOS_SIGN_IN_LOCKED', zh: /鎖定/ } })
  t.match(locked.headers['retry-after'], /^\d+$/)
  const log = console.log.join('')
  t.match(log, /console request/)
  for (const secret of [lin.password, first.cookie!.split('=')[1]!, code]) t.notOk(log.includes(secret), 'not in the log')
})

t.test('idle for ten minutes ends a session, a screen that asks for itself does not keep it; each act is on record with its source (R66, R72)', async t => {
  const console = await Console.open(t), { office } = console.front
  const caller = await console.as('lin', 'clerk')
  const watch = async (minutes: number, url: string): Promise<number[]> => {
    const statuses: number[] = []
    for (let n = 0; n < minutes; n++) { office.pass(MINUTE_MS); statuses.push((await caller.get(url)).status) }
    return statuses
  }
  t.same([...new Set(await watch(15, '/api/cameras'))], [200], 'work keeps it open')
  t.same(await watch(12, '/api/session'), [...Array.from({ length: 9 }, () => 200), 401, 401, 401], 'looking at the session does not')
  t.match(await caller.get('/api/session'), { status: 401, body: { zh: '登入已結束：閒置過久。', en: 'the session is over: it was not used for too long' } })
  t.same(office.entries('session.ended').map(({ object, detail }) => [object, detail]).at(-1), ['lin', '{"reason":"idle"}'])
  const sources = office.db.prepare<[], string>("SELECT DISTINCT actor_source FROM audit_entry WHERE action IN ('session.role-taken', 'session.ended') AND object = 'lin' ORDER BY seq DESC LIMIT 1").pluck().get()
  t.equal(sources, '127.0.0.1')
})
