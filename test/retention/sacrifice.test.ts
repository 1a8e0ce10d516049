import fc from 'fast-check'
import t from 'tap'
import { epochMs, monoMs, type RecordingMode } from '../../src/domain/index.ts'
import { decideSacrifice, FRESH_MEMORY, sacrificeLimits, type SacrificeStream } from '../../src/retention/index.ts'
import { seeded } from '../support/recorder/seeded.ts'
import { DAY_MS, ringOf, runRing, type Setting } from '../support/simulated-ring.ts'

const hours = (n: number) => n * 3_600_000
const stream = (key: string, priority: number, more: Partial<SacrificeStream> = {}): SacrificeStream =>
  ({ key, camera: key.split('/')[0]!, priority, mode: 'full', hasLower: true, overBudget: false, bps: { full: 4e6, lower: 1e6, 'key-frames': 0.5e6 }, ...more })

const MONTH = sacrificeLimits({ kind: 'calendar-days', days: 31 })
const NOW = epochMs(Date.UTC(2026, 10, 22))
/** A ring that lasts for ever up to `fitsBps` over all streams, and stops after `stopsInMs` above. */
const decide = (streams: readonly SacrificeStream[], { fitsBps, stopsInMs, at = 1e9, memory = FRESH_MEMORY }: { fitsBps: number, stopsInMs: number, at?: number, memory?: typeof FRESH_MEMORY }) =>
  decideSacrifice({
    at: monoMs(at), now: NOW, streams, limits: MONTH, memory,
    outlook: rates => {
      const fits = rates.reduce((sum, rate) => sum + rate, 0) <= fitsBps
      return { stopsAt: fits ? null : epochMs(NOW + stopsInMs), fits, slotMs: 30_000 }
    },
  })
const steps = (decision: ReturnType<typeof decide>) => decision.changes.map(({ key, to }) => `${key} ${to}`)

t.test('the limits of a month are two days, half a day and two hours; shorter floors in proportion', async t => {
  t.match(MONTH, { lowerBelowMs: hours(48), keyFramesBelowMs: hours(12), stopBelowMs: hours(2) })
  t.equal(sacrificeLimits({ kind: 'plain', durationMs: 16 * DAY_MS }).lowerBelowMs, hours(24))
  t.equal(sacrificeLimits({ kind: 'calendar-days', days: 90 }).lowerBelowMs, hours(48), 'a longer floor needs no earlier step')
})

t.test('nothing is given up while the ring lasts longer than the limit', async t => {
  t.same(steps(decide([stream('a/main', 1)], { fitsBps: 1e6, stopsInMs: hours(49) })), [])
})

t.test('step 3 takes the least important first, and only as many as are needed', async t => {
  const streams = [stream('a/main', 1), stream('b/main', 9), stream('c/main', 5), stream('d/main', 5)]
  t.same(steps(decide(streams, { fitsBps: 13e6, stopsInMs: hours(47) })), ['b/main lower'])
  t.same(steps(decide(streams, { fitsBps: 10e6, stopsInMs: hours(47) })), ['b/main lower', 'c/main lower'])
  t.same(steps(decide(streams, { fitsBps: 1e6, stopsInMs: hours(47) })), streams.map(({ key }) => `${key} lower`), 'not yet key frames only: there is more than half a day')
})

t.test('a stream above its declared rate goes first of all', async t => {
  const streams = [stream('a/main', 1, { overBudget: true }), stream('b/main', 9)]
  const decision = decide(streams, { fitsBps: 6e6, stopsInMs: hours(40) })
  t.match(decision.changes, [{ key: 'a/main', to: 'lower', reason: 'over-budget' }])
})

t.test('step 4 and step 5 wait for their own limits, and the most important camera is never stopped here', async t => {
  const streams = [stream('a/main', 1), stream('b/main', 9, { hasLower: false }), stream('b/sub', 9)]
  t.same(steps(decide(streams, { fitsBps: 4e6, stopsInMs: hours(40) })), ['a/main lower', 'b/sub lower'], 'b/main has nothing lower')
  t.same(steps(decide(streams, { fitsBps: 3e6, stopsInMs: hours(11) })), ['a/main lower', 'b/main key-frames', 'b/sub lower'])
  t.same(steps(decide(streams, { fitsBps: 0.6e6, stopsInMs: hours(1) })), ['a/main key-frames', 'b/main stopped', 'b/sub stopped'])
})

t.test('where no step can avoid a stop, no camera is stopped in vain', async t => {
  t.same(steps(decide([stream('a/main', 1)], { fitsBps: 0, stopsInMs: hours(1) })), ['a/main key-frames'])
})

t.test('a step is taken back only after the forecast has held long enough, all in reverse order', async t => {
  const streams = [stream('a/main', 1, { mode: 'key-frames' }), stream('b/main', 9, { mode: 'stopped' })]
  const first = decide(streams, { fitsBps: 100e6, stopsInMs: 0, memory: { ...FRESH_MEMORY, changedAt: monoMs(0) } })
  t.same(steps(first), [])
  t.equal(first.memory.calmSince, 1e9)
  t.same(steps(decide(streams, { fitsBps: 100e6, stopsInMs: 0, at: 1e9 + MONTH.calmForMs - 1, memory: first.memory })), [])
  t.same(steps(decide(streams, { fitsBps: 100e6, stopsInMs: 0, at: 1e9 + MONTH.calmForMs, memory: first.memory })), ['a/main full', 'b/main full'])
  t.equal(decide(streams, { fitsBps: 0.9e6, stopsInMs: hours(90), at: 2e9, memory: first.memory }).memory.calmSince, null, 'the wait begins anew when the forecast breaks')
  t.same(steps(decide(streams, { fitsBps: 1.2e6, stopsInMs: hours(90), at: 1e9 + MONTH.calmForMs, memory: first.memory })), ['b/main key-frames'], 'as far as there is room, what was given up last first')
  t.same(steps(decide([streams[0]!], { fitsBps: 1.05e6, stopsInMs: hours(90), at: 1e9 + MONTH.calmForMs, memory: first.memory })), [], 'not without the margin')
})

t.test('a lower profile that left the configuration is not recorded from', async t => {
  t.same(steps(decide([stream('a/main', 1, { mode: 'lower', hasLower: false })], { fitsBps: 1e9, stopsInMs: 0 })), ['a/main full'])
})

t.test('a lower profile that takes more than the full one is passed over, down and up', async t => {
  const bps = { full: 4e6, lower: 6e6, 'key-frames': 0.5e6 }
  t.same(steps(decide([stream('a/main', 1), stream('b/main', 9, { bps })], { fitsBps: 5e6, stopsInMs: hours(40) })), ['a/main lower'])
  const memory = { ...FRESH_MEMORY, changedAt: monoMs(0), calmSince: monoMs(0) }
  t.same(steps(decide([stream('b/main', 9, { bps, mode: 'key-frames' })], { fitsBps: 5e6, stopsInMs: 0, memory })), ['b/main full'])
})

// ---- against a ring that is filled and reused slot by slot by the real guard

const RANK: Record<RecordingMode, number> = { full: 0, lower: 1, 'key-frames': 2, stopped: 3 }
const setting: fc.Arbitrary<Setting> = fc.record({
  /** For each stream; below, one slot that a step wastes is a large part of the ring. */
  slotsEach: fc.integer({ min: 8, max: 16 }),
  floorTicks: fc.integer({ min: 10, max: 24 }),
  streams: fc.array(fc.record({
    priority: fc.integer({ min: 1, max: 9 }), hasLower: fc.boolean(), overBudget: fc.boolean(),
    /** Slots a tick, recorded in full. */
    rate: fc.double({ min: 0.1, max: 1.3, noNaN: true }),
    lowerShare: fc.double({ min: 0.1, max: 0.9, noNaN: true }), keyShare: fc.double({ min: 0.02, max: 0.5, noNaN: true }),
    /** What was expected of a mode before it was tried, of the truth. */
    guess: fc.double({ min: 0.3, max: 3, noNaN: true }),
  }), { minLength: 1, maxLength: 4 }),
}).map(({ slotsEach, ...rest }) => ({ ...rest, slots: slotsEach * rest.streams.length }))

t.test('against a simulated ring, whatever its size and its streams', async t => {
  const runs = seeded(t, 10_000)
  let stoppedWithout = 0
  let stoppedWith = 0
  fc.assert(fc.property(setting, each => {
    const ring = ringOf(each)
    const run = runRing(each, ring, { ticks: 55, sacrifice: true })
    if (run.overwrittenInsideFloor > 0) return false
    const without = runRing(each, ringOf(each), { ticks: 55, sacrifice: false })
    if (without.lostTicks > 0) stoppedWithout++
    if (run.lostTicks > 0) stoppedWith++
    // Each change leaves a slot half empty: so much earlier a ring may stop, and one that nearly fits may stop for just those.
    const wholeRate = each.streams.reduce((sum, { rate }) => sum + rate, 0)
    const neededSlots = each.streams.length + wholeRate * each.floorTicks
    const wastedSlots = each.streams.length * run.mostChanges
    const isClose = Math.abs(each.slots - neededSlots) <= 2 * each.streams.length + wastedSlots
    if (run.firstStopTick < without.firstStopTick - Math.ceil(wastedSlots / wholeRate) && !isClose) throw new Error(`stopped at ${run.firstStopTick}, without any step at ${without.firstStopTick}`)
    // Three steps down, and each may be taken back and again while true rates are learnt; the wait doubles each time.
    if (run.mostChanges > 9) throw new Error(`${run.mostChanges} changes of one stream`)
    for (const modes of run.modesSeen) {
      for (const a of each.streams.keys()) for (const b of each.streams.keys()) {
        const [more, less] = [each.streams[a]!, each.streams[b]!]
        if (more.priority < less.priority && more.hasLower === less.hasLower && more.overBudget === less.overBudget && RANK[modes[a]!] > RANK[modes[b]!]) {
          throw new Error(`the more important one gave up more: ${modes.join(' ')}`)
        }
      }
    }
    // Capacity comes back: everything is recorded in full again, after the longest wait for calm at the latest, and stays so.
    const after = runRing(each, ring, { ticks: 250, sacrifice: true, addSlots: Math.ceil(1.3 * neededSlots), untilFull: true })
    const later = runRing(each, ring, { ticks: 15, sacrifice: true })
    if (!later.modesSeen.every(modes => modes.every(mode => mode === 'full'))) throw new Error(`with room again: ${after.modesSeen.length} looks, then ${later.modesSeen.at(-1)!.join(' ')}`)
    return after.overwrittenInsideFloor === 0 && later.overwrittenInsideFloor === 0
  }), runs)
  t.comment(`rings that had to stop: ${stoppedWithout} without the order of sacrifice, ${stoppedWith} with it`)
  t.ok(stoppedWith < stoppedWithout / 2, 'most rings that would have stopped do not')
})
