import fc from 'fast-check'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { officeDay, parseRocDate, rocDateShort, rocDateText, rocDateTimeText, startOfOfficeDay } from '../../src/rules/index.ts'
import { day } from './support.ts'

t.test('takes a date as people of the office write it', async t => {
  for (const text of ['1130930', '113/9/30', '113-09-30', '113-9-30', '113.9.30', '113/09/30', '民國113年9月30日', '中華民國113年9月30日', '113年9月30日', '113 年 9 月 30 日', ' 1130930 ', '１１３／９／３０', '１１３年９月３０日', '民國1130930']) {
    const result = parseRocDate(text)
    t.equal(result.ok ? result.date.toString() : result.fault, '2024-09-30', text)
  }
  for (const [text, date] of [['099/01/01', '2010-01-01'], ['0990101', '2010-01-01'], ['民國99年1月1日', '2010-01-01'], ['民國1年1月1日', '1912-01-01'], ['113-02-29', '2024-02-29']] as const) {
    const result = parseRocDate(text)
    t.equal(result.ok ? result.date.toString() : result.fault, date, text)
  }
})

t.test('refuses what could be read in two ways, or not at all', async t => {
  for (const [text, fault] of [
    ['99/1/1', 'two-digit-year'], ['99-01-01', 'two-digit-year'], ['990101', 'two-digit-year'], ['9年1月1日', 'two-digit-year'],
    ['2024-09-30', 'western-year'], ['20240930', 'western-year'], ['2024年9月30日', 'western-year'],
    ['114-02-29', 'no-such-day'], ['1130931', 'no-such-day'], ['113/13/1', 'no-such-day'], ['000/1/1', 'no-such-day'], ['201/1/1', 'no-such-day'], ['113-00-10', 'no-such-day'],
    ['', 'not-a-date'], ['113/9-30', 'not-a-date'], ['113930', 'two-digit-year'], ['今天', 'not-a-date'], ['113/9/30 10:00', 'not-a-date'], ['-113/9/30', 'not-a-date'], ['1'.repeat(1000), 'not-a-date'],
  ] as const) {
    const result = parseRocDate(text)
    t.equal(result.ok ? result.date.toString() : result.fault, fault, text.slice(0, 20))
  }
})

t.test('every day from 2020 to 2031 is read back from all that is printed', async t => {
  for (let date = day('2020-01-01'); date.year < 2032; date = date.add({ days: 1 })) {
    for (const text of [rocDateText(date), rocDateShort(date), rocDateShort(date).replaceAll('-', ''), `民國${rocDateText(date)}`]) {
      const result = parseRocDate(text)
      if (!result.ok || !result.date.equals(date)) t.fail(`${date.toString()} printed as ${text} is read as ${result.ok ? result.date.toString() : result.fault}`)
    }
  }
  t.equal(rocDateText(day('2024-09-30')), '113年9月30日')
  t.equal(rocDateText(day('2024-09-30').withCalendar('roc')), '113年9月30日', 'whatever calendar the date came in')
  t.throws(() => rocDateText(day('1911-12-31')), RangeError)
})

t.test('no text makes it throw, and what it takes lies in 民國 1 to 200', async t => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^(民國)?[0-9]{1,9}([-/.年][0-9]{1,2}[-/.月][0-9]{1,2}日?)?$/)), text => {
    const result = parseRocDate(text)
    return !result.ok || (result.date.year >= 1912 && result.date.year <= 2111)
  }), { numRuns: 5_000 })
  t.pass()
})

t.test('local days begin at midnight in Taipei', async t => {
  t.equal(new Date(startOfOfficeDay(day('2024-09-30'))).toISOString(), '2024-09-29T16:00:00.000Z')
  t.equal(officeDay(epochMs(Date.parse('2024-09-29T15:59:59.999Z'))).toString(), '2024-09-29')
  t.equal(officeDay(epochMs(Date.parse('2024-09-29T16:00:00Z'))).toString(), '2024-09-30')
  t.equal(rocDateTimeText(epochMs(Date.parse('2024-09-30T06:05:07Z'))), '113年9月30日14時05分07秒')
})
