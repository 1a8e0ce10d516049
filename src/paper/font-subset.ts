import type { TrueTypeFile } from './truetype.ts'

const MORE_COMPONENTS = 0x20, ARGUMENTS_ARE_WORDS = 0x01, ONE_SCALE = 0x08, TWO_SCALES = 0x40, FOUR_SCALES = 0x80

/** Positions in a composite outline where another glyph's number stands. */
function componentsOf(outline: Buffer): readonly number[] {
  if (outline.length < 10 || outline.readInt16BE(0) >= 0) return []
  const places: number[] = []
  for (let at = 10, flags = MORE_COMPONENTS; (flags & MORE_COMPONENTS) !== 0;) {
    flags = outline.readUInt16BE(at)
    places.push(at + 2)
    at += 4 + ((flags & ARGUMENTS_ARE_WORDS) === 0 ? 2 : 4) + ((flags & ONE_SCALE) !== 0 ? 2 : (flags & TWO_SCALES) !== 0 ? 4 : (flags & FOUR_SCALES) !== 0 ? 8 : 0)
  }
  return places
}

function checksum(table: Buffer): number {
  let sum = 0
  for (let at = 0; at + 4 <= table.length; at += 4) sum = (sum + table.readUInt32BE(at)) >>> 0
  return sum
}

const padded = (buffer: Buffer): Buffer => (buffer.length % 4 === 0 ? buffer : Buffer.concat([buffer, Buffer.alloc(4 - buffer.length % 4)]))

/** A font file of just these glyphs, in this order: position = number in the new font; 0 is the face's own `.notdef`. The same list gives the same bytes. */
export async function subsetOf(face: TrueTypeFile, glyphs: readonly number[]): Promise<Buffer> {
  const order = [...glyphs]
  const numberOf = new Map<number, number>()
  order.forEach((glyph, index) => { if (!numberOf.has(glyph)) numberOf.set(glyph, index) })
  const outlines: Buffer[] = []
  for (let index = 0; index < order.length; index++) { // components are appended while we walk
    const outline = Buffer.from(await face.outlineOf(order[index]!))
    for (const at of componentsOf(outline)) {
      const part = outline.readUInt16BE(at)
      if (!numberOf.has(part)) { numberOf.set(part, order.length); order.push(part) }
      outline.writeUInt16BE(numberOf.get(part)!, at)
    }
    outlines.push(padded(outline))
  }
  const loca = Buffer.alloc((order.length + 1) * 4), hmtx = Buffer.alloc(order.length * 4)
  let end = 0
  outlines.forEach((outline, index) => {
    hmtx.writeUInt16BE(face.advanceOf(order[index]!), index * 4)
    hmtx.writeInt16BE(face.bearingOf(order[index]!), index * 4 + 2)
    end += outline.length
    loca.writeUInt32BE(end, (index + 1) * 4)
  })
  const head = Buffer.from(face.head), hhea = Buffer.from(face.hhea), maxp = Buffer.from(face.maxp)
  head.writeUInt32BE(0, 8); head.writeInt16BE(1, 50)
  hhea.writeUInt16BE(order.length, 34)
  maxp.writeUInt16BE(order.length, 4)
  const tables: [string, Buffer][] = [...face.programs, ['glyf', Buffer.concat(outlines)], ['head', head], ['hhea', hhea], ['hmtx', hmtx], ['loca', loca], ['maxp', maxp]]
  tables.sort(([a], [b]) => (a < b ? -1 : 1))
  const power = 2 ** Math.floor(Math.log2(tables.length))
  const directory = Buffer.alloc(12 + tables.length * 16)
  directory.writeUInt32BE(0x00010000, 0)
  directory.writeUInt16BE(tables.length, 4); directory.writeUInt16BE(power * 16, 6); directory.writeUInt16BE(Math.log2(power), 8); directory.writeUInt16BE((tables.length - power) * 16, 10)
  let at = directory.length
  const bodies = tables.map(([tag, table], index) => {
    const body = padded(table), entry = 12 + index * 16
    directory.write(tag, entry, 'latin1')
    directory.writeUInt32BE(checksum(body), entry + 4); directory.writeUInt32BE(at, entry + 8); directory.writeUInt32BE(table.length, entry + 12)
    at += body.length
    return body
  })
  return Buffer.concat([directory, ...bodies])
}
