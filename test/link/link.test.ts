import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { FatalError, RetryableError } from '../../src/domain/index.ts'
import {
  LINK_VERSION, connectLink, LinkClosedError, LinkServer, LinkTimeoutError, LinkVersionError,
} from '../../src/link/index.ts'
import { LinkPeer, MOST_AT_ONCE, MOST_FRAMES_PER_S } from '../../src/link/peer.ts'
import { MOST_PEERS } from '../../src/link/server.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { until } from '../support/until.ts'
import { frameOf, log, serve, serveStrange, Stranger } from './support.ts'

const client = (folder: string, more = {}) =>
  connectLink({ folder, role: 'command', version: '9.9.9', clock: systemClock, log, ...more })
const BY = { kind: 'machine-user', name: 'a', role: null, source: null } as const
const REFUSED = { code: 'CUSTOS_HOLD_REFUSED', message: 'no such camera', remedy: 'name another' }
const LISTED = { holds: [], next: null }, ALL = { withEnded: true, after: 0 }
const PLACE = { camera: { id: 'lobby' }, stream: null, fromAt: 1, toAt: 2 }

t.test('what is asked is answered, and an error keeps its name', async t => {
  const folder = t.testdir({})
  await using server = serve(folder, {
    'hold.cost': () => Promise.reject(new FatalError(REFUSED.code, REFUSED.message, REFUSED)),
    'hold.list': async ({ after }) => {
      if (after > 0) throw new RetryableError('CUSTOS_CATALOGUE_FAULT', 'locked', { remedy: 'wait' })
      return LISTED
    },
    'hold.end': () => Promise.reject(new Error('a secret of the inside')),
  })
  await until('listening', () => server.isListening)
  await using link = await client(folder)
  t.same(await link!.ask('hold.list', ALL), LISTED)
  await t.rejects(link!.ask('hold.cost', PLACE), { name: 'FatalError', ...REFUSED })
  const locked = link!.ask('hold.list', { withEnded: true, after: 1 })
  await t.rejects(locked, { name: 'RetryableError', code: 'CUSTOS_CATALOGUE_FAULT' })
  const hidden: Error = await link!.ask('hold.end', { holdId: 'x', by: BY, reason: 'b' })
    .then(() => new Error('none'), (error: Error) => error)
  t.match(hidden, { code: 'CUSTOS_LINK_FAILED' })
  t.notMatch(hidden.message, /secret/)
  const place = { ...PLACE, holdId: 'b'.repeat(32), authority: 'x', application: null, by: BY }
  await t.rejects(link!.ask('hold.place', place), { code: 'CUSTOS_LINK_FAILED' }, 'nobody answers it here')
  const unfit = link!.ask('hold.list', { withEnded: true, after: -1 })
  await t.rejects(unfit, TypeError, 'nothing that does not fit leaves')
  t.equal(link!.isClosed, false)
})

t.test('it is found however deep the folder lies, and others may not read what is said', async t => {
  const folder = path.join(t.testdir({}), 'x'.repeat(120), 'y'.repeat(120))
  mkdirSync(folder, { recursive: true })
  t.equal(await client(folder), null, 'nobody listens')
  await using server = serve(folder, { 'hold.list': async () => LISTED })
  await until('listening', () => server.isListening)
  t.equal(statSync(path.join(folder, 'link.sock')).mode & 0o777, 0o660)
  await using link = await client(folder)
  t.same(await link!.ask('hold.list', ALL), LISTED)
})

t.test('a socket that a killed recorder left is nobody, and is taken over', async t => {
  const folder = t.testdir({})
  const program = `require('net').createServer().listen('link.sock', () => { console.log('listens') })`
  const dead = spawn(process.execPath, ['-e', program], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  await once(dead.stdout, 'data')
  dead.kill('SIGKILL')
  await once(dead, 'exit')
  t.ok(existsSync(path.join(folder, 'link.sock')))
  t.equal(await client(folder), null)
  await using server = serve(folder, { 'hold.list': async () => LISTED })
  await until('listening', () => server.isListening)
  await using link = await client(folder)
  t.same(await link!.ask('hold.list', ALL), LISTED)
})

t.test('another version of the protocol is told by both, and a stranger\'s role is refused', async t => {
  const folder = t.testdir({})
  await using server = serve(folder)
  await until('listening', () => server.isListening)
  await using other = await Stranger.connect(folder)
  other.send({ hello: { protocol: LINK_VERSION + 1, role: 'command', version: '3.0.0' } })
  await until('closed', () => other.isClosed)
  const own = { protocol: LINK_VERSION, role: 'recorder', version: '9.9.9' }
  t.match(other.messages(), [{ hello: own }], 'it hears which one stands here')
  await using strange = await Stranger.connect(folder)
  strange.send({ hello: { protocol: LINK_VERSION, role: 'recorder', version: '9.9.9' } })
  await until('closed', () => strange.isClosed)
})

t.test('a recorder of another version, or one that dies before it answers, is told to who asks', async t => {
  const folder = t.testdir({})
  let answer: (socket: Socket) => void = () => undefined
  await using _recorder = await serveStrange(folder, socket => { answer(socket) })
  answer = socket => { socket.write(frameOf({ hello: { protocol: 7, role: 'recorder', version: '4.0.0' } })) }
  await t.rejects(client(folder), LinkVersionError)
  await t.rejects(client(folder), /link \d+ \(9\.9\.9\).*link 7 \(4\.0\.0\)/)
  answer = socket => {
    socket.write(frameOf({ hello: { protocol: LINK_VERSION, role: 'recorder', version: '9.9.9' } }))
    socket.on('data', chunk => { if (chunk.includes('hold.list')) socket.destroy() })
  }
  await using link = await client(folder)
  await t.rejects(link!.ask('hold.list', ALL), LinkClosedError)
  await link!.closed
  await t.rejects(link!.ask('hold.list', ALL), LinkClosedError, 'and afterwards')
  answer = socket => { socket.destroy() }
  await t.rejects(client(folder), LinkClosedError, 'before it greets')
})

t.test('an answer that does not come in time is told, and one that comes late changes nothing', async t => {
  const folder = t.testdir({})
  const cost = Promise.withResolvers<never>()
  await using server = serve(folder, { 'hold.cost': () => cost.promise, 'hold.list': async () => LISTED })
  await until('listening', () => server.isListening)
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  await using link = await client(folder, { clock })
  const asked = link!.ask('hold.cost', PLACE)
  asked.catch(() => undefined)
  await until('waiting', () => clock.pendingWaits > 1)
  await clock.advance(5_001)
  await t.rejects(asked, LinkTimeoutError)
  cost.resolve({ slots: 1, bytes: 1, newlyHeld: 1, days: null, refused: [] } as never)
  t.same(await link!.ask('hold.list', ALL), LISTED)
})

t.test('who floods, asks too much at once, sends halves or does not read is closed; others are served', async t => {
  const folder = t.testdir({})
  const gone: boolean[] = []
  await using server = serve(folder, {
    'hold.list': async () => LISTED,
    'hold.cost': (_, signal) => {
      gone.push(false)
      const { promise, reject } = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => { gone.push(true); reject(new Error('nobody waits')) })
      return promise
    },
  })
  await until('listening', () => server.isListening)
  await using link = await client(folder)
  const isServed = async () => { t.same(await link!.ask('hold.list', ALL), LISTED) }

  await using busy = await Stranger.connect(folder)
  busy.greet()
  for (let id = 1; id <= MOST_AT_ONCE + 1; id++) busy.send({ ask: 'hold.cost', id, body: PLACE })
  await until('closed', () => busy.isClosed)
  await until('its requests are told', () => gone.filter(Boolean).length === MOST_AT_ONCE)
  await isServed()

  await using flood = await Stranger.connect(folder)
  flood.greet()
  for (let id = 1; id <= 6 * MOST_FRAMES_PER_S && !flood.isClosed; id++) {
    flood.send({ ask: 'hold.list', id, body: ALL })
  }
  await until('closed', () => flood.isClosed)
  await isServed()

  const clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  const halves = LinkServer.open({
    folder: t.testdir({ halves: {} }), version: '9.9.9', handlers: {}, takesRoles: ['command'], clock, log,
  })
  await until('listening', () => halves.isListening)
  const waits = [] as Stranger[]
  for (const [greets, begun] of [[false, []], [false, [0, 0]], [true, [0, 0, 0, 9, 0, 1]]] as const) {
    const each = await Stranger.connect(t.testdirName)
    if (greets) each.greet()
    each.socket.write(Buffer.from(begun))
    waits.push(each)
  }
  await until('they are known', () => halves.peers === 3 && clock.pendingWaits >= 3)
  for (let second = 0; second < 13; second++) {
    await clock.advance(1_000)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  await until('closed', () => waits.every(each => each.isClosed))
  const disposed = halves[Symbol.asyncDispose]()
  await clock.advance(1_000)
  await until('ended', () => halves.peers === 0)
  await disposed
})

t.test('more connections than there are places are closed, and places come back', async t => {
  const folder = t.testdir({})
  await using server = serve(folder, { 'hold.list': async () => LISTED })
  await until('listening', () => server.isListening)
  const all: Stranger[] = []
  for (let n = 0; n < MOST_PEERS + 3; n++) all.push(await Stranger.connect(folder))
  await until('three are closed', () => all.filter(each => each.isClosed).length === 3)
  for (const each of all) await each[Symbol.asyncDispose]()
  await until('places', () => server.peers === 0)
  await using link = await client(folder)
  t.same(await link!.ask('hold.list', ALL), LISTED)
  t.ok(link instanceof LinkPeer)
})

t.test('where it cannot listen it tries again, and the end does not wait for that', async t => {
  const folder = t.testdir({ 'link.sock': { file: 'a folder stands where the socket belongs' } })
  const server = serve(folder)
  await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(server.isListening, false)
  await server[Symbol.asyncDispose]()
})
