import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { Console } from './support/caller.ts'

const PAGE = path.join(import.meta.dirname, '../../docs/operating/api.md')

t.test('the commands of docs/operating/api.md sign a program in, over TLS that trusts this certificate alone', async t => {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'custos-api-'))
  t.teardown(() => { rmSync(stateDir, { recursive: true, force: true }) })
  const console = await Console.open(t, { tls: 'auto', stateDir }), { front, server } = console
  const script = /```sh\n([^`]*)```/.exec(readFileSync(PAGE, 'utf8'))?.[1] ?? ''
  const file = (name: string): string => path.join(stateDir, name), lin = front.member('lin')
  writeFileSync(file('sign-in.json'), JSON.stringify({ name: 'lin', password: lin.password, code: front.office.code(lin), undertakes: '1' }), { mode: 0o600 })
  const env = { PATH: process.env['PATH'], CUSTOS: `https://localhost:${server.port}`, CUSTOS_CERT: file('keys/console.crt'), JAR: file('jar'), SIGN_IN: file('sign-in.json'), ANSWER: file('answer.json') }
  const { stdout } = await promisify(execFile)('bash', ['-euc', script], { env })
  t.match(JSON.parse(stdout), { account: { id: 'lin' }, role: 'clerk', isFactorFresh: true })
  t.match(script, /curl/)
  t.notMatch(script, /--insecure| -k /)
  await t.rejects(promisify(execFile)('bash', ['-euc', script], { env }), 'a code is taken once')
})
