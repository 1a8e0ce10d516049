import { mmOf, type Box, type Mark } from './marks.ts'
import type { Piece, Typeface } from './typeface.ts'
import { widthOf, wrapLine } from './wrap.ts'

export interface TextStyle {
  readonly sizePt?: number
  /** The least it may shrink to so that it fits; else it keeps its size. */
  readonly minPt?: number
  readonly align?: 'left' | 'center' | 'right'
  readonly valign?: 'top' | 'middle' | 'bottom'
  /** Distance of base lines, in sizes. */
  readonly lead?: number
  readonly padMm?: number
  readonly struck?: boolean
}
export interface Fitted { readonly marks: readonly Mark[], /** What did not fit, beginning at its own line. */ readonly rest: string, readonly heightMm: number, readonly sizePt: number }

export const USUAL = { sizePt: 11, lead: 1.3, padMm: 1.2 } as const
const STEP_PT = 0.5
/** From the base line to the lower edge of a line, in sizes: the faces go down 0.2 em. */
const BELOW = 0.22
/** The room a wide named box is given at the least, so that a narrow column still takes one. */
const LEAST_EM = 1

/** `\n` breaks; `\r` before it goes; a tab is two blanks. */
export const paragraphsOf = (text: string): readonly string[] => text.replace(/\r\n?/g, '\n').replaceAll('\t', '  ').split('\n')

interface Line { readonly pieces: readonly Piece[], /** Where it begins in the whole text, in UTF-16 units. */ readonly at: number }
function linesOf(face: Typeface, text: string, widthMm: number, sizePt: number): readonly Line[] {
  const em = Math.max(LEAST_EM, widthMm / mmOf(sizePt))
  let at = 0
  return text.split('\n').flatMap(paragraph => {
    const lines = wrapLine(face.shape(paragraph), em).map(pieces => { const line = { pieces, at }; at += pieces.reduce((sum, piece) => sum + piece.text.length, 0); return line })
    at++
    return lines
  })
}

export const linesHeightMm = (lines: number, sizePt: number, lead: number = USUAL.lead): number => mmOf(sizePt) * lead * lines

/** How high a box of this width has to be for the text at its full size, mm. */
export function neededMm(face: Typeface, text: string, widthMm: number, { sizePt = USUAL.sizePt, lead = USUAL.lead, padMm = USUAL.padMm }: TextStyle = {}): number {
  return text === '' ? 0 : linesHeightMm(linesOf(face, paragraphsOf(text).join('\n'), widthMm - 2 * padMm, sizePt).length, sizePt, lead) + 2 * padMm
}

/** Text into a box: shrinks down to `minPt`, then leaves over what has no room. Never draws outside the box. Pure. */
export function fitText(face: Typeface, raw: string, box: Box, style: TextStyle = {}): Fitted {
  const { sizePt: wanted = USUAL.sizePt, minPt = wanted, align = 'left', valign = 'top', lead = USUAL.lead, padMm = USUAL.padMm, struck = false } = style
  const text = paragraphsOf(raw).join('\n')
  if (text === '') return { marks: [], rest: '', heightMm: 0, sizePt: wanted }
  const width = box.w - 2 * padMm, height = box.h - 2 * padMm
  let sizePt = wanted
  let lines = linesOf(face, text, width, sizePt)
  const fits = (): boolean => linesHeightMm(lines.length, sizePt, lead) <= height + 1e-6 && lines.every(({ pieces }) => widthOf(pieces) * mmOf(sizePt) <= width + 1e-6)
  while (!fits() && sizePt - STEP_PT >= minPt) { sizePt -= STEP_PT; lines = linesOf(face, text, width, sizePt) }
  const most = Math.max(0, Math.floor((height + 1e-6) / linesHeightMm(1, sizePt, lead)))
  // A single piece wider than the column cannot stand there at all.
  const bad = lines.findIndex(({ pieces }) => widthOf(pieces) * mmOf(sizePt) > width + 1e-6)
  const shown = lines.slice(0, Math.min(most, bad === -1 ? lines.length : bad))
  const rest = shown.length === lines.length ? '' : text.slice(lines[shown.length]!.at)
  const used = linesHeightMm(shown.length, sizePt, lead)
  const top = box.y + padMm + (valign === 'top' ? 0 : valign === 'middle' ? (height - used) / 2 : height - used)
  const marks = shown.flatMap(({ pieces }, index): Mark[] => {
    if (pieces.length === 0) return []
    const lineWidth = widthOf(pieces) * mmOf(sizePt)
    const x = box.x + padMm + (align === 'left' ? 0 : align === 'center' ? (width - lineWidth) / 2 : width - lineWidth)
    return [{ kind: 'text', x, baseline: top + mmOf(sizePt) * (lead * (index + 0.5) + 0.5 - BELOW + 0.02), sizePt, pieces, box, struck }]
  })
  return { marks, rest, heightMm: used + 2 * padMm, sizePt }
}
