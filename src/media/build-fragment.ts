import { BOX_HEADER_BYTES, makeBox, writeBoxHeader } from './box.ts'
import type { Sample } from './movie-fragment.ts'

/** Samples of one track that go into a fragment, with the buffer that `dataAt` of each counts in. */
export interface TrackPart {
  readonly trackId: number
  readonly decodeTimeTicks: bigint
  readonly samples: readonly Sample[]
  readonly data: Buffer
  /** Further boxes of the track's own, whole; none unless given. */
  readonly boxes?: readonly Buffer[]
}

/** Where a fragment is built, and the room that it leaves before `moof` and behind `mdat`. */
export interface FragmentPlace {
  readonly headRoomBytes: number
  readonly tailRoomBytes: number
  /** May hand out a longer buffer. */
  readonly allocate: (bytes: number) => Buffer
}

/** A fragment in its buffer; `[moofAt, endAt)` is `moof` and `mdat`. */
export interface BuiltFragment {
  readonly buffer: Buffer
  readonly moofAt: number
  readonly moofBytes: number
  readonly endAt: number
}

const KEY_FLAGS = 0x02000000, OTHER_FLAGS = 0x01010000
const TFHD_BASE_IS_MOOF = 0x020000
/**
 * Version 1: composition offsets are signed; data offset, duration, size, flags and offset of each sample
 * stand in the run.
 */
const TRUN_FLAGS = 0x01000f01
const SAMPLE_FIELD_BYTES = 16

/**
 * A fragment made anew from nothing but the samples given: no byte of the record around them comes along,
 * neither the recorder's own boxes nor other samples. The pictures are those recorded, bit for bit. Source:
 * ISO/IEC 14496-12 §8.8.
 */
export function buildFragment(sequence: number, parts: readonly TrackPart[]): Buffer {
  const { buffer } = buildFragmentIn(
    sequence, parts, { headRoomBytes: 0, tailRoomBytes: 0, allocate: bytes => Buffer.allocUnsafe(bytes) }
  )
  return buffer
}

/** The same, in a buffer of the caller's choice with room around it. */
export function buildFragmentIn(
  sequence: number, parts: readonly TrackPart[], place: FragmentPlace
): BuiltFragment {
  const runs = parts.map(
    part => ({ part, dataBytes: part.samples.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) })
  )
  const moofOf = (moofBytes: number): Buffer => {
    let dataAt = moofBytes + BOX_HEADER_BYTES
    const tracks = runs.map(({ part, dataBytes }) => {
      const traf = trackBox(part, dataAt)
      dataAt += dataBytes
      return traf
    })
    return makeBox('moof', makeBox('mfhd', u32(0, sequence)), ...tracks)
  }
  const moof = moofOf(moofOf(0).length)
  const dataBytes = runs.reduce((sum, run) => sum + run.dataBytes, 0)
  const { headRoomBytes: moofAt, tailRoomBytes, allocate } = place
  const endAt = moofAt + moof.length + BOX_HEADER_BYTES + dataBytes
  const buffer = allocate(endAt + tailRoomBytes)
  let at = moofAt + moof.copy(buffer, moofAt)
  writeBoxHeader(buffer, at, 'mdat', BOX_HEADER_BYTES + dataBytes)
  at += BOX_HEADER_BYTES
  for (const { samples, data } of parts) {
    for (const sample of samples) at += data.copy(buffer, at, sample.dataAt, sample.dataAt + sample.sizeBytes)
  }
  return { buffer, moofAt, moofBytes: moof.length, endAt }
}

function trackBox({ trackId, decodeTimeTicks, samples, boxes = [] }: TrackPart, dataAt: number): Buffer {
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(decodeTimeTicks < 0n ? 0n : decodeTimeTicks)
  const fields = Buffer.allocUnsafe(samples.length * SAMPLE_FIELD_BYTES)
  for (const [i, sample] of samples.entries()) {
    fields.writeUInt32BE(sample.durationTicks, i * SAMPLE_FIELD_BYTES)
    fields.writeUInt32BE(sample.sizeBytes, i * SAMPLE_FIELD_BYTES + 4)
    fields.writeUInt32BE(sample.isKey ? KEY_FLAGS : OTHER_FLAGS, i * SAMPLE_FIELD_BYTES + 8)
    fields.writeInt32BE(sample.compositionOffsetTicks, i * SAMPLE_FIELD_BYTES + 12)
  }
  const head = makeBox('tfhd', u32(TFHD_BASE_IS_MOOF, trackId)), times =
    makeBox('tfdt', u32(0x01000000), time)
  return makeBox(
    'traf', head, times, makeBox('trun', u32(TRUN_FLAGS, samples.length, dataAt), fields), ...boxes
  )
}

function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4)
  return bytes
}
