import fc from 'fast-check'
import t from 'tap'
import { RetryableError } from '../../src/domain/index.ts'
import { connectLink, LINK_VERSION } from '../../src/link/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { serveRig } from '../recorder-client/support.ts'
import { builtFragment, timedFragment } from '../support/fragments.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { until } from '../support/until.ts'
import { log, serve, Stranger } from './support.ts'

const LISTED = { holds: [], next: null }, ALL = { withEnded: true, after: 0 }
const COST = { camera: { id: 'lobby' }, stream: null, fromAt: 1, toAt: 2 }
const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
const RUNS = Number(process.env['FC_RUNS'] ?? 150)

/** A message as it should be, or with one part exchanged for something else. */
const message = fc.oneof(
  fc.constantFrom<unknown>(
    { hello: { protocol: LINK_VERSION, role: 'command', version: '1' } },
    { hello: { protocol: LINK_VERSION, role: 'office', version: '1' } },
    { ask: 'hold.list', id: 1, body: ALL }, { ask: 'hold.cost', id: 4, body: COST },
    { ask: 'hold.list', id: 2, body: { withEnded: true, after: 0 } }, { answer: 1, body: LISTED },
    { answer: 9, error: { code: 'X', message: 'x', remedy: 'x', isRetryable: true } },
    { answer: 1, body: {} }, { ask: '__proto__', id: 1, body: {} }, { ask: 'constructor', id: 3, body: null },
    { ask: 'toString', id: 5, body: 1 },
    { ask: 'lease.take', id: 6, body: { lease: 1, volumeUuid: 'f'.repeat(32), slot: 0, generation: 1 } },
    { ask: 'live.watch', id: 7, body: { watch: 1, camera: 'lobby', stream: 'main' } },
    { ask: 'footage.found', id: 8, body: { camera: 'a'.repeat(32), startAt: 0, endAt: 9, after: null } },
  ),
  fc.record({ ask: fc.string(), id: fc.anything(), body: fc.anything() }),
  fc.record({ hello: fc.anything() }), fc.anything(), fc.json(),
)
const payload = fc.oneof(
  message.map(each => {
    try { return Buffer.from(JSON.stringify(each) ?? '') } catch { return Buffer.from('{') }
  }),
  fc.uint8Array({ maxLength: 400 }).map(bytes => Buffer.from(bytes)),
)
const kinds = fc.constantFrom(0, 0, 0, 0, 1, 7)
const wrongLengths = fc.constantFrom(0, 0, 0, 0, 1, -1, 2 ** 20, 2 ** 31)
const chunk = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(payload, kinds, wrongLengths).map(([bytes, kind, off]) => {
    const head = Buffer.alloc(5)
    head.writeUInt32BE((bytes.length + off) >>> 0)
    head.writeUInt8(kind, 4)
    return Buffer.concat([head, bytes])
  }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4000 }).map(bytes => Buffer.from(bytes)) },
)

t.test(`whatever a peer sends, the recorder goes on and serves the others (seed ${SEED})`, { timeout: 120_000 }, async t => {
  const folder = t.testdir({})
  await using server = serve(folder, { 'hold.list': async () => LISTED })
  await until('listening', () => server.isListening)
  await using link = await connectLink({ folder, role: 'command', version: '9.9.9', clock: systemClock, log })
  const before = process.memoryUsage().heapUsed
  const sent = fc.array(chunk, { minLength: 1, maxLength: 12 }), cuts = fc.integer({ min: 1, max: 5000 })
  await fc.assert(fc.asyncProperty(sent, fc.boolean(), cuts, async (chunks, greets, cut) => {
    await using stranger = await Stranger.connect(folder)
    if (greets) stranger.greet()
    const bytes = Buffer.concat(chunks)
    for (let at = 0; at < bytes.length && !stranger.socket.destroyed; at += cut) {
      stranger.socket.write(bytes.subarray(at, at + cut))
      if (bytes.length < 50 * cut) await new Promise(resolve => { setImmediate(resolve) })
    }
    return JSON.stringify(await link!.ask('hold.list', ALL)) === JSON.stringify(LISTED)
  }), { numRuns: RUNS, seed: SEED })
  await until('all are gone but one', () => server.peers === 1)
  t.ok(process.memoryUsage().heapUsed - before < 64 * 2 ** 20, 'nothing of them is kept')
})

t.test('who asks and never reads is closed, and what waits for it is bounded', async t => {
  const folder = t.testdir({})
  const hold = {
    holdId: 'a'.repeat(32), cameraId: 'lobby', cameraUuid: 'b'.repeat(32), stream: null, fromAt: 1, toAt: 2,
    authority: 'x'.repeat(2000),
    application: null, placedBy: 'x', placedAt: 1, ended: null,
  }
  const locked = new RetryableError('CUSTOS_CATALOGUE_FAULT', 'locked', { remedy: 'wait' })
  await using server = serve(folder, {
    'hold.list': async () => ({ holds: Array.from({ length: 200 }, () => hold), next: null }),
    'hold.cost': () => Promise.reject(locked),
  })
  await until('listening', () => server.isListening)
  await using deaf = await Stranger.connect(folder)
  deaf.socket.pause()
  deaf.greet()
  for (let id = 1; id <= 60; id++) deaf.send({ ask: 'hold.list', id, body: { withEnded: true, after: 0 } })
  await until('closed', () => server.peers === 0)
  await using link = await connectLink({ folder, role: 'command', version: '9.9.9', clock: systemClock, log })
  await t.rejects(link!.ask('hold.cost', COST), { code: 'CUSTOS_CATALOGUE_FAULT' }, 'others are served')
})

t.test('an office that floods with leases, watches and questions is closed at its bounds, and leaves nothing', { timeout: 120_000 }, async t => {
  const rig = await RecorderRig.open(t, { slots: 3 }), folder = t.testdir({})
  await rig.fillSlots(1)
  await rig.append(1)
  await using server = serveRig(folder, rig)
  await until('listening', () => server.isListening)
  const { volumeUuid, slot, generation, cameraUuid } = rig.segments()[0]!, { camera, stream } = rig
  const range = { camera: cameraUuid, startAt: 0, endAt: 2_000_000_000_000, after: null }
  const asks: Record<string, (n: number) => unknown> = {
    'lease.take': lease => ({ lease, volumeUuid, slot, generation }), 'lease.renew': n => ({ leases: [n] }),
    'live.watch': watch => ({ watch, camera, stream }), 'footage.found': () => range,
    'footage.segments': () => ({ ...range, stream }), 'footage.gaps': () => ({ ...range, stream }),
    'footage.cameras': () => ({ after: null }), 'recorder.time': () => ({}),
  }
  for (const [ask, bodyOf] of Object.entries(asks)) {
    await using flood = await Stranger.connect(folder)
    flood.send({ hello: { protocol: LINK_VERSION, role: 'office', version: '1' } })
    for (let id = 1; id <= 3_000 && !flood.isClosed; id++) flood.send({ ask, id, body: bodyOf(id) })
    await until(`closed: ${ask}`, () => flood.isClosed)
    const granted = flood.messages().filter(({ body }) => /"(taken|watching)"/.test(JSON.stringify(body ?? null)))
    t.ok(granted.length <= 64, `${granted.length} of ${ask} were granted`)
  }
  await until('all are gone', () => server.peers === 0)
  await rig.append(1)
  t.equal(rig.lane.showLive(timedFragment(rig.init, builtFragment({ init: rig.init, name: 'x' }), { startAt: 1 })), false, 'nobody watches')

  await using strange = await Stranger.connect(folder)
  strange.send({ hello: { protocol: LINK_VERSION, role: 'office', version: '1' } })
  strange.send({ ask: 'lease.renew', id: 1, body: { leases: Array.from({ length: 65 }, (_, n) => n + 1) } })
  await until('closed', () => strange.isClosed)
  await using command = await Stranger.connect(folder)
  command.greet()
  command.send({ ask: 'lease.take', id: 1, body: asks['lease.take']!(1) })
  await until('answered', () => command.messages().length === 2)
  t.match(command.messages()[1], { error: { code: 'CUSTOS_LINK_FAILED' } }, 'only an office has leases')
})
