import { findBox, requireBox, type InitSegment, boxesIn } from '../../media/index.ts'

const VISUAL_ENTRY_BYTES = 78

/** RFC 6381 name of the pictures' codec, e.g. `avc1.64001f` or `hvc1.1.6.L93.B0`; what a browser asks for. */
export function codecName(init: InitSegment): string {
  const { moov } = init
  const moovBox = requireBox(moov, { bodyAt: 0, endAt: moov.length }, 'moov')
  for (const trak of boxesIn(moov, moovBox.bodyAt, moovBox.endAt)) {
    if (trak.type !== 'trak') continue
    const stsd = requireBox(moov, requireBox(moov, requireBox(moov, requireBox(moov, trak, 'mdia'), 'minf'), 'stbl'), 'stsd')
    for (const entry of boxesIn(moov, stsd.bodyAt + 8, stsd.endAt)) {
      const inner = { bodyAt: entry.bodyAt + VISUAL_ENTRY_BYTES, endAt: entry.endAt }
      if (entry.type === 'avc1' || entry.type === 'avc3') {
        const avcC = findBox(moov, inner, 'avcC')
        if (avcC !== null) return `${entry.type}.${moov.toString('hex', avcC.bodyAt + 1, avcC.bodyAt + 4)}`
      }
      if (entry.type === 'hvc1' || entry.type === 'hev1') {
        const hvcC = findBox(moov, inner, 'hvcC')
        if (hvcC !== null) return `${entry.type}.${hevcParts(moov.subarray(hvcC.bodyAt, hvcC.endAt))}`
      }
    }
  }
  return init.video.codec
}

/** ISO/IEC 14496-15 annex E: profile, compatibility flags with their bits reversed, tier and level, constraint bytes without zeros at the end. */
function hevcParts(hvcC: Buffer): string {
  const first = hvcC[1] ?? 0
  let flags = hvcC.readUInt32BE(2), reversed = 0
  for (let bit = 0; bit < 32; bit++) { reversed = ((reversed << 1) | (flags & 1)) >>> 0; flags >>>= 1 }
  const constraints = [...hvcC.subarray(6, 12)]
  while (constraints.length > 0 && constraints.at(-1) === 0) constraints.pop()
  const space = ['', 'A', 'B', 'C'][first >> 6] ?? ''
  return [`${space}${first & 31}`, reversed.toString(16).toUpperCase(), `${(first & 32) === 0 ? 'L' : 'H'}${hvcC[12] ?? 0}`, ...constraints.map(byte => byte.toString(16).toUpperCase())].join('.')
}
