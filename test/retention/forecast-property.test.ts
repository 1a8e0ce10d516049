import fc from 'fast-check'
import t from 'tap'
import { epochMs, type EpochMs } from '../../src/domain/index.ts'
import { slotMs } from '../../src/retention/capacity.ts'
import { forecast, plannedSpanMs, type FloorRule, type Forecast, type ForecastInput } from '../../src/retention/index.ts'
import { RingModel } from './ring-model.ts'

const SEED = Number(process.env['FC_SEED'] ?? 20261123)
const RUNS = { seed: SEED, numRuns: Number(process.env['FC_RUNS'] ?? 10_000) }
const DAY_MS = 86_400_000
const MIB = 2 ** 20

/** A ring with streams, and a floor between far too small and far too large for it: `reach` 1 just fits. */
const rings = fc.record({
  volumes: fc.array(fc.record({ slotSizeBytes: fc.constantFrom(4 * MIB, 16 * MIB, 64 * MIB), slots: fc.integer({ min: 3, max: 14 }) }), { minLength: 1, maxLength: 3 }),
  streams: fc.array(fc.record({ bitrateBps: fc.integer({ min: 400_000, max: 12_000_000 }), phase: fc.double({ min: 0.01, max: 1, noNaN: true }) }), { minLength: 1, maxLength: 3 }),
  reach: fc.oneof(fc.double({ min: 0.1, max: 2, noNaN: true }), fc.double({ min: 0.8, max: 1.2, noNaN: true })),
  calendar: fc.constantFrom(null, null, null, 0, 1, 2),
  startAt: fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2027, 0) }),
  lookAt: fc.double({ min: 0, max: 1.6, noNaN: true }),
  heldShare: fc.constantFrom(0, 0, 0, 0.1, 0.4),
  floorChange: fc.constantFrom(1, 1, 1, 0.5, 1.5),
})
type Drawn = typeof rings extends fc.Arbitrary<infer Value> ? Value : never

function modelOf(drawn: Drawn): { model: RingModel, capacityMs: number } {
  const { volumes, startAt, calendar, reach } = drawn
  const wholeMs = (bitrates: readonly number[]) => volumes.reduce((sum, volume) => sum + volume.slots * slotMs(bitrates, volume.slotSizeBytes), 0)
  const rates = drawn.streams.map(stream => stream.bitrateBps)
  const capacityMs = wholeMs(rates)
  // Days cannot be made to fit the ring, so under a calendar floor the cameras are.
  const scale = calendar === null ? 1 : capacityMs * reach / ((calendar + 1) * DAY_MS)
  const streams = drawn.streams.map(({ bitrateBps, phase }) => ({ bitrateBps: bitrateBps * scale, phase }))
  const floor: FloorRule = { timezone: 'Asia/Taipei', floor: calendar === null ? { kind: 'plain', durationMs: Math.round(capacityMs * reach) } : { kind: 'calendar-days', days: calendar } }
  return { model: new RingModel({ volumes, streams, floor, startAt: epochMs(startAt) }), capacityMs: calendar === null ? capacityMs : wholeMs(streams.map(stream => stream.bitrateBps)) }
}

/** The same ring with so many slots more or fewer (of the largest size, where sizes differ): what one slot's time is worth. */
function withSlots(facts: ForecastInput, more: number): ForecastInput {
  const largest = facts.volumes.reduce((a, b) => b.slotSizeBytes > a.slotSizeBytes ? b : a)
  return { ...facts, volumes: facts.volumes.map(volume => volume === largest ? { ...volume, slots: { ...volume.slots, total: volume.slots.total + more, free: volume.slots.free + more } } : volume) }
}

const laterOf = (at: EpochMs | null): number => at ?? Infinity
const isBetween = (low: EpochMs | null, value: number, high: EpochMs | null): boolean => laterOf(low) <= value + 1 && value - 1 <= laterOf(high)

interface Tally { stops: number, wraps: number, never: number, offSlots: number[] }

/** Looks at the ring now, lets it run on, and compares. */
function compare(model: RingModel, tally: Tally, unit: 'slot' | 'day'): void {
  const facts = model.facts(unit), streams = facts.streams.length
  const told = forecast(facts)
  const [tight, ample] = [forecast(withSlots(facts, -streams - 1)), forecast(withSlots(facts, streams + 1))]
  const before = model.overwrites.length
  model.run(epochMs(model.now + 2.2 * plannedSpanMs(facts.floor) + 2 * DAY_MS * (facts.floor.floor.kind === 'plain' ? 0 : 1)))
  const stopped = laterOf(model.stoppedAt)
  if (!isBetween(tight.stopsAt, stopped, ample.stopsAt)) {
    throw new Error(`stopped at ${stopped - facts.now!}, told ${laterOf(told.stopsAt) - facts.now!}, within ${laterOf(tight.stopsAt) - facts.now!} .. ${laterOf(ample.stopsAt) - facts.now!}`)
  }
  const next = Math.min(stopped, model.overwrites[before]?.at ?? Infinity)
  if (next < Infinity && !isBetween(tight.wrapsAt, next, ample.wrapsAt)) throw new Error(`next overwrite at ${next - facts.now!}, told ${laterOf(told.wrapsAt) - facts.now!}`)
  if (stopped < Infinity) tally.stops++
  else tally.never++
  if (model.overwrites.length > before) tally.wraps++
  if (stopped < Infinity && told.stopsAt !== null) tally.offSlots.push(Math.abs(stopped - told.stopsAt) / slotMs(facts.streams.map(stream => stream.bitrateBps!), facts.volumes[0]!.slotSizeBytes))
}

const newTally = (): Tally => ({ stops: 0, wraps: 0, never: 0, offSlots: [] })

t.test(`a fresh ring stops, wraps or goes on for ever as was forecast, within a slot a stream (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
  const tally = newTally()
  let fitting = 0, lacking = 0
  fc.assert(fc.property(rings, drawn => {
    const { model } = modelOf(drawn)
    const facts = model.facts(), told = forecast(facts), streams = facts.streams.length
    const [tight, ample] = [forecast(withSlots(facts, -streams - 1)), forecast(withSlots(facts, streams + 1))]
    compare(model, tally, 'slot')
    if (tight.fits === true) { fitting++; if (model.stoppedAt !== null) throw new Error('it was said to fit with room to spare, and stopped') }
    if (ample.fits === false) { lacking++; if (model.stoppedAt === null) throw new Error('it was said to lack space, and went on') }
    return (told.lackingBytes === 0) === (told.fits === true) && (told.marginDays! >= 0) === told.fits
  }), RUNS)
  t.comment(`${tally.stops} stopped, ${tally.never} did not, ${tally.wraps} wrapped`)
  for (const [name, count] of Object.entries({ stops: tally.stops, wraps: tally.wraps, never: tally.never, fitting, lacking })) t.ok(count > RUNS.numRuns / 10, `${name}: ${count}`)
  t.end()
})

t.test(`a ring looked at later, with footage held and the floor changed, does what was forecast (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
  const tally = newTally()
  fc.assert(fc.property(rings, fc.integer({ min: 1, max: 97 }), fc.constantFrom('slot', 'day'), (drawn, pick, unit) => {
    const { model, capacityMs } = modelOf(drawn)
    model.run(epochMs(model.now + capacityMs * drawn.lookAt))
    if (model.stoppedAt !== null) return true // forecast from its start above
    let index = 0
    for (const slot of model.sealed.flat()) slot.held = (index++ * 31 + pick) % 97 < 97 * drawn.heldShare
    const { floor } = model.floor
    if (floor.kind === 'plain') model.floor = { ...model.floor, floor: { kind: 'plain', durationMs: Math.round(floor.durationMs * drawn.floorChange) } }
    compare(model, tally, floor.kind === 'plain' ? 'slot' : unit)
    return true
  }), RUNS)
  t.comment(`${tally.stops} stopped, ${tally.never} did not, ${tally.wraps} wrapped`)
  for (const [name, count] of Object.entries({ stops: tally.stops, wraps: tally.wraps, never: tally.never })) t.ok(count > RUNS.numRuns / 20, `${name}: ${count}`)
  const sorted = tally.offSlots.toSorted((a, b) => a - b)
  t.comment(`stopsAt was off by ${sorted[Math.floor(sorted.length / 2)]?.toFixed(2)} slots (median), ${sorted[Math.floor(sorted.length * 0.99)]?.toFixed(2)} (99 of 100)`)
  t.end()
})

/** What it must not be: a forecast that tells the same whatever is asked. */
t.test(`more holds, a higher floor, higher rates never make the forecast better (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
  fc.assert(fc.property(rings, fc.constantFrom('holds', 'floor', 'rate'), (drawn, what) => {
    const { model, capacityMs } = modelOf(drawn)
    model.run(epochMs(model.now + capacityMs * drawn.lookAt / 2))
    const facts = model.facts()
    const worse: ForecastInput = what === 'rate' ? { ...facts, streams: facts.streams.map(stream => ({ ...stream, bitrateBps: stream.bitrateBps! * 1.3 })) }
      : what === 'floor' ? { ...facts, floor: { ...facts.floor, floor: facts.floor.floor.kind === 'plain' ? { kind: 'plain', durationMs: facts.floor.floor.durationMs * 2 } : { kind: 'calendar-days', days: facts.floor.floor.days + 1 } } }
      : { ...facts, volumes: facts.volumes.map(volume => ({ ...volume, holds: [{ slots: 1, until: null }], slots: { ...volume.slots, free: Math.max(0, volume.slots.free - 1) } })) }
    const [a, b] = [forecast(facts), forecast(worse)]
    const capacity = (told: Forecast) => told.capacityDays!
    return laterOf(b.stopsAt) <= laterOf(a.stopsAt) + 1 && capacity(b) <= capacity(a) + 1e-9 && (what === 'rate' || b.lackingBytes! >= a.lackingBytes!) && b.marginDays! <= a.marginDays! + 1e-9
  }), RUNS)
  t.pass('monotone')
  t.end()
})
