import { epochMs, type EpochMs } from '../domain/index.ts'

/** The zone of all local days of the rule (R46). */
export const OFFICE_ZONE = 'Asia/Taipei'
/** 民國元年 is 1912. */
const ROC_OFFSET_YEARS = 1911
/** Far beyond any date of an office; a year outside is a slip of the hand. */
const LAST_ROC_YEAR = 200

export type RocDateFault = 'two-digit-year' | 'western-year' | 'no-such-day' | 'not-a-date'
export type RocDateResult = { readonly ok: true, readonly date: Temporal.PlainDate } | { readonly ok: false, readonly fault: RocDateFault }

/** What to tell the person who typed it. */
export const ROC_DATE_TEXTS: Readonly<Record<RocDateFault, { readonly zh: string, readonly en: string }>> = {
  'two-digit-year': { zh: '年份須寫三位數，例如 099/01/01 或 民國99年1月1日；兩位數會與西元混淆。', en: 'Write the year with three digits, such as 099/01/01 or 民國99年1月1日: two digits could be either era.' },
  'western-year': { zh: '請用民國年，例如 113-09-30；一份文件中不得混用西元。', en: 'Use the ROC year, such as 113-09-30: one document never mixes eras.' },
  'no-such-day': { zh: '沒有這一天。', en: 'There is no such day.' },
  'not-a-date': { zh: '這不是日期；請寫成 1130930、113/9/30、113-09-30 或 113年9月30日。', en: 'This is no date; write 1130930, 113/9/30, 113-09-30 or 113年9月30日.' },
}

const failed = (fault: RocDateFault): RocDateResult => ({ ok: false, fault })
const FULL_WIDTH_ZERO = 0xff10
/** Digits and separators as an input method leaves them: `１１３／９／３０`. */
const narrowed = (text: string): string => text.replace(/[０-９]/g, digit => String(digit.charCodeAt(0) - FULL_WIDTH_ZERO)).replaceAll('／', '/').replaceAll('－', '-').replaceAll('．', '.')

function parts(text: string): readonly [year: string, month: string, day: string, isNamedEra: boolean] | null {
  const written = /^(民國|中華民國)?\s?(\d{1,4})\s?年\s?(\d{1,2})\s?月\s?(\d{1,2})\s?日$/.exec(text)
  if (written !== null) return [written[2]!, written[3]!, written[4]!, written[1] !== undefined]
  const separated = /^(民國)?(\d{1,4})([-/.])(\d{1,2})\3(\d{1,2})$/.exec(text)
  if (separated !== null) return [separated[2]!, separated[4]!, separated[5]!, separated[1] !== undefined]
  const packed = /^(民國)?(\d{2,4})(\d{2})(\d{2})$/.exec(text)
  return packed === null ? null : [packed[2]!, packed[3]!, packed[4]!, packed[1] !== undefined]
}

/**
 * A date as people of the office write it (R46): `1130930`, `113/9/30`, `113-09-30`, `113年9月30日`, `民國113年9月30日`, also in full-width digits.
 * Two digits of a year are refused unless 民國 stands before them, four are told to be western. 民國 1 to 200.
 */
export function parseRocDate(text: string): RocDateResult {
  if (text.length > 40) return failed('not-a-date')
  const found = parts(narrowed(text.trim()))
  if (found === null) return failed('not-a-date')
  const [yearText, month, day, isNamedEra] = found
  if (yearText.length === 4) return failed('western-year')
  if (yearText.length < 3 && !isNamedEra) return failed('two-digit-year')
  const year = Number(yearText)
  if (year < 1 || year > LAST_ROC_YEAR) return failed('no-such-day')
  try {
    return { ok: true, date: Temporal.PlainDate.from({ year: year + ROC_OFFSET_YEARS, month: Number(month), day: Number(day) }, { overflow: 'reject' }) }
  } catch {
    return failed('no-such-day') // RangeError: the 30th of February
  }
}

/** 民國年. Throws RangeError before 1912: nothing of the office is that old, and it would print as a negative year. */
export function rocYear(date: Temporal.PlainDate): number {
  const year = date.withCalendar('iso8601').year - ROC_OFFSET_YEARS
  if (year < 1) throw new RangeError(`${date.toString()} is before 民國1年`)
  return year
}

/** `113年9月30日`. */
export const rocDateText = (date: Temporal.PlainDate): string => `${rocYear(date)}年${date.withCalendar('iso8601').month}月${date.withCalendar('iso8601').day}日`
/** `113-09-30`, for tables and file names. */
export const rocDateShort = (date: Temporal.PlainDate): string => `${String(rocYear(date)).padStart(3, '0')}${date.withCalendar('iso8601').toString().slice(4)}`

const zoned = (at: EpochMs): Temporal.ZonedDateTime => Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(OFFICE_ZONE)
const two = (value: number): string => String(value).padStart(2, '0')

/** `113年9月30日14時05分07秒` of the office's local time. */
export function rocDateTimeText(at: EpochMs): string {
  const local = zoned(at)
  return `${rocDateText(local.toPlainDate())}${two(local.hour)}時${two(local.minute)}分${two(local.second)}秒`
}

/** The local day an instant falls on. */
export const officeDay = (at: EpochMs): Temporal.PlainDate => zoned(at).toPlainDate()
/** 00:00 of a local day. */
export const startOfOfficeDay = (day: Temporal.PlainDate): EpochMs => epochMs(day.toZonedDateTime(OFFICE_ZONE).epochMilliseconds)
/** 12:00 of a local day, where 「上午」 ends. */
export const noonOfOfficeDay = (day: Temporal.PlainDate): EpochMs => epochMs(day.toZonedDateTime({ timeZone: OFFICE_ZONE, plainTime: '12:00' }).epochMilliseconds)
