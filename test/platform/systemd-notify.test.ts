import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import path from 'node:path'
import t, { type Test } from 'tap'
import { createLogger } from '../../src/platform/logger.ts'
import { openSystemdNotify, type SystemdNotifyOptions } from '../../src/platform/systemd-notify.ts'
import { childrenOf, isAlive, waitUntilGone } from '../support/recorder/processes.ts'

function keptLog() {
  const lines: string[] = []
  return { lines, log: createLogger({ destination: { write: line => { lines.push(line) } } }) }
}


/**
 * The service manager's end, as systemd reads: one datagram at a time, some while after it came, and only words of a sender that is alive then,
 * for of one that is gone nobody can say whose it was. One that speaks in our own name had a right that the unit has not.
 * Prints each as one line of JSON, or `null` for one that was dropped.
 */
const LISTENER = `
import json, os, socket, struct, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1].replace('@', chr(0), 1) if sys.argv[1].startswith('@') else sys.argv[1])
print('"bound"', flush=True)
while True:
    said, control, _, _ = s.recvmsg(65536, 1024)
    time.sleep(float(sys.argv[2]))
    pid, _, _ = struct.unpack('3i', [data for level, kind, data in control if kind == socket.SCM_CREDENTIALS][0])
    try: alive = open(f'/proc/{pid}/stat').read().rsplit(') ', 1)[1][0] not in 'ZX'
    except OSError: alive = False
    print(json.dumps(said.decode() if alive and pid != int(sys.argv[3]) else None), flush=True)
`
async function manager(t: Test, address: string, lateMs = 0) {
  const child = spawn('python3', ['-c', LISTENER, address, String(lateMs / 1000), String(process.pid)], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => { child.kill('SIGKILL'); await once(child, 'exit') })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => JSON.parse(String((await lines.next()).value)) as string | null
  t.equal(await next(), 'bound')
  return next
}

/** Of 108 bytes at most, so not below the folder of a test with a long name. */
function socketPath(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-notify-'))
  t.teardown(() => { rmSync(folder, { recursive: true }) })
  return path.join(folder, 'socket')
}

/** A stand-in for the helper that notes each of its starts and then does what `body` says. */
function helper(t: Test, body: string) {
  const folder = t.testdir({ 'words.sh': `#!/bin/sh\ncd "$(dirname "$0")"\necho $$ >> starts\n${body}\n` })
  const command = path.join(folder, 'words.sh')
  chmodSync(command, 0o755)
  const linesOf = (name: string) => existsSync(path.join(folder, name)) ? readFileSync(path.join(folder, name), 'utf8').trim().split('\n') : []
  return { command, starts: () => linesOf('starts').map(Number), said: () => linesOf('said').map(line => line.split('\t')) }
}
const NOTE_AND_ANSWER = 'while read -r line; do echo "$line" >> said; echo sent; done'

const env = (more: Record<string, string> = {}): SystemdNotifyOptions['env'] => ({ PATH: process.env['PATH'], NOTIFY_SOCKET: '/nowhere', ...more })

t.test('reaches a real datagram socket', async t => {
  const address = socketPath(t)
  const next = await manager(t, address)
  const { lines, log } = keptLog()
  await using notify = openSystemdNotify({ env: env({ NOTIFY_SOCKET: address }), log })
  t.ok(notify.active)
  notify.ready()
  await notify.flushed()
  t.equal(await next(), 'READY=1')
  notify.status('degraded: 1 of 2 streams recording; 大門\nMAINPID=1\tMAINPID=1')
  notify.watchdog()
  await notify.flushed()
  t.equal(await next(), 'STATUS=degraded: 1 of 2 streams recording; 大門 MAINPID=1 MAINPID=1\nWATCHDOG=1', 'a line break in a status starts no assignment')
  notify.stopping()
  await notify.flushed()
  t.equal(await next(), 'STOPPING=1')
  t.strictSame(lines, [])
})

t.test('reaches an abstract socket', async t => {
  const address = `@custos-test-${process.pid}`
  const next = await manager(t, address)
  await using notify = openSystemdNotify({ env: env({ NOTIFY_SOCKET: address }), log: keptLog().log })
  notify.watchdog()
  t.equal(await next(), 'WATCHDOG=1')
})

t.test('of 200 words none is lost on a manager that looks up their sender later', async t => {
  const address = socketPath(t)
  const next = await manager(t, address, 10)
  await using notify = openSystemdNotify({ env: env({ NOTIFY_SOCKET: address }), log: keptLog().log })
  let received = 0
  for (let sent = 0; sent < 200; sent++) {
    notify.watchdog()
    await notify.flushed()
    if (await next() === 'WATCHDOG=1') received++
  }
  t.equal(received, 200)
})

t.test('does nothing when nobody listens', async t => {
  const { command, starts } = helper(t, NOTE_AND_ANSWER)
  for (const NOTIFY_SOCKET of [undefined, '']) {
    const notify = openSystemdNotify({ env: { PATH: process.env['PATH'], WATCHDOG_USEC: '30000000', NOTIFY_SOCKET }, log: keptLog().log, command })
    notify.ready(); notify.status('x'); notify.watchdog(); notify.stopping()
    await notify.flushed()
    t.notOk(notify.active)
    t.equal(notify.watchdogIntervalMs, null)
  }
  t.strictSame(starts(), [])
})

t.test('one helper for all; what comes before it answered goes together, the newest status only', async t => {
  const { command, starts, said } = helper(t, 'while read -r line; do sleep 0.05; echo "$line" >> said; echo sent; done')
  const { lines, log } = keptLog()
  const notify = openSystemdNotify({ env: env(), log, command })
  notify.ready()
  await new Promise(resolve => { setImmediate(resolve) })
  for (let i = 0; i < 50; i++) { notify.status(`look ${i}`); notify.watchdog() }
  notify.stopping()
  await notify.flushed()
  t.strictSame(said(), [['READY=1'], ['STATUS=look 49', 'WATCHDOG=1', 'STOPPING=1']])
  notify.watchdog()
  await notify[Symbol.asyncDispose]()
  t.equal(said().length, 3, 'disposal waits for what is still to be said')
  t.equal(starts().length, 1)
  t.notOk(await isAlive(starts()[0]!), 'and for the helper')
  t.strictSame(lines, [])
})

t.test('a helper that dies is replaced, and what it was told is said again', async t => {
  const { command, starts, said } = helper(t, `read -r line; echo "$line" >> said; [ -e answered ] || { touch answered; exit 3; }; echo sent; ${NOTE_AND_ANSWER}`)
  const { lines, log } = keptLog()
  await using notify = openSystemdNotify({ env: env(), log, command })
  notify.ready()
  await notify.flushed()
  t.strictSame(said(), [['READY=1'], ['READY=1']])
  t.match(lines.map(line => JSON.parse(line) as object), [{ level: 'warn', why: 'exit code 3', msg: 'systemd cannot be told' }, { failures: 1, msg: 'systemd hears us again' }])
  process.kill(starts()[1]!, 'SIGKILL')
  await waitUntilGone(async () => (await isAlive(starts()[1]!)) ? [starts()[1]!] : [], 5_000)
  notify.watchdog()
  await notify.flushed()
  t.strictSame(said().slice(2), [['WATCHDOG=1']])
})

t.test('a helper that hangs is killed and replaced', async t => {
  const { command, starts, said } = helper(t, `[ -e hung ] || { touch hung; exec sleep 60; }; ${NOTE_AND_ANSWER}`)
  const { lines, log } = keptLog()
  await using notify = openSystemdNotify({ env: env(), log, command, answerWithinMs: 200 })
  notify.ready()
  await notify.flushed()
  t.strictSame(said(), [['READY=1']])
  t.match(lines.map(line => JSON.parse(line) as object), [{ level: 'warn', why: 'no answer within 200 ms', msg: 'systemd cannot be told' }, { failures: 1 }])
  await waitUntilGone(async () => (await isAlive(starts()[0]!)) ? [starts()[0]!] : [], 5_000)
})

t.test('one that hangs at the end holds nobody up for long, and is not started again', async t => {
  const { command, starts } = helper(t, 'exec sleep 60')
  const notify = openSystemdNotify({ env: env(), log: keptLog().log, command, answerWithinMs: 60_000 })
  notify.stopping()
  const startedAt = performance.now()
  await notify[Symbol.asyncDispose]()
  t.ok(performance.now() - startedAt < 6_000)
  t.equal(starts().length, 1)
  await waitUntilGone(async () => (await isAlive(starts()[0]!)) ? [starts()[0]!] : [], 5_000)
})

t.test('a missing or failing helper is told once and throws nothing', async t => {
  for (const [command, why] of [['/no/such/helper', 'exit code 127'], [helper(t, 'exit 7').command, 'exit code 7']] as const) {
    const { lines, log } = keptLog()
    await using notify = openSystemdNotify({ env: env(), log, command })
    for (let i = 0; i < 3; i++) { notify.watchdog(); await notify.flushed() }
    t.match(lines.map(line => JSON.parse(line) as object), [{ level: 'warn', why }])
    t.equal(lines.length, 1)
  }
})

t.test('what could not be sent goes out with the next word', async t => {
  const { command, said } = helper(t, 'while read -r line; do echo "$line" >> said; [ -e well ] && echo sent || echo Connection refused; done')
  const { lines, log } = keptLog()
  await using notify = openSystemdNotify({ env: env(), log, command })
  notify.ready()
  notify.status('first')
  await notify.flushed()
  t.match(lines.map(line => JSON.parse(line) as object), [{ level: 'warn', why: 'Connection refused' }])
  writeFileSync(path.join(path.dirname(command), 'well'), '')
  notify.status('second')
  await notify.flushed()
  t.strictSame(said().at(-1)?.toSorted(), ['READY=1', 'STATUS=second'])
})

t.test('no helper can be started at all', async t => {
  const { lines, log } = keptLog()
  await using notify = openSystemdNotify({ env: { NOTIFY_SOCKET: '/nowhere', PATH: '/nowhere' }, log })
  notify.ready()
  await notify.flushed()
  t.match(lines.map(line => JSON.parse(line) as object), [{ level: 'warn', why: 'ENOENT' }])
})

t.test('the helper dies with the recorder, even by kill -9, and leaves a stop of the whole group to it', async t => {
  const imported = JSON.stringify(new URL('../../src/platform/systemd-notify.ts', import.meta.url).href)
  const address = socketPath(t)
  const next = await manager(t, address)
  const parent = spawn(process.execPath, ['--input-type=module', '-e', `
    import { openSystemdNotify } from ${imported}
    openSystemdNotify({ env: process.env, log: console }).ready()
    process.on('SIGTERM', () => undefined)
    setInterval(() => undefined, 1000)`], { stdio: 'inherit', env: { ...process.env, NOTIFY_SOCKET: address }, detached: true })
  const exited = once(parent, 'exit')
  t.equal(await next(), 'READY=1')
  const [pid] = await childrenOf(parent.pid!)
  process.kill(-parent.pid!, 'SIGTERM')
  t.ok(await isAlive(pid!))
  parent.kill('SIGKILL')
  await exited
  await waitUntilGone(async () => (await isAlive(pid!)) ? [pid!] : [], 1_000)
})

t.test('hands the helper the socket and nothing else of the environment', async t => {
  const { command, said } = helper(t, `env | cut -d= -f1 >> said; ${NOTE_AND_ANSWER}`)
  await using notify = openSystemdNotify({ env: env({ SECRET_TOKEN: 'hunter2' }), log: keptLog().log, command })
  notify.watchdog()
  await notify.flushed()
  t.notMatch(said().join(), /SECRET|hunter2/)
  t.match(said().join(), /NOTIFY_SOCKET/)
})

t.test('the watchdog interval is a sixth of what systemd allows, and only for the process it watches', async t => {
  const interval = (more: Record<string, string>) => openSystemdNotify({ env: env(more), log: keptLog().log, pid: 42 }).watchdogIntervalMs
  t.equal(interval({ WATCHDOG_USEC: '60000000' }), 10_000)
  t.equal(interval({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '42' }), 10_000)
  t.equal(interval({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '43' }), null)
  for (const WATCHDOG_USEC of ['0', '-1', 'soon', '']) t.equal(interval({ WATCHDOG_USEC }), null, WATCHDOG_USEC)
  t.equal(interval({}), null)
})
