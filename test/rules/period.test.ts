import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { keepUntil } from '../../src/retention/index.ts'
import { endOfPeriod, lastDayOf, OFFICE_ZONE, startOfOfficeDay, type Period } from '../../src/rules/index.ts'
import { day, roc } from './support.ts'

const MONTH = { months: 1 } as const
const YEAR = { years: 1 } as const

t.test('the vectors of office-rules.md', async t => {
  const vectors: readonly (readonly [string, Period, string])[] = [
    ['114-01-27', MONTH, '114-02-27'], ['114-01-28', MONTH, '114-02-28'], ['114-01-29', MONTH, '114-02-28'], ['114-01-30', MONTH, '114-02-28'], ['114-01-31', MONTH, '114-02-28'],
    ['114-02-28', MONTH, '114-03-31'], ['113-02-29', MONTH, '113-03-31'], ['114-06-30', MONTH, '114-07-31'], ['114-12-31', MONTH, '115-01-31'],
    ['113-10-05', YEAR, '114-10-05'], ['113-02-29', YEAR, '114-02-28'], ['113-02-28', YEAR, '114-02-28'], ['112-02-28', YEAR, '113-02-29'],
  ]
  for (const [made, period, last] of vectors) t.equal(lastDayOf(period, roc(made)).toString(), roc(last).toString(), `${made} -> ${last}`)
  t.equal(endOfPeriod(YEAR, roc('113-10-05')), startOfOfficeDay(roc('114-10-06')), 'erase from 114-10-06 00:00')
})

/** 民法 §121 read word by word, with its cases apart: whole months, a matching day, no matching day. */
function wordByWord(months: number, onDay: Temporal.PlainDate): Temporal.PlainDate {
  const start = onDay.add({ days: 1 })
  if (start.day === 1) {
    const lastMonth = start.add({ months: months - 1 })
    return lastMonth.with({ day: lastMonth.daysInMonth })
  }
  const month = start.with({ day: 1 }).add({ months })
  return start.day > month.daysInMonth ? month.with({ day: month.daysInMonth }) : month.with({ day: start.day }).subtract({ days: 1 })
}

t.test('every day of 2020 to 2031, after the law\'s own cases', async t => {
  const spans = new Set<number>()
  let before = day('2019-12-01')
  for (let date = day('2020-01-01'); date.year < 2032; date = date.add({ days: 1 })) {
    const last = lastDayOf(MONTH, date)
    if (!last.equals(wordByWord(1, date))) t.fail(`${date.toString()}: one month ends ${last.toString()}`)
    if (!lastDayOf(YEAR, date).equals(wordByWord(12, date))) t.fail(`${date.toString()}: one year ends ${lastDayOf(YEAR, date).toString()}`)
    if (!lastDayOf({ months: 2 }, date).equals(wordByWord(2, date))) t.fail(`${date.toString()}: two months`)
    if (Temporal.PlainDate.compare(last, before) < 0) t.fail(`${date.toString()}: ends before the day before does`)
    if (!lastDayOf({ days: 15 }, date).equals(date.add({ days: 15 })) || !lastDayOf({ weeks: 2 }, date).equals(date.add({ days: 14 }))) t.fail(`${date.toString()}: days and weeks`)
    spans.add(date.until(last, { largestUnit: 'day' }).days)
    before = last
  }
  t.same([...spans].sort((a, b) => a - b), [28, 29, 30, 31], 'one month is 28 to 31 days')
})

t.test('the 31 whole days of the floor never end before the calendar month', async t => {
  const rule = { floor: { kind: 'calendar-days', days: 31 }, timezone: OFFICE_ZONE } as const
  for (let date = day('2020-01-01'); date.year < 2032; date = date.add({ days: 1 })) {
    const lateThatDay = epochMs(startOfOfficeDay(date.add({ days: 1 })) - 1)
    if (keepUntil(rule, lateThatDay) < endOfPeriod(MONTH, date)) t.fail(date.toString())
  }
  t.pass()
})
