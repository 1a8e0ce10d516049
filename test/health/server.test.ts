import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { Check } from 'typebox/value'
import t, { type Test } from 'tap'
import { HealthMessageSchema, HealthServer, MAX_CLIENTS, MAX_SOCKETS, SnapshotSchema, type HealthMessage, type RecorderFacts } from '../../src/health/index.ts'
import { MAX_CLIENT_MESSAGES, MAX_CLIENT_PINGS, REFRESH_TICKS } from '../../src/health/client-feed.ts'
import { down, facts, stream, volume } from './support/facts.ts'
import { FeedClient } from './support/feed-client.ts'
import { keptLog } from './support/kept-log.ts'
import { ManualClock } from './support/manual-clock.ts'

async function opened(t: Test) {
  const clock = new ManualClock()
  const { log, lines } = keptLog()
  const recorder = { facts: facts() as RecorderFacts, looks: 0, isBroken: false }
  const look = () => {
    recorder.looks++
    if (recorder.isBroken) throw new Error('supervisor map is gone')
    return recorder.facts
  }
  const server = await HealthServer.open({ host: '127.0.0.1', port: 0, facts: look, clock, log })
  t.teardown(async () => {
    await server[Symbol.asyncDispose]()
    if (clock.pendingWaits > 0) throw new Error('a wait is left')
  })
  return { clock, lines, recorder, server, port: server.port }
}

interface Reply { status: number, headers: IncomingMessage['headers'], body: unknown }
function ask(port: number, options: { method?: string, path?: string, headers?: Record<string, string> } = {}): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  request({ host: '127.0.0.1', port, path: '/health', agent: false, ...options }, async response => {
    const text = (await response.toArray()).join('')
    resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text === '' ? null : JSON.parse(text) })
  }).on('error', reject).end()
  return promise
}

const kinds = (messages: readonly HealthMessage[]) => messages.map(message => `${message.seq} ${message.kind}`)

t.test('a client gets a snapshot, then a heartbeat every second, seq rising by one', async t => {
  const { clock, port } = await opened(t)
  const client = await FeedClient.open(port)
  const messages = [await client.next()]
  for (let second = 0; second < 3; second++) {
    await clock.advance(999)
    t.equal(client.unread, 0)
    await clock.advance(1)
    messages.push(await client.next())
  }
  t.strictSame(kinds(messages), ['1 snapshot', '2 heartbeat', '3 heartbeat', '4 heartbeat'])
  t.strictSame(messages.map(message => message.at), ['00', '01', '02', '03'].map(second => `2026-11-22T08:00:${second}.000Z`))
  for (const message of messages) t.ok(Check(HealthMessageSchema, message), message.kind)
  t.match(messages[1], { level: 'healthy', streams: [{ camera: 'lobby', stream: 'main', state: 'recording', bitrateBps: 4_000_000, lastFrameAt: String }, {}] })
})

t.test('a material change is told in full before the heartbeat of its second, once', async t => {
  const { clock, port, recorder } = await opened(t)
  const client = await FeedClient.open(port)
  await client.next()
  recorder.facts = facts({ volumes: [volume('disk1', { state: 'missing' }), volume('disk2')] })
  await clock.advance(2_000)
  const messages = [await client.next(), await client.next(), await client.next()]
  t.strictSame(kinds(messages), ['2 change', '3 heartbeat', '4 heartbeat'])
  t.match(messages[0], { level: 'critical', reasons: [{ code: 'volume-missing', subject: 'disk1', since: '2026-11-22T08:00:01.000Z' }], volumes: [{ state: 'missing' }, {}] })
  t.match(messages[1], { level: 'critical' })
  for (const message of messages) t.ok(Check(HealthMessageSchema, message), message.kind)
})

t.test('numbers alone are no change, but a full message comes every minute', async t => {
  const { clock, port, recorder } = await opened(t)
  const client = await FeedClient.open(port)
  await client.next()
  const seen: string[] = []
  for (let second = 1; second <= REFRESH_TICKS; second++) {
    recorder.facts = facts({ streams: [stream('lobby', { bitrateBps: second }), stream('door')] })
    await clock.advance(1_000)
    seen.push((await client.next()).kind)
  }
  t.equal(seen.filter(kind => kind === 'change').length, 1)
  t.equal(seen.at(-1), 'change')
  t.equal((await client.next()).kind, 'heartbeat')
})

t.test('each client has its own seq and sees what changed before it came', async t => {
  const { clock, port, recorder } = await opened(t)
  const early = await FeedClient.open(port)
  recorder.facts = facts({ catalogue: { state: 'failed', detail: '' } })
  await clock.advance(500)
  const late = await FeedClient.open(port)
  t.match(await late.next(), { seq: 1, kind: 'snapshot', level: 'critical' })
  await clock.advance(500)
  t.match(await late.next(), { seq: 2, kind: 'heartbeat' })
  t.strictSame(kinds([await early.next(), await early.next(), await early.next()]), ['1 snapshot', '2 change', '3 heartbeat'])
})

t.test('a stream that dies is a change of state first, a reason ten seconds later', async t => {
  const { clock, port, recorder } = await opened(t)
  const client = await FeedClient.open(port)
  await client.next()
  recorder.facts = facts({ streams: [stream('lobby'), down('door', { lastEndReason: 'auth-refused' })] })
  const changes: HealthMessage[] = []
  for (let second = 1; second <= 12; second++) {
    await clock.advance(1_000)
    for (;;) {
      const message = await client.next()
      if (message.kind === 'heartbeat') break
      changes.push(message)
    }
  }
  t.match(changes, [
    { at: '2026-11-22T08:00:01.000Z', level: 'healthy', streams: [{}, { state: 'waiting' }] },
    { at: '2026-11-22T08:00:12.000Z', level: 'degraded', reasons: [{ code: 'stream-auth-refused', subject: 'door/main', since: '2026-11-22T08:00:01.000Z' }] },
  ])
  t.equal(changes.length, 2)
})

t.test('GET /health answers a snapshot that no cache keeps', async t => {
  const { port } = await opened(t)
  const { status, headers, body } = await ask(port)
  t.equal(status, 200)
  t.match(headers, { 'cache-control': 'no-store', 'content-type': /^application\/json/ })
  t.ok(Check(SnapshotSchema, body))
  t.match(body, { seq: 1, kind: 'snapshot' })
  t.equal((await ask(port, { path: '/health?x=1' })).status, 200)
})

t.test('everything else is refused in JSON', async t => {
  const { port, server } = await opened(t)
  for (const path of ['/', '/healthz', '/health/', '//health', '/metrics']) t.match(await ask(port, { path }), { status: 404, body: { error: String } }, path)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) t.match(await ask(port, { method }), { status: 405, headers: { allow: 'GET' } }, method)
  t.equal(server.counts.refusedRequests, 10)
})

t.test('foreign hosts and origins are refused, on HTTP and on the websocket', async t => {
  const { port } = await opened(t)
  const hosts: [string, boolean][] = [
    ['127.0.0.1:8787', true], ['localhost', true], ['LOCALHOST:1', true], ['[::1]:8787', true], ['127.9.9.9', true],
    ['evil.example', false], ['127.0.0.1.evil.example', false], ['localhost.evil.example:80', false], ['10.0.0.5:8787', false], ['127.0.0.1@evil.example', false],
  ]
  for (const [host, isOurs] of hosts) {
    t.equal((await ask(port, { headers: { host } })).status, isOurs ? 200 : 403, `GET Host ${host}`)
    t.equal(await FeedClient.refusal(port, { headers: { host } }), isOurs ? 101 : 403, `websocket Host ${host}`)
  }
  const origins: [string, boolean][] = [
    ['http://127.0.0.1:8443', true], ['https://localhost:8443', true], ['http://[::1]', true],
    ['https://evil.example', false], ['http://localhost.evil.example', false], ['null', false], ['file://', false], ['http://127.0.0.1:8443/x', false],
  ]
  for (const [origin, isOurs] of origins) {
    t.equal((await ask(port, { headers: { origin } })).status, isOurs ? 200 : 403, `GET Origin ${origin}`)
    t.equal(await FeedClient.refusal(port, { headers: { origin } }), isOurs ? 101 : 403, `websocket Origin ${origin}`)
  }
  t.equal(await FeedClient.refusal(port, { path: '/' }), 404)
  const old = connect(port, '127.0.0.1', () => { old.end('GET /health HTTP/1.0\r\n\r\n') })
  t.match((await old.toArray()).join(''), /^HTTP\/1\.1 403 /, 'no Host at all')
})

t.test('a client that talks is closed, one that says little is not', async t => {
  const { clock, port, server } = await opened(t)
  const quiet = await FeedClient.open(port)
  const talker = await FeedClient.open(port)
  const pinger = await FeedClient.open(port)
  const shouter = await FeedClient.open(port)
  for (let i = 0; i < MAX_CLIENT_MESSAGES; i++) quiet.socket.send('hello')
  quiet.socket.ping()
  for (let i = 0; i <= MAX_CLIENT_MESSAGES; i++) talker.socket.send('hello')
  for (let i = 0; i <= MAX_CLIENT_PINGS; i++) pinger.socket.ping()
  shouter.socket.send('x'.repeat(2_000))
  await Promise.all([talker.closed, pinger.closed, shouter.closed])
  t.equal(await talker.closed, 1008)
  await clock.advance(1_000)
  t.equal((await quiet.next()).kind, 'snapshot')
  t.equal((await quiet.next()).kind, 'heartbeat')
  t.equal(server.counts.droppedClients, 2, 'a frame beyond the bound is closed by the protocol')
  t.equal(server.counts.clients, 1)
})

t.test('a client that stops reading is dropped and counted, the others go on', async t => {
  const { clock, lines, port, recorder, server } = await opened(t)
  const many = Array.from({ length: 400 }, (_, i) => stream(`camera-${i}`))
  recorder.facts = facts({ streams: many })
  const slow = await FeedClient.open(port)
  slow.socket.pause()
  const reader = await FeedClient.open(port)
  let ticks = 0
  while (server.counts.droppedClients === 0 && ticks++ < 500) {
    recorder.facts = facts({ streams: [stream('flip', { state: ticks % 2 ? 'connecting' : 'waiting' }), ...many] })
    await clock.advance(1_000)
    while ((await reader.next()).kind !== 'heartbeat');
  }
  while (server.counts.clients > 1) await turn()
  t.strictSame(server.counts, { clients: 1, droppedClients: 1, refusedRequests: 0, refusedSockets: 0 })
  slow.socket.resume()
  await slow.closed
  t.match(lines.join(''), /"why":"slow".*health client dropped/)
  await clock.advance(1_000)
  t.equal((await reader.next()).kind, 'heartbeat')
})

t.test('clients and sockets are bounded, and status still gets its answer', async t => {
  const { port, server } = await opened(t)
  const clients = await Promise.all(Array.from({ length: MAX_CLIENTS }, () => FeedClient.open(port)))
  t.equal(await FeedClient.refusal(port), 503)
  t.equal((await ask(port)).status, 200)
  const idle = await Promise.all(Array.from({ length: MAX_SOCKETS - MAX_CLIENTS }, async () => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    return socket
  }))
  await t.rejects(ask(port))
  t.ok(server.counts.refusedSockets >= 1)
  for (const socket of idle) socket.destroy()
  clients[0]?.socket.terminate()
  while (server.counts.clients === MAX_CLIENTS) await turn()
  t.equal(await FeedClient.refusal(port), 101)
})

t.test('a flood of GETs looks at the recorder ten times a second at most', async t => {
  const { clock, port, recorder } = await opened(t)
  for (let i = 0; i < 20; i++) await ask(port)
  t.equal(recorder.looks, 1)
  await clock.advance(100)
  await ask(port)
  t.equal(recorder.looks, 2)
})

t.test('while nobody listens everything is looked at each fifth second, and each second once somebody does', async t => {
  const { clock, port, recorder } = await opened(t)
  await clock.advance(20_500)
  t.equal(recorder.looks, 4)
  const client = await FeedClient.open(port)
  t.equal(recorder.looks, 5, 'the first message is of now')
  await clock.advance(3_000)
  t.equal(recorder.looks, 8)
  for (const seq of [1, 2, 3, 4]) t.equal((await client.next()).seq, seq)
})

t.test('a recorder that cannot tell its state stops the heartbeat, not the server', async t => {
  const { clock, lines, port, recorder } = await opened(t)
  const client = await FeedClient.open(port)
  await client.next()
  recorder.isBroken = true
  await clock.advance(5_000)
  t.equal(client.unread, 0)
  t.match(await ask(port), { status: 503, body: { error: String } })
  t.equal(await FeedClient.refusal(port), 503)
  recorder.isBroken = false
  await clock.advance(1_000)
  t.match(await client.next(), { seq: 2, kind: 'heartbeat' })
  t.equal(lines.filter(line => line.includes('health cannot see the recorder')).length, 1, 'said once')
  t.match(lines.join(''), /"ticks":5.*health sees the recorder again/)
})

t.test('beats missed by a busy process are not made up for', async t => {
  const { clock, port } = await opened(t)
  const client = await FeedClient.open(port)
  await client.next()
  const original = clock.wait.bind(clock)
  let isBusy = true
  clock.wait = (ms, signal) => { const length = isBusy ? ms + 5_300 : ms; isBusy = false; return original(length, signal) }
  await clock.advance(1_000) // the wait after this one comes back late
  await clock.advance(6_300)
  await clock.advance(1_000)
  const beats = [await client.next(), await client.next(), await client.next()]
  t.strictSame(beats.map(beat => beat.at.slice(17, 23)), ['01.000', '07.300', '08.300'])
  t.equal(client.unread, 0)
})

t.test('disposal tells clients, closes every socket and can be repeated', async t => {
  const { port, server } = await opened(t)
  const client = await FeedClient.open(port)
  const idle = connect(port, '127.0.0.1')
  await once(idle, 'connect')
  idle.on('error', () => {}).resume()
  const idleGone = once(idle, 'close')
  await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()])
  t.equal(await client.closed, 1001)
  await idleGone
  await t.rejects(ask(port), { code: 'ECONNREFUSED' })
})

const reasonsOf = (server: HealthServer) =>
  server.assess().reasons.map(({ code, level, en }) => [code, level, en])

t.test('where it may not listen it says so, and the verdict is to be had all the same', async t => {
  for (const host of ['0.0.0.0', '10.0.0.5', '::', 'nvr.example']) {
    const { log, lines } = keptLog(), clock = new ManualClock()
    const server = await HealthServer.open({ host, port: 8787, facts, clock, log })
    t.match(lines.join(''), /CUSTOS_HEALTH_NOT_LOOPBACK.*127\.0\.0\.1/, host)
    t.match(reasonsOf(server),
      [['health-not-listening', 'critical', new RegExp(host.replaceAll('.', '\\.'))]])
    await clock.advance(600_000)
    t.equal(lines.filter(line => line.includes('NOT_LOOPBACK')).length, 1, 'and does not try again')
    await server[Symbol.asyncDispose]()
    t.equal(clock.pendingWaits, 0)
  }
})

t.test('a port that is taken is tried again until it is free', async t => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address(), port = typeof address === 'object' && address ? address.port : 0
  const { log, lines } = keptLog(), clock = new ManualClock()
  const server = await HealthServer.open({ host: '127.0.0.1', port, facts, clock, log })
  t.teardown(() => server[Symbol.asyncDispose]())
  t.match(lines.join(''), /CUSTOS_HEALTH_PORT_IN_USE.*listen\.port.*EADDRINUSE/)
  t.match(reasonsOf(server), [['health-not-listening', 'critical', new RegExp(`127\\.0\\.0\\.1:${port}`)]])
  await clock.advance(1_000)
  await turn()
  other.close()
  await once(other, 'close')
  for (let i = 0; i < 100 && reasonsOf(server).length > 0; i++) {
    await clock.advance(1_000)
    await turn()
  }
  t.equal((await ask(port)).status, 200)
  t.equal(lines.filter(line => line.includes('PORT_IN_USE')).length, 1, 'said once')
  t.match(lines.join(''), /health is offered again/)
})

t.test('a port that cannot be had is told', async t => {
  const { log, lines } = keptLog()
  const server =
    await HealthServer.open({ host: '127.0.0.1', port: 99_999, facts, clock: new ManualClock(), log })
  t.match(lines.join(''), /CUSTOS_HEALTH_LISTEN_FAILED/)
  t.match(reasonsOf(server), [['health-not-listening', 'critical', /99999/]])
  await server[Symbol.asyncDispose]()
})

t.test('logs a change of level once, with its reasons', async t => {
  const { clock, lines, recorder } = await opened(t)
  await clock.advance(5_000)
  recorder.facts = facts({ volumes: [volume('disk1', { state: 'failed' }), volume('disk2')] })
  await clock.advance(15_000)
  recorder.facts = facts()
  await clock.advance(5_000) // nobody listens
  const told = lines.map(line => JSON.parse(line) as Record<string, unknown>).filter(line => line['msg'] === 'health level changed')
  t.match(told, [{ level: 'info', from: 'healthy', to: 'critical', reasons: ['volume-failed disk1'] }, { level: 'info', from: 'critical', to: 'healthy', reasons: [] }])
  t.equal(told.length, 2)
})
