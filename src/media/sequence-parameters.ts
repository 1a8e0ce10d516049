import { BitReader } from './bit-reader.ts'
import type { VideoCodec } from './init-segment.ts'

/** What a sequence parameter set says of the pictures, as far as the recorder needs it. */
export interface SequenceParameters {
  readonly widthPx: number
  readonly heightPx: number
  /** 1 is 4:2:0. */
  readonly chromaFormat: number
  readonly lumaBits: number
  readonly chromaBits: number
  /** Pictures that may be shown after one that is decoded later; null where the set does not say (H.264). */
  readonly reorderedPictures: number | null
}

/** Profiles whose sets tell chroma format and bit depth: ITU-T H.264 §7.3.2.1.1. */
const H264_HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135])
const MOST_REORDERED = 16

/** Reads an SPS, its NAL header included. Throws MalformedMediaError. */
export function sequenceParameters(codec: VideoCodec, sps: Buffer): SequenceParameters {
  return codec === 'h264' ? h264Parameters(sps) : h265Parameters(sps)
}

function h264Parameters(sps: Buffer): SequenceParameters {
  const bits = new BitReader(sps)
  bits.skip(8)
  const profile = bits.bits(8)
  bits.skip(16)
  bits.unsigned() // its id
  let chromaFormat = 1, lumaBits = 8, chromaBits = 8
  if (H264_HIGH_PROFILES.has(profile)) {
    chromaFormat = bits.unsigned()
    if (chromaFormat === 3) bits.skip(1)
    lumaBits = bits.unsigned() + 8
    chromaBits = bits.unsigned() + 8
    bits.skip(1)
    if (bits.bit() === 1) skipScalingLists(bits, chromaFormat === 3 ? 12 : 8)
  }
  bits.unsigned()
  skipPictureOrder(bits)
  bits.unsigned()
  bits.skip(1)
  const widthMbs = bits.unsigned() + 1, heightUnits = bits.unsigned() + 1, isFrameOnly = bits.bit()
  if (isFrameOnly === 0) bits.skip(1)
  bits.skip(1)
  const [cropX, cropY] = bits.bit() === 1 ? croppedUnits(bits) : [0, 0]
  const unitX = chromaFormat === 1 || chromaFormat === 2
    ? 2 : 1, unitY = (chromaFormat === 1 ? 2 : 1) * (2 - isFrameOnly)
  return {
    widthPx: widthMbs * 16 - cropX * unitX, heightPx: heightUnits * 16 * (2 - isFrameOnly) - cropY * unitY,
    chromaFormat, lumaBits, chromaBits, reorderedPictures: profile === 66 ? 0 : null,
  }
}

function skipPictureOrder(bits: BitReader): void {
  const kind = bits.unsigned()
  if (kind === 0) bits.unsigned()
  if (kind !== 1) return
  bits.skip(1)
  bits.signed()
  bits.signed()
  for (let left = bits.unsigned(); left > 0; left--) bits.signed()
}

function skipScalingLists(bits: BitReader, count: number): void {
  for (let list = 0; list < count; list++) {
    if (bits.bit() === 0) continue
    let last = 8, next = 8
    for (let i = 0; i < (list < 6 ? 16 : 64); i++) {
      if (next !== 0) next = (last + bits.signed() + 256) % 256
      last = next === 0 ? last : next
    }
  }
}

/** Left and right, top and bottom. */
function croppedUnits(bits: BitReader): [number, number] {
  const left = bits.unsigned(), right = bits.unsigned(), top = bits.unsigned(), bottom = bits.unsigned()
  return [left + right, top + bottom]
}

function h265Parameters(sps: Buffer): SequenceParameters {
  const bits = new BitReader(sps)
  bits.skip(16 + 4)
  const subLayers = bits.bits(3)
  bits.skip(1 + 88 + 8)
  const present = Array.from({ length: subLayers }, () => [bits.bit(), bits.bit()] as const)
  if (subLayers > 0) bits.skip(2 * (8 - subLayers))
  for (const [hasProfile, hasLevel] of present) bits.skip(hasProfile * 88 + hasLevel * 8)
  bits.unsigned() // its id
  const chromaFormat = bits.unsigned()
  if (chromaFormat === 3) bits.skip(1)
  const widthPx = bits.unsigned(), heightPx = bits.unsigned()
  const [cropX, cropY] = bits.bit() === 1 ? croppedUnits(bits) : [0, 0]
  const lumaBits = bits.unsigned() + 8, chromaBits = bits.unsigned() + 8
  bits.unsigned()
  let reorderedPictures = 0
  for (let layer = bits.bit() === 1 ? 0 : subLayers; layer <= subLayers; layer++) {
    bits.unsigned()
    reorderedPictures = Math.min(MOST_REORDERED, bits.unsigned())
    bits.unsigned()
  }
  const unitX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1, unitY = chromaFormat === 1 ? 2 : 1
  return {
    widthPx: widthPx - cropX * unitX, heightPx: heightPx - cropY * unitY, chromaFormat, lumaBits, chromaBits,
    reorderedPictures,
  }
}
