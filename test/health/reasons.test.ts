import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { CAMERA_END_REASONS, RECORDER_END_REASONS, cameraId, epochMs,
  type EpochMs } from '../../src/domain/index.ts'
import { HealthState, REASON_CATALOGUE, type ConfigRejection, type RecorderFacts } from '../../src/health/index.ts'
import { isBelowMonth } from '../../src/health/reasons.ts'
import { byUrgency } from '../../src/health/reason.ts'
import { at, audit, down, facts, floor, office, stream, volume, witness } from './support/facts.ts'
import { ManualClock } from './support/manual-clock.ts'
import type { PartFault } from '../../src/platform/part-faults.ts'

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
const sacrifice = (steps: readonly (readonly [camera: string, mode: 'lower' | 'key-frames' | 'stopped'])[]): RecorderFacts['sacrifice'] => ({
  headroomMs: 3_600_000, overBudget: [],
  steps: steps.map(([id, mode]) => ({ cameraId: cameraId(id), stream: HEALTHY.stream, mode, since: at('2026-11-22T07:00:00.000Z'), reason: 'ring-would-stop' })),
})
const archive = (change: Partial<NonNullable<RecorderFacts['archive']>> = {}): RecorderFacts['archive'] => ({
  state: 'ok', detail: '', items: 1, bytes: 1, quotaBytes: 100, freeBytes: 100, isFull: false, fullInDays: null, next: [], expiring: { count: 0, soonestAt: null }, overdue: 0, unsigned: { count: 0, since: null },
  holdsToApprove: { count: 0, since: null }, lost: [], strays: 0, ...change,
})
const BEGAN = at('2026-11-22T07:30:00.000Z')
const rejection = (change: Partial<ConfigRejection> = {}): ConfigRejection =>
  ({ rejectedAt: BEGAN, problems: 3, fromLastGood: false, inForceSince: at('2026-11-20T07:30:00.000Z'),
    ...change })
const fault = (code: PartFault['code'], values: PartFault['values'] = {}): PartFault =>
  ({ code, since: BEGAN, values })
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
  ['recording a frame each 4 s', facts({ streams: [HEALTHY, stream('door', { lastFrameAgeMs: 12_000, pictureWaitMs: 4_000 })] }), 11_000, ['healthy']],
  ['recording without frames', facts({ streams: [HEALTHY, stream('door', { lastFrameAgeMs: 12_000 })] }), 11_000, ['degraded', 'week degraded stream-no-frames door/main']],
  ['no camera at all', facts({ streams: [] }), 0, ['degraded', 'week degraded nothing-to-record -']],
  ['footage rotted in two places of one stream', facts({ scrub: { lastPassAt: null, progress: 0.5, rotten: ['2026-11-20T01:02:03.000Z', '2026-11-19T01:02:03.000Z'].map(iso =>
    ({ cameraId: HEALTHY.cameraId, stream: HEALTHY.stream, fromAt: at(iso), foundAt: at('2026-11-22T07:00:00.000Z') })) } }), 0, ['degraded', 'week degraded footage-rotted lobby/main']],
  ['footage was taken past the book', facts({ rescues: { count: 2, newestAt: at('2026-11-22T07:00:00.000Z') } }), 0, ['degraded', 'week degraded rescue-used -']],
  ['glass is broken, and the form is owed', facts({ glass: { open: 1, openedAt: at('2026-11-22T07:50:00.000Z'), owed: 1, owedSince: at('2026-11-22T07:50:00.000Z') } }), 0,
    ['critical', 'tonight critical break-glass-open -', 'week degraded break-glass-form-owed -']],
  ['no rule set: the office is closed', facts({ office: office({ rules: 'none', ruleProblems: 4 }) }), 0, ['degraded', 'week degraded office-closed -']],
  ['a changed rule set is refused', facts({ office: office({ ruleProblems: 1 }) }), 0, ['degraded', 'week degraded rule-set-refused -']],
  ['a calendar is missing, another damaged', facts({ office: office({ calendarMissing: [2026, 2027], calendarProblems: 3 }) }), 0, ['degraded', 'week degraded calendar-missing -', 'week degraded calendar-unreadable -']],
  ['an orphan in the log book', facts({ office: office({ book: { ...office().book, orphans: 1 } }) }), 0, ['critical', 'tonight critical book-orphans -']],
  ['no reconciliation for two days', facts({ office: office({ book: { ...office().book, isReconcilingLate: true } }) }), 0, ['degraded', 'week degraded book-not-reconciled -']],
  ['signatures wait for two days', facts({ office: office({ book: { ...office().book, unsigned: 9, unsignedDays: 2 } }) }), 0, ['healthy']],
  ['signatures wait for three days', facts({ office: office({ book: { ...office().book, unsigned: 9, unsignedDays: 3 } }) }), 0, ['healthy', 'note healthy book-unsigned -']],
  ['signatures wait for a week', facts({ office: office({ book: { ...office().book, unsigned: 9, unsignedDays: 7 } }) }), 0, ['degraded', 'week degraded book-unsigned -']],
  ['a review is not signed', facts({ office: office({ book: { ...office().book, packsDue: 2 } }) }), 0, ['degraded', 'week degraded review-pack-due -']],
  ['cases are late, others soon due', facts({ office: office({ cases: { overdue: 1, soon: 2 } }) }), 0, ['degraded', 'week degraded applications-overdue -', 'note healthy applications-due-soon -']],
  ['the inbox rejected a file and cannot be written', facts({ office: office({ inbox: { state: 'failed', waiting: 0, rejected: 1, rejectedAt: at('2026-11-22T07:50:00.000Z') } }) }), 0,
    ['degraded', 'week degraded inbox-failed -', 'week degraded inbox-rejected -']],
  ['the archive is not there', facts({ archive: archive({ state: 'not-mounted' }) }), 0, ['critical', 'tonight critical archive-missing -']],
  ['the archive cannot be opened', facts({ archive: archive({ state: 'failed' }) }), 0, ['critical', 'tonight critical archive-failed -']],
  ['its key file is gone', facts({ archive: archive({ state: 'key-file' }) }), 0, ['critical', 'tonight critical archive-key-file -']],
  ['the archive is full, and more', facts({ archive: archive({ isFull: true, fullInDays: 0, strays: 1, overdue: 2, lost: [{ itemNo: 'A115-0001' as never, since: at('2026-11-22T07:00:00.000Z'), what: 'x' }] }) }), 0,
    ['critical', 'tonight degraded archive-full -', 'tonight critical archive-item-lost -', 'week degraded archive-overdue -', 'week degraded archive-stray -']],
  ['the archive wants people', facts({ archive: archive({ fullInDays: 44, unsigned: { count: 1, since: at('2026-11-22T07:00:00.000Z') }, holdsToApprove: { count: 1, since: at('2026-11-22T07:00:00.000Z') }, expiring: { count: 2, soonestAt: at('2026-11-29T16:00:00.000Z') } }) }), 0,
    ['degraded', 'week degraded archive-destruction-unsigned -', 'week degraded archive-forecast -', 'week degraded archive-hold-unapproved -', 'note healthy archive-expiring -']],
  ['the archive has room for more than 45 days', facts({ archive: archive({ fullInDays: 45 }) }), 0, ['healthy']],
  ['a camera clock is off', facts({ streams: [stream('lobby', { cameraClockOffsetMs: -61_000 })] }), 0, ['healthy', 'note healthy camera-clock-off lobby/main']],
  ['a camera clock is a little off', facts({ streams: [stream('lobby', { cameraClockOffsetMs: 10_000 })] }), 0, ['healthy']],
  ['the stamps of a camera count at another rate', facts({ streams: [stream('lobby', { stampRate: 1.19 })] }), 0,
    ['healthy', 'note healthy camera-stamps-off lobby/main']],
  ['the sound of a camera does not come', facts({ streams: [stream('lobby', { isSoundMissing: true })] }), 0,
    ['degraded', 'week degraded camera-sound-missing lobby/main']],
  ['no sound from a camera that is only just down', facts({ streams: [down('lobby', { isSoundMissing: true })] }), 0,
    ['healthy']],
  ['a volume is missing', facts({ volumes: [volume('disk1'), volume('disk2', { state: 'missing' })] }), 0, ['critical', 'tonight critical volume-missing disk2']],
  ['no usable volume', facts({ volumes: [volume('disk1', { state: 'read-only' }), volume('disk2', { state: 'not-mounted' })] }), 0,
    ['critical', 'tonight critical no-usable-volume -', 'tonight critical volume-read-only disk1', 'tonight critical volume-not-mounted disk2']],
  ['no volume at all', facts({ volumes: [] }), 0, ['critical', 'tonight critical no-usable-volume -']],
  ['one volume is only a note', facts({ volumes: [volume('disk1')] }), 0, ['healthy', 'note healthy no-redundancy -']],
  ['sync at the bound', facts({ volumes: [volume('disk1', { syncMs: { last: 500, worst: 500 } }), volume('disk2')] }), 0, ['healthy']],
  ['slow sync', facts({ volumes: [volume('disk1', { syncMs: { last: 20, worst: 501 } }), volume('disk2')] }), 0, ['degraded', 'week degraded volume-slow-sync disk1']],
  ['disk errors', facts({ volumes: [volume('disk1', { errors: 1 }), volume('disk2')] }), 0, ['degraded', 'week degraded volume-faults disk1']],
  ['floor of thirty days', facts({ floor: floor({ required: { kind: 'calendar-days', days: 30 } }) }), 0, ['critical', 'tonight critical floor-below-month -']],
  ['floor for a trial', facts({ floor: floor({ required: { kind: 'plain', durationMs: 90_000 }, forecastDays: 0.2 }) }), 0, ['critical', 'tonight critical floor-below-month -']],
  ['floor for a trial, forecast short by its own measure', facts({ floor: floor({ required: { kind: 'plain', durationMs: 90_000 }, forecastDays: 130 / 86_400 }) }), 0,
    ['critical', 'tonight critical floor-below-month -', 'week degraded forecast-short -']],
  ['floor for a trial, forecast close to it', facts({ floor: floor({ required: { kind: 'plain', durationMs: 90_000 }, forecastDays: 101 / 86_400 }) }), 0,
    ['critical', 'tonight critical floor-below-month -', 'tonight critical forecast-critical -']],
  ['floor of two months, forecast in proportion', facts({ floor: floor({ required: { kind: 'calendar-days', days: 62 }, forecastDays: 89 }) }), 0, ['degraded', 'week degraded forecast-short -']],
  ['ring stopped by the floor', facts({ floor: floor({ ringStoppedByFloor: true }) }), 0, ['critical', 'tonight critical ring-stopped-by-floor -']],
  ['forecast of 45 days', facts({ floor: floor({ forecastDays: 45 }) }), 0, ['healthy']],
  ['forecast below 45 days', facts({ floor: floor({ forecastDays: 44.9 }) }), 0, ['degraded', 'week degraded forecast-short -']],
  ['forecast below 35 days', facts({ floor: floor({ forecastDays: 34.9 }) }), 0, ['critical', 'tonight critical forecast-critical -']],
  ['forecast not known yet', facts({ floor: floor({ forecastDays: null }) }), 0, ['healthy']],
  ['volumes too small', facts({ floor: floor({ forecastDays: 20, fits: false, lackingBytes: 3e12 }) }), 0, ['critical', 'tonight critical does-not-fit -']],
  ['volumes too small, and the office insists', facts({ floor: floor({ forecastDays: 20, fits: false, lackingBytes: 3e12, insisted: true }) }), 0, ['critical', 'week critical does-not-fit -']],
  ['whether they are large enough is not known', facts({ floor: floor({ forecastDays: null, fits: null, lackingBytes: null }) }), 0, ['healthy']],
  ['the ring stops in ten days', facts({ floor: floor({ stopsAt: at('2026-12-02T08:00:00.000Z'), stopsInDays: 10 }) }), 0, ['degraded', 'week degraded ring-stops-soon -']],
  ['the ring stops tomorrow', facts({ floor: floor({ stopsAt: at('2026-11-23T08:00:00.000Z'), stopsInDays: 1 }) }), 0, ['critical', 'tonight critical ring-stops-soon -']],
  ['the ring has stopped', facts({ floor: floor({ ringStoppedByFloor: true, stopsAt: at('2026-11-22T08:00:00.000Z'), stopsInDays: 0 }) }), 0, ['critical', 'tonight critical ring-stopped-by-floor -']],
  ['a stream in its lower profile', facts({ sacrifice: sacrifice([['door', 'lower']]) }), 0, ['degraded', 'week degraded stepped-down-lower door/main']],
  ['a stream of key frames only', facts({ sacrifice: sacrifice([['door', 'key-frames']]) }), 0, ['degraded', 'tonight degraded stepped-down-key-frames door/main']],
  ['a camera that was stopped for the floor, at once and once',
    facts({ streams: [HEALTHY, down('door', { state: 'stopped', lastEndReason: 'stopped-for-floor' })], sacrifice: sacrifice([['door', 'stopped']]) }), 11_000,
    ['critical', 'tonight critical stream-stopped-for-floor door/main']],
  ['a stream above its declared rate', facts({ sacrifice: { ...sacrifice([]), overBudget: [{ cameraId: HEALTHY.cameraId, stream: HEALTHY.stream, measuredBps: 5.26e6, declaredBps: 4e6 }] } }), 0,
    ['degraded', 'week degraded over-budget lobby/main']],
  ['state disk full', facts({ isStateDiskFull: true }), 0, ['critical', 'tonight critical state-disk-full -']],
  ['catalogue failed', facts({ catalogue: { state: 'failed', detail: 'SQLITE_IOERR' } }), 0, ['critical', 'tonight critical catalogue-failed -']],
  ['audit log cannot be written', facts({ audit: audit({ state: 'failed', failedSince: at('2026-11-22T07:59:00.000Z'), reserve: 'used' }) }), 0, ['critical', 'tonight critical audit-unwritable -']],
  ['audit log lives on its reserve', facts({ audit: audit({ reserve: 'used' }) }), 0, ['degraded', 'tonight degraded audit-reserve-used -']],
  ['no room for a reserve', facts({ audit: audit({ reserve: 'absent' }) }), 0, ['degraded', 'tonight degraded audit-reserve-used -']],
  ['entries are gone', facts({ audit: audit({ isWhole: false }) }), 0, ['critical', 'tonight critical audit-damaged -']],
  ['the office\'s log does not fit', facts({ audit: audit({ officeLogRefusedSince: at('2026-11-22T07:59:00.000Z') }) }), 0, ['degraded', 'tonight degraded office-log-shrunk -']],
  ['another signing key', facts({ audit: audit({ key: 'replaced' }) }), 0, ['degraded', 'week degraded audit-key-replaced -']],
  ['no signing key', facts({ audit: audit({ key: 'unusable' }) }), 0, ['degraded', 'week degraded audit-key-unusable -']],
  ['no witness', facts({ witness: witness({ configured: false, lastAt: null, lastSize: null }) }), 0, ['degraded', 'week degraded no-witness-configured -']],
  ['witness overdue', facts({ witness: witness({ overdueSince: at('2026-11-20T16:00:05.000Z') }) }), 0, ['degraded', 'week degraded witness-overdue -']],
  ['event loop delayed', facts({ process: { rssBytes: 1, eventLoopDelayMs: 501, uptimeMs: 1 } }), 0, ['degraded', 'week degraded event-loop-delayed -']],
  ['configuration rejected', facts({ configReload: rejection() }), 0,
    ['degraded', 'week degraded config-rejected -']],
  ['configuration rejected at the start', facts({ configReload: rejection({ fromLastGood: true }) }), 0,
    ['critical', 'tonight critical config-rejected -']],
  ['parts that recording does not need',
    facts({ faults: [fault('console-failed'), fault('office-failed'),
    fault('upkeep-failed', { jobs: 'schedule' })] }), 0,
    ['degraded', 'tonight degraded console-failed -', 'tonight degraded office-failed -', 'week degraded upkeep-failed -']],
  ['the next start is in danger',
    facts({ faults: [fault('config-not-applied'), fault('config-not-kept'), fault('state-unlocked'),
    fault('catalogue-unshared')] }), 0,
    ['degraded', 'tonight degraded config-not-applied -', 'week degraded catalogue-unshared -', 'week degraded config-not-kept -', 'week degraded state-unlocked -']],
  ['nobody can ask', facts({ faults: [fault('health-not-listening', { address: '127.0.0.1:8787' })] }), 0,
    ['critical', 'tonight critical health-not-listening -']],
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

t.test('a stream that never sent a picture is told by its cause and not by its restarts', async t => {
  const health = new HealthState(new ManualClock())
  const refused = (restarts: number, lastFrameAt: EpochMs | null) =>
    health.assess(facts({ streams: [HEALTHY,
      down('door', { lastEndReason: 'redirected', restarts, lastFrameAt })] })).reasons
  refused(0, null)
  t.match(refused(4, null)[0], { code: 'stream-redirected', subject: 'door/main' })
  t.match(refused(8, epochMs(1_700_000_000_000))[0], { code: 'stream-unstable', subject: 'door/main' })
})

t.test('a camera that is another than before is told', async t => {
  const cameraChanges = (['video-source', 'certificate', 'device'] as const).map(what =>
    ({ cameraId: cameraId('lobby'), what, since: at('2026-11-22T08:00:00.000Z') }))
  const { reasons } = new HealthState(new ManualClock()).assess(facts({ cameraChanges }))
  t.match(reasons.filter(({ subject }) => subject === 'lobby').map(({ code, en }) => [code, en]), [
    ['camera-certificate-changed', /another certificate since 2026-11-22 16:00/],
      ['camera-channel-changed', /another lens/], ['camera-device-changed', /another device/],
  ])
})

t.test('states the real loss bound of a slow disk, rounded up', async t => {
  const given = facts({ volumes: [volume('disk1', { syncMs: { last: 1_201, worst: 900 } }), volume('disk2')] })
  const [reason] = new HealthState(new ManualClock()).assess(given).reasons
  t.match(reason?.en, /takes 1201 ms to sync: a power cut may cost the last 2\.8 s/)
  t.match(reason?.text, /2\.8 秒/)
})

t.test('the forecast names the date of wrap, the age by then, and what lacks', async t => {
  const said = (change: Parameters<typeof floor>[0], free = 0) => {
    const [reason] = new HealthState(new ManualClock()).assess(facts({ volumes: ['disk1', 'disk2'].map(id => volume(id, { slots: { ...volume(id).slots, free } })), floor: floor(change) })).reasons
    return [reason?.text, reason?.en]
  }
  const wrapsAt = at('2026-12-24T16:00:00.000Z') // 00:00 in Taipei
  t.strictSame(said({ forecastDays: 44, wrapsAt, ageAtWrapDays: 33.25 }, 1), [
    '照目前用量影像可保存 44 天（有 45 天才有餘裕）；民國115年12月25日 起開始覆寫，屆時最舊影像 33.3 天', 'At the present rate footage is kept 44 days (45 days leave a margin); the ring wraps on 2026-12-25 with the oldest at 33.3 days',
  ])
  t.strictSame(said({ forecastDays: 34.04, wrapsAt, ageAtWrapDays: 34 }), [
    '照目前用量影像只能保存 34.0 天，接近保存期限；已在循環覆寫，最舊影像 34 天', 'At the present rate footage is kept only 34.0 days, close to the floor; the ring is wrapping, with the oldest at 34 days',
  ])
  t.match(said({ forecastDays: 34, wrapsAt: null, ageAtWrapDays: null })[1], /when the ring wraps cannot be told yet/)
  t.strictSame(said({ forecastDays: 20, fits: false, lackingBytes: 3.001e12 }), [
    '儲存區不足以保存到期限：尚缺 3.01 TB，照目前用量約可保存 20 天', 'The volumes cannot keep the floor: 3.01 TB lack; at the present rate footage is kept 20 days',
  ])
  t.strictSame(said({ stopsAt: wrapsAt, stopsInDays: 32 }), ['照目前用量，民國115年12月25日 起將沒有可覆寫的空間，錄影會停止', 'At the present rate no slot may be reused from 2026-12-25 on, and recording stops'])
  const trial = new HealthState(new ManualClock()).assess(facts({ floor: floor({ required: { kind: 'plain', durationMs: 90_000 }, stopsAt: at('2026-11-22T08:01:02.000Z'), stopsInDays: 62 / 86_400 }) }))
  t.match(trial.reasons.find(({ code }) => code === 'ring-stops-soon'), { level: 'degraded', en: /from 2026-11-22 16:01:02 on/ })
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
