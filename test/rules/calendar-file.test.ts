import t from 'tap'
import { OfficeCalendar, parseCalendarFile } from '../../src/rules/index.ts'
import { calendarCsv, day } from './support.ts'

const YEAR = calendarCsv(2026, { holidays: { '2026-01-01': '開國紀念日', '2026-02-16': '農曆除夕' }, workdays: { '2026-02-07': '補行上班' } })
const parse = (text: string | Uint8Array) => parseCalendarFile(typeof text === 'string' ? Buffer.from(text) : text, 'calendar.csv')
const codes = (text: string | Uint8Array): readonly string[] => {
  const result = parse(text)
  return result.ok ? ['ok'] : result.problems.map(problem => `${problem.code}:${problem.line ?? '-'}`)
}
const withLine = (line: number, text: string): string => YEAR.split('\r\n').map((row, index) => index === line - 1 ? text : row).join('\r\n')

t.test('reads what the government publishes', async t => {
  const result = parse(YEAR)
  if (!result.ok) return t.fail(JSON.stringify(result.problems))
  const calendar = new OfficeCalendar(result.years)
  t.same(calendar.years, [2026])
  t.notOk(calendar.isWorkingDay(day('2026-01-01')))
  t.notOk(calendar.isWorkingDay(day('2026-01-03')))
  t.ok(calendar.isWorkingDay(day('2026-02-07')), 'a make-up working day')
  t.equal(calendar.remark(day('2026-02-07')), '補行上班')
  t.equal(calendar.remark(day('2026-03-02')), null)
  t.match(result.years[0]?.sourceSha256, /^[0-9a-f]{64}$/)
  for (const [what, text] of [['a byte order mark', `\uFEFF${YEAR}`], ['line feeds only', YEAR.replaceAll('\r\n', '\n')], ['no line end at the end', YEAR.trimEnd()], ['blank lines', `${YEAR}\r\n,,,\r\n`],
    ['a quoted remark with comma, quote and line end', withLine(2, '20260101,四,2,"開國紀念日, ""元旦""\r\n放假"').replace('\r\n放假', '放假')]] as const) t.same(codes(text), ['ok'], what)
})

t.test('reads Big5, as some years were published', async t => {
  // 西元日期,星期,是否放假,備註 and the weekdays in Big5; Node writes no Big5, so byte by byte.
  const big5: Readonly<Record<string, string>> = { 西: 'a6e8', 元: 'a4b8', 日: 'a4e9', 期: 'b4c1', 星: 'ac50', 是: 'ac4f', 否: 'a75f', 放: 'a9f1', 假: 'b0b2', 備: 'b3c6', 註: 'b5f9', 一: 'a440', 二: 'a447', 三: 'a454', 四: 'a57c', 五: 'a4ad', 六: 'a4bb' }
  const bytes = Buffer.from(Array.from(calendarCsv(2026), char => big5[char] ?? Buffer.from(char).toString('hex')).join(''), 'hex')
  t.same(codes(bytes), ['ok'])
})

t.test('refuses a wrong file, and says what it is', async t => {
  t.same(codes(''), ['calendar-header:-'])
  t.same(codes('<html>not found</html>'), ['calendar-header:1'])
  t.same(codes('Subject,Start Date,Start Time,End Date\r\n開國紀念日,2026/1/1,,'), ['calendar-google:1'])
  t.same(codes('西元日期,星期,是否放假,備註\r\n'), ['calendar-empty:-'])
  t.same(codes(Buffer.from([0x50, 0x4b, 0x03, 0x04, 0xff, 0xff, 0])), ['calendar-not-text:-'], 'a spreadsheet')
  t.same(codes(Buffer.alloc(300 * 1024, 0x20)), ['calendar-too-large:-'])
  t.same(codes(`${YEAR}"20260101`), ['calendar-quote:-'])
})

t.test('refuses a damaged year, every fault at once with its line', async t => {
  t.same(codes(withLine(3, '20260102,五,1,')), ['calendar-flag:3'])
  t.same(codes(withLine(3, '20260102,四,0,')), ['calendar-weekday:3'])
  t.same(codes(withLine(3, '20260230,五,0,')), ['calendar-date:3'])
  t.same(codes(withLine(3, '2026/1/2,五,0,')), ['calendar-date:3'])
  t.same(codes(withLine(3, '20260102')), ['calendar-columns:3'])
  t.same(codes(withLine(3, '20260101,四,2,')), ['calendar-twice:3'])
  t.same(codes(withLine(3, `20260102,五,0,${'假'.repeat(201)}`)), ['calendar-remark:3'])
  t.same(codes(withLine(3, '')), ['calendar-missing-day:-'])
  t.same(codes(withLine(3, '20260102,四,1,').replace('20260105,一,0', '20260105,一,9')), ['calendar-weekday:3', 'calendar-flag:6'])
  const missing = parse(withLine(3, ''))
  t.match(missing.ok ? '' : missing.problems[0]?.message.zh, /2026 年缺少 1 天（第一天是 2026-01-02）/)
})
