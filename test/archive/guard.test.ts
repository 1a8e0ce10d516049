import fc from 'fast-check'
import t from 'tap'
import { destroysAt, mayDestroy, type DestroyCandidate, type DestroyVerdict } from '../../src/archive/index.ts'
import { epochMs } from '../../src/domain/index.ts'
import { GUARD_PROPERTIES, type Guard } from './guard-properties.ts'
import { at, DAY_MS } from './support/rig.ts'

const SEED = Number(process.env['FC_SEED'] ?? 20261126)
const RUNS = { seed: SEED, numRuns: 5_000 }
const end = at('2027-11-27')
const item = (change: Partial<DestroyCandidate> = {}): DestroyCandidate => ({
  madeAt: at('2026-11-26T10:00:00'), recordedTo: at('2026-11-20T10:00:00'), countsFrom: 'copied', expiresAt: end, sidecarExpiresAt: end, laterMs: 0, stamp: null, holds: [],
  filed: false, isRead: false, ...change,
})
const pinned = (until: number): DestroyVerdict => ({ allowed: false, reason: 'pinned', until: epochMs(until) })
const hold = (until: number, endedAt: number | null = null) => ({ until: epochMs(until), endedAt: endedAt === null ? null : epochMs(endedAt) })

t.test('golden table: each item is kept or let go with its reason', async t => {
  const table: [string, DestroyCandidate, number | null, DestroyVerdict][] = [
    ['just put in', item(), at('2026-11-26T10:00:01'), pinned(end)],
    ['a millisecond before the year ends', item(), end - 1, pinned(end)],
    ['when it ends', item(), end, { allowed: true }],
    ['time in doubt, long after', item(), null, { allowed: false, reason: 'time-in-doubt' }],
    ['put in while the clocks disagreed, and not dated yet', item({ stamp: { timeline: 'a', at: at('2026-11-26') } }),
      end + 900 * DAY_MS, { allowed: false, reason: 'time-in-doubt' }],
    ['made two days later than was thought', item({ laterMs: 2 * DAY_MS }), end, pinned(end + 2 * DAY_MS)],
    ['later, and the row asks for more than the year', item({ laterMs: 2 * DAY_MS, expiresAt: epochMs(end + 9 * DAY_MS) }), end,
      pinned(end + 11 * DAY_MS)],
    ['later, but on the same day', item({ laterMs: 13 * 3_600_000 }), end, { allowed: true }],
    ['filed, long after', item({ filed: true }), end + 900 * DAY_MS, { allowed: false, reason: 'filed' }],
    ['held', item({ holds: [hold(end + DAY_MS)] }), end, { allowed: false, reason: 'held' }],
    ['held, on the instant the hold is over', item({ holds: [hold(end + DAY_MS)] }), end + DAY_MS, { allowed: true }],
    ['a hold that was ended', item({ holds: [hold(end + DAY_MS, end - DAY_MS)] }), end, { allowed: true }],
    ['one of two holds is over', item({ holds: [hold(end - DAY_MS), hold(end + DAY_MS)] }), end, { allowed: false, reason: 'held' }],
    ['being read', item({ isRead: true }), end, { allowed: false, reason: 'being-read' }],
    ['the row was made shorter by hand', item({ expiresAt: at('2026-12-01'), sidecarExpiresAt: null }), at('2027-01-01'), pinned(end)],
    ['the row is shorter than the sidecar', item({ sidecarExpiresAt: epochMs(end + DAY_MS) }), end, pinned(end + DAY_MS)],
    ['counted from the recording', item({ countsFrom: 'recorded', expiresAt: at('2027-11-21'), sidecarExpiresAt: at('2027-11-21') }), at('2027-11-21'), { allowed: true }],
    ['the clock was set back', item(), at('2020-01-01'), pinned(end)],
  ]
  for (const [name, candidate, now, verdict] of table) t.same(mayDestroy(candidate, now === null ? null : epochMs(now)), verdict, name)
})

for (const [name, propertyOf] of Object.entries(GUARD_PROPERTIES)) {
  t.test(`${name} (seed ${SEED}, ${RUNS.numRuns} items)`, async t => {
    let asked = 0
    fc.assert(propertyOf((...question) => { asked++; return mayDestroy(...question) }), RUNS)
    t.ok(asked >= RUNS.numRuns)
  })
}

t.test('when an item goes by itself is the first instant at which the guard lets it', async () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.boolean()), { maxLength: 3 }), fc.boolean(), (list, filed) => {
    const candidate = item({ filed, holds: list.map(([days, ended]) => hold(end + days * DAY_MS, ended ? end - 30 * DAY_MS : null)) })
    const goesAt = destroysAt(candidate)
    return filed ? goesAt === null : goesAt !== null && mayDestroy(candidate, goesAt).allowed && !mayDestroy(candidate, epochMs(goesAt - 1)).allowed
  }), { seed: SEED, numRuns: 2_000 })
})

/** Guards as a tired programmer might leave them; each must break a property. */
const PLANTED: Readonly<Record<string, Guard>> = {
  'off by one day': (each, now) => mayDestroy(each, now === null ? null : epochMs(now + DAY_MS)),
  'off by one millisecond': (each, now) => mayDestroy(each, now === null ? null : epochMs(now + 1)),
  'a day late': (each, now) => mayDestroy(each, now === null ? null : epochMs(now - DAY_MS)),
  'forgets holds': (each, now) => mayDestroy({ ...each, holds: [] }, now),
  'looks at the first hold only': (each, now) => mayDestroy({ ...each, holds: each.holds.slice(0, 1) }, now),
  'takes an ended hold for one in force': (each, now) => mayDestroy({ ...each, holds: each.holds.map(one => ({ ...one, endedAt: null })) }, now),
  'a hold holds for ever': (each, now) => each.holds.some(one => one.endedAt === null) ? { allowed: false, reason: 'held' } : mayDestroy(each, now),
  'forgets the filing mark': (each, now) => mayDestroy({ ...each, filed: false }, now),
  'forgets readers': (each, now) => mayDestroy({ ...each, isRead: false }, now),
  'acts while time is in doubt': (each, now) => mayDestroy(each, now ?? epochMs(Date.UTC(2090, 0))),
  'takes doubt for the beginning of time': (each, now) => mayDestroy(each, now ?? epochMs(0)),
  'believes the row alone': (each, now) => now !== null && now >= each.expiresAt && !each.filed && !each.isRead && each.holds.length === 0 ? { allowed: true } : mayDestroy(each, now),
  'forgets the sidecar': (each, now) => mayDestroy({ ...each, sidecarExpiresAt: null }, now),
  'believes the year alone': (each, now) => mayDestroy({ ...each, expiresAt: epochMs(0), sidecarExpiresAt: null }, now),
  'counts 365 days': (each, now) => {
    const verdict = mayDestroy({ ...each, expiresAt: epochMs(0), sidecarExpiresAt: null }, now)
    const start = each.countsFrom === 'copied' ? each.madeAt : each.recordedTo
    return !verdict.allowed && verdict.reason === 'pinned' && now !== null && now >= start + 365 * DAY_MS && now >= each.expiresAt ? { allowed: true } : mayDestroy(each, now)
  },
  'counts from the recording always': (each, now) => mayDestroy({ ...each, countsFrom: 'recorded', expiresAt: epochMs(0), sidecarExpiresAt: null }, now),
  'names an end that is too early': (each, now) => {
    const verdict = mayDestroy(each, now)
    return !verdict.allowed && verdict.reason === 'pinned' ? { ...verdict, until: epochMs(verdict.until - 1) } : verdict
  },
  'never lets anything go': () => ({ allowed: false, reason: 'filed' }),
}

t.test(`faults planted in the guard are caught (seed ${SEED})`, async t => {
  for (const [fault, guard] of Object.entries(PLANTED)) t.ok(Object.values(GUARD_PROPERTIES).some(propertyOf => fc.check(propertyOf(guard), RUNS).failed), fault)
})
