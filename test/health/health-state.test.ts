import t from 'tap'
import { HealthState } from '../../src/health/index.ts'
import { UNSTABLE_WINDOW_MS } from '../../src/health/stream-watch.ts'
import { isoOf } from '../../src/domain/index.ts'
import { at, down, facts, floor, stream, volume } from './support/facts.ts'
import { ManualClock } from './support/manual-clock.ts'

const open = () => { const clock = new ManualClock(); return { clock, state: new HealthState(clock) } }

t.test('since stays while a reason lasts and starts anew when it returns', async t => {
  const { clock, state } = open()
  const bad = facts({ catalogue: { state: 'failed', detail: '' } })
  const since = () => { const reason = state.assess(bad).reasons[0]; return reason && isoOf(reason.since) }
  t.equal(since(), '2026-11-22T08:00:00.000Z')
  await clock.advance(90_000)
  t.equal(since(), '2026-11-22T08:00:00.000Z')
  t.strictSame(state.assess(facts()).reasons, [])
  t.equal(since(), '2026-11-22T08:01:30.000Z')
})

t.test('since of a dead stream is when its gap began, whatever it tries meanwhile', async t => {
  const { clock, state } = open()
  const openGapSince = at('2026-11-22T07:59:58.000Z')
  const seen: string[] = []
  const look = async (change: Parameters<typeof down>[1]) => {
    await clock.advance(11_000)
    const { reasons } = state.assess(facts({ streams: [stream('lobby'), down('door', { openGapSince, ...change })] }))
    for (const reason of reasons) seen.push(`${reason.code} ${isoOf(reason.since)}`)
  }
  state.assess(facts({ streams: [stream('lobby'), down('door', { openGapSince })] }))
  await look({})
  await look({ state: 'connecting' })
  await look({ lastEndReason: 'refused', openGapSince: null })
  await look({ lastEndReason: 'auth-refused', state: 'connecting', openGapSince: at('2026-11-22T08:00:20.000Z') })
  t.strictSame(seen, ['stream-unreachable', 'stream-unreachable', 'stream-refused', 'stream-auth-refused'].map(code => `${code} 2026-11-22T07:59:58.000Z`))
})

t.test('a forecast that worsens keeps its beginning', async t => {
  const { clock, state } = open()
  const [short] = state.assess(facts({ floor: floor({ forecastDays: 40 }) })).reasons
  await clock.advance(60_000)
  const [critical] = state.assess(facts({ floor: floor({ forecastDays: 30 }) })).reasons
  t.equal(critical?.code, 'forecast-critical')
  t.equal(critical?.since, short?.since)
})

t.test('the same trouble on two volumes is two troubles', async t => {
  const { clock, state } = open()
  state.assess(facts({ volumes: [volume('disk1', { state: 'failed' }), volume('disk2')] }))
  await clock.advance(5_000)
  const { reasons } = state.assess(facts({ volumes: [volume('disk1', { state: 'failed' }), volume('disk2', { state: 'failed' }), volume('disk3')] }))
  t.strictSame(reasons.map(reason => [reason.subject, isoOf(reason.since)]),
    [['disk1', '2026-11-22T08:00:00.000Z'], ['disk2', '2026-11-22T08:00:05.000Z']])
})

t.test('a rejected configuration is dated by its rejection, never in the future', async t => {
  const { clock, state } = open()
  const rejected = facts({ configReload: {
    rejectedAt: at('2026-11-22T07:30:00.000Z'), problems: 2, fromLastGood: false,
    inForceSince: at('2026-11-20T07:30:00.000Z'),
  } })
  t.equal(state.assess(rejected).reasons[0]?.since, at('2026-11-22T07:30:00.000Z'))
  state.assess(facts())
  clock.stepWall(-86_400_000)
  t.equal(state.assess(rejected).reasons[0]?.since, clock.wallNow())
})

t.test('a wall clock step makes no stream look dead and ends no outage', async t => {
  const { clock, state } = open()
  const given = facts({ streams: [stream('lobby'), down('door')] })
  state.assess(given)
  clock.stepWall(3_600_000)
  t.equal(state.assess(given).level, 'healthy')
  await clock.advance(11_000)
  t.equal(state.assess(given).level, 'degraded')
  clock.stepWall(-7_200_000)
  t.equal(state.assess(given).level, 'degraded')
})

t.test('an outage is counted from the last frame, not from when it was noticed', async t => {
  const { clock, state } = open()
  const look = (lastFrameAgeMs: number, change = {}) => state.assess(facts({ streams: [stream('lobby'), stream('door', { lastFrameAgeMs, ...change })] }))
  look(500)
  await clock.advance(1_000)
  t.equal(look(10_400).level, 'degraded', 'no frame for ten seconds while recording')
  t.equal(look(300).level, 'healthy')
})

t.test('a stream that is wanted again gets its time to connect, however old its footage', async t => {
  const { clock, state } = open()
  const again = (state: 'stopped' | 'connecting') => facts({ streams: [stream('lobby'), down('door', { state, lastEndReason: 'removed-from-config', lastFrameAgeMs: 90_000_000 })] })
  state.assess(again('stopped'))
  t.equal(state.assess(again('connecting')).level, 'healthy')
  await clock.advance(10_001)
  t.equal(state.assess(again('connecting')).level, 'degraded')
})

t.test('a stream that keeps breaking off is a reason though it records at every look', async t => {
  const { clock, state } = open()
  const look = async (restarts: number, waitMs = 8_000) => {
    await clock.advance(waitMs)
    return state.assess(facts({ streams: [stream('lobby'), stream('door', { restarts })] })).reasons.map(reason => `${reason.code} ${reason.en}`)
  }
  for (const restarts of [3, 4, 5, 6]) t.strictSame(await look(restarts), [])
  t.match((await look(7))[0], /^stream-unstable door\/main: broke off 4 times/)
  t.strictSame(await look(7, UNSTABLE_WINDOW_MS), [], 'forgotten after the window')
  t.strictSame(await look(0), [], 'a new process counts from nothing')
})

t.test('the retries of a long outage are not instability', async t => {
  const { clock, state } = open()
  const look = async (view: ReturnType<typeof stream>) => {
    await clock.advance(6_000)
    return state.assess(facts({ streams: [stream('lobby'), view] })).reasons.map(reason => reason.code)
  }
  await look(stream('door'))
  for (let restarts = 1; restarts <= 30; restarts++) await look(down('door', { restarts }))
  t.strictSame(await look(stream('door', { restarts: 30 })), [])
})
