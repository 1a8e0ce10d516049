import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { openFactorVault, vaultOf } from '../../src/access/factor-vault.ts'
import { accountId } from '../../src/access/index.ts'
import { base32, codeAt, otpauthUri, STEP_MS, stepOf } from '../../src/access/totp.ts'
import { fromBase32, MINUTE_MS, Office } from './support/office.ts'

t.test('codes are those of RFC 6238, appendix B', async t => {
  const secret = Buffer.from('12345678901234567890')
  for (const [seconds, code] of [[59, '287082'], [1111111109, '081804'], [1111111111, '050471'], [1234567890, '005924'], [2000000000, '279037'], [20000000000, '353130']] as const) {
    t.equal(codeAt(secret, Math.floor(seconds / 30)), code, String(seconds))
  }
  t.equal(base32(secret), 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
  t.same(fromBase32(base32(randomBytes(20))).length, 20)
  t.match(otpauthUri({ secret, issuer: '信義區 戶政', account: 'wang' }), /^otpauth:\/\/totp\/%E4%BF%A1[^ ]*wang\?secret=GEZD[A-Z2-7]+&issuer=[^ &]+&algorithm=SHA1&digits=6&period=30$/)
})

t.test('a code is taken one step early or late, and never twice nor after a later one', async t => {
  const secret = randomBytes(20), step = 58_000_000, wallMs = step * STEP_MS + 5
  for (const near of [-1, 0, 1]) t.equal(stepOf(secret, codeAt(secret, step + near), wallMs, 0), step + near)
  for (const far of [-3, -2, 2, 3]) t.equal(stepOf(secret, codeAt(secret, step + far), wallMs, 0), null)
  t.equal(stepOf(secret, codeAt(secret, step), wallMs, step), null)
  t.equal(stepOf(secret, codeAt(secret, step), wallMs, step + 1), null)
  for (const bad of ['', '12345', '1234567', 'abcdef', ' 123456', '１２３４５６']) t.equal(stepOf(secret, bad, wallMs, 0), null)
})

t.test('a factor once enrolled is asked for at every sign-in; each code and each recovery code is good once', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const codes = await office.enrol(wang)
  t.equal(new Set(codes).size, 10)
  const ask = { name: 'wang', password: wang.password, source: 'desk' }
  t.same(await office.access.signIn.signIn(ask), { kind: 'code-needed' })
  const code = office.code(wang)
  t.match(await office.access.signIn.signIn({ ...ask, code }), { kind: 'session', hasFactor: true })
  await t.rejects(office.access.signIn.signIn({ ...ask, code }), { code: 'CUSTOS_SIGN_IN_REFUSED' }, 'replayed')
  t.match(await office.access.signIn.signIn({ ...ask, code: codes[3]!.toLowerCase() }), { kind: 'session' })
  await t.rejects(office.access.signIn.signIn({ ...ask, code: codes[3]! }), { code: 'CUSTOS_SIGN_IN_REFUSED' })
  t.equal(office.access.factors.recoveryCodesLeft(accountId('wang')), 9)
  const stored = JSON.stringify(office.db.prepare('SELECT hex(sealed_secret) AS s FROM account_factor').all())
  t.notMatch(stored, new RegExp(wang.secret!.toString('hex'), 'i'), 'sealed at rest')
})

t.test('one code shown to two at once is taken by one', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'])
  const ask = { name: 'wang', password: wang.password, source: 'desk', code: office.code(wang) }
  const answers = await Promise.allSettled([office.access.signIn.signIn(ask), office.access.signIn.signIn(ask)])
  t.same(answers.map(answer => answer.status).sort(), ['fulfilled', 'rejected'])
})

t.test('an enrolment counts only when confirmed, and a new one takes the old factor shown just now', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'], { factor: false })
  const token = await office.session(wang)
  office.access.factors.enrol(token)
  t.throws(() => office.access.factors.confirm(token, '000000'), { code: 'CUSTOS_SIGN_IN_REFUSED' })
  t.ok(await office.session(wang), 'not asked for yet')
  await office.enrol(wang)
  const late = await office.session(wang)
  office.pass(6 * MINUTE_MS)
  t.throws(() => office.access.factors.enrol(late), { code: 'CUSTOS_FACTOR_NEEDED' })
})

t.test('guessing codes inside a session locks the name and ends its sessions', async t => {
  const office = new Office(t)
  const wang = await office.person('wang', ['system-admin'])
  const token = await office.session(wang)
  for (let i = 0; i < 5; i++) t.throws(() => { office.access.factors.prove(token, '000000') }, { code: 'CUSTOS_SIGN_IN_REFUSED' })
  t.throws(() => office.access.sessions.touch(token), { code: 'CUSTOS_SESSION_ENDED', why: 'factor-failures' })
  await t.rejects(office.session(wang), { code: 'CUSTOS_SIGN_IN_LOCKED' })
})

t.test('another person resets a factor; nobody their own', async t => {
  const office = new Office(t)
  const boss = await office.withDirector()
  t.throws(() => { office.access.factors.reset(accountId('boss'), '遺失手機', office.directorActing!) }, { code: 'CUSTOS_ACCOUNT_REFUSED' })
  office.access.factors.reset(accountId('boss'), '遺失手機', office.machine)
  boss.secret = null
  t.ok(await office.session(boss))
})

t.test('the key is a file of its own, made once, for its owner alone', async t => {
  const folder = t.testdir(), file = path.join(folder, 'keys/factor-key'), wang = accountId('wang')
  const vault = openFactorVault(folder, false)
  t.equal(statSync(file).mode & 0o777, 0o600)
  const sealed = vault.seal(wang, Buffer.from('a secret of twenty by'))
  t.same(openFactorVault(folder, true).open(wang, sealed).toString(), 'a secret of twenty by')
  t.throws(() => vault.open(accountId('chen'), sealed), { code: 'CUSTOS_FACTOR_KEY_UNUSABLE' }, 'bound to its person')
  t.throws(() => vaultOf(randomBytes(32)).open(wang, sealed), { code: 'CUSTOS_FACTOR_KEY_UNUSABLE' })
  sealed[20] = (sealed[20] ?? 0) ^ 1
  t.throws(() => vault.open(wang, sealed), { code: 'CUSTOS_FACTOR_KEY_UNUSABLE' }, 'changed')
  const key = readFileSync(file)
  rmSync(file)
  t.throws(() => openFactorVault(folder, true), { code: 'CUSTOS_FACTOR_KEY_UNUSABLE' }, 'never made anew over factors it could not open')
  writeFileSync(file, key.subarray(1), { mode: 0o600 })
  t.throws(() => openFactorVault(folder, true), { code: 'CUSTOS_FACTOR_KEY_UNUSABLE', message: /31 bytes/ })
})
