import t from 'tap'
import { HealthState, SystemdReport, statusLine, type RecorderFacts } from '../../src/health/index.ts'
import type { SystemdNotify } from '../../src/platform/systemd-notify.ts'
import { down, facts, stream, volume } from './support/facts.ts'
import { keptLog } from './support/kept-log.ts'
import { ManualClock } from './support/manual-clock.ts'

function reporting(given: { active?: boolean } = {}) {
  const clock = new ManualClock()
  const state = new HealthState(clock)
  const said: string[] = []
  const notify: SystemdNotify = {
    active: given.active ?? true, watchdogIntervalMs: 10_000,
    ready() { said.push('ready') }, stopping() { said.push('stopping') }, watchdog() { said.push('watchdog') }, status(text) { said.push(text) },
    flushed: async () => {}, [Symbol.asyncDispose]: async () => {},
  }
  const recorder: { facts: RecorderFacts | null, assessed?: () => void } = { facts: facts() }
  const { log, lines } = keptLog()
  const assess = () => {
    recorder.assessed?.()
    if (!recorder.facts) throw new Error('gone')
    return state.assess(recorder.facts)
  }
  const report = SystemdReport.open({ notify, assess, clock, log })
  return { clock, said, recorder, lines, report, pets: () => said.splice(0).filter(word => word === 'watchdog').length }
}

t.test('feeds the watchdog and says the status while the recorder makes progress', async t => {
  const { clock, said, report } = reporting()
  await clock.advance(10_000)
  t.strictSame(said, Array(2).fill(['healthy: 2 of 2 streams recording', 'watchdog']).flat())
  await report[Symbol.asyncDispose]()
  t.equal(clock.pendingWaits, 0)
})

t.test('a slow look or a late wake-up does not move the words to come', async t => {
  const { clock, recorder, report } = reporting()
  const at: number[] = []
  recorder.assessed = () => { at.push(clock.monoNow()); clock.lose(at.length === 2 ? 4_000 : 3) }
  await clock.advance(70_000)
  t.strictSame(at.map(ms => ms - at[0]!), [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000])
  await report[Symbol.asyncDispose]()
})

t.test('lets the watchdog go hungry while storage hangs, and says why once', async t => {
  const { clock, recorder, lines, report, pets } = reporting()
  t.equal(pets(), 1)
  recorder.facts = facts({ streams: [stream('lobby', { lastFrameAgeMs: 70_000 })] })
  await clock.advance(30_000)
  t.equal(pets(), 0)
  recorder.facts = null
  await clock.advance(20_000)
  t.equal(pets(), 0)
  recorder.facts = facts({ streams: [down('lobby')] })
  await clock.advance(10_000)
  t.equal(pets(), 1)
  t.strictSame(lines.map(line => (JSON.parse(line) as { msg: string }).msg),
    ['watchdog not fed: systemd will restart the recorder', 'watchdog fed again'])
  t.match(lines[0], /no-progress lobby\/main/)
  await report[Symbol.asyncDispose]()
})

t.test('says and waits for nothing without systemd', async t => {
  const { clock, said, report } = reporting({ active: false })
  t.equal(clock.pendingWaits, 0)
  t.strictSame(said, [])
  await report[Symbol.asyncDispose]()
})

t.test('the status line names the worst reason, without a name or a path', async t => {
  const state = new HealthState(new ManualClock())
  const line = statusLine(state.assess(facts({ streams: [stream('lobby'), down('door'), down('old', { state: 'stopped' , lastEndReason: 'removed-from-config' })],
    volumes: [volume('disk1', { state: 'failed' }), volume('disk2', { errors: 1 })] })))
  t.equal(line, 'critical: 1 of 2 streams recording; Volume disk1 fails to read or write')
})
