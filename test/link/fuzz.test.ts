import fc from 'fast-check'
import t from 'tap'
import { RetryableError } from '../../src/domain/index.ts'
import { connectLink } from '../../src/link/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { until } from '../support/until.ts'
import { log, serve, Stranger } from './support.ts'

const LISTED = { holds: [], next: null }, ALL = { withEnded: true, after: 0 }
const COST = { camera: { id: 'lobby' }, stream: null, fromAt: 1, toAt: 2 }
const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
const RUNS = Number(process.env['FC_RUNS'] ?? 150)

/** A message as it should be, or with one part exchanged for something else. */
const message = fc.oneof(
  fc.constantFrom<unknown>(
    { hello: { protocol: 1, role: 'command', version: '1' } },
    { hello: { protocol: 1, role: 'office', version: '1' } },
    { ask: 'hold.list', id: 1, body: ALL }, { ask: 'hold.cost', id: 4, body: COST },
    { ask: 'hold.list', id: 2, body: { withEnded: true, after: 0 } }, { answer: 1, body: LISTED },
    { answer: 9, error: { code: 'X', message: 'x', remedy: 'x', isRetryable: true } },
    { answer: 1, body: {} }, { ask: '__proto__', id: 1, body: {} }, { ask: 'constructor', id: 3, body: null },
    { ask: 'toString', id: 5, body: 1 },
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
