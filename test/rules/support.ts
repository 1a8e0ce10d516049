import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Test } from 'tap'
import { loadRuleSet, OfficeCalendar, parseCalendarFile, type RuleSet, type RuleSetResult } from '../../src/rules/index.ts'

export const RULE_SETS = path.join(import.meta.dirname, '../../config/rule-sets')
export const SHIPPED = path.join(RULE_SETS, 'xinyi-113-09-30.yaml')
export const shippedText = (): string => readFileSync(SHIPPED, 'utf8')

export async function shippedRules(): Promise<RuleSet> {
  const result = await loadRuleSet(SHIPPED)
  if (!result.ok) throw new Error(`the shipped rule set is wrong: ${JSON.stringify(result.problems)}`)
  return result.ruleSet
}

/** Loads a text as a rule set of the test's own folder. */
export async function loadText(t: Test, text: string | Buffer): Promise<RuleSetResult> {
  const file = path.join(t.testdir({}), 'rules.yaml')
  await writeFile(file, text)
  return loadRuleSet(file)
}

export const day = (text: string): Temporal.PlainDate => Temporal.PlainDate.from(text)
/** `114-01-27` as the rule writes it. */
export const roc = (text: string): Temporal.PlainDate => day(text.replace(/^\d+/, year => String(Number(year) + 1911)))

const WEEKDAYS = '一二三四五六日'
/** A file as the government publishes it: weekends rest, `holidays` too, `workdays` (make-up) do not. */
export function calendarCsv(year: number, { holidays = {}, workdays = {} }: { readonly holidays?: Readonly<Record<string, string>>, readonly workdays?: Readonly<Record<string, string>> } = {}): string {
  const first = day(`${year}-01-01`)
  const rows = Array.from({ length: first.daysInYear }, (_, index) => {
    const date = first.add({ days: index })
    const key = date.toString()
    const rests = key in holidays || (date.dayOfWeek > 5 && !(key in workdays))
    return [key.replaceAll('-', ''), WEEKDAYS[date.dayOfWeek - 1], rests ? '2' : '0', holidays[key] ?? workdays[key] ?? ''].join(',')
  })
  return `${['西元日期,星期,是否放假,備註', ...rows].join('\r\n')}\r\n`
}

export function calendarOf(...csvs: readonly string[]): OfficeCalendar {
  return new OfficeCalendar(csvs.flatMap(csv => {
    const result = parseCalendarFile(Buffer.from(csv), 'calendar.csv')
    if (!result.ok) throw new Error(JSON.stringify(result.problems))
    return result.years
  }))
}
