import { CASE_LIMITS } from './limits.ts'

// Any script and any character of it, CNS 11643 and Unicode extensions included; not control characters, lone surrogates or marks that turn the reading direction.
const FORBIDDEN = /[\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]|(?!\n)\p{Cc}/u

export type WordsFault = 'blank' | 'too-long' | 'unprintable'
export const WORDS_TEXTS: Readonly<Record<WordsFault, { readonly zh: string, readonly en: string }>> = {
  blank: { zh: '不可空白。', en: 'must not be blank.' },
  'too-long': { zh: '字數過多。', en: 'is too long.' },
  unprintable: { zh: '含有無法列印的字元。', en: 'holds characters that cannot be printed.' },
}

/** Checks what a person wrote and changes nothing of it: a name is kept to the code point, never normalised (a rare variant is another name). Length in code points. */
export function wordsFault(text: string, { maxChars, lines }: { readonly maxChars: number, readonly lines: boolean }): WordsFault | null {
  if (text.length > maxChars * 2 || Array.from(text).length > maxChars) return 'too-long'
  if (text.trim() === '') return 'blank'
  return FORBIDDEN.test(text) || (!lines && text.includes('\n')) ? 'unprintable' : null
}
export const areWords = (text: string, maxChars: number = CASE_LIMITS.reasonChars, lines = true): boolean => wordsFault(text, { maxChars, lines }) === null
