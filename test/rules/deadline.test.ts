import fc from 'fast-check'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { dueDayOf, dueOf, extendDeadline, isOverdue, nominalDayOf, OfficeCalendar, pauseDeadline, resumeDeadline, startDeadline, startOfOfficeDay, type DeadlineRule } from '../../src/rules/index.ts'
import { calendarCsv, calendarOf, day } from './support.ts'

const ACCESS: DeadlineRule = { id: 'access', name: '准駁', basis: '個人資料保護法第13條第1項', period: { days: 15 }, extension: { days: 15 } }
/** Not the published one: a year with every case in it. */
const CALENDAR = calendarOf(calendarCsv(2025, {
  holidays: { '2025-10-06': '中秋節', '2025-10-10': '國慶日', '2025-01-27': '春節', '2025-01-28': '春節', '2025-01-29': '春節', '2025-01-30': '春節', '2025-01-31': '春節', '2025-05-30': '端午節' },
  workdays: { '2025-02-08': '補行上班' },
}), calendarCsv(2026))

const due = (nominal: string, calendar = CALENDAR) => {
  const found = dueDayOf(day(nominal), calendar)
  return `${found.day.toString()} ${found.until}`
}

t.test('a last day moves off rest days after 行政程序法 §48', async t => {
  t.equal(due('2025-03-12'), '2025-03-12 midnight', 'a working day stays')
  t.equal(due('2025-03-16'), '2025-03-17 midnight', 'Sunday: the next day')
  t.equal(due('2025-03-15'), '2025-03-17 noon', 'Saturday: the Monday, in the morning')
  t.equal(due('2025-10-10'), '2025-10-13 noon', 'a holiday on Friday: Saturday is the next day, so Monday morning')
  t.equal(due('2025-10-04'), '2025-10-07 midnight', 'Saturday before a holiday Monday: the day after the holiday')
  t.equal(due('2025-02-08'), '2025-02-08 midnight', 'a Saturday that is worked to make up for another day stays')
  t.equal(due('2025-01-25'), '2025-02-03 noon', 'through the whole of 春節, to the Monday after its weekend')
})

t.test('a year that was not imported knows weekends only, and says so', async t => {
  const nothing = new OfficeCalendar()
  t.equal(due('2025-10-06', nothing), '2025-10-06 midnight')
  t.equal(due('2025-10-04', nothing), '2025-10-06 noon')
  t.same(dueDayOf(day('2025-10-04'), nothing).unknownYears, [2025])
  t.same(dueDayOf(day('2025-12-31'), CALENDAR).unknownYears, [])
  t.same(dueDayOf(day('2027-01-02'), CALENDAR).unknownYears, [2027])
  const all = new OfficeCalendar([{ year: 2025, restDays: new Set(Array.from({ length: 365 }, (_, index) => day('2025-01-01').add({ days: index }).toString())), remarks: new Map(), sourceSha256: '' }])
  t.throws(() => dueDayOf(day('2025-03-01'), all), RangeError, 'a calendar without a working day')
})

t.test('no last day is moved to a rest day, back, or past a working day', async t => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 364 }), fc.uniqueArray(fc.integer({ min: 0, max: 364 }), { maxLength: 120 }), (at, rests) => {
    const first = day('2025-01-01')
    const restDays = new Set(rests.map(index => first.add({ days: index }).toString()))
    for (let date = first; date.year === 2025; date = date.add({ days: 1 })) if (date.dayOfWeek > 5) restDays.add(date.toString())
    const calendar = new OfficeCalendar([{ year: 2025, restDays, remarks: new Map(), sourceSha256: '' }])
    const nominal = first.add({ days: at })
    const found = dueDayOf(nominal, calendar)
    if (!calendar.isWorkingDay(found.day) || Temporal.PlainDate.compare(found.day, nominal) < 0) return false
    for (let date = nominal; Temporal.PlainDate.compare(date, found.day) < 0; date = date.add({ days: 1 })) if (calendar.isWorkingDay(date)) return false
    return found.dueAt > startOfOfficeDay(found.day) && (found.until === 'midnight' || found.day.dayOfWeek === 1)
  }), { numRuns: 2_000 })
  t.pass()
})

t.test('fifteen days, one extension, never a second', async t => {
  const deadline = startDeadline(ACCESS, day('2025-03-03'))
  t.equal(nominalDayOf(deadline).toString(), '2025-03-18', 'the day of receipt does not count')
  const at = (text: string) => epochMs(Date.parse(`${text}T12:00:00+08:00`))
  const extension = (on: string, days = 15) => ({ now: at(on), onDay: day(on), by: 'clerk', reason: '須調閱多支鏡頭', period: { days } })
  const extended = extendDeadline(deadline, ACCESS, extension('2025-03-18'), CALENDAR)
  if (!extended.ok) return t.fail(extended.refusal)
  t.equal(nominalDayOf(extended.deadline).toString(), '2025-04-02')
  t.same(extendDeadline(extended.deadline, ACCESS, extension('2025-03-18'), CALENDAR), { ok: false, refusal: 'extended-before' })
  t.same(extendDeadline(deadline, ACCESS, extension('2025-03-18', 16), CALENDAR), { ok: false, refusal: 'too-long' })
  t.same(extendDeadline(deadline, ACCESS, extension('2025-03-19'), CALENDAR), { ok: false, refusal: 'overdue' })
  t.same(extendDeadline(deadline, { ...ACCESS, extension: null }, extension('2025-03-18'), CALENDAR), { ok: false, refusal: 'no-extension' })
  t.same(extendDeadline(pauseDeadline(deadline, day('2025-03-10')), ACCESS, extension('2025-03-18'), CALENDAR), { ok: false, refusal: 'paused' })
  t.notOk(isOverdue(deadline, epochMs(startOfOfficeDay(day('2025-03-19')) - 1), CALENDAR), 'the last instant of the last day')
  t.ok(isOverdue(deadline, startOfOfficeDay(day('2025-03-19')), CALENDAR))
})

t.test('days the applicant takes to complete do not count', async t => {
  const deadline = startDeadline(ACCESS, day('2025-03-03'))
  const paused = pauseDeadline(deadline, day('2025-03-05'))
  t.notOk(isOverdue(paused, startOfOfficeDay(day('2026-01-01')), CALENDAR), 'it stands still')
  const resumed = resumeDeadline(paused, day('2025-03-10'))
  t.equal(nominalDayOf(resumed).toString(), '2025-03-23')
  t.equal(dueOf(resumed, CALENDAR).day.toString(), '2025-03-24', 'a Sunday')
  t.same(pauseDeadline(paused, day('2025-03-07')), paused, 'already standing still')
  t.equal(resumeDeadline(deadline, day('2025-03-07')), deadline)
  t.equal(nominalDayOf(resumeDeadline(paused, day('2025-03-01'))).toString(), '2025-03-18', 'a clock set back takes no days away')
})
