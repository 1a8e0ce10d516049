/** What terminals draw two columns wide: CJK, kana, Hangul and full-width forms. */
const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u
const ZERO = /\p{M}/u

/** Columns `text` takes on a terminal. */
export function columnsOf(text: string): number {
  let columns = 0
  for (const char of text) columns += ZERO.test(char) ? 0 : WIDE.test(char) ? 2 : 1
  return columns
}

export interface Column { readonly head: string, readonly align: 'left' | 'right' }

/** Lines of a table, two blanks between columns, nothing behind the last. A row may not be longer than `columns`. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const all = [columns.map(column => column.head), ...rows]
  const widths = columns.map((_, index) => Math.max(...all.map(row => columnsOf(row[index] ?? ''))))
  return all.map(row => columns.map((column, index) => {
    const cell = row[index] ?? ''
    const blanks = ' '.repeat((widths[index] ?? 0) - columnsOf(cell))
    return column.align === 'left' ? cell + blanks : blanks + cell
  }).join('  ').trimEnd())
}
