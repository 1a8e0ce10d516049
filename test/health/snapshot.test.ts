import { readFileSync, writeFileSync } from 'node:fs'
import { Check, Errors } from 'typebox/value'
import t from 'tap'
import { HealthMessageSchema, HealthState, SnapshotSchema, healthSchemaText, snapshotOf, type RecorderFacts } from '../../src/health/index.ts'
import { changeOf, heartbeatOf, materialMark } from '../../src/health/snapshot.ts'
import { at, down, facts, floor, stream, volume } from './support/facts.ts'
import { ManualClock } from './support/manual-clock.ts'

const assessed = (given: RecorderFacts) => new HealthState(new ManualClock()).assess(given)

const AWKWARD = facts({
  streams: [down('door', { openGapSince: at('2026-11-22T07:00:00.000Z'), openGapCause: 'no-frames', oldestFrameAt: null, cameraClockOffsetMs: -12_345.6 }),
    stream('lobby', { bitrateBps: Number.NaN, fps: Number.POSITIVE_INFINITY, lastFrameAgeMs: 0.4 })],
  volumes: [volume('disk1', { state: 'foreign', oldestFrameAt: null, syncMs: { last: 0.123456, worst: 900 } })],
  floor: floor({ required: { kind: 'plain', durationMs: 90_000 }, forecastDays: Number.POSITIVE_INFINITY, wrapsAt: null, ageAtWrapDays: -3, lackingBytes: Number.NaN, fits: null }),
  configReload: {
    rejectedAt: at('2026-11-22T07:30:00.000Z'), problems: 1, fromLastGood: true,
    inForceSince: at('2026-11-20T07:30:00.000Z'),
  },
})

t.test('every message follows the published schema', async t => {
  for (const given of [facts(), AWKWARD, facts({ streams: [], volumes: [] })]) {
    for (const message of [snapshotOf, changeOf, heartbeatOf].map(make => make(assessed(given), 7))) {
      const sent: unknown = JSON.parse(JSON.stringify(message))
      t.ok(Check(HealthMessageSchema, sent), JSON.stringify(Errors(HealthMessageSchema, sent).slice(0, 4)))
      t.match(sent, { schema: 1, seq: 7, at: '2026-11-22T08:00:00.000Z', kind: message.kind })
    }
  }
  t.notOk(Check(SnapshotSchema, heartbeatOf(assessed(facts()), 1)))
})

t.test('a snapshot has the fields of the contract', async t => {
  const sent = snapshotOf(assessed(facts({ volumes: [volume('disk1')] })), 1)
  t.match(sent, { schema: 1, seq: 1, kind: 'snapshot', level: 'healthy' })
  t.match(sent.reasons[0], { code: 'no-redundancy', text: String, since: '2026-11-22T08:00:00.000Z', urgency: 'note' })
  t.match(sent.streams[0], { camera: 'lobby', stream: 'main', state: 'recording', lastFrameAt: '2026-11-22T07:59:59.500Z', bitrateBps: 4_000_000,
    fps: 15, oldestFrameAt: '2026-10-10T00:00:00.000Z', restarts: 0 })
  t.match(sent.volumes[0], { id: 'disk1', state: 'ok', slots: { total: 1000, free: 0, open: 4, sealed: 996, held: 10 }, oldestFrameAt: '2026-10-10T00:00:00.000Z' })
  t.match(sent.floor, { required: { kind: 'calendar-days', days: 31 }, forecastDays: 60, wrapsAt: '2027-01-20T00:00:00.000Z', ageAtWrapDays: 60, fits: true, lackingBytes: 0, insisted: false, stopsAt: null })
  t.match([sent.streams[0]?.forecastDays, sent.volumes[0]?.forecastDays, sent.volumes[0]?.reusedSlots], [60, 60, 17])
  t.notOk('timezone' in sent.floor || 'stopsInDays' in sent.floor, 'what is only for the wording stays here')
})

t.test('passes on no path, address, password or name a view may carry', async t => {
  const secret = (words: string) => ({ detail: words, name: '大廳', url: 'rtsp://admin:hunter2@10.0.0.11/s', path: '/srv/secret' })
  const loaded = facts({
    streams: [Object.assign(down('door'), secret('x'))],
    volumes: [Object.assign(volume('disk1', { state: 'failed', detail: 'EIO at /srv/secret/slot-1.mp4' }), { slots: { ...volume('x').slots, file: '/srv/secret' } })],
    catalogue: { state: 'failed', detail: 'cannot open /srv/secret/catalogue.db' },
  })
  const clock = new ManualClock()
  const state = new HealthState(clock)
  state.assess(loaded)
  await clock.advance(11_000)
  const assessment = state.assess(loaded)
  const text = [snapshotOf, changeOf, heartbeatOf].map(make => JSON.stringify(make(assessment, 1))).join()
  t.notMatch(text, /secret|hunter2|admin|10\.0\.0\.11|rtsp|大廳|EIO/)
  t.match(text, /stream-unreachable/)
})

t.test('what counts as a change', async t => {
  const mark = (given: RecorderFacts) => materialMark(assessed(given))
  const calm = mark(facts())
  t.equal(mark(facts({ streams: [stream('lobby', { bitrateBps: 1, restarts: 1, lastFrameAgeMs: 900 }), stream('door')] })), calm)
  t.equal(mark(facts({ floor: floor({ forecastDays: 59 }) })), calm)
  t.not(mark(facts({ streams: [stream('lobby', { state: 'connecting' }), stream('door')] })), calm)
  t.not(mark(facts({ volumes: [volume('disk1', { state: 'missing' }), volume('disk2')] })), calm)
  t.not(mark(facts({ streams: [stream('lobby')] })), calm)
  const slow = (ms: number) => mark(facts({ volumes: [volume('disk1', { syncMs: { last: ms, worst: ms } }), volume('disk2')] }))
  t.equal(slow(800), slow(900), 'the same reason with another number')
  t.not(slow(800), calm)
})

t.test('the published schema is the one in force', async t => {
  const file = new URL('../../docs/operating/health.schema.json', import.meta.url)
  if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(file, healthSchemaText())
  t.equal(readFileSync(file, 'utf8'), healthSchemaText(), 'after a wanted change run with TAP_SNAPSHOT=1')
})
