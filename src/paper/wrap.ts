import type { Piece } from './typeface.ts'

const WORD = /^[\p{Script=Latin}\p{N}_.,:;/\\@#%&=+*()'"~^<>[\]{}$!?-]+$/u
const WIDE_DIGIT = /[０-９①-⑳]/u
/** 避頭點、避尾點: what may not begin a line, and what may not end one. */
const NO_START = new Set('、。，．・：；！？）」』】〕》〉％…—,.:;!?)]}')
const NO_END = new Set('（「『【〔《〈([{')

const isWord = (piece: Piece): boolean => WORD.test(piece.text) && !WIDE_DIGIT.test(piece.text) && piece.em < 0.9
export const widthOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, piece) => sum + piece.em, 0)

/** Pieces that stay on one line as long as a line can hold them. */
function unbroken(pieces: readonly Piece[]): Piece[][] {
  const units: Piece[][] = []
  for (const piece of pieces) {
    const last = units.at(-1), before = last?.at(-1)
    const joins = before !== undefined && ((isWord(before) && isWord(piece)) || NO_START.has(piece.text) || NO_END.has(before.text))
    if (joins && before.text !== ' ') last!.push(piece)
    else units.push([piece])
  }
  return units
}

/** Lines of one paragraph no wider than `em`; nothing is left out and nothing added. A paragraph without text is one empty line. */
export function wrapLine(pieces: readonly Piece[], em: number): readonly (readonly Piece[])[] {
  const lines: Piece[][] = [[]]
  let used = 0
  const put = (unit: readonly Piece[]): void => {
    const width = widthOf(unit)
    if (used + width > em + 1e-9 && lines.at(-1)!.length > 0) { lines.push([]); used = 0 }
    if (width <= em + 1e-9 || unit.length === 1) { lines.at(-1)!.push(...unit); used += width }
    else for (const piece of unit) put([piece])
  }
  for (const unit of unbroken(pieces)) put(unit)
  return lines
}
