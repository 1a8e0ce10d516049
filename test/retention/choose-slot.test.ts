import fc from 'fast-check'
import t from 'tap'
import { epochMs, volumeId, type EpochMs } from '../../src/domain/index.ts'
import { slotMs } from '../../src/retention/capacity.ts'
import { chooseSlot, keepUntil, mayReuse, type FloorRule, type ReuseCandidate, type VolumeChoice } from '../../src/retention/index.ts'
import { floors } from './guard-properties.ts'
import { RingModel } from './ring-model.ts'

const SEED = Number(process.env['FC_SEED'] ?? 20261124)
const RUNS = { seed: SEED, numRuns: 10_000 }
const NOON = Date.parse('2026-11-22T12:00:00+08:00')
const minute: FloorRule = { floor: { kind: 'plain', durationMs: 60_000 }, timezone: 'Asia/Taipei' }

interface Named extends ReuseCandidate { readonly name: string }
const seconds = (count: number): EpochMs => epochMs(NOON + count * 1_000)
const footage = (name: string, newestSecond: number, change: Partial<Named> = {}): Named =>
  ({ name, newestFrameAt: seconds(newestSecond), keepUntil: keepUntil(minute, seconds(newestSecond)), held: false, leased: false, ...change })
const volume = (id: string, free: number, total: number, candidates: Named[] = []): VolumeChoice<Named> => ({ id: volumeId(id), freeSlots: free, totalSlots: total, candidates })
const chosen = (volumes: VolumeChoice<Named>[], now: EpochMs | null): string => {
  const choice = chooseSlot(volumes, minute, now)
  if (choice.kind === 'none') return `none ${choice.why} ${choice.freeAt === null ? '-' : (choice.freeAt - NOON) / 1_000}`
  return choice.kind === 'free' ? `free ${choice.volume}` : `reuse ${choice.volume} ${choice.candidate.name}`
}

t.test('golden table: what is taken, or why nothing is', t => {
  const old = footage('old', 0), older = footage('older', -5), young = footage('young', 50)
  const table: [string, VolumeChoice<Named>[], EpochMs | null, string][] = [
    ['the largest free share, not the most free slots', [volume('large', 30, 100), volume('small', 4, 10)], seconds(0), 'free small'],
    ['equal shares: the order given', [volume('a', 1, 10), volume('b', 2, 20)], seconds(0), 'free a'],
    ['a free slot before any footage, however old', [volume('a', 0, 10, [older]), volume('b', 1, 10)], seconds(999), 'free b'],
    ['a free slot needs no trusted time', [volume('a', 1, 10)], null, 'free a'],
    ['the oldest over all volumes', [volume('a', 0, 10, [young, old]), volume('b', 0, 10, [older])], seconds(200), 'reuse b older'],
    ['equally old: the order given', [volume('a', 0, 10, [footage('x', 0)]), volume('b', 0, 10, [footage('y', 0)])], seconds(200), 'reuse a x'],
    ['a slot that got no frame costs nothing', [volume('a', 0, 10, [older]), volume('b', 0, 10, [footage('empty', 0, { newestFrameAt: null, keepUntil: null })])], seconds(0), 'reuse b empty'],
    ['a held one is passed over', [volume('a', 0, 10, [footage('held', -9, { held: true }), old])], seconds(200), 'reuse a old'],
    ['a leased one too', [volume('a', 0, 10, [footage('read', -9, { leased: true }), old])], seconds(200), 'reuse a old'],
    ['all inside the floor: when the first leaves it', [volume('a', 0, 10, [young]), volume('b', 0, 10, [old])], seconds(59), 'none inside-floor 60'],
    ['promised more while recording: the later one leaves first', [volume('a', 0, 10, [footage('promised', -9, { keepUntil: seconds(500) }), old])], seconds(59), 'none inside-floor 60'],
    ['held and inside the floor', [volume('a', 0, 10, [footage('held', -99, { held: true }), old])], seconds(10), 'none inside-floor 60'],
    ['held and leased', [volume('a', 0, 10, [footage('held', -99, { held: true }), footage('read', -99, { leased: true })])], seconds(10), 'none leased -'],
    ['all held', [volume('a', 0, 10, [footage('held', -99, { held: true })])], seconds(10), 'none held -'],
    ['time in doubt', [volume('a', 0, 10, [footage('held', -99, { held: true }), older])], null, 'none time-in-doubt -'],
    ['nothing sealed', [volume('a', 0, 10)], seconds(10), 'none nothing-sealed -'],
    ['no volume', [], seconds(10), 'none nothing-sealed -'],
  ]
  for (const [name, volumes, now, expected] of table) t.equal(chosen(volumes, now), expected, name)
  t.end()
})

const candidates = fc.record({ newestFrameAt: fc.oneof(fc.constant(null), fc.integer({ min: NOON - 4e9, max: NOON + 1e6 }).map(epochMs)), promisedMs: fc.integer({ min: 0, max: 3e9 }), held: fc.boolean(), leased: fc.boolean() })
  .map(({ newestFrameAt, promisedMs, held, leased }): ReuseCandidate => ({ newestFrameAt, keepUntil: newestFrameAt === null ? null : epochMs(newestFrameAt + promisedMs), held, leased }))
const volumesDrawn = fc.array(fc.record({ freeSlots: fc.constantFrom(0, 0, 0, 1, 5), totalSlots: fc.integer({ min: 5, max: 50 }), candidates: fc.array(candidates, { maxLength: 6 }) }), { maxLength: 4 })
  .map(list => list.map((each, index) => ({ id: volumeId(`v${index}`), ...each })))

t.test(`what is taken is free or let go by the guard, nothing allowed is older, and a refusal tells the earliest instant (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
  const seen = { free: 0, reuse: 0, none: 0 }
  fc.assert(fc.property(volumesDrawn, floors, fc.oneof(fc.constant(null), fc.integer({ min: NOON - 3e9, max: NOON + 4e9 }).map(epochMs)), (volumes, floor, now) => {
    const choice = chooseSlot(volumes, floor, now)
    seen[choice.kind]++
    const allowed = volumes.flatMap(({ candidates }) => candidates).filter(candidate => mayReuse(candidate, floor, now).allowed)
    if (choice.kind === 'free') return volumes.every(volume => volume.freeSlots / volume.totalSlots <= (volumes.find(({ id }) => id === choice.volume)!.freeSlots / volumes.find(({ id }) => id === choice.volume)!.totalSlots))
    if (volumes.some(volume => volume.freeSlots > 0)) return false
    if (choice.kind === 'reuse') return volumes.some(({ id, candidates }) => id === choice.volume && candidates.includes(choice.candidate)) && allowed.includes(choice.candidate) && allowed.every(other => (other.newestFrameAt ?? 0) >= (choice.candidate.newestFrameAt ?? 0))
    if (allowed.length > 0) return false
    if (choice.freeAt === null) return true
    const freeable = volumes.map(volume => ({ ...volume, candidates: volume.candidates.filter(candidate => !candidate.held && !candidate.leased) }))
    return chooseSlot(freeable, floor, choice.freeAt).kind === 'reuse' && chooseSlot(freeable, floor, epochMs(choice.freeAt - 1)).kind === 'none'
  }), RUNS)
  for (const [kind, count] of Object.entries(seen)) t.ok(count > RUNS.numRuns / 20, `${kind}: ${count}`)
  t.end()
})

t.test(`the order of candidates means nothing (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
  fc.assert(fc.property(volumesDrawn, floors, (volumes, floor) => {
    const ages = (choice: ReturnType<typeof chooseSlot>) => choice.kind === 'reuse' ? { kind: choice.kind, newest: choice.candidate.newestFrameAt } : choice
    const turned = volumes.map(volume => ({ ...volume, candidates: volume.candidates.toReversed() }))
    const [one, other] = [ages(chooseSlot(volumes, floor, seconds(0))), ages(chooseSlot(turned, floor, seconds(0)))]
    return JSON.stringify(one) === JSON.stringify(other)
  }), RUNS)
  t.pass('deterministic')
  t.end()
})

const MIB = 2 ** 20
const mixes = fc.record({
  slots: fc.array(fc.integer({ min: 5, max: 20 }), { minLength: 2, maxLength: 4 }),
  streams: fc.array(fc.record({ bitrateBps: fc.integer({ min: 2_000_000, max: 8_000_000 }), phase: fc.double({ min: 0.05, max: 1, noNaN: true }) }), { minLength: 1, maxLength: 3 }),
  reach: fc.double({ min: 0.1, max: 1.1, noNaN: true }),
  change: fc.constantFrom('none', 'leaves', 'joins'),
  changeAt: fc.double({ min: 0.2, max: 2.5, noNaN: true }),
})

t.test(`volumes of different sizes overwrite footage of one age, and one that leaves or joins never costs a frame inside the floor (seed ${SEED}, ${RUNS.numRuns} rings)`, t => {
  let wraps = 0, stops = 0
  fc.assert(fc.property(mixes, ({ slots, streams, reach, change, changeAt }) => {
    const rates = streams.map(stream => stream.bitrateBps), slotLengthMs = slotMs(rates, 16 * MIB)
    const wholeMs = slots.reduce((sum, count) => sum + count, 0) * slotLengthMs
    const floor: FloorRule = { floor: { kind: 'plain', durationMs: Math.round(wholeMs * reach) }, timezone: 'UTC' }
    const ring = new RingModel({ volumes: slots.map(count => ({ slotSizeBytes: 16 * MIB, slots: count })), streams, floor, startAt: epochMs(NOON) })
    ring.run(epochMs(NOON + wholeMs * changeAt))
    const sureBefore = ring.overwrites.length
    if (change === 'leaves') { ring.free[0] = 0; ring.sealed[0] = [] }
    if (change === 'joins') { ring.volumes.push({ slotSizeBytes: 16 * MIB, slots: 8 }); ring.free.push(8); ring.sealed.push([]) }
    ring.run(epochMs(NOON + wholeMs * (changeAt + 2)))
    if (ring.stoppedAt !== null) stops++
    if (ring.overwrites.some(({ at, slot }) => at - slot.newestFrameAt! < wholeMs * reach - 1)) return false
    wraps += ring.overwrites.length
    // Oldest first over all volumes: each overwrite takes footage that is younger than the one before, whatever volume it lies on. With one mix and no change, so do the ages agree.
    if (ring.overwrites.some(({ slot }, index) => index > 0 && slot.newestFrameAt! < ring.overwrites[index - 1]!.slot.newestFrameAt!)) return false
    if (change !== 'none' && changeAt < 2) return true
    const steady = ring.overwrites.slice(0, sureBefore).slice(slots.length)
    const ages = steady.map(({ at, slot }) => at - slot.newestFrameAt!)
    const longestFillMs = Math.max(...rates.map(rate => slotMs([rate], 16 * MIB)))
    return ages.length === 0 || Math.max(...ages) - Math.min(...ages) <= longestFillMs
  }), RUNS)
  t.ok(wraps > RUNS.numRuns, `${wraps} overwrites`)
  t.ok(stops > RUNS.numRuns / 20, `${stops} rings stopped rather than go inside their floor`)
  t.end()
})
