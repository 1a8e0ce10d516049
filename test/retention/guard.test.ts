import fc from 'fast-check'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { mayReuse, type FloorRule, type ReuseCandidate, type ReuseVerdict } from '../../src/retention/index.ts'
import { GUARD_PROPERTIES, type Guard } from './guard-properties.ts'

const at = (text: string) => epochMs(Date.parse(text))
const days = (count: number, timezone = 'Asia/Taipei'): FloorRule => ({ floor: { kind: 'calendar-days', days: count }, timezone })
const plain = (durationMs: number): FloorRule => ({ floor: { kind: 'plain', durationMs }, timezone: 'Asia/Taipei' })
const SEED = Number(process.env['FC_SEED'] ?? 20261122)
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

for (const [name, propertyOf] of Object.entries(GUARD_PROPERTIES)) {
  t.test(`${name} (seed ${SEED}, ${RUNS.numRuns} runs)`, t => {
    let allowed = 0, asked = 0
    const counted: Guard = (...question) => {
      const verdict = mayReuse(...question)
      asked++
      if (verdict.allowed) allowed++
      return verdict
    }
    fc.assert(propertyOf(counted), RUNS)
    t.ok(asked >= RUNS.numRuns, `${asked} questions, ${allowed} times yes`)
    t.end()
  })
}

/** Guards as a tired programmer might leave them. Each must break a property; were one to pass, the properties would prove nothing. */
const PLANTED: Readonly<Record<string, Guard>> = {
  'off by one day: 30 days where 31 were promised': (candidate, floor, now) => mayReuse(candidate, floor, now === null ? null : epochMs(now + 86_400_000)),
  'off by one millisecond': (candidate, floor, now) => mayReuse(candidate, floor, now === null ? null : epochMs(now + 1)),
  'lets footage inside its floor go and keeps the old (> for <)': (candidate, floor, now) => {
    const verdict = mayReuse(candidate, floor, now)
    return verdict.allowed || verdict.reason !== 'inside-floor' ? verdict : { allowed: true }
  },
  'forgets holds': (candidate, floor, now) => mayReuse({ ...candidate, held: false }, floor, now),
  'forgets leases': (candidate, floor, now) => mayReuse({ ...candidate, leased: false }, floor, now),
  'forgets what was promised while recording': (candidate, floor, now) => mayReuse({ ...candidate, keepUntil: null }, floor, now),
  'forgets the floor of now': (candidate, _floor, now) => mayReuse(candidate, plain(0), now),
  'takes the smaller of the two floors': (candidate, floor, now) => {
    const promised = mayReuse(candidate, plain(0), now), wanted = mayReuse({ ...candidate, keepUntil: null }, floor, now)
    return promised.allowed ? promised : wanted
  },
  'acts while time is in doubt': (candidate, floor, now) => mayReuse(candidate, floor, now ?? at('2036-01-01T00:00:00+08:00')),
  'takes doubt for the beginning of time': (candidate, floor, now) => mayReuse(candidate, floor, now ?? epochMs(0)),
  'lets footage without a frame go under a hold': (candidate, floor, now) => candidate.newestFrameAt === null ? { allowed: true } : mayReuse(candidate, floor, now),
  'counts days as 24 hours from the frame': (candidate, floor, now) => mayReuse({ ...candidate, keepUntil: null },
    floor.floor.kind === 'plain' ? floor : plain(floor.floor.days * 86_400_000), now),
  'never lets anything go': (candidate, floor, now) => {
    const verdict = mayReuse(candidate, floor, now)
    return verdict.allowed ? { allowed: false, reason: 'held' } : verdict
  },
  'names an end of the floor that is too early': (candidate, floor, now) => {
    const verdict = mayReuse(candidate, floor, now)
    return !verdict.allowed && verdict.reason === 'inside-floor' ? { ...verdict, until: epochMs(verdict.until - 1) } : verdict
  },
}

t.test(`faults planted in the guard are caught (seed ${SEED})`, t => {
  for (const [fault, guard] of Object.entries(PLANTED)) {
    const caughtBy = Object.entries(GUARD_PROPERTIES).find(([name, propertyOf]) => {
      const { failed, counterexample, numRuns } = fc.check(propertyOf(guard), RUNS)
      if (failed) t.comment(`${fault}: "${name}" breaks after ${numRuns} runs with ${fc.stringify(counterexample)}`)
      return failed
    })
    t.ok(caughtBy, fault)
  }
  t.end()
})
