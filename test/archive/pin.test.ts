import t from 'tap'
import { daysUntilFull, lastDayBefore, noticeAt, noticeDue, pinOf } from '../../src/archive/index.ts'
import { epochMs } from '../../src/domain/index.ts'
import { at, DAY_MS } from './support/rig.ts'

t.test('a year after 民法 §§120-121: the vectors, counted from the copy or from the recording (R22, R47)', async t => {
  const table: [string, string][] = [
    ['2026-11-26', '2027-11-26'], ['2027-02-28', '2028-02-29'], ['2028-02-28', '2029-02-28'], ['2028-02-29', '2029-02-28'], ['2027-02-27', '2028-02-27'],
    ['2026-12-31', '2027-12-31'], ['2027-12-31', '2028-12-31'], ['2027-01-01', '2028-01-01'], ['2027-03-01', '2028-03-01'],
  ]
  for (const [day, last] of table) for (const time of ['00:00:00', '23:59:59']) {
    const made = at(`${day}T${time}`), old = at('2020-01-01')
    t.equal(lastDayBefore(pinOf({ period: { years: 1 }, from: 'copied' }, { madeAt: made, recordedTo: old }, true).expiresAt).toString(), last, `copied ${day} ${time}`)
    t.equal(lastDayBefore(pinOf({ period: { years: 1 }, from: 'recorded' }, { madeAt: at('2031-01-01'), recordedTo: epochMs(made + 1) }, true).expiresAt).toString(), last, `recorded ${day} ${time}`)
  }
  t.equal(lastDayBefore(pinOf({ period: { years: 1 }, from: 'recorded' }, { madeAt: at('2031-01-01'), recordedTo: at('2027-05-02') }, true).expiresAt).toString(), '2028-05-01', 'a range to midnight ends on the day before')
})

t.test('a rule set may ask for more than the year, never for less [G3]', async t => {
  const dates = { madeAt: at('2026-11-26T10:00:00'), recordedTo: at('2026-11-20') }
  t.equal(pinOf({ period: { years: 2 }, from: 'copied' }, dates, true).expiresAt, at('2028-11-27'))
  t.match(pinOf({ period: { years: 2 }, from: 'copied' }, dates, true).expiryText, /2年，至117年11月26日/)
  t.equal(pinOf({ period: { months: 6 }, from: 'copied' }, dates, true).expiresAt, at('2027-11-27'))
  t.match(pinOf({ period: { days: 1 }, from: 'copied' }, dates, false).expiryText, /115年11月26日複製.*1年，至116年11月26日.*較晚者/)
})

t.test('notices are due at 00:00 of the local day, each once, after a time off only the latest (R23)', async t => {
  const destroysAt = at('2027-03-01') // last day 28 February
  t.same([30, 7, 1].map(days => lastDayBefore(epochMs(noticeAt(destroysAt, days as 30 | 7 | 1) + 1)).toString()), ['2027-01-29', '2027-02-21', '2027-02-27'])
  const due = (now: number, given: readonly number[] = []) => noticeDue({ destroysAt, given, now: epochMs(now) })
  t.equal(due(at('2027-01-29') - 1), null)
  t.equal(due(at('2027-01-29')), 30)
  t.equal(due(at('2027-02-20T23:59:59'), [30]), null)
  t.equal(due(at('2027-02-21'), [30]), 7)
  t.equal(due(at('2027-02-27'), [30, 7]), 1)
  t.equal(due(at('2027-02-27'), []), 1, 'off since January: only the latest')
  t.equal(due(at('2027-02-25'), []), 7)
  t.equal(due(at('2027-02-27'), [1]), null, 'the earlier ones are out of date then')
  t.equal(due(destroysAt, []), null, 'over')
})

t.test('days until full count what goes meanwhile', async t => {
  const now = at('2026-11-26'), day = (n: number) => epochMs(now + n * DAY_MS)
  t.equal(daysUntilFull({ now, quotaBytes: 100, usedBytes: 0, perDayBytes: 10, leaving: [] }), 10)
  t.equal(daysUntilFull({ now, quotaBytes: 100, usedBytes: 50, perDayBytes: 10, leaving: [{ at: day(3), bytes: 30 }] }), 8)
  t.equal(daysUntilFull({ now, quotaBytes: 100, usedBytes: 50, perDayBytes: 10, leaving: [{ at: null, bytes: 30 }] }), 5, 'what is filed stays')
  t.equal(daysUntilFull({ now, quotaBytes: 100, usedBytes: 50, perDayBytes: 0, leaving: [] }), null)
  t.equal(daysUntilFull({ now, quotaBytes: 100, usedBytes: 120, perDayBytes: 0, leaving: [] }), 0)
})
