import t from 'tap'
import { epochMs, type EpochMs } from '../../../src/domain/index.ts'
import type { Application } from '../../../src/requests/index.ts'
import { duesOf } from '../../../src/requests/due.ts'
import { startOfOfficeDay } from '../../../src/rules/index.ts'
import { calendarCsv, calendarOf, day } from '../../rules/support.ts'
import { act, CLERK, codeOf, context, LOBBY, mustGo, party, take } from './support.ts'

/** A year with every case in it, and the months after it, in which its last deadlines end. Not the published one. */
const HOLIDAYS: Readonly<Record<string, string>> = {
  '2026-01-01': '開國紀念日', '2026-02-16': '除夕', '2026-02-17': '春節', '2026-02-18': '春節', '2026-02-19': '春節', '2026-02-20': '補假', '2026-02-27': '補假', '2026-04-03': '補假', '2026-04-06': '補假', '2026-05-01': '勞動節',
  '2026-06-19': '端午節', '2026-09-25': '中秋節', '2026-09-28': '教師節', '2026-10-09': '補假', '2026-10-26': '補假', '2026-12-25': '行憲紀念日',
}
const WORKDAYS = { '2026-03-07': '補行上班' }
const CALENDAR = calendarOf(calendarCsv(2026, { holidays: HOLIDAYS, workdays: WORKDAYS }), calendarCsv(2027, { holidays: { '2027-01-01': '開國紀念日' } }))
const rests = (date: Temporal.PlainDate): boolean => date.toString() in HOLIDAYS || date.toString() === '2027-01-01' || (date.dayOfWeek > 5 && !(date.toString() in WORKDAYS))

/** Counted on the fingers: the first day does not count, and a last day of rest moves on; off a Saturday to the Monday's noon. */
function byHand(first: Temporal.PlainDate, days: number): { day: Temporal.PlainDate, isNoon: boolean } {
  let last = first
  for (let counted = 0; counted < days; counted++) last = last.add({ days: 1 })
  let isNoon = false
  while (rests(last)) {
    isNoon = last.dayOfWeek === 6
    last = last.add({ days: isNoon ? 2 : 1 })
  }
  return { day: last, isNoon }
}
const instant = (date: Temporal.PlainDate, clock: string): EpochMs => epochMs(Date.parse(`${date.toString()}T${clock}+08:00`))
const when = (now: EpochMs) => context(now, { calendar: CALENDAR })
const receivedAt = (now: EpochMs): Application => mustGo(take(party({ asked: [{ camera: LOBBY, from: epochMs(now - 7_200_000), to: epochMs(now - 3_600_000) }], identity: { document: '國民身分證', seenAt: now, seenBy: '林承辦' } }), CLERK, when(now)))

const WHOLE_YEAR = Array.from({ length: 365 }, (_, index) => day('2026-01-01').add({ days: index }))

t.test('a simulated year: whatever the hour of receipt, the decision is due on its proper local day, to the millisecond', async t => {
  const faults: string[] = []
  const dueDays = new Map<string, number>()
  for (const date of WHOLE_YEAR) {
    for (const clock of ['00:00:00.000', '00:00:00.001', '07:59:59.999', '08:00:00.000', '16:30:00.000', '23:59:59.999']) { // 08:00 here is where the day of UTC begins
      const application = receivedAt(instant(date, clock))
      const expected = byHand(date, 15)
      const lateAt = expected.isNoon ? instant(expected.day, '12:00:00.000') : instant(expected.day.add({ days: 1 }), '00:00:00.000')
      const [due, ...more] = duesOf(application, when(instant(date, clock)))
      if (due === undefined || more.length > 0 || due.due.dueAt !== lateAt || due.due.day.toString() !== expected.day.toString()) faults.push(`${date.toString()} ${clock}: ${due?.due.day.toString() ?? 'nothing'} in place of ${expected.day.toString()}`)
      const isLate = (now: number) => duesOf(application, when(epochMs(now)))[0]?.isOverdue
      if (isLate(lateAt - 1) !== false || isLate(lateAt) !== true) faults.push(`${date.toString()} ${clock}: late at another moment`)
      dueDays.set(expected.day.toString(), (dueDays.get(expected.day.toString()) ?? 0) + 1)
    }
  }
  t.same(faults, [])
  t.equal([...dueDays.values()].reduce((sum, count) => sum + count, 0), 365 * 6)
  t.notOk([...dueDays.keys()].some(text => rests(day(text))), 'no citizen is owed an answer on a day of rest')
  t.equal(dueDays.get('2026-02-23'), 10 * 6, 'what ends on the ten days from Saturday 14 is due on Monday 23, after 春節')
})

t.test('a simulated year: one extension counts from the last day of the period, and the time an applicant takes does not count', async t => {
  const faults: string[] = []
  for (const [index, date] of WHOLE_YEAR.entries()) {
    const start = instant(date, '23:30:00.000')
    const extended = act(receivedAt(start), CLERK, { kind: 'extend-deadline', reason: '須調閱多支鏡頭', period: { days: 15 } }, when(start))
    if (!extended.ok) { faults.push(`${date.toString()}: ${extended.refusal.code}`); continue }
    const twice = duesOf(extended.application, when(start))[0]
    if (twice?.due.day.toString() !== byHand(date, 30).day.toString()) faults.push(`${date.toString()}: extended to ${twice?.due.day.toString() ?? '-'}`)

    const awayDays = index % 7
    const asked = mustGo(act(receivedAt(start), CLERK, { kind: 'ask-to-complete', items: '請補委任書' }, when(start)))
    const back = instant(date.add({ days: awayDays }), '00:00:00.000')
    const again = epochMs(Math.max(back, start + 1))
    if (duesOf(asked, when(startOfOfficeDay(date.add({ days: 60 }))))[0]?.isOverdue !== false) faults.push(`${date.toString()}: late while it stands still`)
    const completed = act(asked, CLERK, { kind: 'complete', content: asked.content }, when(again))
    if (!completed.ok) { faults.push(`${date.toString()}: ${completed.refusal.code}`); continue }
    const after = duesOf(completed.application, when(again))[0]
    if (after?.due.day.toString() !== byHand(date, 15 + awayDays).day.toString()) faults.push(`${date.toString()}: away ${awayDays} days, due ${after?.due.day.toString() ?? '-'}`)
  }
  t.same(faults, [])
})

t.test('a deadline is not extended once it has passed, on any day of the year', async t => {
  for (const date of WHOLE_YEAR) {
    const start = instant(date, '10:00:00.000')
    const application = receivedAt(start)
    const late = duesOf(application, when(start))[0]!.due.dueAt
    const extension = { kind: 'extend-deadline', reason: '須調閱多支鏡頭', period: { days: 15 } } as const
    if (codeOf(act(application, CLERK, extension, when(late))) === 'ok' || codeOf(act(application, CLERK, extension, when(epochMs(late - 1)))) !== 'ok') return t.fail(date.toString())
  }
  t.pass('365 days')
})
