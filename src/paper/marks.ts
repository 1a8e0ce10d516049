import type { Piece } from './typeface.ts'

/** Millimetres from the upper left corner of the page. */
export interface Box { readonly x: number, readonly y: number, readonly w: number, readonly h: number }

/** One thing drawn on a page. Text says in which box it has to stay. */
export type Mark =
  | { readonly kind: 'line', readonly x1: number, readonly y1: number, readonly x2: number, readonly y2: number, readonly pt: number }
  | { readonly kind: 'text', readonly x: number, readonly baseline: number, readonly sizePt: number, readonly pieces: readonly Piece[], readonly box: Box, readonly struck: boolean }
  | { readonly kind: 'qr', readonly box: Box, readonly text: string }

export interface PageMarks { readonly landscape: boolean, readonly marks: readonly Mark[] }

export const MM_PER_PT = 25.4 / 72
export const mmOf = (pt: number): number => pt * MM_PER_PT
export const A4 = { shortMm: 210, longMm: 297 } as const
export const pageSize = (landscape: boolean): { readonly w: number, readonly h: number } => (landscape ? { w: A4.longMm, h: A4.shortMm } : { w: A4.shortMm, h: A4.longMm })

export const THIN_PT = 0.5
export const THICK_PT = 1

export function frame({ x, y, w, h }: Box, pt: number = THICK_PT): Mark[] {
  const line = (x1: number, y1: number, x2: number, y2: number): Mark => ({ kind: 'line', x1, y1, x2, y2, pt })
  return [line(x, y, x + w, y), line(x + w, y, x + w, y + h), line(x + w, y + h, x, y + h), line(x, y + h, x, y)]
}

/** What the faces lack on these marks, each once, in the order of reading. */
export const missingIn = (marks: readonly Mark[]): readonly string[] =>
  [...new Set(marks.flatMap(mark => (mark.kind === 'text' ? mark.pieces.flatMap(piece => piece.missing) : [])))]
