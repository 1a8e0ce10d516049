import { BitReader } from './bit-reader.ts'
import { boxesIn, makeBox, MalformedMediaError, requireBox, type BoxSpan } from './box.ts'
import { parseInitSegment, VISUAL_ENTRY_BYTES, type InitSegment } from './init-segment.ts'
import type { ParameterSets } from './parameter-sets.ts'
import { sequenceParameters, type SequenceParameters } from './sequence-parameters.ts'

/**
 * The init segment with these parameter sets in its header instead of those it was made with, and the picture
 * size they tell. The same object where they are the same. Throws MalformedMediaError when the sets do not
 * parse or are not complete.
 */
export function withParameterSets(init: InitSegment, sets: ParameterSets): InitSegment {
  const { codec, parameterSets } = init.video
  if (isSame(parameterSets, sets)) return init
  const sps = ofKind(sets, 'sps').at(0)
  if (sps === undefined || ofKind(sets, 'pps').length === 0) throw new MalformedMediaError('no SPS or no PPS')
  const facts = sequenceParameters(codec, sps)
  const moov = rebuilt(init.moov, 'moov', ['moov', 'trak'],
    trak => isVideo(init.moov, trak) ? withSize(init, sets, trak, facts) : null)
  return parseInitSegment(init.ftyp, moov)
}

const isSame = (a: ParameterSets, b: ParameterSets): boolean =>
  a.size === b.size && [...a].every(([id, nal]) => b.get(id)?.equals(nal) === true)
const ofKind = (sets: ParameterSets, kind: string): Buffer[] =>
  [...sets].filter(([id]) => id.startsWith(kind)).map(([, nal]) => nal)

function isVideo(moov: Buffer, trak: BoxSpan): boolean {
  const hdlr = requireBox(moov, requireBox(moov, trak, 'mdia'), 'hdlr')
  return moov.toString('latin1', hdlr.bodyAt + 8, hdlr.bodyAt + 12) === 'vide'
}

/**
 * The box at the start of `bytes` again, with the boxes at the end of `path` replaced by what `replace` makes
 * of them; null leaves one.
 */
function rebuilt(
  bytes: Buffer, type: string, path: readonly string[], replace: (box: BoxSpan) => Buffer | null,
  at = requireBox(bytes, { bodyAt: 0, endAt: bytes.length }, type),
): Buffer {
  const [, next, ...rest] = path
  if (next === undefined) return replace(at) ?? bytes.subarray(at.at, at.endAt)
  const prefixBytes = PREFIX_BYTES.get(at.type) ?? 0
  const inner = [...boxesIn(bytes, at.bodyAt + prefixBytes, at.endAt)].map(box =>
    box.type === next
      ? rebuilt(bytes, next, [next, ...rest], replace, box) : bytes.subarray(box.at, box.endAt))
  return makeBox(at.type, bytes.subarray(at.bodyAt, at.bodyAt + prefixBytes), ...inner)
}

/** What stands before the boxes inside a box. */
const PREFIX_BYTES = new Map(
  [['stsd', 8], ...['avc1', 'avc3', 'hvc1', 'hev1'].map(type => [type, VISUAL_ENTRY_BYTES] as const)]
)

function withSize(init: InitSegment, sets: ParameterSets, trak: BoxSpan, facts: SequenceParameters): Buffer {
  const own = Buffer.from(init.moov.subarray(trak.at, trak.endAt))
  const whole = { bodyAt: 8, endAt: own.length }
  const tkhd = requireBox(own, whole, 'tkhd')
  // else it may tell another aspect ratio
  if (facts.widthPx !== init.video.widthPx || facts.heightPx !== init.video.heightPx) {
    own.writeUInt32BE(facts.widthPx * 0x10000, tkhd.endAt - 8)
    own.writeUInt32BE(facts.heightPx * 0x10000, tkhd.endAt - 4)
  }
  const minf = requireBox(own, requireBox(own, whole, 'mdia'), 'minf')
  const stsd = requireBox(own, requireBox(own, minf, 'stbl'), 'stsd')
  const [entry] = boxesIn(own, stsd.bodyAt + 8, stsd.endAt)
  if (entry === undefined) throw new MalformedMediaError('no sample entry')
  own.writeUInt16BE(facts.widthPx, entry.bodyAt + 24)
  own.writeUInt16BE(facts.heightPx, entry.bodyAt + 26)
  const kind = init.video.codec === 'h264' ? 'avcC' : 'hvcC'
  return rebuilt(own, 'trak', ['trak', 'mdia', 'minf', 'stbl', 'stsd', entry.type, kind], box => {
    const record = own.subarray(box.bodyAt, box.endAt)
    return makeBox(kind, kind === 'avcC' ? avcRecord(record, sets, facts) : hevcRecord(record, sets, facts))
  })
}

const listed = (nals: readonly Buffer[]): Buffer => Buffer.concat(nals.flatMap(nal => {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(nal.length)
  return [length, nal]
}))

/** ISO/IEC 14496-15 §5.3.3.1.2. */
function avcRecord(before: Buffer, sets: ParameterSets, facts: SequenceParameters): Buffer {
  const sps = ofKind(sets, 'sps'), pps = ofKind(sets, 'pps'), first = sps[0]!
  const profile = first[1] ?? 0
  const lengthByte = 0xfc | (before[4] ?? 3)
  const head = Buffer.from([1, profile, first[2] ?? 0, first[3] ?? 0, lengthByte, 0xe0 | sps.length])
  const tail = [66, 77, 88].includes(profile) ? [] : [
    0xfc | facts.chromaFormat, 0xf8 | (facts.lumaBits - 8), 0xf8 | (facts.chromaBits - 8), 0,
  ]
  return Buffer.concat([head, listed(sps), Buffer.from([pps.length]), listed(pps), Buffer.from(tail)])
}

const HEVC_HEAD_BYTES = 22
const PROFILE_BYTES = 12

/** ISO/IEC 14496-15 §8.3.3.1.2. */
function hevcRecord(before: Buffer, sets: ParameterSets, facts: SequenceParameters): Buffer {
  const head = Buffer.from(before.subarray(0, HEVC_HEAD_BYTES))
  new BitReader(ofKind(sets, 'sps')[0]!).bytes.copy(head, 1, 3, 3 + PROFILE_BYTES)
  head[16] = 0xfc | facts.chromaFormat
  head[17] = 0xf8 | (facts.lumaBits - 8)
  head[18] = 0xf8 | (facts.chromaBits - 8)
  const arrays =
    ([[32, 'vps'], [33, 'sps'], [34, 'pps']] as const).filter(([, kind]) => ofKind(sets, kind).length > 0)
  return Buffer.concat([head, Buffer.from([arrays.length]), ...arrays.flatMap(([type, kind]) => {
    const nals = ofKind(sets, kind)
    return [Buffer.from([0x80 | type, nals.length >> 8, nals.length & 0xff]), listed(nals)]
  })])
}

/**
 * Whether these sets need a header of their own: pictures of another size, profile, level or format. Other
 * changes a decoder takes from the stream.
 */
export function needsNewHeader(init: InitSegment, sets: ParameterSets): boolean {
  const [before] = ofKind(init.video.parameterSets, 'sps'), [after] = ofKind(sets, 'sps')
  if (before === undefined || after === undefined || before.equals(after)) return false
  return formatOf(init, before) !== formatOf(init, after)
}

function formatOf({ video: { codec } }: InitSegment, sps: Buffer): string {
  const { reorderedPictures: _, ...facts } = sequenceParameters(codec, sps)
  const profile = codec === 'h264'
    ? sps.subarray(1, 4) : new BitReader(sps).bytes.subarray(3, 3 + PROFILE_BYTES)
  return JSON.stringify([facts, profile.toString('hex')])
}
