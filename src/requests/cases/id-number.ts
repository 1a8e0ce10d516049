/** 身分證字號, 統一證號 of 2021 on (second character 8 or 9), the older ones (A to D, X, Y), and what is none of them: passports, slips of the hand. */
export type IdNumberKind = 'national' | 'resident' | 'resident-old' | 'other'
export interface IdNumberCheck { readonly kind: IdNumberKind, readonly isSound: boolean }

/** Letters in the order of their codes, 10 for A to 35 for O. */
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVXYWZIO'
const WEIGHTS = [8, 7, 6, 5, 4, 3, 2, 1, 1] as const
const codeOf = (letter: string): number => LETTERS.indexOf(letter) + 10

/**
 * The check digit: the first letter's code (tens x 1, units x 9), then eight digits weighted 8 to 1, then the check digit itself; the sum is a multiple of 10.
 * A letter in second place counts as the units of its code. Never blocks (older and foreign documents): a mismatch is shown as a warning.
 */
export function checkIdNumber(text: string): IdNumberCheck {
  const number = text.trim().toUpperCase()
  const match = /^([A-Z])([0-9A-DXY])(\d{8})$/.exec(number)
  if (match === null || !'1289ABCDXY'.includes(match[2]!)) return { kind: 'other', isSound: false }
  const second = match[2]!
  const kind = '12'.includes(second) ? 'national' : '89'.includes(second) ? 'resident' : 'resident-old'
  const digits = [/\d/.test(second) ? Number(second) : codeOf(second) % 10, ...Array.from(match[3]!, Number)]
  const first = codeOf(match[1]!)
  const sum = Math.floor(first / 10) + first % 10 * 9 + digits.reduce((total, digit, place) => total + digit * WEIGHTS[place]!, 0)
  return { kind, isSound: sum % 10 === 0 }
}

/** `A12****789`, the only form lists and prints of the book show. Anything shorter than ten characters shows at most its first. */
export function maskedIdNumber(text: string): string {
  const chars = Array.from(text.trim())
  if (chars.length < 10) return `${chars[0] ?? ''}${'*'.repeat(Math.max(3, chars.length - 1))}`
  return `${chars.slice(0, 3).join('')}****${chars.slice(-3).join('')}`
}
