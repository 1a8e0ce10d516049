import { nearestOf } from './near-key.ts'

const OFFSET = /^[+-]|\d{2}:?\d{2}$/

/** A zone of the IANA database by name; a bare offset such as +08:00 is not one, for it knows no history. */
export function isTimeZone(text: string): boolean {
  if (OFFSET.test(text)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: text })
    return true
  } catch {
    return false // RangeError is how Intl says "unknown"
  }
}

export const nearestTimeZone = (text: string): string | null => nearestOf(text, Intl.supportedValuesOf('timeZone'))
