import { BitReader } from './bit-reader.ts'
import { MalformedMediaError } from './box.ts'

const NON_IDR_SLICE = 1
/** ITU-T H.264 table 7-6: type B, and type B of a picture that has no other. */
const B_TYPES = new Set([1, 6])
const HEAD_BYTES = 16 // two numbers of at most four bytes behind the NAL header

/**
 * Whether a length-prefixed H.264 access unit is of type B, by its first slice. What does not parse is not.
 */
export function isBidirectional(nalLengthBytes: number, sample: Buffer): boolean {
  for (let at = 0; at + nalLengthBytes < sample.length;) {
    const length = sample.readUIntBE(at, nalLengthBytes), nalAt = at + nalLengthBytes
    const type = (sample[nalAt] ?? 0) & 0x1f
    if (type === NON_IDR_SLICE) return B_TYPES.has(
      sliceTypeOf(sample.subarray(nalAt, Math.min(nalAt + length, nalAt + HEAD_BYTES)))
    )
    if (type === 5 || length === 0) return false
    at = nalAt + length
  }
  return false
}

function sliceTypeOf(nal: Buffer): number {
  try {
    const bits = new BitReader(nal)
    bits.skip(8)
    bits.unsigned()
    return bits.unsigned()
  } catch (error) {
    if (error instanceof MalformedMediaError) return -1
    throw error
  }
}
