import fc from 'fast-check'
import { epochMs } from '../../src/domain/index.ts'
import { keepUntil, type FloorRule, type mayReuse } from '../../src/retention/index.ts'

export type Guard = typeof mayReuse

const DAY_MS = 86_400_000
const instants = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2060, 0) }).map(epochMs)
export const floors: fc.Arbitrary<FloorRule> = fc.tuple(fc.oneof(
  fc.integer({ min: 0, max: 400 }).map(count => ({ kind: 'calendar-days', days: count } as const)),
  fc.integer({ min: 0, max: 90 * DAY_MS }).map(durationMs => ({ kind: 'plain', durationMs } as const)),
), fc.constantFrom('Asia/Taipei', 'Europe/Berlin', 'America/New_York', 'Africa/Cairo', 'UTC')).map(([floor, timezone]) => ({ floor, timezone }))

/** Near the interesting edges most of the time. */
const cases = fc.record({
  recordedAt: instants, before: floors, now: floors, edge: fc.constantFrom('before', 'now', 'recorded'), held: fc.boolean(), leased: fc.boolean(),
  offsetMs: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -40 * DAY_MS, max: 40 * DAY_MS })),
})
type Case = typeof cases extends fc.Arbitrary<infer Value> ? Value : never
const momentOf = ({ recordedAt, before, now, offsetMs, edge }: Case) => epochMs((edge === 'before' ? keepUntil(before, recordedAt) : edge === 'now' ? keepUntil(now, recordedAt) : recordedAt) + offsetMs)
const candidateOf = (each: Case) => ({ newestFrameAt: each.recordedAt, keepUntil: keepUntil(each.before, each.recordedAt), held: false, leased: false })

/** What any guard must hold to, whoever wrote it. Kept apart from the guard's own test so that planted faults run against the same. */
export const GUARD_PROPERTIES: Readonly<Record<string, (guard: Guard) => fc.IProperty<[Case, ...unknown[]]>>> = {
  'footage goes exactly when both floors are behind it, the one at recording and the one now': (guard: Guard) => fc.property(cases, each => {
    const moment = momentOf(each)
    return guard(candidateOf(each), each.now, moment).allowed === (moment >= keepUntil(each.before, each.recordedAt) && moment >= keepUntil(each.now, each.recordedAt))
  }),
  'what may go now may go at every later instant, and "until" is the first such': (guard: Guard) => fc.property(cases, fc.nat(10 ** 10), (each, laterMs) => {
    const candidate = candidateOf(each)
    const verdict = guard(candidate, each.now, momentOf(each))
    if (verdict.allowed) return guard(candidate, each.now, epochMs(momentOf(each) + laterMs)).allowed
    if (verdict.reason !== 'inside-floor') return false
    return guard(candidate, each.now, verdict.until).allowed && !guard(candidate, each.now, epochMs(verdict.until - 1)).allowed
  }),
  'held, leased or in doubt never goes, however old it is, and the reason is told': (guard: Guard) => fc.property(cases, fc.boolean(), fc.boolean(), (each, inDoubt, noFrame) => {
    if (!each.held && !each.leased && !inDoubt) inDoubt = true
    const candidate = { ...candidateOf(each), ...(noFrame ? { newestFrameAt: null, keepUntil: null } : {}), held: each.held, leased: each.leased }
    const verdict = guard(candidate, each.now, inDoubt ? null : epochMs(Date.UTC(9000, 0)))
    return !verdict.allowed && verdict.reason === (each.held ? 'held' : each.leased ? 'leased' : 'time-in-doubt')
  }),
  'a floor lowered since takes nothing from what was promised more': (guard: Guard) => fc.property(cases, each =>
    !guard(candidateOf(each), { floor: { kind: 'plain', durationMs: 0 }, timezone: 'UTC' }, epochMs(keepUntil(each.before, each.recordedAt) - 1)).allowed),
  'a floor raised since counts for what is there': (guard: Guard) => fc.property(cases, fc.integer({ min: 1, max: 400 }), (each, moreDays) => {
    const raised: FloorRule = { floor: { kind: 'calendar-days', days: 400 + moreDays }, timezone: each.before.timezone }
    return !guard(candidateOf(each), raised, epochMs(keepUntil(raised, each.recordedAt) - 1)).allowed
  }),
}
