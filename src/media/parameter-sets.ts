import { MalformedMediaError } from './box.ts'
import type { VideoCodec } from './init-segment.ts'

/** Parameter sets by kind and id, so that a stream that sends them again is told from one that changed them. */
export type ParameterSets = ReadonlyMap<string, Buffer>

const H264 = { slice: (type: number) => type >= 1 && type <= 5, sets: new Map([[7, 'sps'], [8, 'pps']]) }
const H265 = { slice: (type: number) => type <= 31, sets: new Map([[32, 'vps'], [33, 'sps'], [34, 'pps']]) }
const rulesOf = (codec: VideoCodec) => codec === 'h264' ? H264 : H265

const nalTypeOf = (codec: VideoCodec, firstByte: number): number => codec === 'h264' ? firstByte & 0x1f : (firstByte >> 1) & 0x3f

/** ISO/IEC 14496-15 §5.3.3.1. */
export function parameterSetsOfAvcC(avcC: Buffer): { nalLengthBytes: number, parameterSets: ParameterSets } {
  if (avcC.length < 7) throw new MalformedMediaError('avcC is too short')
  const sets = new Map<string, Buffer>()
  let at = 6
  const take = (count: number) => {
    for (let i = 0; i < count; i++) at = takeSet('h264', avcC, at, sets)
  }
  take((avcC[5] ?? 0) & 0x1f)
  if (at >= avcC.length) throw new MalformedMediaError('avcC has no picture parameter sets')
  take(avcC[at++] ?? 0)
  return { nalLengthBytes: ((avcC[4] ?? 0) & 3) + 1, parameterSets: sets }
}

/** ISO/IEC 14496-15 §8.3.3.1. */
export function parameterSetsOfHvcC(hvcC: Buffer): { nalLengthBytes: number, parameterSets: ParameterSets } {
  if (hvcC.length < 23) throw new MalformedMediaError('hvcC is too short')
  const sets = new Map<string, Buffer>()
  let at = 23
  for (let array = 0; array < (hvcC[22] ?? 0); array++) {
    if (at + 3 > hvcC.length) throw new MalformedMediaError('hvcC array is too short')
    const count = hvcC.readUInt16BE(at + 1)
    at += 3
    for (let i = 0; i < count; i++) at = takeSet('h265', hvcC, at, sets)
  }
  return { nalLengthBytes: ((hvcC[21] ?? 0) & 3) + 1, parameterSets: sets }
}

function takeSet(codec: VideoCodec, record: Buffer, at: number, into: Map<string, Buffer>): number {
  if (at + 2 > record.length) throw new MalformedMediaError('parameter set does not fit')
  const length = record.readUInt16BE(at)
  const nal = record.subarray(at + 2, at + 2 + length)
  if (nal.length !== length || length === 0) throw new MalformedMediaError('parameter set does not fit')
  addSet(codec, nal, into)
  return at + 2 + length
}

function addSet(codec: VideoCodec, nal: Buffer, into: Map<string, Buffer>): void {
  const kind = rulesOf(codec).sets.get(nalTypeOf(codec, nal[0] ?? 0))
  if (kind === undefined) return
  into.set(`${kind}${setId(codec, kind, nal)}`, Buffer.from(nal))
}

/** The set's own id. H.264 SPS: after profile, constraints and level. Others: right after the NAL header, H.265 SPS past its profile, so by its whole content there. */
function setId(codec: VideoCodec, kind: string, nal: Buffer): number {
  if (codec === 'h265') return kind === 'pps' ? unsignedExpGolomb(nal, 16) : kind === 'vps' ? (nal[2] ?? 0) >> 4 : 0
  return unsignedExpGolomb(nal, kind === 'sps' ? 32 : 8)
}

function unsignedExpGolomb(bytes: Buffer, fromBit: number): number {
  const bit = (at: number) => ((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1
  let zeros = 0
  while (zeros < 16 && bit(fromBit + zeros) === 0) zeros++
  let value = 0
  for (let i = 0; i <= zeros; i++) value = value * 2 + bit(fromBit + zeros + i)
  return value - 1
}

/**
 * Parameter sets that stand before the first slice of a length-prefixed access unit. Reads no picture data.
 * A sample that does not parse yields what was read up to there: the decoder will judge it, the recorder keeps it.
 */
export function parameterSetsInSample(codec: VideoCodec, nalLengthBytes: number, sample: Buffer): ParameterSets {
  const sets = new Map<string, Buffer>()
  const rules = rulesOf(codec)
  let at = 0
  while (at + nalLengthBytes < sample.length) {
    const length = sample.readUIntBE(at, nalLengthBytes)
    const nalAt = at + nalLengthBytes
    if (length === 0 || nalAt + length > sample.length) break
    if (rules.slice(nalTypeOf(codec, sample[nalAt] ?? 0))) break
    addSet(codec, sample.subarray(nalAt, nalAt + length), sets)
    at = nalAt + length
  }
  return sets
}

/** The sets in force after `seen` came by, and whether that changed one. A set that was not known before is a change too. */
export function mergeParameterSets(current: ParameterSets, seen: ParameterSets): { changed: boolean, merged: ParameterSets } {
  let changed = false
  for (const [id, nal] of seen) if (!current.get(id)?.equals(nal)) changed = true
  return changed ? { changed, merged: new Map([...current, ...seen]) } : { changed, merged: current }
}
