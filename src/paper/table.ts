import { THICK_PT, THIN_PT, type Box, type Mark } from './marks.ts'
import { fitText, type Fitted, type TextStyle } from './text-box.ts'
import type { Typeface } from './typeface.ts'

export interface Cell extends TextStyle {
  readonly row: number
  readonly column: number
  readonly rows?: number
  readonly columns?: number
  readonly text?: string
  /** Named when something of its text found no room. */
  readonly id?: string
  /** Draws the inside itself, in place of text. */
  readonly draw?: (box: Box) => readonly Mark[]
}
export interface TableSpec { readonly x: number, readonly y: number, /** mm */ readonly columns: readonly number[], readonly rows: readonly number[], readonly cells: readonly Cell[], /** The upper and lower edge too are thin: rows of a longer table. */ readonly isPart?: boolean }
export interface Left { readonly id: string, readonly rest: string }
export interface Placed { readonly marks: readonly Mark[], readonly left: readonly Left[], readonly boxes: ReadonlyMap<string, Box>, readonly bottom: number }

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
/** Says that a text goes on; has room reserved below the text. */
export const CONTINUED = '（未完，接續頁）'
const NOTE_PT = 8, NOTE_MM = 4

/** A table with merged cells: thin rules inside, a thick frame, each text in its own cell. Pure. */
export function table(face: Typeface, { x, y, columns, rows, cells, isPart = false }: TableSpec): Placed {
  const left: Left[] = [], boxes = new Map<string, Box>(), texts: Mark[] = [], lines = new Map<string, Mark>()
  const width = sum(columns), height = sum(rows)
  const round = (value: number): number => Math.round(value * 1000) / 1000
  const rule = (x1: number, y1: number, x2: number, y2: number): void => {
    const isEdge = (x1 === x2 && (x1 === round(x) || x1 === round(x + width))) || (!isPart && y1 === y2 && (y1 === round(y) || y1 === round(y + height)))
    lines.set(`${x1} ${y1} ${x2} ${y2}`, { kind: 'line', x1, y1, x2, y2, pt: isEdge ? THICK_PT : THIN_PT })
  }
  for (const cell of cells) {
    const { row, column, rows: tall = 1, columns: wide = 1, text = '', id, draw, ...style } = cell
    const box = { x: x + sum(columns.slice(0, column)), y: y + sum(rows.slice(0, row)), w: sum(columns.slice(column, column + wide)), h: sum(rows.slice(row, row + tall)) }
    if (id !== undefined) boxes.set(id, box)
    const [x1, y1, x2, y2] = [round(box.x), round(box.y), round(box.x + box.w), round(box.y + box.h)]
    rule(x1, y1, x2, y1); rule(x1, y2, x2, y2); rule(x1, y1, x1, y2); rule(x2, y1, x2, y2)
    if (draw !== undefined) texts.push(...draw(box))
    else {
      const fitted = fitOrContinue(face, text, box, style)
      texts.push(...fitted.marks)
      if (fitted.rest !== '') left.push({ id: id ?? `${row}/${column}`, rest: fitted.rest })
    }
  }
  return { marks: [...lines.values(), ...texts], left, boxes, bottom: y + height }
}

/** Text that is too long ends with a word that it goes on elsewhere. */
export function fitOrContinue(face: Typeface, text: string, box: Box, style: TextStyle): Fitted {
  const fitted = fitText(face, text, box, style)
  if (fitted.rest === '') return fitted
  const note = fitText(face, CONTINUED, { x: box.x, y: box.y + box.h - NOTE_MM, w: box.w, h: NOTE_MM }, { sizePt: NOTE_PT, minPt: 5, lead: 1.1, padMm: 0.4, align: 'right' })
  const upper = fitText(face, text, { ...box, h: box.h - NOTE_MM }, { ...style, sizePt: fitted.sizePt, valign: 'top' })
  return { ...upper, marks: [...upper.marks, ...note.marks] }
}
