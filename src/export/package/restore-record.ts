import { parseMovieFragment, patchDecodeTime, patchSequenceNumber, type InitSegment } from '../../media/index.ts'
import { RECORD_HEAD_BYTES } from '../../slots/index.ts'

/** The bytes as they were recorded, from a record of a video file: undoes what ClipTimeline did. `sequence` is the record's position in its segment. Throws MalformedMediaError, RangeError. */
export function restoreRecord(record: Buffer, init: InitSegment, sequence: number): Buffer {
  const bytes = Buffer.from(record), media = bytes.subarray(RECORD_HEAD_BYTES)
  const tracks = parseMovieFragment(media, media.length)
  const pictures = tracks.find(track => track.trackId === init.video.trackId)
  if (pictures !== undefined) {
    const movedTicks = Number(pictures.decodeTimeTicks - bytes.readBigUInt64BE(24)) // `prft` holds the media time
    for (const track of tracks) {
      const timescale = init.tracks.find(known => known.trackId === track.trackId)?.timescale ?? init.video.timescale
      const ticks = track.decodeTimeTicks - BigInt(Math.round(movedTicks * timescale / init.video.timescale))
      patchDecodeTime(media, 0, track, ticks < 0n ? 0n : ticks)
    }
  }
  patchSequenceNumber(media, 0, media.readUInt32BE(0), sequence + 1)
  return bytes
}
