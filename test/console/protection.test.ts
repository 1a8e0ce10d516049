import { connect } from 'node:net'
import Database from 'better-sqlite3'
import t from 'tap'
import Type from 'typebox'
import { RateGate, sourceKey } from '../../src/console/rate-gate.ts'
import { closed } from '../../src/console/route.ts'
import { outbound } from '../../src/console/schema-check.ts'
import { monoMs } from '../../src/domain/index.ts'
import { openOwn } from '../../src/platform/catalogue.ts'
import path from 'node:path'
import { stateFolder } from '../audit/support/log.ts'
import { CLERK, DIRECTOR, party } from '../requests/support/front-desk.ts'
import { Console } from './support/caller.ts'

t.test('a change needs the page\'s own token, an own name and no foreign page', async t => {
  const console = await Console.open(t), clerk = await console.as(...CLERK)
  const change = (headers: Record<string, string | undefined>) => clerk.post('/api/applications', party(), headers)
  const foreign = { status: 403, body: { code: 'CUSTOS_CONSOLE_FOREIGN' } }
  t.match(await change({ 'x-custos-csrf': undefined }), foreign, 'no token')
  t.match(await change({ 'x-custos-csrf': (await console.as(...DIRECTOR)).csrf! }), foreign, 'somebody else\'s token')
  t.match(await change({ origin: 'http://evil.example' }), foreign)
  t.match(await change({ origin: 'null' }), foreign)
  t.match(await change({ origin: 'https://localhost:8443' }), foreign, 'another scheme is another page')
  t.match(await change({ origin: 'http://localhost:9999' }), foreign, 'another port too')
  t.match(await change({ 'sec-fetch-site': 'cross-site' }), foreign)
  t.match(await change({ host: 'evil.example:8443', origin: 'http://evil.example:8443' }), foreign, 'a name made to point here')
  t.match(await clerk.get('/api/session', { host: 'evil.example' }), foreign, 'reads too')
  t.match(await console.stranger().post('/api/session', { name: 'lin', password: 'x' }, { origin: 'http://evil.example' }), foreign, 'nobody is signed in by a foreign page')
  for (const host of ['localhost:8443', '127.0.0.1:8443', '[::1]:8443', '192.0.2.7']) t.equal((await clerk.get('/api/session', { host })).status, 200, host)
  t.equal((await change({ origin: undefined, 'sec-fetch-site': undefined })).status, 201, 'a program sends no Origin')
  t.equal(console.front.count('application'), 1, 'and nothing else was done')
})

t.test('what is malformed is refused before anybody sees it', async t => {
  const console = await Console.open(t), clerk = await console.as(...CLERK)
  const refused = { code: 'CUSTOS_CONSOLE_REQUEST' }
  t.match(await clerk.post('/api/applications', { ...party(), surprise: 1 }), { status: 400, body: { ...refused, problems: [{ en: /surprise/ }] } }, 'a field nobody knows')
  t.match(await clerk.post('/api/applications', { ...party(), asked: [{ camera: '../../etc', from: 1, to: 2 }] }), { status: 400, body: { problems: [{ where: 'asked[0].camera' }] } })
  t.match(await clerk.post('/api/applications', party(), { 'content-type': 'text/plain' }), { status: 415, body: refused })
  t.match(await clerk.post('/api/applications', party(), { 'content-type': 'application/x-www-form-urlencoded' }), { status: 415 })
  t.match(await clerk.post('/api/applications', { ...party(), necessity: 'x'.repeat(300_000) }), { status: 413, body: refused })
  t.match(await clerk.send('POST', '/api/applications', Buffer.from('{"form": '), { 'content-type': 'application/json' }), { status: 400, body: refused })
  t.match(await clerk.send('POST', '/api/applications', Buffer.from('{"__proto__": {"x": 1}}'), { 'content-type': 'application/json' }), { status: 400, body: refused })
  t.match(await clerk.get('/api/applications?limit=100000'), { status: 400, body: { problems: [{ where: 'limit' }] } })
  t.match(await clerk.get('/api/applications?limit=5&drop=1'), { status: 400 })
  t.match(await clerk.get('/api/applications?dueBy=2026-02-31'), { status: 400 })
  t.match(await clerk.get('/api/applications/115-%E8%AA%BF-%2e%2e'), { status: 400 })
  t.match(await clerk.get('/api/nothing'), { status: 404, body: { code: 'CUSTOS_CONSOLE_NOT_FOUND' } })
  t.match(await clerk.send('PUT', '/api/session', {}), { status: 404 })
  t.match(await clerk.send('POST', '/api/session/factor', { surprise: 1 }), { status: 400 }, 'a body where none belongs')
  t.equal(console.front.count('application'), 0)
})

t.test('headers of every answer; a refusal tells no internals', async t => {
  const console = await Console.open(t), clerk = await console.as(...CLERK)
  for (const said of [await clerk.get('/api/session'), await clerk.get('/api/nothing'), await console.stranger().get('/api/session')]) {
    t.match(said.headers, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'x-frame-options': /./, 'referrer-policy': 'no-referrer', 'content-security-policy': /default-src 'self'.*frame-ancestors 'none'/ })
    t.notOk('access-control-allow-origin' in said.headers)
  }
  const { db } = console.front.office
  db.exec('ALTER TABLE application RENAME TO application_gone')
  const fault = await clerk.get<{ requestId: string }>('/api/applications')
  t.match(fault, { status: 500, body: { code: 'CUSTOS_CONSOLE_FAULT', zh: /系統發生錯誤/ } })
  t.notMatch(JSON.stringify(fault.body), /sqlite|application_gone|no such table|\.ts/i)
  t.match(console.log.join(''), new RegExp(`${fault.body.requestId}`), 'the log has its number, and all of it')
  t.match(console.log.join(''), /no such table/)
})

t.test('a standstill of the audit log is 503 in the office\'s words, and recording is not asked', async t => {
  const console = await Console.open(t), clerk = await console.as(...CLERK)
  const { db } = console.front.office
  db.pragma(`max_page_count = ${String(db.pragma('page_count', { simple: true }))}`)
  let said = await clerk.post<{ code: string }>('/api/applications', party())
  for (let n = 0; n < 100 && said.status === 201; n++) said = await clerk.post('/api/applications', party())
  t.match(said, { status: 503, body: { code: 'CUSTOS_AUDIT_UNWRITABLE', zh: '系統目前無法辦理，請告知系統管理。' } })
  t.notMatch(JSON.stringify(said.body), /SQLITE|full/i)
  t.equal((await clerk.get('/api/applications?limit=1')).status, 200, 'reads without an entry go on')
  db.pragma('max_page_count = 1000000')
  t.equal((await clerk.post('/api/applications', party())).status, 201)
})

t.test('while another process has the catalogue acts are refused at once with words, and reads go on',
  async t => {
  using catalogue = openOwn(path.join(stateFolder(t), 'whole.db'), 0, 'whole')
  const console = await Console.open(t, { catalogue: catalogue.db }), clerk = await console.as(...CLERK)
  const other = new Database(catalogue.db.name)
  t.teardown(() => { other.close() })
  other.exec('BEGIN IMMEDIATE')
  const askedAt = performance.now()
  const said = await clerk.send('POST', '/api/applications', party())
  t.match(said,
    { status: 503, headers: { 'retry-after': '1' },
    body: { code: 'CUSTOS_CATALOGUE_BUSY', zh: /再送出一次/, en: /send it again/ } })
  t.notMatch(JSON.stringify(said.body), /SQLITE/i)
  t.comment(`answered after ${Math.round(performance.now() - askedAt)} ms`)
  console.front.office.pass(60_000) // so that the use of the session is to be noted
  t.equal((await clerk.get('/api/applications?limit=1')).status, 200)
  t.equal((await clerk.get('/api/session')).status, 200)
  other.exec('ROLLBACK')
  t.equal((await clerk.post('/api/applications', party())).status, 201)
  t.same(console.front.office.audit.auditState(), { state: 'ok' })
})

t.test('what goes out is what was declared', async t => {
  const write = outbound(closed({ name: Type.String(), of: Type.Array(Type.Union([closed({ kind: Type.Literal('a'), n: Type.Integer() }), closed({ kind: Type.Literal('b') })])) }))
  t.equal(write({ name: '𡍼', secret: 'x', of: [{ kind: 'a', n: 1, token: 'x' }, { kind: 'b', n: 2 }] }), '{"name":"𡍼","of":[{"kind":"a","n":1},{"kind":"b"}]}')
  t.throws(() => write({ name: 'x', of: [{ kind: 'c', token: 'hush' }] }), { name: 'TypeError', message: /not as declared: of\[0\]/ })
  t.throws(() => write({ name: 5, of: [] }), { message: /^(?!.*5)/ }, 'a fault that names the place and not the value')
})

t.test('the listener is bounded: headers, kinds of requests, connections that say nothing sensible', async t => {
  const { server } = await Console.open(t)
  const raw = async (text: string): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    let answer = ''
    const socket = connect(server.port, '127.0.0.1', () => { socket.end(text) })
    socket.on('data', chunk => { answer += String(chunk) }).once('close', () => { resolve(answer) }).once('error', reject)
    return promise
  }
  t.match(await raw(`GET /api/session HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
  t.match(await raw('nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.match(await raw('GET /api/session HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /, 'no Host')
  t.match(await raw('GET /api/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 401 /)
  t.match(await raw('POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n'), /^HTTP\/1\.1 400 /, 'two lengths are one smuggled request')
})

t.test('one source, and one session, get so many requests and no more; the memory of it is bounded', async t => {
  const console = await Console.open(t, { rates: { source: { burst: 20, perSecond: 1 }, session: { burst: 1e9, perSecond: 1e9 } } })
  const statuses: number[] = []
  for (let n = 0; n < 25; n++) statuses.push((await console.stranger().get('/api/session')).status)
  t.same([statuses.filter(status => status === 401).length, statuses.filter(status => status === 429).length], [20, 5])
  t.match((await console.stranger().get('/api/session')).headers['retry-after'], /^[12]$/)
  console.front.office.pass(3_000)
  t.equal((await console.stranger().get('/api/session')).status, 401, 'time gives it back')

  const session = await Console.open(t, { rates: { source: { burst: 1e9, perSecond: 1e9 }, session: { burst: 10, perSecond: 1 } } })
  const [lin, boss] = [await session.as('lin', null), await session.as('boss', null)]
  for (let n = 0; n < 10; n++) await lin.get('/api/session')
  t.same([(await lin.get('/api/session')).status, (await boss.get('/api/session')).status], [429, 200])

  const gate = new RateGate({ burst: 1, perSecond: 1 })
  for (let n = 0; n < 10_000; n++) gate.pass(`source ${n}`, monoMs(0))
  t.equal(gate.size, 4096)
  t.same(['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::9', '::ffff:192.0.2.1', '::1', '192.0.2.9'].map(sourceKey), ['2001:db8:1:2', '2001:db8:1:2', '192.0.2.1', '0:0:0:0', '192.0.2.9'])
})
