import t from 'tap'
import { csrfToken, isCsrfToken } from '../../src/access/index.ts'
import { DAY_MS, goodPassword, MINUTE_MS, Office } from './support/office.ts'

t.test('the first sign-in: one-time password, own password, undertaking, then a session', async t => {
  const office = new Office(t)
  const { token, requestId } = office.access.accounts.apply({ id: 'wang', displayName: '王𠮷明', unit: '資訊室', post: '管理師', roles: ['system-admin'], reason: '首位管理者' }, office.machine)
  t.equal(requestId, null, 'active at once: nobody could approve')
  t.equal(office.access.accounts.list()[0]?.displayName, '王𠮷明', 'every code point kept')
  const ask = { name: 'wang', source: '10.0.0.9' }
  await t.rejects(office.access.signIn.signIn({ ...ask, password: token ?? '' }), { code: 'CUSTOS_SIGN_IN_REFUSED' }, 'a token is no password')
  await t.rejects(office.access.signIn.redeem({ ...ask, token: token ?? '', newPassword: 'short' }), { code: 'CUSTOS_PASSWORD_REFUSED' })
  await office.access.signIn.redeem({ ...ask, token: (token ?? '').toLowerCase().replaceAll('-', ' '), newPassword: goodPassword(1) })
  await t.rejects(office.access.signIn.redeem({ ...ask, token: token ?? '', newPassword: goodPassword(2) }), { code: 'CUSTOS_SIGN_IN_REFUSED' }, 'once only')
  t.same(await office.access.signIn.signIn({ ...ask, password: goodPassword(1) }), { kind: 'undertaking-needed', version: '1' })
  const answer = await office.access.signIn.signIn({ ...ask, password: goodPassword(1), undertakes: '1' })
  t.equal(answer.kind, 'session')
  const again = await office.access.signIn.signIn({ ...ask, password: goodPassword(1) })
  t.equal(again.kind, 'session', 'signed once')
  t.equal(again.kind === 'session' && again.lastUsedAtMs, office.clock.wallNow())
  t.equal(office.entries('undertaking.signed').length, 1)
  t.notMatch(JSON.stringify(office.entries()), new RegExp(`${goodPassword(1)}|${token ?? ''}`), 'no secret in the log')
})

t.test('five failures lock a name for fifteen minutes, be it somebody\'s or nobody\'s', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  for (const name of ['wang', 'nobody-at-all', 'P@ssw0rd typed as a name']) {
    for (let i = 0; i < 5; i++) await t.rejects(office.access.signIn.signIn({ name, password: 'wrong', source: `room ${i}` }), { code: 'CUSTOS_SIGN_IN_REFUSED' })
    await t.rejects(office.access.signIn.signIn({ name, password: wang.password, source: 'room 9' }), { code: 'CUSTOS_SIGN_IN_LOCKED', retryAfterMs: 15 * MINUTE_MS })
  }
  t.equal(office.access.accounts.list()[0]?.standing.kind, 'locked')
  t.equal(office.entries('account.locked').length, 3)
  t.notMatch(JSON.stringify(office.entries()), /typed as a name|nobody-at-all/, 'what is nobody\'s name may be a password and is not written down')
  office.clock.stepWall(40 * DAY_MS)
  await t.rejects(office.session(wang), { code: 'CUSTOS_SIGN_IN_LOCKED' }, 'a clock that is set unlocks nothing')
  office.pass(15 * MINUTE_MS)
  t.ok(await office.session(wang))
})

t.test('guesses made at once count one by one', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const answers = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => office.access.signIn.signIn({ name: 'wang', password: i === 11 ? wang.password : `wrong ${i}`, source: `${i}` })))
  const codes = answers.map(answer => answer.status === 'rejected' ? (answer.reason as { code: string }).code : 'session')
  t.same(codes, [...Array.from({ length: 5 }, () => 'CUSTOS_SIGN_IN_REFUSED'), ...Array.from({ length: 7 }, () => 'CUSTOS_SIGN_IN_LOCKED')])
})

t.test('a right password that was let through does not lift a lock others set meanwhile', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const right = office.access.signIn.signIn({ name: 'wang', password: wang.password, source: 'a' })
  const wrong = Array.from({ length: 4 }, (_, i) => office.access.signIn.signIn({ name: 'wang', password: 'x', source: `b${i}` }))
  const [first, ...others] = await Promise.allSettled([right, ...wrong])
  t.match(first, { status: 'rejected', reason: { code: 'CUSTOS_SIGN_IN_LOCKED' } })
  t.ok(others.every(each => each.status === 'rejected'))
})

t.test('half a sign-in neither counts nor forgives', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'])
  const ask = { name: 'wang', password: wang.password, source: 'desk' }
  for (let i = 0; i < 4; i++) await t.rejects(office.access.signIn.signIn({ ...ask, password: 'x', source: `${i}` }))
  for (let i = 0; i < 6; i++) t.same(await office.access.signIn.signIn(ask), { kind: 'code-needed' })
  await t.rejects(office.access.signIn.signIn({ ...ask, code: '000000' }), { code: 'CUSTOS_SIGN_IN_REFUSED' })
  await t.rejects(office.access.signIn.signIn(ask), { code: 'CUSTOS_SIGN_IN_LOCKED' }, 'the fifth failure, with right passwords between')
})

t.test('a place that fails often waits, whatever names it tries, and one good account is no pass', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const from = (name: string, password = 'x') => office.access.signIn.signIn({ name, password, undertakes: '1', source: '10.0.0.66' })
  for (let i = 0; i < 4; i++) await t.rejects(from(`guess${i}`), { code: 'CUSTOS_SIGN_IN_REFUSED' })
  await t.rejects(from('wang', wang.password), { code: 'CUSTOS_SIGN_IN_TOO_FAST', retryAfterMs: 1000 })
  office.pass(1000)
  t.match(await from('wang', wang.password), { kind: 'session' })
  await t.rejects(from('guess9'), { code: 'CUSTOS_SIGN_IN_REFUSED' })
  await t.rejects(from('guess9'), { code: 'CUSTOS_SIGN_IN_TOO_FAST', retryAfterMs: 2000 })
  t.match(await office.access.signIn.signIn({ name: 'wang', password: wang.password, undertakes: '1', source: '10.0.0.67' }), { kind: 'session' }, 'other places go on')
})

t.test('passwords: rules, history, age', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const renew = async (newPassword: string) => { await office.access.signIn.renewPassword({ name: 'wang', password: wang.password, newPassword, source: 'desk' }); wang.password = newPassword }
  await t.rejects(renew(goodPassword(2)), { code: 'CUSTOS_ACCOUNT_REFUSED', message: /less than a day/ })
  office.pass(DAY_MS)
  for (let n = 1; n <= 3; n++) {
    const old = await office.session(wang)
    await renew(goodPassword(n + 1))
    t.throws(() => office.access.sessions.touch(old), { code: 'CUSTOS_SESSION_ENDED', why: 'password-changed' })
    office.pass(DAY_MS)
  }
  for (const old of [2, 3, 4]) await t.rejects(renew(goodPassword(old)), { code: 'CUSTOS_PASSWORD_REFUSED', message: /最近 3 次/ })
  await renew(goodPassword(1))
  office.pass(89 * DAY_MS)
  t.ok(await office.session(wang))
  office.pass(DAY_MS)
  t.same(await office.access.signIn.signIn({ name: 'wang', password: wang.password, source: 'desk' }), { kind: 'password-due', why: 'expired' })
  await renew(goodPassword(7))
  t.ok(await office.session(wang))
  t.equal(office.db.prepare<[], number>('SELECT count(*) FROM account_password').pluck().get(), 3, 'no older hash is kept')
})

t.test('a reset makes the old password void at once and its token lasts a quarter of an hour', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const session = await office.session(wang)
  const late = office.access.accounts.reset('wang' as never, '忘記密碼', office.machine)
  t.throws(() => office.access.sessions.touch(session), { code: 'CUSTOS_SESSION_ENDED' })
  await t.rejects(office.session(wang), { code: 'CUSTOS_SIGN_IN_REFUSED' })
  await t.rejects(office.access.signIn.renewPassword({ name: 'wang', password: wang.password, newPassword: goodPassword(3), source: 'desk' }), { code: 'CUSTOS_SIGN_IN_REFUSED' })
  office.pass(15 * MINUTE_MS)
  await t.rejects(office.access.signIn.redeem({ name: 'wang', token: late, newPassword: goodPassword(3), source: 'desk' }), { code: 'CUSTOS_SIGN_IN_REFUSED' })
  const token = office.access.accounts.reset('wang' as never, '再發一次', office.machine)
  await office.access.signIn.redeem({ name: 'wang', token, newPassword: goodPassword(3), source: 'desk' })
  wang.password = goodPassword(3)
  t.ok(await office.session(wang), 'a day need not pass after a reset')
})

t.test('without the audit log nobody is signed in', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  office.db.exec("CREATE TRIGGER full BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'no room'); END")
  await t.rejects(office.session(wang))
  t.equal(office.db.prepare<[], number>('SELECT count(*) FROM session').pluck().get(), 0)
})

t.test('a token against foreign pages belongs to its session', async t => {
  const token = 'A'.repeat(43)
  t.ok(isCsrfToken(token, csrfToken(token)))
  t.notOk(isCsrfToken('B'.repeat(43), csrfToken(token)))
  t.notOk(isCsrfToken(token, ''))
  t.notMatch(csrfToken(token), /AAAA/)
})
