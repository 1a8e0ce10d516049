import type { InitSegment } from '../media/index.ts'

const hex = (byte: number): string => byte.toString(16).padStart(2, '0')

/** What Media Source calls the tracks, e.g. `video/mp4; codecs="avc1.64001f"`. RFC 6381; for H.265 ISO/IEC 14496-15 annex E. */
export function mimeOf({ moov, video, tracks }: InitSegment): string {
  const sound = tracks.some(track => track.kind === 'audio' && track.codec === 'mp4a') ? ',mp4a.40.2' : ''
  return `video/mp4; codecs="${video.codec === 'h264' ? avcText(moov) : hevcText(moov)}${sound}"`
}

function avcText(moov: Buffer): string {
  const at = moov.indexOf('avcC') + 4
  return `avc1.${hex(moov[at + 1] ?? 0)}${hex(moov[at + 2] ?? 0)}${hex(moov[at + 3] ?? 0)}`
}

function hevcText(moov: Buffer): string {
  const at = moov.indexOf('hvcC') + 4
  const profile = moov[at + 1] ?? 0
  const space = ['', 'A', 'B', 'C'][profile >> 6] ?? ''
  let flags = moov.readUInt32BE(at + 2), reversed = 0
  for (let bit = 0; bit < 32; bit++) { reversed = reversed * 2 + (flags & 1); flags >>>= 1 }
  const constraints = [...moov.subarray(at + 6, at + 12)]
  while (constraints.at(-1) === 0) constraints.pop()
  return `${moov.includes('hev1') ? 'hev1' : 'hvc1'}.${space}${profile & 0x1f}.${reversed.toString(16)}.${(profile & 0x20) === 0 ? 'L' : 'H'}${moov[at + 12] ?? 0}${constraints.map(byte => `.${byte.toString(16)}`).join('')}`
}
