export type Style = 'plain' | 'dim' | 'bold' | 'good' | 'warn' | 'bad' | 'title' | 'badge-good' | 'badge-warn' | 'badge-bad' | 'cell-good' | 'cell-warn'
export interface Span { readonly text: string, readonly style: Style }
/** One line of the board; knows its text and its colours, not its width. */
export type Line = readonly Span[]

const SGR: Record<Style, string> = {
  'plain': '', 'dim': '\x1b[2m', 'bold': '\x1b[1m', 'good': '\x1b[32m', 'warn': '\x1b[33m', 'bad': '\x1b[1;31m', 'title': '\x1b[1;36m',
  'badge-good': '\x1b[1;37;42m', 'badge-warn': '\x1b[1;30;43m', 'badge-bad': '\x1b[1;37;41m',
  'cell-good': '\x1b[32;42m', 'cell-warn': '\x1b[33;43m', // a solid block, yet readable where there are no colours
}
/**
 * What terminals draw two columns wide: CJK, kana, Hangul and full-width forms. Boxes, arrows and bullets are missing on purpose:
 * a terminal set up for Chinese may draw them either way, so the board does without.
 */
const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u
const ZERO = /\p{M}/u

const columnsOfChar = (char: string): number => ZERO.test(char) ? 0 : WIDE.test(char) ? 2 : 1

/** Columns `text` takes on a terminal. */
export function columnsOf(text: string): number {
  let columns = 0
  for (const char of text) columns += columnsOfChar(char)
  return columns
}

/** As much of `text` as fits, with `~` where something was left out. */
export function clipped(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text
  let kept = ''
  let used = 0
  for (const char of text) {
    used += columnsOfChar(char)
    if (used > columns - 1) break
    kept += char
  }
  return columns > 0 ? `${kept}~` : ''
}

export function padded(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const fitting = clipped(text, columns)
  const blanks = ' '.repeat(columns - columnsOf(fitting))
  return align === 'left' ? fitting + blanks : blanks + fitting
}

/** `text` in lines of at most `columns`; CJK text has no blanks to break at, so it breaks anywhere. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const piece of text.match(/[\u0021-\u024f]+|\s+|./gu) ?? []) {
    if (columnsOf(line) + columnsOf(piece) > columns && line !== '') {
      lines.push(line.trimEnd())
      line = ''
    }
    if (line !== '' || piece.trim() !== '') line += piece
  }
  return line === '' ? lines : [...lines, line.trimEnd()]
}

export const span = (text: string, style: Style = 'plain'): Span => ({ text, style })

/** The line as a terminal takes it, never wider than `columns`. */
export function ansiOf(line: Line, columns: number): string {
  let left = columns
  let text = ''
  for (const { text: part, style } of line) {
    if (left <= 0) break
    // A control character from a log or a device must not reach the terminal.
    const fitting = clipped(part.replace(/\p{Cc}/gu, '?'), left)
    left -= columnsOf(fitting)
    text += SGR[style] === '' ? fitting : `${SGR[style]}${fitting}\x1b[0m`
  }
  return text
}

export const plainOf = (line: Line): string => line.map(part => part.text).join('')
