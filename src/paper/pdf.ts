import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import PDFDocument from 'pdfkit'
import QRCode from 'qrcode'
import type { EpochMs } from '../domain/index.ts'
import { subsetOf } from './font-subset.ts'
import { pageSize, type Mark, type PageMarks } from './marks.ts'
import { NAME_SCALE, type Piece, type Typeface } from './typeface.ts'

/** What pdfkit's types leave out of an object of the file. */
interface PdfObject { data: object, end(): void }
export interface PdfFacts { readonly title: string, /** Stands in the file as its time of making: of the record, never of the clock. */ readonly at: EpochMs }

const deflated = promisify(deflate)
const PT_PER_MM = 72 / 25.4
const STROKE_SCALE = 0.25 // of a strike-through, above the base line, in sizes
const num = (value: number): string => String(Math.round(value * 1000) / 1000)
const hex4 = (value: number): string => value.toString(16).padStart(4, '0')
const utf16 = (text: string): string => Array.from({ length: text.length }, (_, index) => hex4(text.charCodeAt(index))).join('')
const CHECKBOXES = new Set(['□', '☐', '☑'])
const FONT_FLAGS = 4 // symbolic: glyphs are addressed by number

/** A glyph together with the text it stands for: two characters that look the same stay two (`numberOf` would otherwise tell only one of them). */
class UsedGlyphs {
  readonly glyphs: number[] = [0]
  readonly texts: string[] = ['']
  readonly #numbers = new Map<string, number>()
  numberOf(glyph: number, text: string): number {
    const key = `${glyph} ${text}`
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const number = this.glyphs.push(glyph) - 1
    this.texts.push(text)
    this.#numbers.set(key, number)
    return number
  }
}

/** Draws the marks of a page as PDF operators, y downward in points. */
class Pen {
  readonly used: readonly UsedGlyphs[]
  readonly #face: Typeface
  constructor(face: Typeface) { this.#face = face; this.used = face.faces.map(() => new UsedGlyphs()) }

  page({ marks }: PageMarks): string { return marks.map(mark => this.#mark(mark)).join('\n') }

  #mark(mark: Mark): string {
    switch (mark.kind) {
      case 'line': return `${num(mark.pt)} w 2 J ${num(mark.x1 * PT_PER_MM)} ${num(mark.y1 * PT_PER_MM)} m ${num(mark.x2 * PT_PER_MM)} ${num(mark.y2 * PT_PER_MM)} l S`
      case 'qr': return qrPath(mark.text, mark.box)
      case 'text': return this.#text(mark)
    }
  }

  #text({ x, baseline, sizePt, pieces, struck }: Mark & { kind: 'text' }): string {
    const out: string[] = []
    const y = baseline * PT_PER_MM
    let at = x * PT_PER_MM
    const run = { face: 0, from: 0, codes: '' }
    const flush = (): void => {
      if (run.codes !== '') out.push(`BT /K${run.face} ${num(sizePt)} Tf 1 0 0 -1 ${num(run.from)} ${num(y)} Tm <${run.codes}> Tj ET`)
      run.codes = ''
    }
    for (const piece of pieces) {
      if (piece.drawn === null) { flush(); out.push(this.#named(piece, at, y, sizePt)) }
      else if (CHECKBOXES.has(piece.text)) { flush(); out.push(this.#checkbox(piece, at, y, sizePt)) }
      else {
        const { face, glyphs } = piece.drawn
        if (run.face !== face) flush()
        if (run.codes === '') { run.face = face; run.from = at }
        run.codes += hex4(this.used[face]!.numberOf(glyphs[0]!.glyph, piece.text))
        if (glyphs.length > 1) {
          flush()
          for (const { glyph, shiftEm } of glyphs.slice(1)) out.push(`/Span <</ActualText <feff>>> BDC BT /K${face} ${num(sizePt)} Tf 1 0 0 -1 ${num(at + shiftEm * sizePt)} ${num(y)} Tm <${hex4(this.used[face]!.numberOf(glyph, ' '))}> Tj ET EMC`)
        }
      }
      at += piece.em * sizePt
    }
    flush()
    const lineY = y - STROKE_SCALE * sizePt
    if (struck) out.push(`0.6 w ${num(x * PT_PER_MM)} ${num(lineY)} m ${num(at)} ${num(lineY)} l S`)
    return out.join('\n')
  }

  /** The face draws □ and ☑ in two sizes: both are drawn here alike, over the letter that is copied out. */
  #checkbox({ text, drawn }: Piece, x: number, y: number, sizePt: number): string {
    const side = sizePt * 0.72, left = x + sizePt * 0.12, top = y - sizePt * 0.64
    const point = (across: number, down: number): string => `${num(left + side * across)} ${num(top + side * down)}`
    return `BT 3 Tr /K${drawn!.face} ${num(sizePt)} Tf 1 0 0 -1 ${num(x)} ${num(y)} Tm <${hex4(this.used[drawn!.face]!.numberOf(drawn!.glyphs[0]!.glyph, text))}> Tj 0 Tr ET\n` +
      `0.6 w ${num(left)} ${num(top)} ${num(side)} ${num(side)} re S${text === '☑' ? ` 1.1 w ${point(0.15, 0.5)} m ${point(0.42, 0.8)} l ${point(0.95, 0.02)} l S` : ''}`
  }

  /** The code points in a box; what is copied out of the PDF is the character itself. */
  #named(piece: Piece, x: number, y: number, sizePt: number): string {
    const size = sizePt * NAME_SCALE, codes = this.#face.shape(piece.missing.join(' ')).map(({ text, drawn }) => hex4(this.used[0]!.numberOf(drawn!.glyphs[0]!.glyph, text))).join('')
    return `0.4 w ${num(x + sizePt * 0.04)} ${num(y - sizePt * 0.62)} ${num((piece.em - 0.08) * sizePt)} ${num(sizePt * 0.68)} re S\n` +
      `/Span <</ActualText <feff${utf16(piece.text.toWellFormed())}>>> BDC BT /K0 ${num(size)} Tf 1 0 0 -1 ${num(x + 0.1 * sizePt)} ${num(y - sizePt * 0.12)} Tm <${codes}> Tj ET EMC`
  }
}

function qrPath(text: string, { x, y, w }: { readonly x: number, readonly y: number, readonly w: number }): string {
  const { modules: { size, data } } = QRCode.create(text, { errorCorrectionLevel: 'M' })
  const side = w * PT_PER_MM / size
  const bars: string[] = []
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size;) {
      let end = column
      while (end < size && data[row * size + end] === 1) end++
      // A hair higher than a module, so that rows touch in every viewer.
      if (end > column) bars.push(`${num(x * PT_PER_MM + column * side)} ${num(y * PT_PER_MM + row * side)} ${num((end - column) * side)} ${num(side * 1.02)} re`)
      column = Math.max(end, column + 1)
    }
  }
  return `${bars.join(' ')} f`
}

function toUnicode(texts: readonly string[]): string {
  const rows = texts.flatMap((text, number) => (number === 0 ? [] : [`<${hex4(number)}> <${utf16(text)}>`]))
  const blocks = Array.from({ length: Math.ceil(rows.length / 100) }, (_, index) => rows.slice(index * 100, index * 100 + 100)).map(block => `${block.length} beginbfchar\n${block.join('\n')}\nendbfchar`)
  return `/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n` +
    `1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n${blocks.join('\n')}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend`
}

/** The pages as a PDF with its faces embedded as subsets. The same pages and facts give the same bytes. Reads outlines one by one and packs off the event loop. */
export async function pdfOf(face: Typeface, pages: readonly PageMarks[], { title, at }: PdfFacts): Promise<Buffer> {
  const made = new Date(at)
  // Without `font` pdfkit would embed Helvetica; it stays out of text altogether.
  const doc = new PDFDocument({ autoFirstPage: false, font: null as unknown as string, pdfVersion: '1.7', lang: 'zh-Hant-TW', displayTitle: true, info: { Title: title, Creator: 'Custos', Producer: 'Custos', CreationDate: made, ModDate: made } })
  const chunks: Buffer[] = []
  doc.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise<void>((resolve, reject) => { doc.once('end', resolve); doc.once('error', reject) })
  const pen = new Pen(face)
  const fonts = face.faces.map(() => doc.ref({}))
  const contents = pages.map(page => pen.page(page))
  const isUsed = (index: number): boolean => pen.used[index]!.glyphs.length > 1
  for (const [index, page] of pages.entries()) {
    const { w, h } = pageSize(page.landscape)
    doc.addPage({ size: [w * PT_PER_MM, h * PT_PER_MM], margin: 0 })
    const resources = doc.page.fonts as Record<string, unknown>
    fonts.forEach((ref, number) => { if (isUsed(number)) resources[`K${number}`] = ref })
    doc.addContent(contents[index])
  }
  for (const [index, font] of face.faces.entries()) {
    const ref = fonts[index] as unknown as PdfObject
    if (isUsed(index)) ref.data = await fontData(doc, font, pen.used[index]!)
    ref.end()
  }
  doc.end()
  await ended
  return Buffer.concat(chunks)
}

async function fontData(doc: PDFKit.PDFDocument, font: Typeface['faces'][number], { glyphs, texts }: UsedGlyphs): Promise<object> {
  const stream = async (content: Buffer, data: object = {}): Promise<unknown> => {
    const packed = await deflated(content)
    const ref = doc.ref({ Filter: 'FlateDecode', ...data })
    ref.end(packed)
    return ref
  }
  const whole = (data: object): unknown => { const ref = doc.ref(data) as unknown as PdfObject; ref.end(); return ref }
  const subset = await subsetOf(font, glyphs)
  const scale = 1000 / font.unitsPerEm
  const name = `${tagOf(glyphs)}+${font.name}`
  const descriptor = whole({
    Type: 'FontDescriptor', FontName: name, Flags: FONT_FLAGS, FontBBox: [36, 38, 40, 42].map(at => font.head.readInt16BE(at) * scale), ItalicAngle: 0,
    Ascent: font.ascent * scale, Descent: font.descent * scale, CapHeight: font.ascent * scale, StemV: 80, FontFile2: await stream(subset, { Length1: subset.length }),
  })
  const descendant = whole({
    Type: 'Font', Subtype: 'CIDFontType2', BaseFont: name, CIDSystemInfo: { Registry: new String('Adobe'), Ordering: new String('Identity'), Supplement: 0 }, FontDescriptor: descriptor,
    DW: 1000, W: [0, glyphs.map(glyph => font.advanceOf(glyph) * scale)], CIDToGIDMap: 'Identity',
  })
  return { Type: 'Font', Subtype: 'Type0', BaseFont: name, Encoding: 'Identity-H', DescendantFonts: [descendant], ToUnicode: await stream(Buffer.from(toUnicode(texts), 'latin1')) }
}

/** Six letters, as the format wants them before a subset's name; from its glyphs. */
function tagOf(glyphs: readonly number[]): string {
  let sum = 7
  for (const glyph of glyphs) sum = (sum * 31 + glyph) % 308_915_776
  return Array.from({ length: 6 }, () => { const letter = String.fromCharCode(65 + sum % 26); sum = Math.floor(sum / 26); return letter }).join('')
}

