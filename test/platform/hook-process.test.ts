import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { runHook } from '../../src/platform/hook-process.ts'

const shell = (script: string, more: Partial<Parameters<typeof runHook>[0]> = {}) =>
  runHook({ command: ['/bin/sh', '-c', script], stdin: 'hello\n', timeoutMs: 10_000, signal: new AbortController().signal, ...more })

t.test('ends with what the program ends with, and says what it said', async t => {
  t.same(await shell('test "$(cat)" = hello'), { ok: true })
  t.same(await shell('exit 0', { stdin: 'x'.repeat(1 << 20) }), { ok: true }, 'one that does not read')
  t.same(await shell('echo "no route\n\tto host" >&2; exit 75'), { ok: false, why: 'exit 75: no route to host' })
  t.same(await shell('kill -TERM $$'), { ok: false, why: 'exit SIGTERM' })
  const { ok, why } = await shell('yes 0123456789 | head -c 100000 >&2; exit 1') as { ok: false, why: string }
  t.notOk(ok)
  t.ok(why.length < 600, 'bounded')
})

t.test('a program that is not there is a failure, not a crash', async t => {
  t.match(await runHook({ command: ['/nonexistent/mailer'], stdin: '', timeoutMs: 1000, signal: new AbortController().signal }), { ok: false, why: /\/nonexistent\/mailer cannot be started: ENOENT/ })
  t.match(await runHook({ command: ['/etc/passwd'], stdin: '', timeoutMs: 1000, signal: new AbortController().signal }), { ok: false, why: /EACCES/ })
  t.match(await runHook({ command: ['true', 'x'.repeat(200_000)], stdin: '', timeoutMs: 1000, signal: new AbortController().signal }), { ok: false, why: 'true cannot be started: E2BIG' })
})

t.test('one that takes too long is ended with all it started', async t => {
  const file = path.join(t.testdir(), 'pid')
  t.match(await shell(`sh -c 'echo $$ > ${file}; exec sleep 60' & sleep 60`, { timeoutMs: 300 }), { ok: false, why: 'it took longer than 0.3 s' })
  t.ok(existsSync(file))
  const isAlive = () => { try { return !readFileSync(`/proc/${readFileSync(file, 'utf8').trim()}/stat`, 'utf8').includes(') Z ') } catch { return false } }
  for (let i = 0; i < 100 && isAlive(); i++) await new Promise(resolve => { setTimeout(resolve, 10) })
  t.notOk(isAlive(), 'the grandchild too')
})

t.test('stopping ends it at once', async t => {
  const stop = new AbortController()
  const end = shell('sleep 60', { signal: stop.signal })
  setTimeout(() => { stop.abort() }, 50)
  t.same(await end, { ok: false, why: 'the recorder is stopping' })
  t.same(await shell('exit 0', { signal: stop.signal }), { ok: false, why: 'the recorder is stopping' })
})

t.test('it gets nothing of our environment', async t => {
  process.env['A_SECRET_OF_OURS'] = 'hunter2'
  t.same(await shell('test -z "$A_SECRET_OF_OURS" && test -n "$PATH"'), { ok: true })
  delete process.env['A_SECRET_OF_OURS']
})
