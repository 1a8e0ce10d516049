import { boxesIn, makeBox, MalformedMediaError, requireBox, type BoxSpan } from './box.ts'
import { parseInitSegment, parseTrack, type AudioTrack, type InitSegment } from './init-segment.ts'

/** `moov` of a fragmented MP4 of sound alone. */
export interface SoundSegment { readonly moov: Buffer, readonly tracks: readonly [AudioTrack] }

/** Throws MalformedMediaError when there is not exactly one sound track. */
export function parseSoundSegment(_ftyp: Buffer, moov: Buffer): SoundSegment {
  const moovBox = requireBox(moov, { bodyAt: 0, endAt: moov.length }, 'moov')
  const tracks = childrenOf(moov, moovBox, 'trak').map(trak => parseTrack(moov, trak))
  const [track] = tracks
  if (track?.kind !== 'audio' || tracks.length > 1) throw new MalformedMediaError('not one sound track alone')
  return { moov: Buffer.from(moov), tracks: [track] }
}

/** The track of sound in a header that has one. */
export const soundTrackOf = (init: InitSegment): AudioTrack | null =>
  init.tracks.find(track => track.kind === 'audio') ?? null

/** The header of pictures with the sound's track beside theirs. Throws MalformedMediaError. */
export function withSound(pictures: InitSegment, sound: SoundSegment): InitSegment {
  if (soundTrackOf(pictures) !== null) return pictures
  const trackId = pictures.video.trackId + 1, { moov } = pictures
  const own = requireBox(moov, { bodyAt: 0, endAt: moov.length }, 'moov'), other =
    requireBox(sound.moov, { bodyAt: 0, endAt: sound.moov.length }, 'moov')
  const [trak] = childrenOf(sound.moov, other, 'trak'), [trex] =
    childrenOf(sound.moov, requireBox(sound.moov, other, 'mvex'), 'trex')
  if (trak === undefined || trex === undefined) throw new MalformedMediaError('no sound track')
  const soundTrak = Buffer.from(sound.moov.subarray(trak.at, trak.endAt)), soundTrex =
    Buffer.from(sound.moov.subarray(trex.at, trex.endAt))
  const tkhd = requireBox(soundTrak, { bodyAt: 8, endAt: soundTrak.length }, 'tkhd')
  soundTrak.writeUInt32BE(trackId, tkhd.bodyAt + (soundTrak[tkhd.bodyAt] === 1 ? 20 : 12))
  soundTrex.writeUInt32BE(trackId, 12)
  const boxes = [...boxesIn(moov, own.bodyAt, own.endAt)].flatMap(box => {
    const bytes = moov.subarray(box.at, box.endAt)
    if (box.type === 'trak') return [bytes, soundTrak]
    return [box.type === 'mvex' ? makeBox('mvex', moov.subarray(box.bodyAt, box.endAt), soundTrex) : bytes]
  })
  return parseInitSegment(pictures.ftyp, makeBox('moov', ...boxes))
}

const childrenOf = (bytes: Buffer, parent: Pick<BoxSpan, 'bodyAt' | 'endAt'>, type: string): BoxSpan[] =>
  [...boxesIn(bytes, parent.bodyAt, parent.endAt)].filter(box => box.type === type)
