import { boxesIn, findBox, MalformedMediaError, requireBox, requireBytes, type BoxSpan } from './box.ts'

/** One sample of a fragment. Times in track ticks; `dataAt` counts from the start of `moof`. */
export interface Sample {
  readonly durationTicks: number
  readonly sizeBytes: number
  readonly isKey: boolean
  readonly compositionOffsetTicks: number
  readonly dataAt: number
}

/** One track's part of a fragment. */
export interface TrackFragment {
  readonly trackId: number
  /** Decode time of the first sample, in track ticks. */
  readonly decodeTimeTicks: bigint
  readonly samples: readonly Sample[]
  readonly durationTicks: number
  /** Where the 64-bit decode time stands, counted from the start of `moof`. */
  readonly decodeTimeAt: number
  /** Where the samples' own durations stand, counted from the start of `moof`; null when all share a default. */
  readonly durationFields: { readonly at: number, readonly strideBytes: number } | null
}

export const MAX_SAMPLES_PER_FRAGMENT = 4096 // 500 ms at most: 240 fps video or 48 kHz audio packets stay far below
const NON_SYNC = 0x00010000
const TFHD = { baseDataOffset: 0x1, descriptionIndex: 0x2, duration: 0x8, size: 0x10, flags: 0x20, defaultBaseIsMoof: 0x20000 }
const TRUN = { dataOffset: 0x1, firstFlags: 0x4, duration: 0x100, size: 0x200, flags: 0x400, compositionOffset: 0x800 }

/**
 * Reads a `moof` that stands at the start of `buffer`. Every sample must lie inside `[moofBytes, limitBytes)`.
 * Throws MalformedMediaError on anything a muxer with default_base_moof does not write.
 */
export function parseMovieFragment(buffer: Buffer, limitBytes: number): TrackFragment[] {
  const moof = requireBox(buffer, { bodyAt: 0, endAt: Math.min(buffer.length, limitBytes) }, 'moof')
  const tracks: TrackFragment[] = []
  for (const box of boxesIn(buffer, moof.bodyAt, moof.endAt)) {
    if (box.type === 'traf') tracks.push(parseTrackFragment(buffer, box, moof.endAt, limitBytes))
  }
  if (tracks.length === 0 || tracks.length > 2) throw new MalformedMediaError(`fragment of ${tracks.length} tracks`)
  return tracks
}

function parseTrackFragment(buffer: Buffer, traf: BoxSpan, dataFrom: number, limitBytes: number): TrackFragment {
  const tfhd = requireBox(buffer, traf, 'tfhd')
  requireBytes(tfhd, tfhd.bodyAt, 8)
  const tfhdFlags = buffer.readUIntBE(tfhd.bodyAt + 1, 3)
  if ((tfhdFlags & TFHD.baseDataOffset) !== 0 || (tfhdFlags & TFHD.defaultBaseIsMoof) === 0) throw new MalformedMediaError('fragment is not relative to itself')
  let at = tfhd.bodyAt + 8
  const optional = (flag: number): number => {
    if ((tfhdFlags & flag) === 0) return 0
    requireBytes(tfhd, at, 4)
    at += 4
    return buffer.readUInt32BE(at - 4)
  }
  optional(TFHD.descriptionIndex)
  const defaults = { duration: optional(TFHD.duration), size: optional(TFHD.size), flags: optional(TFHD.flags) }
  const tfdt = requireBox(buffer, traf, 'tfdt')
  if (buffer[tfdt.bodyAt] !== 1) throw new MalformedMediaError('decode time is not 64 bits wide')
  requireBytes(tfdt, tfdt.bodyAt, 12)
  const trun = requireBox(buffer, traf, 'trun')
  if ([...boxesIn(buffer, traf.bodyAt, traf.endAt)].filter(box => box.type === 'trun').length !== 1) throw new MalformedMediaError('more than one sample run')
  const { samples, durationFields } = parseRun(buffer, trun, defaults, dataFrom, limitBytes)
  return {
    trackId: buffer.readUInt32BE(tfhd.bodyAt + 4),
    decodeTimeTicks: buffer.readBigUInt64BE(tfdt.bodyAt + 4),
    samples, durationFields,
    durationTicks: samples.reduce((sum, sample) => sum + sample.durationTicks, 0),
    decodeTimeAt: tfdt.bodyAt + 4,
  }
}

function parseRun(buffer: Buffer, trun: BoxSpan, defaults: { duration: number, size: number, flags: number }, dataFrom: number, limitBytes: number) {
  requireBytes(trun, trun.bodyAt, 8)
  const flags = buffer.readUIntBE(trun.bodyAt + 1, 3)
  const count = buffer.readUInt32BE(trun.bodyAt + 4)
  if (count === 0 || count > MAX_SAMPLES_PER_FRAGMENT) throw new MalformedMediaError(`fragment of ${count} samples`)
  if ((flags & TRUN.dataOffset) === 0) throw new MalformedMediaError('sample run without data offset')
  let at = trun.bodyAt + 8
  const firstFlagsBytes = (flags & TRUN.firstFlags) === 0 ? 0 : 4
  const fields = [TRUN.duration, TRUN.size, TRUN.flags, TRUN.compositionOffset].filter(flag => (flags & flag) !== 0).length
  requireBytes(trun, at, 4 + firstFlagsBytes + count * fields * 4)
  let dataAt = buffer.readInt32BE(at)
  at += 4
  const firstFlags = firstFlagsBytes === 0 ? null : buffer.readUInt32BE(at)
  at += firstFlagsBytes
  const durationFields = (flags & TRUN.duration) === 0 ? null : { at, strideBytes: fields * 4 } // the duration is the first of a sample's fields
  const field = (flag: number, otherwise: number): number => {
    if ((flags & flag) === 0) return otherwise
    at += 4
    return buffer.readUInt32BE(at - 4)
  }
  const samples: Sample[] = []
  for (let i = 0; i < count; i++) {
    const durationTicks = field(TRUN.duration, defaults.duration)
    const sizeBytes = field(TRUN.size, defaults.size)
    const sampleFlags = field(TRUN.flags, i === 0 && firstFlags !== null ? firstFlags : defaults.flags)
    const compositionOffsetTicks = field(TRUN.compositionOffset, 0) | 0
    if (dataAt < dataFrom || dataAt + sizeBytes > limitBytes) throw new MalformedMediaError('sample lies outside its fragment')
    samples.push({ durationTicks, sizeBytes, isKey: (sampleFlags & NON_SYNC) === 0, compositionOffsetTicks, dataAt })
    dataAt += sizeBytes
  }
  return { samples, durationFields }
}

/** Overwrites a track's decode time; `moofAt` is where the fragment's `moof` stands in `target`. */
export function patchDecodeTime(target: Buffer, moofAt: number, fragment: TrackFragment, ticks: bigint): void {
  target.writeBigUInt64BE(ticks, moofAt + fragment.decodeTimeAt)
}

/** Overwrites `mfhd`'s sequence number, so that fragments of several runs count on in one file. */
export function patchSequenceNumber(target: Buffer, moofAt: number, moofBytes: number, sequence: number): void {
  const mfhd = findBox(target, { bodyAt: moofAt + 8, endAt: moofAt + moofBytes }, 'mfhd')
  if (mfhd !== null) target.writeUInt32BE(sequence >>> 0, mfhd.bodyAt + 4)
}
