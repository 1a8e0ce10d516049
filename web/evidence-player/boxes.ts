import { viewOf, type Bytes } from './bytes.ts'

/** A file that is not what the recorder writes. */
export class MediaError extends Error { override readonly name = 'MediaError' }

export interface Box { readonly type: string, readonly at: number, readonly bodyAt: number, readonly endAt: number }

const MAX_BOXES = 100_000 // of one level

/** The boxes in `[from, to)`. Throws MediaError where one is cut off or has no size. */
export function boxesIn(bytes: Uint8Array, from: number, to: number): Box[] {
  const view = viewOf(bytes), boxes: Box[] = []
  for (let at = from; at < to;) {
    const box = boxAt(view, at, to)
    if (box === null || box.endAt > to || boxes.length === MAX_BOXES) throw new MediaError(`a box is cut off at ${at}`)
    boxes.push(box)
    at = box.endAt
  }
  return boxes
}

/** The header at `at`; its end may lie past `to`. Null when even the header does not fit. Throws MediaError on a size that cannot be. */
export function boxAt(view: DataView, at: number, to: number): Box | null {
  if (at + 8 > to) return null
  let size = view.getUint32(at), bodyAt = at + 8
  if (size === 1) {
    if (at + 16 > to) return null
    size = Number(view.getBigUint64(at + 8))
    bodyAt = at + 16
  }
  if (size < bodyAt - at || !Number.isSafeInteger(size)) throw new MediaError(`a box of ${size} bytes at ${at}`)
  return { type: String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at + 4, 4)), at, bodyAt, endAt: at + size }
}

function child(bytes: Uint8Array, parent: { readonly bodyAt: number, readonly endAt: number }, type: string, skip = 0): Box {
  const box = boxesIn(bytes, parent.bodyAt + skip, parent.endAt).find(each => each.type === type)
  if (box === undefined) throw new MediaError(`no ${type} where one is wanted`)
  return box
}

export interface InitTrack { readonly kind: 'video' | 'audio' | 'other', readonly trackId: number, readonly timescale: number, /** As `MediaSource.isTypeSupported` wants it. */ readonly codec: string }

export interface InitSegment { readonly bytes: Bytes, readonly tracks: readonly InitTrack[], readonly video: InitTrack }

const VISUAL_ENTRY_BYTES = 78, AUDIO_ENTRY_BYTES = 28

/** `ftyp` and `moov` of a file's beginning. Throws MediaError unless there is exactly one picture track. */
export function parseInit(bytes: Bytes): InitSegment {
  const moov = child(bytes, { bodyAt: 0, endAt: bytes.length }, 'moov')
  const tracks = boxesIn(bytes, moov.bodyAt, moov.endAt).filter(box => box.type === 'trak').map(trak => parseTrack(bytes, trak))
  const videos = tracks.filter(track => track.kind === 'video')
  if (videos.length !== 1) throw new MediaError(`${videos.length} picture tracks where one is wanted`)
  return { bytes, tracks, video: videos[0]! }
}

function parseTrack(bytes: Uint8Array, trak: Box): InitTrack {
  const view = viewOf(bytes)
  const tkhd = child(bytes, trak, 'tkhd'), mdia = child(bytes, trak, 'mdia'), mdhd = child(bytes, mdia, 'mdhd')
  const need = (box: Box, at: number): number => { if (at + 4 > box.endAt) throw new MediaError(`${box.type} is too short`); return view.getUint32(at) }
  const trackId = need(tkhd, tkhd.bodyAt + (bytes[tkhd.bodyAt] === 1 ? 20 : 12))
  const timescale = need(mdhd, mdhd.bodyAt + (bytes[mdhd.bodyAt] === 1 ? 20 : 12))
  if (timescale === 0) throw new MediaError('a track without a time scale')
  const stsd = child(bytes, child(bytes, child(bytes, mdia, 'minf'), 'stbl'), 'stsd')
  const entry = boxesIn(bytes, stsd.bodyAt + 8, stsd.endAt)[0]
  if (entry === undefined) throw new MediaError('a track without a sample entry')
  const named = codecOf(bytes, entry)
  return { trackId, timescale, ...named }
}

function codecOf(bytes: Uint8Array, entry: Box): Pick<InitTrack, 'kind' | 'codec'> {
  if (entry.type === 'avc1' || entry.type === 'avc3') {
    const avcC = child(bytes, entry, 'avcC', VISUAL_ENTRY_BYTES)
    if (avcC.bodyAt + 4 > avcC.endAt) throw new MediaError('avcC is too short')
    return { kind: 'video', codec: `${entry.type}.${[1, 2, 3].map(i => bytes[avcC.bodyAt + i]!.toString(16).padStart(2, '0')).join('')}` }
  }
  if (entry.type === 'hvc1' || entry.type === 'hev1') return { kind: 'video', codec: `${entry.type}.${hevcProfile(bytes, child(bytes, entry, 'hvcC', VISUAL_ENTRY_BYTES))}` }
  if (entry.type === 'mp4a') return { kind: 'audio', codec: `mp4a.${aacProfile(bytes, child(bytes, entry, 'esds', AUDIO_ENTRY_BYTES))}` }
  return { kind: ['vp09', 'av01', 'mp4v', 'jpeg'].includes(entry.type) ? 'video' : 'other', codec: entry.type }
}

/** ISO/IEC 14496-15 Annex E: profile space and number, compatibility flags in reverse, tier and level, constraint bytes without zeros at the end. */
function hevcProfile(bytes: Uint8Array, hvcC: Box): string {
  const at = hvcC.bodyAt
  if (at + 13 > hvcC.endAt) throw new MediaError('hvcC is too short')
  const first = bytes[at + 1]!
  let flags = viewOf(bytes).getUint32(at + 2), reversed = 0
  for (let i = 0; i < 32; i++, flags >>>= 1) reversed = (reversed << 1 | flags & 1) >>> 0
  const constraints = [...bytes.subarray(at + 6, at + 12)]
  while (constraints.at(-1) === 0) constraints.pop()
  return [`${['', 'A', 'B', 'C'][first >> 6]!}${first & 31}`, reversed.toString(16), `${(first & 32) === 0 ? 'L' : 'H'}${bytes[at + 12]!}`, ...constraints.map(byte => byte.toString(16))].join('.')
}

/** Object type of an `esds`, and for AAC the audio object type behind it; `40.2` where it is not told. */
function aacProfile(bytes: Uint8Array, esds: Box): string {
  const body = bytes.subarray(esds.bodyAt + 4, esds.endAt)
  for (let i = 0; i + 20 < body.length; i++) { // the descriptors' lengths take 1 to 4 bytes each, so they are looked for
    if (body[i] !== 4) continue
    let at = i + 1
    while (at < i + 4 && body[at]! >= 0x80) at++
    const objectType = body[at + 1]!
    if (objectType !== 0x40) return objectType.toString(16)
    let specific = at + 14
    if (body[specific] !== 5) break
    specific++
    while (specific < body.length && body[specific]! >= 0x80) specific++
    return `40.${(body[specific + 1] ?? 0x10) >> 3}`
  }
  return '40.2'
}

/** One frame: ticks of the picture track as in the file. */
export interface FrameTicks { readonly dts: number, readonly pts: number, readonly duration: number, readonly isKey: boolean, readonly bytes: number }

/** One track's part of a `moof`; `decodeTimeAt` counts from the start of the bytes that were read. */
export interface TrackPart { readonly trackId: number, readonly decodeTime: number, readonly decodeTimeAt: number, readonly frames: readonly FrameTicks[], readonly durationTicks: number }

export interface MovieFragment { readonly tracks: readonly TrackPart[], readonly sequenceAt: number | null }

const MAX_SAMPLES = 4096
const NON_SYNC = 0x10000

/** Reads the `moof` at `moof`. Throws MediaError on anything the recorder does not write. */
export function parseMoof(bytes: Uint8Array, moof: Box): MovieFragment {
  const boxes = boxesIn(bytes, moof.bodyAt, moof.endAt)
  const mfhd = boxes.find(box => box.type === 'mfhd')
  const tracks = boxes.filter(box => box.type === 'traf').map(traf => parseTraf(bytes, traf))
  if (tracks.length === 0 || tracks.length > 4) throw new MediaError(`a fragment of ${tracks.length} tracks`)
  return { tracks, sequenceAt: mfhd === undefined || mfhd.bodyAt + 8 > mfhd.endAt ? null : mfhd.bodyAt + 4 }
}

function parseTraf(bytes: Uint8Array, traf: Box): TrackPart {
  const view = viewOf(bytes)
  const tfhd = child(bytes, traf, 'tfhd'), tfdt = child(bytes, traf, 'tfdt'), trun = child(bytes, traf, 'trun')
  const reader = (box: Box, from: number) => { let at = from; return () => { if (at + 4 > box.endAt) throw new MediaError(`${box.type} is too short`); at += 4; return view.getUint32(at - 4) } }
  const head = reader(tfhd, tfhd.bodyAt), headFlags = head() & 0xffffff
  const trackId = head()
  const optional = (flag: number): number => (headFlags & flag) === 0 ? 0 : head()
  if ((headFlags & 1) !== 0) throw new MediaError('a fragment that is not relative to itself')
  optional(2)
  const defaults = { duration: optional(8), size: optional(0x10), flags: optional(0x20) }
  if (bytes[tfdt.bodyAt] !== 1 || tfdt.bodyAt + 12 > tfdt.endAt) throw new MediaError('a decode time that is not 64 bits wide')
  const decodeTime = Number(view.getBigUint64(tfdt.bodyAt + 4))
  if (!Number.isSafeInteger(decodeTime)) throw new MediaError('a decode time that cannot be')
  const run = reader(trun, trun.bodyAt), flags = run() & 0xffffff, count = run()
  if (count === 0 || count > MAX_SAMPLES) throw new MediaError(`a fragment of ${count} samples`)
  if ((flags & 1) !== 0) run()
  const firstFlags = (flags & 4) !== 0 ? run() : null
  const frames: FrameTicks[] = []
  let dts = decodeTime
  for (let i = 0; i < count; i++) {
    const duration = (flags & 0x100) !== 0 ? run() : defaults.duration
    const size = (flags & 0x200) !== 0 ? run() : defaults.size
    const sampleFlags = (flags & 0x400) !== 0 ? run() : i === 0 && firstFlags !== null ? firstFlags : defaults.flags
    const shift = (flags & 0x800) !== 0 ? run() | 0 : 0
    frames.push({ dts, pts: dts + shift, duration, isKey: (sampleFlags & NON_SYNC) === 0, bytes: size })
    dts += duration
  }
  return { trackId, decodeTime, decodeTimeAt: tfdt.bodyAt + 4, frames, durationTicks: dts - decodeTime }
}

const NTP_EPOCH_S = 2208988800, NTP_ERA_S = 0x100000000 // counted from 1900; the count wraps in 2036

/** Wall time in ms and media time in ticks of a `prft`; null where it is too short or of another version. */
export function parsePrft(bytes: Uint8Array, prft: Box): { readonly wallMs: number, readonly mediaTicks: number } | null {
  const view = viewOf(bytes)
  if (prft.bodyAt + 24 > prft.endAt || prft.bodyAt + 24 > bytes.length || bytes[prft.bodyAt] !== 1) return null
  const seconds = view.getUint32(prft.bodyAt + 8)
  const era = seconds < 0x80000000 ? NTP_ERA_S : 0
  return { wallMs: Math.round((seconds + era - NTP_EPOCH_S) * 1000 + view.getUint32(prft.bodyAt + 12) / NTP_ERA_S * 1000), mediaTicks: Number(view.getBigUint64(prft.bodyAt + 16)) }
}

/** Hides every track but the pictures' by calling its boxes `free`, in `moov` or `moof`, in place: no browser plays G.711 out of an MP4. */
export function silence(bytes: Uint8Array, parent: Box, video: InitTrack): void {
  const view = viewOf(bytes)
  const free = (box: Box): void => { bytes.set([0x66, 0x72, 0x65, 0x65], box.at + 4) }
  for (const box of boxesIn(bytes, parent.bodyAt, parent.endAt)) {
    if (box.type === 'trak' && parseTrack(bytes, box).trackId !== video.trackId) free(box)
    else if (box.type === 'traf' && parseTraf(bytes, box).trackId !== video.trackId) free(box)
    else if (box.type === 'mvex') for (const trex of boxesIn(bytes, box.bodyAt, box.endAt)) if (trex.type === 'trex' && view.getUint32(trex.bodyAt + 4) !== video.trackId) free(trex)
  }
}

const MAX_INIT_BYTES = 1 << 20

/** The init segment at a file's beginning: `ftyp` and `moov`, whatever else stands between. Throws MediaError. */
export async function readInit(blob: { readonly size: number, slice(from: number, to: number): { arrayBuffer(): Promise<ArrayBuffer> } }): Promise<InitSegment> {
  const head = new Uint8Array(await blob.slice(0, Math.min(blob.size, MAX_INIT_BYTES)).arrayBuffer())
  const view = viewOf(head), kept: Uint8Array[] = []
  for (let at = 0; at < head.length;) {
    const box = boxAt(view, at, head.length)
    if (box === null || (['ftyp', 'moov'].includes(box.type) && box.endAt > head.length)) break
    if (box.type === 'ftyp' || box.type === 'moov') kept.push(head.subarray(box.at, box.endAt))
    if (box.type === 'moov') {
      const bytes = new Uint8Array(kept.reduce((sum, part) => sum + part.length, 0))
      kept.reduce((to, part) => { bytes.set(part, to); return to + part.length }, 0)
      return parseInit(bytes)
    }
    if (box.type === 'moof' || box.type === 'mdat') break
    at = box.endAt
  }
  throw new MediaError('no moov at the beginning')
}
