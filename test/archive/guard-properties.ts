import fc from 'fast-check'
import type { destroysAt, mayDestroy } from '../../src/archive/index.ts'
import { epochMs } from '../../src/domain/index.ts'

export type Guard = typeof mayDestroy
export type EndOf = typeof destroysAt

const DAY_MS = 86_400_000, TAIPEI_MS = 8 * 3_600_000
const instants = fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2060, 0) }).map(epochMs)

/** One calendar year after 民法 §§120-121, said in another way than the program does: it starts on the next day and is over when that date comes again, on 1 March where the year has no 29 February. Taiwan has no summer time. */
export function yearEnd(startMs: number): number {
  const first = new Date(startMs + TAIPEI_MS + DAY_MS)
  return Date.UTC(first.getUTCFullYear() + 1, first.getUTCMonth(), first.getUTCDate()) - TAIPEI_MS
}

const STAMP = { timeline: 'a', at: epochMs(0) }
const cases = fc.record({
  madeAt: instants, recordedBeforeMs: fc.integer({ min: 1, max: 400 * DAY_MS }), countsFrom: fc.constantFrom('copied', 'recorded'),
  rowMs: fc.integer({ min: -500 * DAY_MS, max: 500 * DAY_MS }), sidecarMs: fc.option(fc.integer({ min: -500 * DAY_MS, max: 500 * DAY_MS })),
  laterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 * DAY_MS })),
  nearMs: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -900 * DAY_MS, max: 900 * DAY_MS })),
})
type Case = typeof cases extends fc.Arbitrary<infer Value> ? Value : never

const startOf = (each: Case): number => each.countsFrom === 'copied' ? each.madeAt : each.madeAt - each.recordedBeforeMs - 1
const itemOf = (each: Case) => {
  const year = yearEnd(startOf(each))
  return {
    madeAt: each.madeAt, recordedTo: epochMs(each.madeAt - each.recordedBeforeMs), countsFrom: each.countsFrom, expiresAt: epochMs(year + each.rowMs), sidecarExpiresAt: each.sidecarMs === null ? null : epochMs(year + each.sidecarMs),
    laterMs: each.laterMs, stamp: null, holds: [], filed: false, isRead: false,
  } as const
}
const dayOf = (ms: number): number => Math.floor((ms + TAIPEI_MS) / DAY_MS)
const yearEndOf = (each: Case): number => yearEnd(startOf(each) + each.laterMs)
function endOf(each: Case): number {
  const movedMs = (dayOf(startOf(each) + each.laterMs) - dayOf(startOf(each))) * DAY_MS
  return Math.max(yearEndOf(each), yearEnd(startOf(each)) + Math.max(each.rowMs, each.sidecarMs ?? -Infinity) + movedMs)
}
const holdsOf = (each: Case, holds: readonly (readonly [number, boolean])[]) => holds.map(([ms, ended]) => ({ until: epochMs(endOf(each) + ms), endedAt: ended ? each.madeAt : null }))
const holds = fc.array(fc.tuple(fc.integer({ min: -5, max: 5 }), fc.boolean()), { maxLength: 4 })

/** What any guard must hold to, whoever wrote it: planted faults run against the same. */
export const GUARD_PROPERTIES: Readonly<Record<string, (guard: Guard) => fc.IProperty<[Case, ...unknown[]]>>> = {
  'an item goes exactly when its calendar year, its row and its sidecar all let it': (guard: Guard) => fc.property(cases, each => {
    const now = epochMs(endOf(each) + each.nearMs)
    return guard(itemOf(each), now).allowed === (each.nearMs >= 0)
  }),
  'no record makes it shorter than the year': (guard: Guard) => fc.property(cases, each => {
    const item = { ...itemOf(each), expiresAt: epochMs(0), sidecarExpiresAt: null }
    return !guard(item, epochMs(yearEndOf(each) - 1)).allowed && guard(item, epochMs(yearEndOf(each))).allowed
  }),
  'filed, read or with a clock in doubt it never goes, however old': (guard: Guard) => fc.property(cases, fc.constantFrom('filed', 'being-read', 'time-in-doubt', 'undated'), (each, why) => {
    const verdict = guard({ ...itemOf(each), filed: why === 'filed', isRead: why === 'being-read', stamp: why === 'undated' ? STAMP : null }, why === 'time-in-doubt' ? null : epochMs(Date.UTC(9000, 0)))
    return !verdict.allowed && verdict.reason === (why === 'undated' ? 'time-in-doubt' : why)
  }),
  'a hold keeps it until the hold is ended or over, the longest one counts': (guard: Guard) => fc.property(cases, holds, (each, list) => {
    const now = epochMs(endOf(each))
    return guard({ ...itemOf(each), holds: holdsOf(each, list) }, now).allowed === list.every(([ms, ended]) => ended || ms <= 0)
  }),
  'in doubt, a hold that may be over still holds': (guard: Guard) => fc.property(cases, holds, (each, list) => {
    const verdict = guard({ ...itemOf(each), holds: holdsOf(each, list) }, null)
    return !verdict.allowed && verdict.reason === (list.some(([, ended]) => !ended) ? 'held' : 'time-in-doubt')
  }),
  'what may go now may go later, and "until" is the first such instant': (guard: Guard) => fc.property(cases, fc.nat(10 ** 10), (each, laterMs) => {
    const now = epochMs(endOf(each) + each.nearMs), verdict = guard(itemOf(each), now)
    if (verdict.allowed) return guard(itemOf(each), epochMs(now + laterMs)).allowed
    return verdict.reason === 'pinned' && guard(itemOf(each), verdict.until).allowed && !guard(itemOf(each), epochMs(verdict.until - 1)).allowed
  }),
}
