import type { EpochMs } from '../../domain/index.ts'
import { boxesIn, findBox, instantOf, makeBox, MalformedMediaError, parseMovieFragment, requireBox, type InitSegment, type Sample, type TrackFragment } from '../../media/index.ts'
import { RECORD_HEAD_BYTES, type IndexEntry } from '../../slots/index.ts'

/** A sample of a record with the span of instants it stands for. */
export interface TimedSample { readonly trackId: number, readonly isVideo: boolean, readonly sample: Sample, readonly decodeAt: EpochMs, readonly showAt: EpochMs, readonly endAt: EpochMs }

/** Every sample of a record by its instant. `prft` ties the pictures' media time to the wall; sound shares the media time. Throws MalformedMediaError. */
export function samplesOf(record: Buffer, init: InitSegment, entry: Pick<IndexEntry, 'startAt' | 'decodeTimeTicks'>): readonly (readonly TimedSample[])[] {
  const media = record.subarray(RECORD_HEAD_BYTES)
  const zero = { startAt: entry.startAt, ticks: entry.decodeTimeTicks, timescale: init.video.timescale }
  return parseMovieFragment(media, media.length).map(track => {
    const timescale = timescaleOf(init, track)
    const isVideo = track.trackId === init.video.trackId
    let ticks = track.decodeTimeTicks
    return track.samples.map(sample => {
      const at = (shift: number) => instantOf(zero, ticks + BigInt(shift), timescale)
      const timed = { trackId: track.trackId, isVideo, sample, decodeAt: at(0), showAt: at(sample.compositionOffsetTicks), endAt: at(Math.max(0, sample.compositionOffsetTicks) + sample.durationTicks) }
      ticks += BigInt(sample.durationTicks)
      return timed
    })
  })
}

const timescaleOf = (init: InitSegment, { trackId }: TrackFragment): number => {
  const known = init.tracks.find(track => track.trackId === trackId)
  if (known === undefined) throw new MalformedMediaError(`track ${trackId} is not in the init segment`)
  return known.timescale
}

/**
 * What of a record lies in `[from, to)`, by track, true for what stays. Pictures end, in decode order, before the first one that is decoded or shown at `to` or later, so that what is left decodes;
 * of those before it only leading pictures of an open group, shown before `from`, go: nothing behind the key frame refers to them. Sound goes by its own instants.
 */
export function keptIn(samples: readonly (readonly TimedSample[])[], from: number, to: number): readonly (readonly boolean[])[] {
  return samples.map(track => {
    const past = track.findIndex(({ isVideo, decodeAt, showAt }) => isVideo && Math.max(decodeAt, showAt) >= to)
    const end = past < 0 ? track.length : past
    return track.map(({ decodeAt, showAt }, i) => i < end && decodeAt >= from && showAt >= from && showAt < to)
  })
}

const RUN_FLAGS = 0x01000f01 // version 1 (signed composition offsets); data offset, duration, size, flags and composition offset of each sample
const KEY_FLAGS = 0x02000000, OTHER_FLAGS = 0x01010000

const u32 = (values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4)
  return bytes
}

/**
 * The record with only the samples that stay; their bytes are copied as they are, the recorder's head in front too (its CRC holds no more).
 * The time of a sample that went is given to the one before it. Null when no picture and no sound is left. Throws MalformedMediaError.
 */
export function cutRecord(record: Buffer, kept: readonly (readonly boolean[])[]): Buffer | null {
  const media = record.subarray(RECORD_HEAD_BYTES)
  const tracks = parseMovieFragment(media, media.length)
  const moof = requireBox(media, { bodyAt: 0, endAt: media.length }, 'moof')
  const mfhd = findBox(media, moof, 'mfhd')
  const trafs = [...boxesIn(media, moof.bodyAt, moof.endAt)].filter(box => box.type === 'traf')
  const left = tracks.flatMap((track, i) => {
    const mask = kept[i] ?? []
    const samples: Sample[] = []
    let skipped = 0
    for (const [position, sample] of track.samples.entries()) {
      const last = samples.at(-1)
      if (mask[position] === true) samples.push(sample)
      else if (last === undefined) skipped += sample.durationTicks
      else if (mask.slice(position).includes(true)) samples[samples.length - 1] = { ...last, durationTicks: last.durationTicks + sample.durationTicks }
    }
    return samples.length === 0 ? [] : [{ track, samples, skipped, traf: trafs[i]! }]
  })
  if (left.length === 0) return null
  const data = left.map(({ samples }) => samples.map(({ dataAt, sizeBytes }) => media.subarray(dataAt, dataAt + sizeBytes)))
  const moofOf = (moofBytes: number): Buffer => {
    let dataAt = moofBytes + 8
    const parts = left.map(({ track, samples, skipped, traf }, i) => {
      const tfhd = requireBox(media, traf, 'tfhd')
      const tfdt = Buffer.alloc(12)
      tfdt[0] = 1
      tfdt.writeBigUInt64BE(track.decodeTimeTicks + BigInt(skipped), 4)
      const trun = u32([RUN_FLAGS, samples.length, dataAt, ...samples.flatMap(sample => [sample.durationTicks, sample.sizeBytes, sample.isKey ? KEY_FLAGS : OTHER_FLAGS, sample.compositionOffsetTicks])])
      dataAt += data[i]!.reduce((sum, bytes) => sum + bytes.length, 0)
      return makeBox('traf', media.subarray(tfhd.at, tfhd.endAt), makeBox('tfdt', tfdt), makeBox('trun', trun))
    })
    return makeBox('moof', ...(mfhd === null ? [] : [media.subarray(mfhd.at, mfhd.endAt)]), ...parts)
  }
  return Buffer.concat([record.subarray(0, RECORD_HEAD_BYTES), moofOf(moofOf(0).length), makeBox('mdat', ...data.flat())])
}
