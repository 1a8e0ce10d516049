import { createHash } from 'node:crypto'
import { ProblemList, type Problem, type ProblemText } from '../config/index.ts'
import type { CalendarYear } from './office-calendar.ts'

/** A file of one year is 7 KB; ten years in one file are still far below. */
export const CALENDAR_LIMITS = { bytes: 256 * 1024, remarkChars: 200, firstYear: 1998, lastYear: 2111 } as const
const HEADER = ['西元日期', '星期', '是否放假', '備註']
const WEEKDAYS = '一二三四五六日'
const EXAMPLE = '20260101,四,2,開國紀念日'
const SOURCE = '行政院人事行政總處「政府行政機關辦公日曆表」CSV'

export type CalendarFileResult = { readonly ok: true, readonly years: readonly CalendarYear[] } | { readonly ok: false, readonly problems: readonly Problem[] }

const text = (code: string, zh: string, en: string): ProblemText => ({ code, zh, en })
const words = {
  tooLarge: text('calendar-too-large', '檔案太大，不會是辦公日曆。', 'The file is too large to be an office calendar.'),
  notText: text('calendar-not-text', '檔案不是 UTF-8 或 Big5 的文字檔；Excel 檔請另存為 CSV。', 'The file is neither UTF-8 nor Big5 text; save a spreadsheet as CSV.'),
  google: text('calendar-google', '這是「Google行事曆專用」的檔案，沒有列出每一天；請改下載同一年的一般 CSV。', 'This is the edition for Google Calendar, which does not list every day; take the plain CSV of the same year.'),
  header: text('calendar-header', `第一列必須是「${HEADER.join(',')}」；請使用${SOURCE}。`, `The first line must be "${HEADER.join(',')}": take the CSV of the Directorate-General of Personnel Administration.`),
  columns: text('calendar-columns', '這一列不是四欄。', 'This line does not have four columns.'),
  quote: text('calendar-quote', '引號沒有成對，其後無法讀取。', 'A quote is not closed; nothing after it can be read.'),
  date: text('calendar-date', '西元日期必須是八位數的日期。', 'The date must be eight digits of a real day.'),
  weekday: (right: string) => text('calendar-weekday', `星期與日期不符，這一天是星期${right}；檔案可能損壞。`, 'The weekday does not belong to that date: the file may be damaged.'),
  flag: text('calendar-flag', '「是否放假」只能是 0（上班）或 2（放假）。', 'The third column is 0 (working) or 2 (not working).'),
  twice: text('calendar-twice', '這一天出現兩次。', 'This day stands twice.'),
  remark: text('calendar-remark', `備註超過 ${CALENDAR_LIMITS.remarkChars} 個字或含控制字元。`, `The remark is longer than ${CALENDAR_LIMITS.remarkChars} characters or holds control characters.`),
  missing: (year: number, day: string, count: number) => text('calendar-missing-day', `${year} 年缺少 ${count} 天（第一天是 ${day}）；整年的每一天都要有。`, `${count} days of ${year} are missing (the first is ${day}); a year must be whole.`),
  empty: text('calendar-empty', '檔案中沒有任何一天。', 'There is not one day in the file.'),
}

function decoded(bytes: Uint8Array): string | null {
  for (const encoding of ['utf-8', 'big5']) { // the files of some years were published in Big5
    try { return new TextDecoder(encoding, { fatal: true }).decode(bytes) } catch { /* TypeError: not in this encoding; the next one is tried */ }
  }
  return null
}

interface Row { readonly line: number, readonly cells: readonly string[] }

/** RFC 4180: cells may be quoted, and hold commas, doubled quotes and line ends then. Null for a quote that never closes. */
function rowsOf(csv: string): readonly Row[] | null {
  const rows: Row[] = []
  let [cells, cell, line, startedAt, isQuoted]: [string[], string, number, number, boolean] = [[], '', 1, 1, false]
  const endCell = (): void => { cells.push(cell.trim()); cell = '' }
  const endRow = (): void => { endCell(); if (cells.some(content => content !== '')) rows.push({ line: startedAt, cells }); cells = []; startedAt = line + 1 }
  for (let at = 0; at < csv.length; at++) {
    const char = csv[at]!
    if (isQuoted) {
      if (char === '"' && csv[at + 1] === '"') { cell += '"'; at += 1 } else if (char === '"') isQuoted = false
      else cell += char
    } else if (char === '"' && cell.trim() === '') isQuoted = true
    else if (char === ',') endCell()
    else if (char === '\n') endRow()
    else if (char !== '\r') cell += char
    if (char === '\n') line += 1
  }
  if (isQuoted) return null
  endRow()
  return rows
}

function dayOf(digits: string): Temporal.PlainDate | null {
  const match = /^(\d{4})(\d{2})(\d{2})$/.exec(digits)
  const year = Number(match?.[1])
  if (match === null || year < CALENDAR_LIMITS.firstYear || year > CALENDAR_LIMITS.lastYear) return null
  try { return Temporal.PlainDate.from({ year, month: Number(match[2]), day: Number(match[3]) }, { overflow: 'reject' }) } catch { return null /* RangeError: no such day */ }
}

interface Draft { readonly seen: Set<string>, readonly restDays: Set<string>, readonly remarks: Map<string, string> }

function readRow(row: Row, drafts: Map<number, Draft>): ProblemText | null {
  const [date = '', weekday = '', flag = '', remark = ''] = row.cells
  if (row.cells.length < 3 || row.cells.slice(4).some(cell => cell !== '')) return words.columns
  const day = dayOf(date)
  if (day === null) return words.date
  const right = WEEKDAYS[day.dayOfWeek - 1]!
  if (weekday !== right) return words.weekday(right)
  if (flag !== '0' && flag !== '2') return words.flag
  if (remark.length > CALENDAR_LIMITS.remarkChars || /\p{Cc}/u.test(remark)) return words.remark
  const draft = drafts.get(day.year) ?? { seen: new Set(), restDays: new Set(), remarks: new Map() }
  drafts.set(day.year, draft)
  const key = day.toString()
  if (draft.seen.has(key)) return words.twice
  draft.seen.add(key)
  if (flag === '2') draft.restDays.add(key)
  if (remark !== '') draft.remarks.set(key, remark)
  return null
}

function missingDays(year: number, seen: ReadonlySet<string>): ProblemText | null {
  const first = Temporal.PlainDate.from({ year, month: 1, day: 1 })
  const missing = Array.from({ length: first.daysInYear }, (_, index) => first.add({ days: index }).toString()).filter(day => !seen.has(day))
  return missing.length === 0 ? null : words.missing(year, missing[0]!, missing.length)
}

/** Reads the office calendar as the government publishes it: UTF-8 or Big5, whole years, each day once. `name` is shown in the problems. */
export function parseCalendarFile(bytes: Uint8Array, name: string): CalendarFileResult {
  const problems = new ProblemList(name)
  const add = (problem: ProblemText, line: number | null, example = EXAMPLE): void => problems.add({ steps: [], text: problem, example, position: line === null ? null : { line, column: 1 } })
  const refused = (problem: ProblemText, line: number | null = null): CalendarFileResult => { add(problem, line, HEADER.join(',')); return { ok: false, problems: problems.all() } }
  if (bytes.length > CALENDAR_LIMITS.bytes) return refused(words.tooLarge)
  const csv = decoded(bytes)
  if (csv === null || csv.includes('\0')) return refused(words.notText)
  const rows = rowsOf(csv)
  if (rows === null) return refused(words.quote)
  const [header, ...days] = rows
  if (header?.cells[0]?.toLowerCase() === 'subject') return refused(words.google, 1)
  if (header === undefined || HEADER.some((title, column) => header.cells[column] !== title)) return refused(words.header, header?.line ?? null)
  if (days.length === 0) return refused(words.empty)

  const drafts = new Map<number, Draft>()
  for (const row of days) {
    const problem = readRow(row, drafts)
    if (problem !== null) add(problem, row.line)
  }
  if (!problems.hasErrors) for (const [year, { seen }] of drafts) { const problem = missingDays(year, seen); if (problem !== null) add(problem, null) }
  if (problems.hasErrors) return { ok: false, problems: problems.all() }
  const sourceSha256 = createHash('sha256').update(bytes).digest('hex')
  return { ok: true, years: [...drafts].map(([year, { restDays, remarks }]) => ({ year, restDays, remarks, sourceSha256 })).sort((a, b) => a.year - b.year) }
}
