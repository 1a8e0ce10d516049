import type { Branded } from '../../domain/index.ts'

/** `115-調-0001`: year of the republic, the rule set's word, running from 1 each year. */
export type ApplicationNumber = Branded<string, 'ApplicationNumber'>
export interface ApplicationNumberParts { readonly rocYear: number, readonly word: string, readonly serial: number }

/** Fewer than a hundred million in a year, or something is filing by itself. */
const MOST_SERIAL = 99_999_999

/** Throws RangeError on a year or serial that is none. `digits` is the least width. */
export function applicationNumber({ rocYear, word, serial }: ApplicationNumberParts, digits = 4): ApplicationNumber {
  if (!Number.isInteger(rocYear) || rocYear < 1 || rocYear > 999) throw new RangeError(`not a year of an application: ${rocYear}`)
  if (!Number.isInteger(serial) || serial < 1 || serial > MOST_SERIAL) throw new RangeError(`not a serial of an application: ${serial}`)
  return `${rocYear}-${word}-${String(serial).padStart(digits, '0')}` as ApplicationNumber
}

/** Null for what is no application number. */
export function parseApplicationNumber(text: string): ApplicationNumberParts | null {
  const match = /^(\d{1,3})-([\p{L}\p{N}]{1,10})-(\d{1,8})$/u.exec(text)
  const [rocYear, serial] = [Number(match?.[1]), Number(match?.[3])]
  return match === null || rocYear < 1 || serial < 1 ? null : { rocYear, word: match[2]!, serial }
}

/** The one after `last`, which is null at the first ever; a new year starts at 1 again, and a clock gone back never uses a number twice. */
export function nextNumber(last: ApplicationNumberParts | null, rocYear: number, { word, digits }: { readonly word: string, readonly digits: number }): ApplicationNumber {
  if (last !== null && last.rocYear >= rocYear) return applicationNumber({ rocYear: last.rocYear, word, serial: last.serial + 1 }, digits)
  return applicationNumber({ rocYear, word, serial: 1 }, digits)
}
