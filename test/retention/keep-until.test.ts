import fc from 'fast-check'
import t from 'tap'
import { epochMs, isoOf } from '../../src/domain/index.ts'
import { floorRuleText, keepUntil, latestRecordedAt, parseFloorRule, type FloorRule } from '../../src/retention/index.ts'

const TAIPEI = 'Asia/Taipei'
const days = (count: number, timezone = TAIPEI): FloorRule => ({ floor: { kind: 'calendar-days', days: count }, timezone })
const DAY_MS = 86_400_000
const SEED = 20261122

/** 民法 §120: the first day does not count. §121: the period ends with the day before the matching day of the last month; without one, with that month's last day. Written from the text, on its own arithmetic. */
function lastDayOfMonthPeriod(year: number, month: number, day: number, months: number): { year: number, month: number, day: number } {
  const lengthOf = (y: number, m: number) => m === 2 ? (y % 4 === 0 && (y % 100 !== 0 || y % 400 === 0) ? 29 : 28) : [4, 6, 9, 11].includes(m) ? 30 : 31
  const next = day < lengthOf(year, month) ? { year, month, day: day + 1 } : month < 12 ? { year, month: month + 1, day: 1 } : { year: year + 1, month: 1, day: 1 }
  const monthsOn = next.month - 1 + months
  const target = { year: next.year + Math.floor(monthsOn / 12), month: monthsOn % 12 + 1 }
  if (next.day > lengthOf(target.year, target.month)) return { ...target, day: lengthOf(target.year, target.month) }
  if (next.day > 1) return { ...target, day: next.day - 1 }
  return target.month > 1 ? { year: target.year, month: target.month - 1, day: lengthOf(target.year, target.month - 1) } : { year: target.year - 1, month: 12, day: 31 }
}
const dayText = ({ year, month, day }: { year: number, month: number, day: number }) => `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
/** First instant after a local day in Taipei, which has had no summer time since 1980. */
const endOfTaipeiDay = ({ year, month, day }: { year: number, month: number, day: number }) => Date.UTC(year, month - 1, day + 1) - 8 * 3_600_000

t.test('the month rule of this test gives the vectors of the office rules', t => {
  const roc = (text: string) => { const [year, month, day] = text.split('-').map(Number); return { year: year! + 1911, month: month!, day: day! } }
  const vectors: [string, number, string][] = [
    ['114-01-27', 1, '114-02-27'], ['114-01-28', 1, '114-02-28'], ['114-01-29', 1, '114-02-28'], ['114-01-30', 1, '114-02-28'], ['114-01-31', 1, '114-02-28'],
    ['114-02-28', 1, '114-03-31'], ['113-02-29', 1, '113-03-31'], ['114-06-30', 1, '114-07-31'], ['114-12-31', 1, '115-01-31'],
    ['113-10-05', 12, '114-10-05'], ['113-02-29', 12, '114-02-28'], ['113-02-28', 12, '114-02-28'], ['112-02-28', 12, '113-02-29'],
  ]
  for (const [from, months, to] of vectors) {
    const { year, month, day } = roc(from)
    t.equal(dayText(lastDayOfMonthPeriod(year, month, day, months)), dayText(roc(to)), `${from} and ${months} months`)
  }
  t.end()
})

t.test('31 whole days reach the end of the month period for every day of 2020 to 2031, at its first and last millisecond', t => {
  let shortest = Infinity, longest = 0, checked = 0
  for (let at = Date.UTC(2020, 0, 1); at < Date.UTC(2032, 0, 1); at += DAY_MS) {
    const date = new Date(at)
    const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
    const dayStart = at - 8 * 3_600_000, dayEnd = dayStart + DAY_MS
    const monthEnd = endOfTaipeiDay(lastDayOfMonthPeriod(year, month, day, 1))
    const span = (monthEnd - dayEnd) / DAY_MS
    shortest = Math.min(shortest, span)
    longest = Math.max(longest, span)
    for (const recordedAt of [dayStart, dayStart + 43_200_000, dayEnd - 1]) {
      const until = keepUntil(days(31), epochMs(recordedAt))
      if (until < monthEnd) t.fail(`${isoOf(epochMs(recordedAt))} may go at ${isoOf(until)}, the month ends at ${isoOf(epochMs(monthEnd))}`)
      if (until !== dayEnd + 31 * DAY_MS) t.fail(`${isoOf(epochMs(recordedAt))}: not 31 whole days but until ${isoOf(until)}`)
      checked++
    }
  }
  t.same([shortest, longest, checked], [28, 31, 4383 * 3])
  t.end()
})

t.test('30 days would not be enough', t => {
  const until = keepUntil(days(30), epochMs(Date.parse('2025-02-28T12:00:00+08:00')))
  t.ok(until < endOfTaipeiDay(lastDayOfMonthPeriod(2025, 2, 28, 1)))
  t.end()
})

t.test('golden table: what was recorded when may go when', t => {
  const table: [FloorRule, string, string][] = [
    [days(31), '2026-11-22T00:00:00+08:00', '2026-12-24T00:00:00+08:00'],
    [days(31), '2026-11-22T23:59:59.999+08:00', '2026-12-24T00:00:00+08:00'],
    [days(31), '2026-11-23T00:00:00+08:00', '2026-12-25T00:00:00+08:00'],
    [days(31), '2025-02-28T12:00:00+08:00', '2025-04-01T00:00:00+08:00'],
    [days(31), '2024-02-29T12:00:00+08:00', '2024-04-01T00:00:00+08:00'],
    [days(31), '2025-12-31T23:00:00+08:00', '2026-02-01T00:00:00+08:00'],
    [days(0), '2026-11-22T12:00:00+08:00', '2026-11-23T00:00:00+08:00'],
    [days(365), '2026-11-22T12:00:00+08:00', '2027-11-23T00:00:00+08:00'],
    [{ floor: { kind: 'plain', durationMs: 90_000 }, timezone: TAIPEI }, '2026-11-22T12:00:00+08:00', '2026-11-22T12:01:30+08:00'],
  ]
  for (const [rule, recorded, until] of table) t.equal(isoOf(keepUntil(rule, epochMs(Date.parse(recorded)))), new Date(until).toISOString(), `${floorRuleText(rule)}: ${recorded}`)
  t.end()
})

t.test('where clocks are changed a day is a local day, of 23 hours or 25, and where midnight is left out it begins later', t => {
  const table: [string, string, string][] = [
    ['Europe/Berlin', '2026-03-28T12:00:00+01:00', '2026-04-29T00:00:00+02:00'],
    ['Europe/Berlin', '2026-10-24T12:00:00+02:00', '2026-11-25T00:00:00+01:00'],
    ['America/New_York', '2026-10-31T23:30:00-04:00', '2026-12-02T00:00:00-05:00'],
    ['America/New_York', '2026-02-05T12:00:00-05:00', '2026-03-09T00:00:00-04:00'],
    ['Africa/Cairo', '2026-03-23T12:00:00+02:00', '2026-04-24T01:00:00+03:00'], // 00:00 to 01:00 of that Friday do not exist
    ['Australia/Lord_Howe', '2026-09-03T12:00:00+10:30', '2026-10-05T00:00:00+11:00'],
    ['Pacific/Kiritimati', '2026-11-22T00:00:00+14:00', '2026-12-24T00:00:00+14:00'],
  ]
  for (const [zone, recorded, until] of table) t.equal(isoOf(keepUntil(days(31, zone), epochMs(Date.parse(recorded)))), new Date(until).toISOString(), `${zone}: ${recorded}`)
  t.end()
})

t.test(`nothing may ever go before so many times 23 hours and 59 minutes, nor later than a day more (seed ${SEED})`, t => {
  const zones = fc.constantFrom(TAIPEI, 'Europe/Berlin', 'America/New_York', 'Africa/Cairo', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC', 'Pacific/Chatham')
  fc.assert(fc.property(fc.integer({ min: Date.UTC(2015, 0), max: Date.UTC(2090, 0) }), fc.integer({ min: 1, max: 400 }), zones, (recorded, count, zone) => {
    const until = keepUntil(days(count, zone), epochMs(recorded))
    const wholeMs = until - recorded
    return wholeMs > count * DAY_MS - 3_600_000 && wholeMs <= (count + 1) * DAY_MS + 3_600_000
  }), { seed: SEED, numRuns: 10_000 })
  t.pass('10,000 instants')
  t.end()
})

t.test(`later footage never may go earlier (seed ${SEED})`, t => {
  fc.assert(fc.property(fc.integer({ min: Date.UTC(2015, 0), max: Date.UTC(2090, 0) }), fc.integer({ min: 0, max: 40 * DAY_MS }), fc.constantFrom(TAIPEI, 'Europe/Berlin', 'Africa/Cairo'),
    (recorded, laterMs, zone) => keepUntil(days(31, zone), epochMs(recorded)) <= keepUntil(days(31, zone), epochMs(recorded + laterMs))), { seed: SEED, numRuns: 10_000 })
  t.pass('10,000 pairs')
  t.end()
})

t.test(`a floor reads back from a slot's header as it was written (seed ${SEED})`, t => {
  const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'), 'UTC', 'Etc/GMT+8')
  const floors = fc.oneof(fc.integer({ min: 0, max: 36_500 }).map(count => ({ kind: 'calendar-days', days: count } as const)), fc.integer({ min: 0, max: 9_999_999_999_999 }).map(durationMs => ({ kind: 'plain', durationMs } as const)))
  fc.assert(fc.property(floors, zones, (floor, timezone) => {
    const text = floorRuleText({ floor, timezone })
    t.same(parseFloorRule(text), { floor, timezone })
    if (Buffer.byteLength(text) > 64) t.fail(`${text} does not fit its field`)
  }), { seed: SEED, numRuns: 300 })
  for (const bad of ['', '31d', '31 days Asia/Taipei', '-1d UTC', '31d Asia/Taipei extra', '1e3ms UTC', '31D UTC']) t.equal(parseFloorRule(bad), null, bad)
  t.end()
})

t.test('for every day of 2020 to 2031 and zones with and without summer time: free at the first instant of the local day after 31 whole ones, by another calendar', t => {
  let checked = 0
  for (const zone of [TAIPEI, 'UTC', 'Asia/Kathmandu', 'Europe/Berlin', 'America/New_York', 'Africa/Cairo', 'Australia/Lord_Howe', 'America/Santiago']) {
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' })
    const dayOf = (at: number): number => Date.parse(`${format.format(at)}T00:00:00Z`) / DAY_MS
    for (let at = Date.UTC(2020, 0, 1, 3); at < Date.UTC(2032, 0, 1); at += DAY_MS) {
      const until = keepUntil(days(31, zone), epochMs(at))
      if (dayOf(until) !== dayOf(at) + 32 || dayOf(until - 1) !== dayOf(at) + 31) t.fail(`${zone}: ${isoOf(epochMs(at))} may go at ${isoOf(until)}`)
      checked++
    }
  }
  t.equal(checked, 4383 * 8)
  t.end()
})

t.test('the latest instant of a keepUntil gives it, and the next one a later: for any floor, zone and change of clocks', async t => {
  const rules = fc.oneof(
    fc.record({ floor: fc.record({ kind: fc.constant('plain' as const), durationMs: fc.integer({ min: 0, max: 90 * DAY_MS }) }), timezone: fc.constant(TAIPEI) }),
    fc.tuple(fc.integer({ min: 0, max: 400 }), fc.constantFrom(TAIPEI, 'Europe/Berlin', 'America/Sao_Paulo', 'Pacific/Chatham')).map(([count, zone]) => days(count, zone)),
  )
  const instants = fc.integer({ min: Date.parse('1975-01-01T00:00:00Z'), max: Date.parse('2090-01-01T00:00:00Z') }).map(epochMs)
  fc.assert(fc.property(rules, instants, (rule, recordedAt) => {
    const until = keepUntil(rule, recordedAt)
    const latest = latestRecordedAt(rule, until)
    return latest >= recordedAt && keepUntil(rule, latest) === until && keepUntil(rule, epochMs(latest + 1)) > until
  }), { numRuns: 10_000, seed: SEED })
  t.equal(isoOf(latestRecordedAt(days(31), keepUntil(days(31), epochMs(Date.parse('2026-11-22T08:00:00Z'))))), '2026-11-22T15:59:59.999Z')
})
