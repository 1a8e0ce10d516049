import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import type { Answer } from '../../src/link/index.ts'
import {
  LinkedTime, RecorderAwayError, type ConnectedHook, type RecorderConnection,
} from '../../src/recorder-client/index.ts'
import { TIME_HOLDS_MS } from '../../src/recorder-client/linked-time.ts'
import { log } from '../link/support.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { until } from '../support/until.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { Office, serveRig } from './support.ts'

type Told = Answer<'recorder.time'>
const START = '2026-11-22T08:00:00.000Z'

/** A recorder whose time the test tells. */
function told(t: { teardown(work: () => unknown): void }) {
  const clock = new VirtualClock(START, t), connection = new AbortController()
  let hook: ConnectedHook = () => undefined, isAway = false
  const answer: { -readonly [K in keyof Told]: Told[K] } = {
    bootId: 'boot', monoMs: clock.monoNow(), steadyMs: clock.wallNow(), trustedAt: clock.wallNow(),
    archiveAt: clock.wallNow(), agreedMs: 1000, state: 'agreed', offsetMs: 0, isBusy: false, waitingMs: 0,
    waitingFor: null, stamp: { timeline: 'ab'.repeat(16), at: clock.wallNow() }, advances: [],
    hasEarlierAdvances: false, sync: { source: 'chrony', isSynchronised: true, referenceOffsetMs: 3 },
  }
  const asked = { ask: async () => {
    if (isAway) throw new RecorderAwayError('planted')
    return { ...answer }
  } } as unknown as RecorderConnection
  const time = LinkedTime.open({
    connection: { ask: asked.ask, onConnected: each => { hook = each; return () => undefined } }, bootId: 'boot', clock, log,
  })
  t.teardown(() => time[Symbol.asyncDispose]())
  return {
    time, clock, answer, connect: async () => { hook(connection.signal); await clock.settle(1) },
    away: () => { isAway = true },
    /** As it stands now, `byMs` off. */
    tellNow: async (byMs = 0) => {
      const now = clock.wallNow() + byMs
      Object.assign(answer, { monoMs: clock.monoNow(), steadyMs: now, trustedAt: now, archiveAt: now })
      await clock.advance(5_000)
      await clock.settle(1)
    },
  }
}

t.test('it runs on from what was told, for 30 s, and is then unknown', async t => {
  const { time, clock, connect, away } = told(t)
  t.same([time.now(), time.nowForArchive(), time.steadyNow(), time.status(), time.isBusy], [null, null, null, null, true])
  await connect()
  t.same([time.now(), time.nowForArchive(), time.steadyNow()], Array.from({ length: 3 }, () => clock.wallNow()))
  t.match(time.status(), { state: 'agreed', sync: { referenceOffsetMs: 3 } })
  t.equal(time.isBusy, false)
  away()
  clock.drift(30_000, 0)
  t.equal(time.now(), clock.wallNow())
  clock.drift(1, 0)
  t.same([time.now(), time.nowForArchive(), time.status(), time.isBusy], [null, null, null, true])
  t.equal(time.steadyNow(), clock.wallNow(), 'what is counted goes on')
})

t.test('it never goes back, and stands still until the recorder has caught up', async t => {
  const { time, clock, connect, tellNow } = told(t)
  await connect()
  clock.drift(2_000, 0)
  const before = time.now()!
  time.steadyNow()
  await tellNow(-20_000)
  t.equal(time.now(), before)
  t.ok(time.steadyNow()! >= before)
  await tellNow(-6_000)
  await tellNow(0)
  t.ok(time.now()! > before)
})

t.test('the archive is told no time while the wall clock of now disagrees, or the recorder\'s did', async t => {
  const { time, clock, connect, answer } = told(t)
  await connect()
  clock.stepWall(1_500)
  t.equal(time.nowForArchive(), null)
  t.not(time.now(), null)
  clock.stepWall(-1_500)
  t.equal(time.nowForArchive(), clock.wallNow())
  answer.archiveAt = null
  answer.monoMs = clock.monoNow()
  await clock.advance(5_000)
  await clock.settle(1)
  t.equal(time.nowForArchive(), null)
})

t.test('what is told of another boot is not taken', async t => {
  const { time, answer, connect } = told(t)
  answer.bootId = 'another'
  await connect()
  t.same([time.now(), time.steadyNow()], [null, null])
})

t.test('a recorder tells its own trusted time', async t => {
  const rig = await RecorderRig.open(t), folder = t.testdir({})
  await using _server = serveRig(folder, rig)
  await using office = await new Office(folder, { clock: rig.clock, bootId: rig.bootId }).connected()
  await until('told', () => office.time.now() !== null)
  t.same([office.time.now(), office.time.nowForArchive(), office.time.steadyNow()],
    [rig.time.now(), rig.time.nowForArchive(), rig.time.steadyNow()])
  const { state, offsetMs, sync, trustedAt, waitingMs, waitingFor } = office.time.status()!
  t.same({ state, offsetMs, sync, trustedAt, waitingMs, waitingFor }, rig.time.status())
})

t.test('what is dated while the clocks disagree stands where the recorder would have it', async t => {
  const { time, clock, answer, connect, away } = told(t)
  t.throws(() => time.stamp(), { code: 'CUSTOS_RECORDER_AWAY' })
  await connect()
  const first = clock.wallNow()
  const stamp = time.stamp()
  t.same(stamp, { timeline: answer.stamp.timeline, at: first })
  t.equal(time.standing(stamp), first)
  clock.drift(7_000, 0)
  t.equal(time.stamp().at, first + 7_000, 'it runs on')

  // The machine was off for an hour, which counts from a second on after the first stamp.
  const late = time.stamp() // made when the recorder had moved already, and nobody had told
  answer.advances = [{ sinceMs: first - 1_000, atMs: first + 6_000, byMs: 3_600_000 }]
  await clock.advance(5_000)
  await clock.settle(1)
  t.equal(time.standing(stamp), first + 3_600_000)
  t.equal(time.standing(late), late.at + 3_600_000, 'never earlier than it was')
  const after = { timeline: late.timeline, at: epochMs(first + 6_000 + TIME_HOLDS_MS + 1) }
  t.equal(time.standing(after), after.at, 'behind the advance nothing moves')
  t.equal(time.standing({ ...stamp, timeline: 'cd'.repeat(16) }), null, 'another counting cannot tell')
  answer.hasEarlierAdvances = true
  await clock.advance(5_000)
  await clock.settle(1)
  t.equal(time.standing({ ...stamp, at: epochMs(first - 10_000) }), null, 'nor advances that are not told any more')
  away()
  clock.drift(TIME_HOLDS_MS + 1, 0)
  t.throws(() => time.stamp(), { code: 'CUSTOS_RECORDER_AWAY' }, 'nothing is dated by what is old')
})
