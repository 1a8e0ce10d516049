import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { CAMERA_END_REASONS, RECORDER_END_REASONS } from '../../src/domain/index.ts'
import { HealthState, REASON_CATALOGUE, type RecorderFacts } from '../../src/health/index.ts'
import { isBelowMonth } from '../../src/health/reasons.ts'
import { byUrgency } from '../../src/health/reason.ts'
import { at, down, facts, floor, stream, volume } from './support/facts.ts'
import { ManualClock } from './support/manual-clock.ts'

/** Level and reasons after these facts have lasted for `forMs`. */
async function verdict(given: RecorderFacts, forMs = 0): Promise<string[]> {
  const clock = new ManualClock()
  const state = new HealthState(clock)
  state.assess(given)
  await clock.advance(forMs)
  const { level, reasons } = state.assess(given)
  return [level, ...reasons.map(r => `${r.urgency} ${r.level} ${r.code} ${r.subject ?? '-'}`)]
}

const HEALTHY = stream('lobby')
const TABLE: readonly (readonly [title: string, given: RecorderFacts, forMs: number, expected: readonly string[]])[] = [
  ['nothing is wrong', facts(), 0, ['healthy']],
  ['a reconnect of ten seconds is no reason', facts({ streams: [HEALTHY, down('door')] }), 10_000, ['healthy']],
  ['one stream down', facts({ streams: [HEALTHY, down('door')] }), 10_001, ['degraded', 'week degraded stream-unreachable door/main']],
  ['one stream down for five minutes', facts({ streams: [HEALTHY, down('door')] }), 300_000, ['critical', 'tonight critical stream-unreachable door/main']],
  ['all streams down', facts({ streams: [down('lobby', { lastEndReason: 'auth-refused' }), down('door')] }), 11_000,
    ['critical', 'tonight critical stream-unreachable door/main', 'tonight critical stream-auth-refused lobby/main']],
  ['a stream stopped on purpose is not missed', facts({ streams: [HEALTHY, down('door', { state: 'stopped', lastEndReason: 'removed-from-config' })] }), 600_000, ['healthy']],
  ['the only wanted stream is down while others are stopped on purpose',
    facts({ streams: [down('lobby'), down('door', { state: 'stopped', lastEndReason: 'recorder-stopped' })] }), 11_000, ['critical', 'tonight critical stream-unreachable lobby/main']],
  ['a supervisor that stopped by itself is missed', facts({ streams: [HEALTHY, down('door', { state: 'stopped', lastEndReason: 'stalled' })] }), 11_000, ['degraded', 'week degraded stream-stalled door/main']],
  ['never connected', facts({ streams: [HEALTHY, down('door', { state: 'connecting', lastEndReason: null })] }), 11_000, ['degraded', 'week degraded stream-connecting door/main']],
  ['recording without frames', facts({ streams: [HEALTHY, stream('door', { lastFrameAgeMs: 12_000 })] }), 11_000, ['degraded', 'week degraded stream-no-frames door/main']],
  ['no camera at all', facts({ streams: [] }), 0, ['degraded', 'week degraded nothing-to-record -']],
  ['a camera clock is off', facts({ streams: [stream('lobby', { cameraClockOffsetMs: -61_000 })] }), 0, ['healthy', 'note healthy camera-clock-off lobby/main']],
  ['a camera clock is a little off', facts({ streams: [stream('lobby', { cameraClockOffsetMs: 10_000 })] }), 0, ['healthy']],
  ['a volume is missing', facts({ volumes: [volume('disk1'), volume('disk2', { state: 'missing' })] }), 0, ['critical', 'tonight critical volume-missing disk2']],
  ['no usable volume', facts({ volumes: [volume('disk1', { state: 'read-only' }), volume('disk2', { state: 'not-mounted' })] }), 0,
    ['critical', 'tonight critical no-usable-volume -', 'tonight critical volume-read-only disk1', 'tonight critical volume-not-mounted disk2']],
  ['no volume at all', facts({ volumes: [] }), 0, ['critical', 'tonight critical no-usable-volume -']],
  ['one volume is only a note', facts({ volumes: [volume('disk1')] }), 0, ['healthy', 'note healthy no-redundancy -']],
  ['sync at the bound', facts({ volumes: [volume('disk1', { syncMs: { last: 500, worst: 500 } }), volume('disk2')] }), 0, ['healthy']],
  ['slow sync', facts({ volumes: [volume('disk1', { syncMs: { last: 20, worst: 501 } }), volume('disk2')] }), 0, ['degraded', 'week degraded volume-slow-sync disk1']],
  ['disk errors', facts({ volumes: [volume('disk1', { errors: 1 }), volume('disk2')] }), 0, ['degraded', 'week degraded volume-faults disk1']],
  ['floor of thirty days', facts({ floor: floor({ required: { kind: 'calendar-days', days: 30 } }) }), 0, ['critical', 'tonight critical floor-below-month -']],
  ['floor for a trial', facts({ floor: floor({ required: { kind: 'plain', durationMs: 90_000 }, forecastDays: 0.2 }) }), 0,
    ['critical', 'tonight critical floor-below-month -', 'tonight critical forecast-critical -']],
  ['ring stopped by the floor', facts({ floor: floor({ ringStoppedByFloor: true }) }), 0, ['critical', 'tonight critical ring-stopped-by-floor -']],
  ['forecast of 45 days', facts({ floor: floor({ forecastDays: 45 }) }), 0, ['healthy']],
  ['forecast below 45 days', facts({ floor: floor({ forecastDays: 44.9 }) }), 0, ['degraded', 'week degraded forecast-short -']],
  ['forecast below 35 days', facts({ floor: floor({ forecastDays: 34.9 }) }), 0, ['critical', 'tonight critical forecast-critical -']],
  ['forecast not known yet', facts({ floor: floor({ forecastDays: null }) }), 0, ['healthy']],
  ['catalogue failed', facts({ catalogue: { state: 'failed', detail: 'SQLITE_IOERR' } }), 0, ['critical', 'tonight critical catalogue-failed -']],
  ['event loop delayed', facts({ process: { rssBytes: 1, eventLoopDelayMs: 501, uptimeMs: 1 } }), 0, ['degraded', 'week degraded event-loop-delayed -']],
  ['configuration rejected', facts({ configReload: { rejectedAt: at('2026-11-22T07:30:00.000Z'), problems: 3 } }), 0, ['degraded', 'week degraded config-rejected -']],
]
for (const [title, given, forMs, expected] of TABLE) t.test(`verdict: ${title}`, async t => { t.strictSame(await verdict(given, forMs), expected) })

t.test('each end reason has its own code, wording and next step', async t => {
  const seen = new Set<string>()
  for (const lastEndReason of [...CAMERA_END_REASONS, ...RECORDER_END_REASONS]) {
    const isAsked = lastEndReason === 'recorder-stopped' || lastEndReason === 'removed-from-config'
    const [, reason] = await verdict(facts({ streams: [HEALTHY, down('door', { lastEndReason, state: isAsked ? 'waiting' : 'stopped' })] }), 11_000)
    t.equal(reason, `week degraded stream-${lastEndReason} door/main`)
    const { text } = REASON_CATALOGUE[`stream-${lastEndReason}`]
    t.notOk(seen.has(text.zh) || seen.has(text.en), lastEndReason)
    seen.add(text.zh).add(text.en)
  }
})

t.test('states the real loss bound of a slow disk, rounded up', async t => {
  const given = facts({ volumes: [volume('disk1', { syncMs: { last: 1_201, worst: 900 } }), volume('disk2')] })
  const [reason] = new HealthState(new ManualClock()).assess(given).reasons
  t.match(reason?.en, /takes 1201 ms to sync: a power cut may cost the last 2\.8 s/)
  t.match(reason?.text, /2\.8 秒/)
})

t.test('a month is 31 whole days after the recording day', async t => {
  t.ok(isBelowMonth({ kind: 'calendar-days', days: 30 }))
  t.notOk(isBelowMonth({ kind: 'calendar-days', days: 31 }))
  t.ok(isBelowMonth({ kind: 'plain', durationMs: 32 * 86_400_000 - 1 }))
  t.notOk(isBelowMonth({ kind: 'plain', durationMs: 32 * 86_400_000 }))
})

t.test('order does not depend on the order of the facts', async t => {
  const streams = [down('c'), stream('z', { cameraClockOffsetMs: 99_000 }), down('a'), down('b', { lastEndReason: 'refused' })]
  const volumes = [volume('disk2', { errors: 2, syncMs: { last: 800, worst: 800 } }), volume('disk1', { state: 'damaged' })]
  const forward = await verdict(facts({ streams, volumes }), 11_000)
  t.strictSame(await verdict(facts({ streams: streams.toReversed(), volumes: volumes.toReversed() }), 11_000), forward)
  t.strictSame(forward.slice(1).map(line => line.split(' ')[3]), ['disk1', 'a/main', 'b/main', 'c/main', 'disk2', 'disk2', 'z/main'])
  const [left, right] = [{ code: 'no-redundancy', subject: null, urgency: 'note' }, { code: 'no-redundancy', subject: null, urgency: 'note' }] as const
  t.equal(byUrgency(left, right), 0)
})

t.test('the wording is as reviewed', async t => {
  const goldenFile = new URL('./reason-catalogue.golden.txt', import.meta.url)
  const text = Object.entries(REASON_CATALOGUE)
    .map(([code, { text, nextStep }]) => `${code}\n  ${text.zh}\n  ${text.en}\n  -> ${nextStep.zh}\n  -> ${nextStep.en}\n`).join('')
  if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(goldenFile, text)
  t.equal(text, readFileSync(goldenFile, 'utf8'), 'after a wanted change run with TAP_SNAPSHOT=1 and review the difference')
  t.notMatch(text, /視頻|信息|硬盤|網絡|默認|攝像|軟件/, 'words of Taiwan')
  for (const { text, nextStep } of Object.values(REASON_CATALOGUE)) {
    for (const zh of [text.zh, nextStep.zh]) t.match(zh, /\p{Script=Han}/u)
    for (const en of [text.en, nextStep.en]) t.notMatch(en, /\p{Script=Han}/u)
  }
})

t.test('health.md explains every code', async t => {
  const page = readFileSync(new URL('../../docs/operating/health.md', import.meta.url), 'utf8')
  for (const code of Object.keys(REASON_CATALOGUE)) t.ok(page.includes(`\`${code}\``), code)
})
