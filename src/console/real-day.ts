import { badRequest } from './errors.ts'

/** A local day that stands in the calendar. Throws ConsoleRefusal. */
export function realDay(text: string, where: string): Temporal.PlainDate {
  try { return Temporal.PlainDate.from(text, { overflow: 'reject' }) } catch { throw badRequest('沒有這一天。', 'there is no such day', [{ where, zh: '沒有這一天。', en: 'is no day.' }]) }
}
