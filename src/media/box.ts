/** ISO base media boxes in a buffer: header arithmetic and a bounded walk. Source: ISO/IEC 14496-12 §4.2. */

export const BOX_HEADER_BYTES = 8
const LARGE_BOX_HEADER_BYTES = 16

/** Where a box lies in the buffer it was found in. `bodyAt` is past the header, `endAt` past the box. */
export interface BoxSpan { readonly type: string, readonly at: number, readonly bodyAt: number, readonly endAt: number }

export class MalformedMediaError extends Error {
  constructor(message: string) { super(message); this.name = 'MalformedMediaError' }
}

/** Well-formed, but no picture format that this recorder keeps. */
export class UnsupportedMediaError extends MalformedMediaError {}

/** The declared extent of the box whose header starts at `at`; null when fewer bytes are there than its header needs. */
export function readBoxHeader(buffer: Buffer, at: number, available = buffer.length): { type: string, headerBytes: number, sizeBytes: number } | null {
  if (available - at < BOX_HEADER_BYTES) return null
  const size32 = buffer.readUInt32BE(at)
  const type = buffer.toString('latin1', at + 4, at + 8)
  if (size32 !== 1) return { type, headerBytes: BOX_HEADER_BYTES, sizeBytes: size32 }
  if (available - at < LARGE_BOX_HEADER_BYTES) return null
  const size64 = buffer.readBigUInt64BE(at + 8)
  return { type, headerBytes: LARGE_BOX_HEADER_BYTES, sizeBytes: size64 > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(size64) }
}

/** The boxes that lie side by side in `[from, to)`. Throws MalformedMediaError where a header or an extent does not fit. */
export function* boxesIn(buffer: Buffer, from: number, to: number): Generator<BoxSpan> {
  let at = from
  while (at < to) {
    const header = readBoxHeader(buffer, at, to)
    if (header === null || header.sizeBytes < header.headerBytes || header.sizeBytes > to - at) {
      throw new MalformedMediaError(`box at byte ${at} does not fit its parent`)
    }
    yield { type: header.type, at, bodyAt: at + header.headerBytes, endAt: at + header.sizeBytes }
    at += header.sizeBytes
  }
}

export function findBox(buffer: Buffer, parent: { bodyAt: number, endAt: number }, type: string): BoxSpan | null {
  for (const box of boxesIn(buffer, parent.bodyAt, parent.endAt)) if (box.type === type) return box
  return null
}

export function requireBox(buffer: Buffer, parent: { bodyAt: number, endAt: number }, type: string): BoxSpan {
  const box = findBox(buffer, parent, type)
  if (box === null) throw new MalformedMediaError(`no ${type} box`)
  return box
}

/** Throws unless `[at, at + bytes)` lies inside the box. */
export function requireBytes(box: BoxSpan, at: number, bytes: number): void {
  if (at < box.bodyAt || at + bytes > box.endAt) throw new MalformedMediaError(`${box.type} box is too short`)
}

export function writeBoxHeader(target: Buffer, at: number, type: string, sizeBytes: number): void {
  target.writeUInt32BE(sizeBytes, at)
  target.write(type, at + 4, 4, 'latin1')
}

/** A box around `bodies`, as a new buffer. */
export function makeBox(type: string, ...bodies: readonly Buffer[]): Buffer {
  const sizeBytes = bodies.reduce((sum, body) => sum + body.length, BOX_HEADER_BYTES)
  const header = Buffer.alloc(BOX_HEADER_BYTES)
  writeBoxHeader(header, 0, type, sizeBytes)
  return Buffer.concat([header, ...bodies], sizeBytes)
}
