import { nameKey } from './line.ts'

/*
 * A text as words of the full-text index: each pair of neighbouring characters, and the last one alone, in hex. A phrase of pairs is then exactly a part of the text,
 * however short: SQLite's trigram tokenizer finds nothing of two characters, which most given names are.
 */
const hexOf = (char: string): string => (char.codePointAt(0) ?? 0).toString(16).padStart(6, '0')
const charsOf = (text: string): string[] => Array.from(nameKey(text), hexOf)
const pairs = (chars: readonly string[]): string[] => chars.slice(0, -1).map((char, index) => char + chars[index + 1]!)

/** Between texts of one column stands a word that no search asks for, so that no phrase runs across. */
export const wordsOf = (...texts: readonly string[]): string => texts.map(text => { const chars = charsOf(text); return [...pairs(chars), ...chars.slice(-1)].join(' ') }).join(' end ')

/** Of an FTS5 query: the column holds a text with this part. Null when nothing is left to look for. */
export function partQuery(column: 'who' | 'matter' | 'application', part: string): string | null {
  const chars = charsOf(part)
  if (chars.length === 0) return null
  return chars.length === 1 ? `${column} : "${chars[0]!}" *` : `${column} : "${pairs(chars).join(' ')}"`
}
