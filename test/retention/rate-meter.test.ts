import fc from 'fast-check'
import t from 'tap'
import { CapacityWatch, RateMeter, type FloorRule, type StreamLook } from '../../src/retention/index.ts'
import { epochMs, monoMs } from '../../src/domain/index.ts'

const month: FloorRule = { floor: { kind: 'calendar-days', days: 31 }, timezone: 'Asia/Taipei' }
const trial: FloorRule = { floor: { kind: 'plain', durationMs: 90_000 }, timezone: 'Asia/Taipei' }
const SEED = Number(process.env['FC_SEED'] ?? 20261125)

/** Looks each second for so long. */
function looked(meter: RateMeter, seconds: number, bps: number, { from = 0, recording = true } = {}): number {
  for (let second = from; second <= from + seconds; second++) meter.look(second * 1_000, bps, recording)
  return from + seconds
}

t.test('says nothing before ten minutes of recording, ten seconds under a trial floor', t => {
  for (const [floor, seconds] of [[month, 600], [trial, 10]] as const) {
    const meter = new RateMeter(floor)
    looked(meter, seconds - 1, 4e6)
    t.equal(meter.bitrateBps, null)
    looked(meter, 1, 4e6, { from: seconds - 1 })
    t.equal(meter.bitrateBps, 4e6)
  }
  t.end()
})

t.test('time without recording neither warms it up nor pulls it down', t => {
  const meter = new RateMeter(month)
  const end = looked(meter, 300, 4e6)
  const later = looked(meter, 3_000, 0, { from: end, recording: false })
  t.equal(meter.bitrateBps, null)
  looked(meter, 310, 4e6, { from: later })
  t.equal(meter.bitrateBps, 4e6)
  const slept = new RateMeter(month)
  slept.look(0, 4e6, true)
  slept.look(7_200_000, 4e6, true)
  t.equal(slept.bitrateBps, null, 'two hours between two looks were not measured')
  t.end()
})

t.test('follows a change: half of it after a day, under a trial floor after half a minute', t => {
  const meter = new RateMeter(trial)
  const end = looked(meter, 120, 4e6)
  looked(meter, 30, 2e6, { from: end })
  t.ok(Math.abs(meter.bitrateBps! - 3e6) < 0.1e6, `${meter.bitrateBps}`)
  t.end()
})

t.test(`is never outside what was looked at (seed ${SEED})`, t => {
  fc.assert(fc.property(fc.array(fc.record({ stepMs: fc.integer({ min: 1, max: 90_000 }), bps: fc.integer({ min: 0, max: 2e7 }), recording: fc.boolean() }), { maxLength: 60 }), looks => {
    const meter = new RateMeter(trial)
    let at = 0
    for (const look of looks) { at += look.stepMs; meter.look(at, look.bps, look.recording) }
    const rates = looks.filter(look => look.recording && look.bps > 0).map(look => look.bps)
    return meter.bitrateBps === null || (meter.bitrateBps >= Math.min(...rates) - 1e-3 && meter.bitrateBps <= Math.max(...rates) + 1e-3)
  }), { seed: SEED, numRuns: 10_000 })
  t.pass('bounded')
  t.end()
})

t.test('the watch takes declared rates until measured ones are there, and forgets what is gone or recorded otherwise', t => {
  const watch = new CapacityWatch(trial)
  const stream = (key: string, change: Partial<StreamLook> = {}): StreamLook => ({ key, bitrateBps: 2e6, isRecording: true, declaredBps: null, oldestAt: null, ...change })
  const unknown = (at: number) => watch.forecast(monoMs(at), [], epochMs(0)).unknown
  watch.look(monoMs(0), [stream('a/main', { declaredBps: 4e6 }), stream('b/main')])
  t.ok(watch.isDue(monoMs(0)))
  t.same(unknown(0), ['b/main'])
  t.notOk(watch.isDue(monoMs(500)), 'not each time')
  t.ok(watch.isDue(monoMs(1_000)))
  for (let second = 1; second <= 12; second++) watch.look(monoMs(second * 1_000), [stream('a/main', { declaredBps: 4e6 }), stream('b/main')])
  t.same([...watch.measuredBps()], [['a/main', 2e6], ['b/main', 2e6]])
  t.same(unknown(12_000), [])
  watch.forget('b/main')
  t.ok(watch.isDue(monoMs(12_001)), 'at once')
  t.same(unknown(12_001), ['b/main'])
  watch.look(monoMs(13_000), [stream('b/main')])
  t.ok(watch.isDue(monoMs(13_000)), 'a stream went')
  t.same([...watch.measuredBps()], [])
  t.end()
})
