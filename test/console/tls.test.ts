import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { Console } from './support/caller.ts'

const DAY_MS = 86_400_000

async function handshake(port: number, options: ConnectionOptions = {}): Promise<{ readonly protocol: string | null, readonly fingerprint: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ protocol: string | null, fingerprint: string }>()
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }, () => {
    resolve({ protocol: socket.getProtocol(), fingerprint: socket.getPeerCertificate().fingerprint256 })
    socket.end()
  })
  socket.once('error', reject)
  return promise
}
async function get(port: number, url: string, ca: string): Promise<{ readonly status: number, readonly headers: Record<string, unknown> }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number, headers: Record<string, unknown> }>()
  const agent = new Agent({ keepAlive: false })
  request({ host: 'localhost', family: 4, port, path: url, ca, agent }, response => { response.resume().once('end', () => { resolve({ status: response.statusCode ?? 0, headers: response.headers }) }) }).once('error', reject).end()
  return promise
}
/** Apart from the office's own, which each console of a test begins anew. */
function folderFor(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-tls-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  return folder
}
/** A pair as an office's own authority would give it. */
function pair(t: Test, { days = 90, names = 'DNS:recorder.office.example' } = {}): { readonly cert: string, readonly key: string } {
  const folder = folderFor(t), cert = path.join(folder, 'c.crt'), key = path.join(folder, 'c.key')
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', String(days), '-subj', '/CN=office', '-addext', `subjectAltName=${names}`], { stdio: 'ignore' })
  chmodSync(key, 0o600)
  return { cert, key }
}

t.test('auto: one certificate, made once, TLS 1.2 and up, secure cookie, and anew with the same key before it ends', async t => {
  const stateDir = folderFor(t), console = await Console.open(t, { tls: 'auto', stateDir }), { server, front } = console
  const file = (name: string): string => path.join(stateDir, 'keys', name)
  const ca = readFileSync(file('console.crt'), 'utf8')
  t.equal(statSync(file('console.key')).mode & 0o777, 0o600)
  t.match(await get(server.port, '/api/session', ca), { status: 401, headers: { 'strict-transport-security': /max-age=31536000/ } }, 'trusted by its own file, by the name localhost')
  t.match(await handshake(server.port), { protocol: 'TLSv1.3', fingerprint: server.fingerprint })
  t.match(await handshake(server.port, { maxVersion: 'TLSv1.2' }), { protocol: 'TLSv1.2' })
  await t.rejects(handshake(server.port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }))
  t.match(console.log.join(''), new RegExp(server.fingerprint!))
  const lin = front.member('lin')
  const said = await console.stranger().post('/api/session', { name: 'lin', password: lin.password, code: front.office.code(lin) }, { origin: 'https://localhost:8443' })
  t.match(said.headers['set-cookie'], /^__Host-custos=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/)

  const again = await Console.open(t, { tls: 'auto', stateDir })
  t.equal(again.server.fingerprint, server.fingerprint, 'kept')
  const key = readFileSync(file('console.key'), 'utf8')
  // The certificate's end counts from the real day, the office's clock is the test's: go to 20 days before the end.
  const ends = Date.parse(new X509Certificate(ca).validTo)
  front.office.pass(ends - front.office.clock.wallNow() - 20 * DAY_MS)
  await front.office.clock.advance(DAY_MS)
  for (let turns = 0; turns < 500 && readFileSync(file('console.crt'), 'utf8') === ca; turns++) await handshake(server.port)
  for (let turns = 0; turns < 500 && (await handshake(server.port)).fingerprint !== server.fingerprint; turns++);
  t.not(readFileSync(file('console.crt'), 'utf8'), ca, 'renewed while it runs')
  t.equal(readFileSync(file('console.key'), 'utf8'), key)
})

t.test('a given certificate is taken, its name answered to; what is wrong with one is said', async t => {
  const given = pair(t)
  const console = await Console.open(t, { tls: given })
  t.equal((await console.stranger().get('/api/session', { host: 'recorder.office.example:8443' })).status, 401, 'a name of the certificate')
  t.equal((await handshake(console.server.port)).fingerprint, console.server.fingerprint)
  const refusal = (tls: { cert: string, key: string }, message: RegExp) => t.rejects(Console.open(t, { tls }), { code: 'CUSTOS_CONSOLE_TLS', message })
  await refusal({ ...given, cert: '/nowhere/c.crt' }, /certificate \/nowhere\/c\.crt cannot be read \(ENOENT\)/)
  await refusal({ cert: given.cert, key: pair(t).key }, /does not belong to the certificate/)
  const clock = Object.assign(Object.create(console.front.office.clock) as typeof console.front.office.clock, { wallNow: () => epochMs(Date.now() + 3 * DAY_MS) })
  await t.rejects(Console.open(t, { tls: pair(t, { days: 1 }), clock }), { message: /ended on/ })
  chmodSync(given.key, 0o644)
  await refusal(given, /everybody on this machine can read/)
  chmodSync(given.key, 0o600)
  writeFileSync(given.cert, 'no certificate')
  await refusal(given, /holds no certificate in PEM form/)
})

t.test('without TLS only on this machine; a port that is taken is said', async t => {
  await t.rejects(Console.open(t, { host: '0.0.0.0' }), { code: 'CUSTOS_CONSOLE_TLS' })
  const first = await Console.open(t)
  await t.rejects(Console.open(t, { port: first.server.port }), { code: 'CUSTOS_CONSOLE_LISTEN', message: /EADDRINUSE/ })
})
