import path from 'node:path'
import { TrueTypeFile } from './truetype.ts'

/** Where Debian's fonts-cns11643-kai puts them; asked in this order for each character. */
export const KAI_FOLDER = '/usr/share/fonts/truetype/cns11643'
const KAI_FILES = [['TW-Kai-98_1', 'TW-Kai-98_1.ttf'], ['TW-Kai-Ext-B-98_1', 'TW-Kai-Ext-B-98_1.ttf'], ['TW-Kai-Plus-98_1', 'TW-Kai-Plus-98_1.ttf']] as const

/** What stands on paper as one: a character with the marks that belong to it. `em` is its advance, 1 for a whole square. */
export interface Piece {
  /** As it was written, to the code point; what comes out of the PDF again. */
  readonly text: string
  readonly em: number
  /** Null: no face has it, and its code points are drawn in a box. */
  readonly drawn: { readonly face: number, readonly glyphs: readonly { readonly glyph: number, readonly shiftEm: number }[] } | null
  /** `U+2A700`, for each code point that could not be drawn as written; also a variant whose ordinary form stands in for it. */
  readonly missing: readonly string[]
}

export const codePointText = (codePoint: number): string => `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`
const VARIANT = /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u
/** Turns the reading direction, breaks lines or shows nothing: never obeyed, always shown. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const CLUSTER = /[^\p{M}\ufe00-\ufe0f\u{e0100}-\u{e01ef}](?:[\p{M}\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{0,8})|[^]/gu
/** Of the digits in a missing character's box. */
export const NAME_SCALE = 0.5
const MOST_SHAPED = 4000

/** The Kai face in its three files. Finds each character's glyph; never normalises. Owns the open files. */
export class Typeface implements AsyncDisposable {
  readonly faces: readonly TrueTypeFile[]
  readonly #shaped = new Map<string, Piece>()
  private constructor(faces: readonly TrueTypeFile[]) { this.faces = faces }

  /** Throws PaperFontError. */
  static async open(folder: string = KAI_FOLDER): Promise<Typeface> {
    const faces: TrueTypeFile[] = []
    try {
      for (const [name, file] of KAI_FILES) faces.push(await TrueTypeFile.open(path.join(folder, file), name))
      return new Typeface(faces)
    } catch (error) {
      for (const face of faces) await face[Symbol.asyncDispose]()
      throw error
    }
  }

  /** One line of text; line breaks are the caller's. */
  shape(text: string): readonly Piece[] { return (text.match(CLUSTER) ?? []).map(cluster => this.#piece(cluster)) }
  widthEm(text: string): number { return this.shape(text).reduce((sum, piece) => sum + piece.em, 0) }
  async [Symbol.asyncDispose](): Promise<void> { for (const face of this.faces) await face[Symbol.asyncDispose]() }

  #piece(cluster: string): Piece {
    const known = this.#shaped.get(cluster)
    if (known !== undefined) return known
    const piece = this.#shapeOne(cluster)
    if (this.#shaped.size >= MOST_SHAPED) this.#shaped.clear()
    this.#shaped.set(cluster, piece)
    return piece
  }

  #shapeOne(cluster: string): Piece {
    const points = Array.from(cluster, char => char.codePointAt(0)!)
    const variants = points.filter(point => VARIANT.test(String.fromCodePoint(point)))
    const shown = points.length === variants.length ? points : points.filter(point => !variants.includes(point))
    const isShown = shown.every(point => !UNSHOWN.test(String.fromCodePoint(point)) && !VARIANT.test(String.fromCodePoint(point)))
    const face = isShown ? this.faces.findIndex(each => shown.every(point => each.glyphOf(point) !== 0)) : -1
    const found = this.faces[face]
    if (found === undefined) {
      const missing = points.map(codePointText)
      return { text: cluster, drawn: null, missing, em: this.#nameEm(missing.join(' ')) }
    }
    const advances = shown.map(point => found.advanceOf(found.glyphOf(point)) / found.unitsPerEm)
    const em = advances[0]!
    return {
      text: cluster, em, missing: variants.map(variant => `${codePointText(shown[0]!)} ${codePointText(variant)}`),
      // A mark has no place of its own in these faces: its square is set over the middle of the letter's.
      drawn: { face, glyphs: shown.map((point, index) => ({ glyph: found.glyphOf(point), shiftEm: index === 0 ? 0 : (em - advances[index]!) / 2 })) },
    }
  }

  #nameEm(name: string): number {
    const face = this.faces[0]!
    return Array.from(name).reduce((sum, char) => sum + face.advanceOf(face.glyphOf(char.codePointAt(0)!)) / face.unitsPerEm, 0) * NAME_SCALE + 0.2
  }
}
