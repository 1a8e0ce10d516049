import { boxesIn, MalformedMediaError, requireBox, requireBytes, UnsupportedMediaError, type BoxSpan } from './box.ts'
import { parameterSetsOfAvcC, parameterSetsOfHvcC, type ParameterSets } from './parameter-sets.ts'

export type VideoCodec = 'h264' | 'h265'

export interface VideoTrack {
  readonly kind: 'video'
  readonly trackId: number
  /** Ticks a second of every time in this track. */
  readonly timescale: number
  readonly codec: VideoCodec
  readonly widthPx: number
  readonly heightPx: number
  /** Bytes of the length before each NAL unit: 1, 2 or 4. */
  readonly nalLengthBytes: number
  readonly parameterSets: ParameterSets
}
export interface AudioTrack { readonly kind: 'audio', readonly trackId: number, readonly timescale: number, readonly codec: string }
export type Track = VideoTrack | AudioTrack

/** `ftyp` and `moov` of a fragmented MP4, with what the recorder needs to know of them. Owns no shared memory. */
export interface InitSegment {
  readonly ftyp: Buffer
  readonly moov: Buffer
  readonly tracks: readonly Track[]
  readonly video: VideoTrack
}

export const VISUAL_ENTRY_BYTES = 78 // SampleEntry 8 + VisualSampleEntry 70, ISO/IEC 14496-12 §12.1.3

/** Throws MalformedMediaError when there is not exactly one H.264 or H.265 video track, or more than one audio track. */
export function parseInitSegment(ftyp: Buffer, moov: Buffer): InitSegment {
  const moovBox = requireBox(moov, { bodyAt: 0, endAt: moov.length }, 'moov')
  const tracks: Track[] = []
  for (const box of boxesIn(moov, moovBox.bodyAt, moovBox.endAt)) if (box.type === 'trak') tracks.push(parseTrack(moov, box))
  const videos = tracks.filter(track => track.kind === 'video')
  const [video] = videos
  if (video === undefined || videos.length > 1) throw new MalformedMediaError(`${videos.length} video tracks where one is wanted`)
  if (tracks.length > 2) throw new MalformedMediaError(`${tracks.length} tracks`)
  if (new Set(tracks.map(track => track.trackId)).size !== tracks.length) throw new MalformedMediaError('two tracks share an id')
  return { ftyp: Buffer.from(ftyp), moov: Buffer.from(moov), tracks, video }
}

export function parseTrack(moov: Buffer, trak: BoxSpan): Track {
  const tkhd = requireBox(moov, trak, 'tkhd')
  const idAt = tkhd.bodyAt + (moov[tkhd.bodyAt] === 1 ? 20 : 12)
  requireBytes(tkhd, idAt, 4)
  const trackId = moov.readUInt32BE(idAt)
  const mdia = requireBox(moov, trak, 'mdia')
  const mdhd = requireBox(moov, mdia, 'mdhd')
  const timescaleAt = mdhd.bodyAt + (moov[mdhd.bodyAt] === 1 ? 20 : 12)
  requireBytes(mdhd, timescaleAt, 4)
  const timescale = moov.readUInt32BE(timescaleAt)
  if (timescale === 0) throw new MalformedMediaError('timescale is zero')
  const stbl = requireBox(moov, requireBox(moov, mdia, 'minf'), 'stbl')
  const stsd = requireBox(moov, stbl, 'stsd')
  requireBytes(stsd, stsd.bodyAt, 8)
  const [entry] = boxesIn(moov, stsd.bodyAt + 8, stsd.endAt)
  if (entry === undefined) throw new MalformedMediaError('no sample entry')
  const hdlr = requireBox(moov, mdia, 'hdlr')
  requireBytes(hdlr, hdlr.bodyAt + 8, 4)
  const handler = moov.toString('latin1', hdlr.bodyAt + 8, hdlr.bodyAt + 12)
  if (handler === 'soun') return { kind: 'audio', trackId, timescale, codec: entry.type }
  if (handler !== 'vide') throw new MalformedMediaError(`track of kind ${JSON.stringify(handler)}`)
  return parseVideoEntry(moov, entry, trackId, timescale)
}

function parseVideoEntry(moov: Buffer, entry: BoxSpan, trackId: number, timescale: number): VideoTrack {
  requireBytes(entry, entry.bodyAt, VISUAL_ENTRY_BYTES)
  const shared = {
    kind: 'video' as const, trackId, timescale,
    widthPx: moov.readUInt16BE(entry.bodyAt + 24), heightPx: moov.readUInt16BE(entry.bodyAt + 26),
  }
  const inner = { bodyAt: entry.bodyAt + VISUAL_ENTRY_BYTES, endAt: entry.endAt }
  if (entry.type === 'avc1' || entry.type === 'avc3') {
    const avcC = requireBox(moov, inner, 'avcC')
    return { ...shared, codec: 'h264', ...parameterSetsOfAvcC(moov.subarray(avcC.bodyAt, avcC.endAt)) }
  }
  if (entry.type === 'hvc1' || entry.type === 'hev1') {
    const hvcC = requireBox(moov, inner, 'hvcC')
    return { ...shared, codec: 'h265', ...parameterSetsOfHvcC(moov.subarray(hvcC.bodyAt, hvcC.endAt)) }
  }
  throw new UnsupportedMediaError(`video sample entry ${JSON.stringify(entry.type)} is neither H.264 nor H.265`)
}
