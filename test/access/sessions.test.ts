import t from 'tap'
import { MINUTE_MS, Office } from './support/office.ts'

t.test('a session ends after ten idle minutes, and after twelve hours in any case', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const token = await office.session(wang)
  for (let i = 0; i < 79; i++) { office.pass(9 * MINUTE_MS); office.access.sessions.touch(token) }
  office.pass(9 * MINUTE_MS)
  t.throws(() => office.access.sessions.touch(token), { code: 'CUSTOS_SESSION_ENDED', why: 'too-long' })
  const idle = await office.session(wang)
  office.pass(5 * MINUTE_MS)
  office.access.sessions.look(idle)
  office.pass(5 * MINUTE_MS)
  t.throws(() => office.access.sessions.look(idle), { code: 'CUSTOS_SESSION_ENDED', why: 'idle' }, 'looking is no use')
  t.throws(() => office.access.sessions.look(idle), { code: 'CUSTOS_SESSION_ENDED', why: 'idle' })
  const swept = await office.session(wang)
  office.pass(11 * MINUTE_MS)
  t.equal(office.access.sessions.sweep(), 1)
  t.throws(() => office.access.sessions.look(swept), { code: 'CUSTOS_SESSION_ENDED', why: 'idle' })
  t.same(office.entries('session.ended').map(entry => entry.detail), ['{"reason":"too-long"}', '{"reason":"idle"}', '{"reason":"idle"}'])
})

t.test('the viewing screen locks after five minutes and opens with the password', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['custodian'], { factor: false })
  const token = await office.session(wang)
  office.access.sessions.touchViewing(token)
  office.pass(4 * MINUTE_MS)
  office.access.sessions.touchViewing(token)
  office.pass(5 * MINUTE_MS)
  t.throws(() => { office.access.sessions.touchViewing(token) }, { code: 'CUSTOS_VIEWING_LOCKED' })
  t.ok(office.access.sessions.touch(token).isViewingLocked, 'the rest of the session goes on')
  await t.rejects(office.access.signIn.unlockViewing(token, 'x'), { code: 'CUSTOS_SIGN_IN_REFUSED' })
  t.throws(() => { office.access.sessions.touchViewing(token) }, { code: 'CUSTOS_VIEWING_LOCKED' })
  await office.access.signIn.unlockViewing(token, wang.password)
  t.doesNotThrow(() => { office.access.sessions.touchViewing(token) })
})

t.test('a person has five sessions at most; the oldest gives way', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const tokens: string[] = []
  for (let i = 0; i < 6; i++) { tokens.push(await office.session(wang)); office.pass(1000) }
  t.throws(() => office.access.sessions.look(tokens[0]!), { code: 'CUSTOS_SESSION_ENDED', why: 'too-many-sessions' })
  for (const token of tokens.slice(1)) t.ok(office.access.sessions.look(token))
})

t.test('tokens are stored hashed, and what is none is refused without a query', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const token = await office.session(wang)
  t.equal(Buffer.from(token, 'base64url').length, 32)
  const stored = office.db.prepare<[], Buffer>('SELECT session_hash FROM session').pluck().get()
  t.not(stored?.toString('base64url'), token)
  for (const bad of ['', 'x', `${token}x`, `${token.slice(1)}=`]) t.throws(() => office.access.sessions.look(bad), { code: 'CUSTOS_SESSION_ENDED', why: 'unknown' })
  office.access.sessions.end(token)
  t.throws(() => office.access.sessions.touch(token), { code: 'CUSTOS_SESSION_ENDED', why: 'signed-out' })
})
