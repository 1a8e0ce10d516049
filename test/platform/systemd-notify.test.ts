import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import path from 'node:path'
import t, { type Test } from 'tap'
import { createLogger } from '../../src/platform/logger.ts'
import { openSystemdNotify, type SystemdNotifyOptions } from '../../src/platform/systemd-notify.ts'

function keptLog() {
  const lines: string[] = []
  return { lines, log: createLogger({ destination: { write: line => { lines.push(line) } } }) }
}


/** The service manager's end: every datagram as one line of JSON. */
const LISTENER = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', chr(0), 1) if sys.argv[1].startswith('@') else sys.argv[1])
print('"bound"', flush=True)
while True:
    said = s.recv(65536).decode()
    if said.strip() != 'BARRIER=1': print(json.dumps(said), flush=True)  # receiving it, and so closing its descriptor, is the answer
`
async function manager(t: Test, address: string) {
  const child = spawn('python3', ['-c', LISTENER, address], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => { child.kill('SIGKILL'); await once(child, 'exit') })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => JSON.parse(String((await lines.next()).value)) as string
  t.equal(await next(), 'bound')
  return next
}

/** A stand-in for the tool that notes each call and then does what `body` says. */
function tool(t: Test, body: string) {
  const folder = t.testdir({ 'notify.sh': `#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\n${body}\n` })
  const command = path.join(folder, 'notify.sh')
  chmodSync(command, 0o755)
  const calls = () => existsSync(path.join(folder, 'calls')) ? readFileSync(path.join(folder, 'calls'), 'utf8').trim().split('\n') : []
  return { command, calls }
}

const env = (more: Record<string, string> = {}): SystemdNotifyOptions['env'] => ({ PATH: process.env['PATH'], NOTIFY_SOCKET: '/nowhere', ...more })

t.test('reaches a real datagram socket', async t => {
  const address = path.join(t.testdir(), 'notify')
  const next = await manager(t, address)
  const { lines, log } = keptLog()
  await using notify = openSystemdNotify({ env: env({ NOTIFY_SOCKET: address }), log })
  t.ok(notify.active)
  notify.ready()
  await notify.flushed()
  t.equal((await next()).trim(), 'READY=1')
  notify.status('degraded: 1 of 2 streams recording; 大門\nMAINPID=1')
  await notify.flushed()
  t.equal((await next()).trim(), 'STATUS=degraded: 1 of 2 streams recording; 大門 MAINPID=1', 'a line break starts no assignment')
  notify.watchdog()
  notify.stopping()
  await notify.flushed()
  t.strictSame([(await next()).trim(), (await next()).trim()], ['WATCHDOG=1', 'STOPPING=1'])
  t.strictSame(lines, [])
})

t.test('reaches an abstract socket', async t => {
  const address = `@custos-test-${process.pid}`
  const next = await manager(t, address)
  await using notify = openSystemdNotify({ env: env({ NOTIFY_SOCKET: address }), log: keptLog().log })
  notify.watchdog()
  t.equal((await next()).trim(), 'WATCHDOG=1')
})

t.test('does nothing when nobody listens', async t => {
  const { command, calls } = tool(t, 'exit 0')
  for (const NOTIFY_SOCKET of [undefined, '']) {
    const notify = openSystemdNotify({ env: { PATH: process.env['PATH'], WATCHDOG_USEC: '30000000', NOTIFY_SOCKET }, log: keptLog().log, command })
    notify.ready(); notify.status('x'); notify.watchdog(); notify.stopping()
    await notify.flushed()
    t.notOk(notify.active)
    t.equal(notify.watchdogIntervalMs, null)
  }
  t.strictSame(calls(), [])
})

t.test('never has two calls in flight; what came meanwhile goes together, the newest status only', async t => {
  const { command, calls } = tool(t, 'mkdir "$0.lock" || { echo overlap >> "$(dirname "$0")/calls"; exit 1; }\nsleep 0.05\nrmdir "$0.lock"')
  const { lines, log } = keptLog()
  const notify = openSystemdNotify({ env: env(), log, command })
  notify.ready()
  for (let i = 0; i < 50; i++) { notify.status(`look ${i}`); notify.watchdog() }
  notify.stopping()
  await notify.flushed()
  t.strictSame(calls(), ['READY=1', '--no-block STATUS=look 49 WATCHDOG=1 STOPPING=1'])
  notify.watchdog()
  await notify.flushed()
  t.equal(calls().length, 3)
  t.strictSame(lines, [])
})

t.test('a hung call is killed and the next one goes out', async t => {
  const { command, calls } = tool(t, 'case "$*" in *READY*) exec sleep 60;; esac')
  const { lines, log } = keptLog()
  const notify = openSystemdNotify({ env: env(), log, command, callTimeoutMs: 100 })
  notify.ready()
  notify.watchdog()
  await notify.flushed()
  t.equal(calls().at(-1), '--no-block WATCHDOG=1')
  t.match(lines.map(line => JSON.parse(line) as object), [{ level: 'warn', why: 'SIGKILL', msg: 'systemd cannot be told' }, { failures: 1, msg: 'systemd hears us again' }])
})

t.test('a missing or failing tool is said once and never throws', async t => {
  const failing = tool(t, 'exit 7')
  for (const [command, why] of [['/no/such/tool', 'ENOENT'], [failing.command, 'exit code 7']] as const) {
    const { lines, log } = keptLog()
    const notify = openSystemdNotify({ env: env(), log, command })
    for (let i = 0; i < 3; i++) { notify.watchdog(); await notify.flushed() }
    t.match(lines.map(line => JSON.parse(line) as object), [{ level: 'warn', why }])
    t.equal(lines.length, 1)
  }
})

t.test('hands the tool the socket and nothing else of the environment', async t => {
  const { command, calls } = tool(t, 'env | cut -d= -f1 | sort >> "$(dirname "$0")/calls"')
  const notify = openSystemdNotify({ env: env({ SECRET_TOKEN: 'hunter2' }), log: keptLog().log, command })
  notify.watchdog()
  await notify.flushed()
  t.notMatch(calls().join(), /SECRET|hunter2/)
  t.match(calls().join(), /NOTIFY_SOCKET/)
})

t.test('the watchdog interval is a third of what systemd allows, and only for the process it watches', async t => {
  const interval = (more: Record<string, string>) => openSystemdNotify({ env: env(more), log: keptLog().log, pid: 42 }).watchdogIntervalMs
  t.equal(interval({ WATCHDOG_USEC: '30000000' }), 10_000)
  t.equal(interval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '42' }), 10_000)
  t.equal(interval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '43' }), null)
  for (const WATCHDOG_USEC of ['0', '-1', 'soon', '']) t.equal(interval({ WATCHDOG_USEC }), null, WATCHDOG_USEC)
  t.equal(interval({}), null)
})
