import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { status } from '../../src/cli/status.ts'
import { HealthServer, snapshotOf, HealthState, statusText, type RecorderFacts } from '../../src/health/index.ts'
import { columnsOf } from '../../src/health/text-table.ts'
import { at, down, facts, floor, stream, volume } from './support/facts.ts'
import { keptLog } from './support/kept-log.ts'
import { ManualClock } from './support/manual-clock.ts'

async function recorderWith(t: Test, given: RecorderFacts): Promise<number> {
  const server = await HealthServer.open({ host: '127.0.0.1', port: 0, facts: () => given, clock: new ManualClock(), log: keptLog().log })
  t.teardown(() => server[Symbol.asyncDispose]())
  return server.port
}

async function asked(port: number, options: { json?: boolean, timeoutMs?: number } = {}) {
  let printed = ''
  const code = await status({ host: '127.0.0.1', port, json: false, out: { write: text => { printed += text } }, ...options })
  return { code, printed }
}

async function portOf(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => { sockets.add(socket); socket.on('error', () => {}) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); for (const socket of sockets) socket.destroy() })
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

t.test('the exit code tells the level', async t => {
  const cases: [RecorderFacts, number, RegExp][] = [
    [facts(), 0, /正常 healthy/],
    [facts({ floor: floor({ forecastDays: 40 }) }), 1, /降級 degraded/],
    [facts({ volumes: [volume('disk1', { state: 'failed' })] }), 2, /嚴重 CRITICAL/],
  ]
  for (const [given, code, words] of cases) {
    const port = await recorderWith(t, given)
    const answer = await asked(port)
    t.equal(answer.code, code)
    t.match(answer.printed, words)
    const json = await asked(port, { json: true })
    t.equal(json.code, code)
    t.match(JSON.parse(json.printed), { schema: 1, kind: 'snapshot', streams: [{ camera: 'lobby' }, { camera: 'door' }] })
    t.match(json.printed, /^[^\n]+\n$/, 'one line')
  }
})

t.test('no recorder is exit 3', async t => {
  const probe = createServer()
  const port = await portOf(t, probe)
  probe.close()
  await once(probe, 'close')
  const text = await asked(port)
  t.equal(text.code, 3)
  t.match(text.printed, /錄影服務沒有執行[^]*not running.*systemctl status custos/)
  const json = await asked(port, { json: true })
  t.equal(json.code, 3)
  t.match(JSON.parse(json.printed), { level: null, error: { code: 'not-running', text: String, en: String } })
})

t.test('another program on the port is exit 3 with a clear text', async t => {
  const newer = { ...snapshotOf(new HealthState(new ManualClock()).assess(facts()), 1), schema: 2 }
  const http = (code: number, body: string) => createHttpServer((_, response) => { response.writeHead(code).end(body) })
  const raw = (bytes: string) => createServer(socket => { socket.end(bytes) })
  const cases: [string, Server, RegExp][] = [
    ['a web page', http(200, '<html>hello</html>'), /不是本版本的錄影服務[^]*not as this version/],
    ['other JSON', http(200, '{"ok":true}'), /not as this version/],
    ['a level that does not exist', http(200, JSON.stringify({ ...newer, schema: 1, level: 'splendid' })), /not as this version/],
    ['another version', http(200, JSON.stringify(newer)), /not as this version/],
    ['an error page', http(500, '{}'), /HTTP 500/],
    ['a blind recorder', http(503, '{}'), /cannot tell its state/],
    ['no HTTP at all', raw('SSH-2.0-OpenSSH_9.2\r\n'), /does not answer like a recorder/],
    ['a closed connection', raw(''), /does not answer like a recorder/],
    ['an endless answer', http(200, 'x'.repeat(5 * 1024 * 1024)), /does not answer like a recorder/],
  ]
  for (const [title, server, words] of cases) {
    const { code, printed } = await asked(await portOf(t, server))
    t.equal(code, 3, title)
    t.match(printed, words, title)
  }
})

t.test('silence is exit 3, soon', async t => {
  const silent = await asked(await portOf(t, createServer(() => {})), { timeoutMs: 50 })
  t.equal(silent.code, 3)
  t.match(silent.printed, /no answer from 127\.0\.0\.1:\d+ within 0\.05 s/)
  const dripping = createServer(socket => { socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{') })
  t.equal((await asked(await portOf(t, dripping), { timeoutMs: 50 })).code, 3)
})

t.test('the text says everything in two languages and lines up', async t => {
  const clock = new ManualClock()
  const state = new HealthState(clock)
  const given = facts({
    streams: [stream('lobby', { lastFrameAgeMs: 480 }), down('back-entrance', { lastEndReason: 'auth-refused', openGapSince: at('2026-11-22T06:00:00.000Z'), restarts: 12, oldestFrameAt: null })],
    volumes: [volume('disk1')],
  })
  state.assess(given)
  await clock.advance(11_000)
  const text = statusText(snapshotOf(state.assess(given), 1), 'Asia/Taipei')
  t.equal(text, `錄影系統 Custos: 降級 degraded  (2026-11-22 16:00:11 Asia/Taipei)

[本週處理 this week] back-entrance/main 攝影機不接受帳號或密碼
    back-entrance/main: the camera does not accept the user name or password
    自 since 2026-11-22 14:00:00  (stream-auth-refused)
    → 核對密碼檔（secrets）中該攝影機的帳號密碼，與攝影機上的設定一致
    → Check this camera's entry in the secrets file against the account on the camera
[供參考 note] 只有一個磁碟區，沒有備援
    There is one volume and no redundancy
    自 since 2026-11-22 16:00:00  (no-redundancy)
    → 磁碟故障會失去影像；建議使用 RAID
    → A dead disk loses its footage; use RAID

攝影機 camera       狀態 state        最新影像 last  Mbit/s   fps  中斷 restarts  最舊影像 oldest
lobby/main          錄影中 recording          0.5 s    4.00  15.0              0  2026-10-10 08:00:00
back-entrance/main  等待重連 waiting              -    0.00   0.0             12  -

磁碟區 volume  狀態 state  總數 slots  可用 free  使用中 open  已封存 sealed  保全 held  隔離 bad  同步 sync  最舊影像 oldest
disk1          正常 ok           1000          0            4            996         10         0      40 ms  2026-10-10 08:00:00

保存期限 floor: 31 天 days   預估可保存 forecast: 60.0 天 days   開始覆寫 ring wraps: 2027-01-20 08:00:00
執行時間 uptime: 60 min   記憶體 memory: 150 MiB
`)
  for (const line of text.split('\n')) t.ok(columnsOf(line) <= 132, line)
})

t.test('a hostile answer cannot drive the terminal', async t => {
  const hostile = snapshotOf(new HealthState(new ManualClock()).assess(facts({ volumes: [volume('disk1')] })), 1)
  const reasons = hostile.reasons.map(reason => ({ ...reason, text: 'a\u001b[2Jb\u009bc', en: 'x\ry' }))
  const { code, printed } = await asked(await portOf(t, createHttpServer((_, response) => { response.end(JSON.stringify({ ...hostile, reasons })) })))
  t.equal(code, 0)
  t.notMatch(printed.replaceAll('\n', ''), /\p{Cc}/u)
})
