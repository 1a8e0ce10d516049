import { open, type FileHandle } from 'node:fs/promises'
import { PaperFontError } from './errors.ts'

interface Place { readonly at: number, readonly bytes: number }
/** Tables a viewer needs to draw with hinting as the designer meant it. */
const PROGRAM_TABLES = ['cvt ', 'fpgm', 'prep'] as const
export type ProgramTable = (typeof PROGRAM_TABLES)[number]
/** Bound of what is read whole: only `glyf` is larger in any real font. */
const MOST_TABLE_BYTES = 4 * 1024 * 1024
const MOST_GLYPH_BYTES = 256 * 1024

/** Code points to glyphs, from the formats 4 and 12 of `cmap`. Runs are sorted. */
function glyphMap(cmap: Buffer): (codePoint: number) => number {
  const offsets = new Map<number, number>()
  for (let index = 0; index < cmap.readUInt16BE(2); index++) {
    const at = 4 + index * 8
    offsets.set(cmap.readUInt16BE(at) * 100 + cmap.readUInt16BE(at + 2), cmap.readUInt32BE(at + 4))
  }
  const wide = offsets.get(310) ?? offsets.get(4), narrow = offsets.get(301) ?? offsets.get(3)
  const start = wide ?? narrow
  if (start === undefined) throw new PaperFontError('it has no Unicode character map')
  const format = cmap.readUInt16BE(start)
  if (format === 12) {
    const count = cmap.readUInt32BE(start + 12)
    return codePoint => {
      let low = 0, high = count - 1
      while (low <= high) {
        const middle = (low + high) >>> 1, at = start + 16 + middle * 12
        if (codePoint < cmap.readUInt32BE(at)) high = middle - 1
        else if (codePoint > cmap.readUInt32BE(at + 4)) low = middle + 1
        else return cmap.readUInt32BE(at + 8) + codePoint - cmap.readUInt32BE(at)
      }
      return 0
    }
  }
  if (format !== 4) throw new PaperFontError(`its character map has format ${format}`)
  const size = cmap.readUInt16BE(start + 6), ends = start + 14, starts = ends + size + 2, deltas = starts + size, ranges = deltas + size
  return codePoint => {
    if (codePoint > 0xffff) return 0
    for (let at = 0; at < size; at += 2) {
      if (codePoint > cmap.readUInt16BE(ends + at)) continue
      const first = cmap.readUInt16BE(starts + at)
      if (codePoint < first) return 0
      const delta = cmap.readUInt16BE(deltas + at), range = cmap.readUInt16BE(ranges + at)
      if (range === 0) return (codePoint + delta) & 0xffff
      const glyph = cmap.readUInt16BE(ranges + at + range + (codePoint - first) * 2)
      return glyph === 0 ? 0 : (glyph + delta) & 0xffff
    }
    return 0
  }
}

/**
 * A TrueType file that is read where it is needed. The faces of CNS 11643 hold 50 MB of outlines each and a page needs some hundred of them: opening
 * costs the tables beside the outlines (under 1 MB), and a glyph is one read at its place.
 */
export class TrueTypeFile implements AsyncDisposable {
  readonly name: string
  readonly unitsPerEm: number
  /** Units of the em, upward. */
  readonly ascent: number
  readonly descent: number
  readonly head: Buffer
  readonly hhea: Buffer
  readonly maxp: Buffer
  readonly programs: ReadonlyMap<ProgramTable, Buffer>
  /** 0 where the face has none. */
  readonly glyphOf: (codePoint: number) => number
  readonly #file: FileHandle
  readonly #glyf: Place
  readonly #loca: Buffer
  readonly #hmtx: Buffer
  readonly #metrics: number
  readonly #glyphs = new Map<number, Buffer>()

  private constructor(name: string, file: FileHandle, glyf: Place, tables: ReadonlyMap<string, Buffer>) {
    const table = (tag: string): Buffer => tables.get(tag) ?? Buffer.alloc(0)
    this.name = name
    this.#file = file
    this.#glyf = glyf
    this.head = table('head'); this.hhea = table('hhea'); this.maxp = table('maxp')
    this.#loca = table('loca'); this.#hmtx = table('hmtx')
    this.unitsPerEm = this.head.readUInt16BE(18)
    this.ascent = this.hhea.readInt16BE(4); this.descent = this.hhea.readInt16BE(6)
    this.#metrics = this.hhea.readUInt16BE(34)
    this.programs = new Map(PROGRAM_TABLES.flatMap(tag => tables.has(tag) ? [[tag, table(tag)] as const] : []))
    this.glyphOf = glyphMap(table('cmap'))
  }

  /** Throws PaperFontError for a file that is missing or no such font. */
  static async open(path: string, name: string): Promise<TrueTypeFile> {
    let file: FileHandle | null = null
    try {
      file = await open(path, 'r')
      const start = Buffer.alloc(12)
      await file.read(start, 0, 12, 0)
      if (start.readUInt32BE(0) !== 0x00010000) throw new PaperFontError(`${path} is no TrueType file`)
      const directory = Buffer.alloc(start.readUInt16BE(4) * 16)
      await file.read(directory, 0, directory.length, 12)
      const places = new Map<string, Place>()
      for (let at = 0; at < directory.length; at += 16) places.set(directory.toString('latin1', at, at + 4), { at: directory.readUInt32BE(at + 8), bytes: directory.readUInt32BE(at + 12) })
      const tables = new Map<string, Buffer>()
      for (const tag of ['head', 'hhea', 'maxp', 'loca', 'hmtx', 'cmap', ...PROGRAM_TABLES]) {
        const place = places.get(tag)
        if (place === undefined) { if (PROGRAM_TABLES.some(optional => optional === tag)) continue; throw new PaperFontError(`${path} has no table ${tag}`) }
        if (place.bytes > MOST_TABLE_BYTES) throw new PaperFontError(`${path}: its table ${tag} is too large`)
        tables.set(tag, await readAt(file, place))
      }
      const glyf = places.get('glyf')
      if (glyf === undefined) throw new PaperFontError(`${path} has no TrueType outlines`)
      return new TrueTypeFile(name, file, glyf, tables)
    } catch (error) {
      await file?.close()
      throw error instanceof PaperFontError ? error : new PaperFontError(`${path} (${(error as NodeJS.ErrnoException).code ?? String(error)})`, error)
    }
  }

  /** Units of the em. */
  advanceOf(glyph: number): number { return this.#hmtx.readUInt16BE(Math.min(glyph, this.#metrics - 1) * 4) }

  /** Units of the em, as `hmtx` has it. */
  bearingOf(glyph: number): number {
    const at = glyph < this.#metrics ? glyph * 4 + 2 : this.#metrics * 4 + (glyph - this.#metrics) * 2
    return at + 2 <= this.#hmtx.length ? this.#hmtx.readInt16BE(at) : 0
  }

  /** The outline as the file has it; empty for a blank. Read once. Throws PaperFontError. */
  async outlineOf(glyph: number): Promise<Buffer> {
    const known = this.#glyphs.get(glyph)
    if (known !== undefined) return known
    const isLong = this.head.readInt16BE(50) === 1
    const place = (index: number): number => (isLong ? this.#loca.readUInt32BE(index * 4) : this.#loca.readUInt16BE(index * 2) * 2)
    const at = place(glyph), bytes = place(glyph + 1) - at
    if (bytes < 0 || bytes > MOST_GLYPH_BYTES || at + bytes > this.#glyf.bytes) throw new PaperFontError(`${this.name}: glyph ${glyph} lies outside the file`)
    const outline = await readAt(this.#file, { at: this.#glyf.at + at, bytes })
    this.#glyphs.set(glyph, outline)
    if (this.#glyphs.size > MOST_KEPT) this.#glyphs.delete(this.#glyphs.keys().next().value!)
    return outline
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.#file.close() }
}

/** Some 1.5 KB each; the words of all forms together need fewer than a thousand. */
const MOST_KEPT = 2000

async function readAt(file: FileHandle, { at, bytes }: Place): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes)
  if (bytes > 0 && (await file.read(buffer, 0, bytes, at)).bytesRead !== bytes) throw new PaperFontError('the file ends too early')
  return buffer
}
