import { mmOf, pageSize, THICK_PT, type Box, type Mark } from './marks.ts'
import { table, type Cell } from './table.ts'
import { fitText, linesHeightMm, neededMm, USUAL, type TextStyle } from './text-box.ts'
import type { Typeface } from './typeface.ts'

export const SIDE_MM = 15
export const TOP_MM = 13
/** Room of the footer, from the lower edge. */
export const FOOTER_MM = 27
const TITLE_PT = 16, TITLE_MIN_PT = 11
/** Boxes that came to stand on a page of their own would be signed for nothing in sight. */
export const SIGNED_FOR = '以下簽章及於本文件'

export interface Column { readonly mm: number, readonly head?: string, readonly style?: TextStyle }
export interface Row { readonly cells: readonly (string | ((box: Box) => readonly Mark[]))[], readonly minMm: number, /** All but the first cell. */ readonly struck?: boolean }

/** Pages that fill from above; what has no room goes on on the next one. For one document; not shared. */
export class Sheets {
  readonly face: Typeface
  readonly landscape: boolean
  readonly side: number
  readonly width: number
  readonly bottom: number
  readonly pages: Mark[][] = []
  y = 0
  /** The page at hand has rows of a table on it. */
  #hasRows = false
  readonly #onPage: (sheets: Sheets, isFirst: boolean) => void

  /** `onPage` draws the head of each page. */
  constructor(face: Typeface, { landscape = false, side = SIDE_MM, footer = FOOTER_MM }: { readonly landscape?: boolean, readonly side?: number, readonly footer?: number }, onPage: (sheets: Sheets, isFirst: boolean) => void) {
    this.face = face; this.landscape = landscape; this.side = side
    const { w, h } = pageSize(landscape)
    this.width = w - 2 * side
    this.bottom = h - footer
    this.#onPage = onPage
    this.page()
  }

  page(): void {
    this.pages.push([])
    this.#hasRows = false
    this.y = TOP_MM
    this.#onPage(this, this.pages.length === 1)
  }
  put(...marks: readonly Mark[]): void { for (const mark of marks) this.pages.at(-1)!.push(mark) }
  /** A new page when less than this is left. */
  need(mm: number): void { if (this.y + mm > this.bottom) this.page() }
  gap(mm: number): void { this.y += mm }

  /** Centred; on two lines when the office's name and the rest do not fit on one. */
  title(text: string, office: string): void {
    const one = this.face.widthEm(text) * mmOf(TITLE_PT) <= this.width
    const lines = one || !text.startsWith(office) ? [text] : [office, text.slice(office.length)]
    for (const line of lines) this.text(line, { sizePt: TITLE_PT, minPt: TITLE_MIN_PT, align: 'center', padMm: 0, lead: 1.35 })
    this.gap(1)
  }

  /** A paragraph over the whole width, from page to page. */
  text(text: string, style: TextStyle = {}): void {
    const { sizePt = USUAL.sizePt, lead = USUAL.lead } = style
    const padMm = style.padMm ?? 0
    for (let rest = text; rest !== '';) {
      this.need(linesHeightMm(1, sizePt, lead) + 2 * padMm)
      const most = this.bottom - this.y
      const high = Math.min(most, style.minPt === undefined ? neededMm(this.face, rest, this.width, { ...style, padMm }) : linesHeightMm(1, sizePt, lead) + 2 * padMm)
      const fitted = fitText(this.face, rest, { x: this.side, y: this.y, w: this.width, h: high + 0.01 }, { ...style, padMm })
      if (fitted.rest === rest) return this.text(rest, { ...style, minPt: undefined as never, sizePt: 8 }) // one line too long even when shrunk
      this.put(...fitted.marks)
      this.y += high
      rest = fitted.rest
    }
  }

  /** Rows as high as their text; the head again on each page, and a text longer than a page in parts. The last row stays on the page where `keepMm` of room for what follows is left. */
  rows(columns: readonly Column[], rows: readonly Row[], { headMm = 8, keepMm = 0 }: { readonly headMm?: number, readonly keepMm?: number } = {}): void {
    const widths = columns.map(column => column.mm)
    const hasHead = columns.some(column => column.head !== undefined)
    const head = (): void => {
      this.#edge()
      if (!hasHead) return
      this.#table(widths, [headMm], columns.map((column, index) => ({ row: 0, column: index, text: column.head ?? '', align: 'center', valign: 'middle', minPt: 8 })), true)
    }
    this.need((hasHead ? headMm : 0) + Math.min(rows[0]?.minMm ?? 0, this.bottom - this.y))
    head()
    for (const row of rows) {
      let cells = row.cells, isRest = false
      for (;;) {
        const high = Math.max(row.minMm, ...cells.map((cell, index) => (typeof cell === 'string' ? neededMm(this.face, cell, widths[index]!, columns[index]!.style) : 0)))
        if (this.y + Math.min(high, Math.max(row.minMm, 40)) + (row === rows.at(-1) && !isRest ? keepMm : 0) > this.bottom) { this.#edge(); this.page(); head() }
        const room = Math.min(high, this.bottom - this.y)
        const { left } = this.#table(widths, [room], cells.map((cell, index): Cell => ({
          row: 0, column: index, id: String(index), ...columns[index]!.style, ...(row.struck === true && index > 0 ? { struck: true } : {}), ...(typeof cell === 'string' ? { text: cell } : { draw: isRest ? () => [] : cell }),
        })), true)
        if (left.length === 0) break
        const before = cells
        cells = cells.map((cell, index) => left.find(each => each.id === String(index))?.rest ?? (index === 0 && typeof cell === 'string' ? cell : ''))
        isRest = true
        if (cells.every((cell, index) => index === 0 || cell === before[index]) && room >= high) break // a column too narrow for even one piece
        this.#edge(); this.page(); head()
      }
    }
    this.#edge()
  }

  /** The thick rule above and below a table of rows. */
  #edge(): void { this.put({ kind: 'line', x1: this.side, y1: this.y, x2: this.side + this.width, y2: this.y, pt: THICK_PT }) }

  #table(columns: readonly number[], rows: readonly number[], cells: readonly Cell[], isPart = false) {
    const placed = table(this.face, { x: this.side, y: this.y, columns, rows, cells, isPart })
    this.put(...placed.marks)
    this.#hasRows = true
    this.y = placed.bottom
    return placed
  }

  /** Boxes in a row for pen and stamp, each with its name above; `inside` is printed small at the lower edge. On a page without anything to sign for, it says what is signed. */
  boxes(names: readonly string[], { highMm = 25, headMm = 7, inside = [] }: { readonly highMm?: number, readonly headMm?: number, readonly inside?: readonly string[] } = {}): void {
    this.need(highMm + headMm)
    if (this.pages.length > 1 && !this.#hasRows) { this.text(`${SIGNED_FOR}第 1 頁至第 ${this.pages.length} 頁之全部內容，系統編號及紀錄雜湊見頁尾。`, { sizePt: 10 }); this.gap(3) }
    const widths = names.map(() => this.width / names.length)
    this.#table(widths, [headMm, highMm], names.flatMap((name, column): Cell[] => [
      { row: 0, column, text: name, align: 'center', valign: 'middle', minPt: 7 }, { row: 1, column, text: inside[column] ?? '', sizePt: 8, minPt: 5.5, lead: 1.15, valign: 'bottom', align: 'center', padMm: 0.8 },
    ]))
  }
}
