import fc from 'fast-check'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { keepUntil, mayReuse, type FloorRule, type ReuseCandidate, type ReuseVerdict } from '../../src/retention/index.ts'

const at = (text: string) => epochMs(Date.parse(text))
const days = (count: number, timezone = 'Asia/Taipei'): FloorRule => ({ floor: { kind: 'calendar-days', days: count }, timezone })
const plain = (durationMs: number): FloorRule => ({ floor: { kind: 'plain', durationMs }, timezone: 'Asia/Taipei' })
const SEED = 20261122
const RUNS = { seed: SEED, numRuns: 20_000 }

const newest = at('2026-11-22T10:00:00+08:00')
const until31 = at('2026-12-24T00:00:00+08:00')
const footage = (change: Partial<ReuseCandidate> = {}): ReuseCandidate => ({ newestFrameAt: newest, keepUntil: until31, held: false, leased: false, ...change })
const inside = (until: number): ReuseVerdict => ({ allowed: false, reason: 'inside-floor', until: epochMs(until) })

t.test('golden table: every segment is kept or let go with its reason', t => {
  const empty = { newestFrameAt: null, keepUntil: null }
  const after = epochMs(until31 + 1)
  const table: [string, ReuseCandidate, FloorRule, ReturnType<typeof at> | null, ReuseVerdict][] = [
    ['just recorded', footage(), days(31), newest, inside(until31)],
    ['a millisecond before the floor ends', footage(), days(31), epochMs(until31 - 1), inside(until31)],
    ['when the floor ends', footage(), days(31), until31, { allowed: true }],
    ['long after', footage(), days(31), at('2027-12-24T00:00:00+08:00'), { allowed: true }],
    ['held, long after', footage({ held: true }), days(31), after, { allowed: false, reason: 'held' }],
    ['read, long after', footage({ leased: true }), days(31), after, { allowed: false, reason: 'leased' }],
    ['held and read', footage({ held: true, leased: true }), days(31), after, { allowed: false, reason: 'held' }],
    ['time in doubt', footage(), days(31), null, { allowed: false, reason: 'time-in-doubt' }],
    ['held, time in doubt', footage({ held: true }), days(31), null, { allowed: false, reason: 'held' }],
    ['floor lowered since: the promise counts', footage(), days(1), at('2026-11-30T00:00:00+08:00'), inside(until31)],
    ['floor lowered to a trial: the promise counts', footage(), plain(1000), at('2026-11-30T00:00:00+08:00'), inside(until31)],
    ['floor raised since: the raised one counts', footage(), days(60), after, inside(at('2027-01-22T00:00:00+08:00'))],
    ['floor raised from a trial', footage({ keepUntil: epochMs(newest + 1000) }), days(31), epochMs(newest + 5000), inside(until31)],
    ['keepUntil unknown: the floor of now', footage({ keepUntil: null }), days(31), epochMs(until31 - 1), inside(until31)],
    ['opened, but no frame came', footage(empty), days(31), newest, { allowed: true }],
    ['no frame, but held', footage({ ...empty, held: true }), days(31), newest, { allowed: false, reason: 'held' }],
    ['no frame, time in doubt', footage(empty), days(31), null, { allowed: false, reason: 'time-in-doubt' }],
    ['footage from the future of a clock that was set back', footage(), days(31), at('2020-01-01T00:00:00+08:00'), inside(until31)],
  ]
  for (const [name, candidate, floor, now, verdict] of table) t.same(mayReuse(candidate, floor, now), verdict, name)
  t.end()
})

const instants = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2060, 0) }).map(epochMs)
const floors: fc.Arbitrary<FloorRule> = fc.tuple(fc.oneof(
  fc.integer({ min: 0, max: 400 }).map(count => ({ kind: 'calendar-days', days: count } as const)),
  fc.integer({ min: 0, max: 90 * 86_400_000 }).map(durationMs => ({ kind: 'plain', durationMs } as const)),
), fc.constantFrom('Asia/Taipei', 'Europe/Berlin', 'America/New_York', 'Africa/Cairo', 'UTC')).map(([floor, timezone]) => ({ floor, timezone }))
/** Near the interesting edges most of the time. */
const cases = fc.record({ recordedAt: instants, before: floors, now: floors, offsetMs: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -40 * 86_400_000, max: 40 * 86_400_000 })), edge: fc.constantFrom('before', 'now', 'recorded'), held: fc.boolean(), leased: fc.boolean() })
const momentOf = ({ recordedAt, before, now, offsetMs, edge }: { recordedAt: ReturnType<typeof epochMs>, before: FloorRule, now: FloorRule, offsetMs: number, edge: string }) =>
  epochMs((edge === 'before' ? keepUntil(before, recordedAt) : edge === 'now' ? keepUntil(now, recordedAt) : recordedAt) + offsetMs)

t.test(`nothing goes before both floors, the one at recording and the one now (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
  let allowed = 0
  fc.assert(fc.property(cases, each => {
    const promised = keepUntil(each.before, each.recordedAt), wanted = keepUntil(each.now, each.recordedAt), moment = momentOf(each)
    const verdict = mayReuse({ newestFrameAt: each.recordedAt, keepUntil: promised, held: false, leased: false }, each.now, moment)
    if (verdict.allowed) allowed++
    return verdict.allowed === (moment >= promised && moment >= wanted)
  }), RUNS)
  t.ok(allowed > RUNS.numRuns / 10, `${allowed} were let go: both answers were tried`)
  t.end()
})

t.test(`what may go now may go at every later instant, and "until" is the first such (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
  fc.assert(fc.property(cases, fc.nat(10 ** 10), (each, laterMs) => {
    const candidate = { newestFrameAt: each.recordedAt, keepUntil: keepUntil(each.before, each.recordedAt), held: false, leased: false }
    const verdict = mayReuse(candidate, each.now, momentOf(each))
    if (verdict.allowed) return mayReuse(candidate, each.now, epochMs(momentOf(each) + laterMs)).allowed
    if (verdict.reason !== 'inside-floor') return false
    return mayReuse(candidate, each.now, verdict.until).allowed && !mayReuse(candidate, each.now, epochMs(verdict.until - 1)).allowed
  }), RUNS)
  t.pass('monotone')
  t.end()
})

t.test(`held, leased or in doubt never goes, however old it is (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
  fc.assert(fc.property(cases, fc.boolean(), fc.boolean(), (each, inDoubt, noFrame) => {
    fc.pre(each.held || each.leased || inDoubt)
    const candidate = { newestFrameAt: noFrame ? null : each.recordedAt, keepUntil: noFrame ? null : keepUntil(each.before, each.recordedAt), held: each.held, leased: each.leased }
    return !mayReuse(candidate, each.now, inDoubt ? null : epochMs(Date.UTC(9000, 0))).allowed
  }), RUNS)
  t.pass('never')
  t.end()
})

t.test(`a lower floor now takes nothing from what was promised more (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
  fc.assert(fc.property(cases, each => {
    const promised = keepUntil(each.before, each.recordedAt)
    return !mayReuse({ newestFrameAt: each.recordedAt, keepUntil: promised, held: false, leased: false }, plain(0), epochMs(promised - 1)).allowed
  }), RUNS)
  t.pass('never')
  t.end()
})
