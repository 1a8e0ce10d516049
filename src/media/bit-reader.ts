import { MalformedMediaError } from './box.ts'

/** Bits of a NAL unit's payload, emulation prevention taken out. Throws MalformedMediaError past the end. */
export class BitReader {
  readonly bytes: Buffer
  #at = 0

  constructor(nal: Buffer) { this.bytes = withoutEmulation(nal) }

  bit(): number {
    const byte = this.bytes[this.#at >> 3]
    if (byte === undefined) throw new MalformedMediaError('parameter set ends too early')
    return (byte >> (7 - (this.#at++ & 7))) & 1
  }

  bits(count: number): number {
    let value = 0
    for (let i = 0; i < count; i++) value = value * 2 + this.bit()
    return value
  }

  skip(count: number): void { this.#at += count }

  /** ue(v): ITU-T H.264 §9.1. */
  unsigned(): number {
    let zeros = 0
    while (this.bit() === 0) if (++zeros > 31) throw new MalformedMediaError(
      'number of a parameter set is too long'
    )
    return 2 ** zeros - 1 + this.bits(zeros)
  }

  /** se(v). */
  signed(): number {
    const value = this.unsigned()
    return value % 2 === 0 ? -value / 2 : (value + 1) / 2
  }
}

function withoutEmulation(nal: Buffer): Buffer {
  const bytes: number[] = []
  let zeros = 0
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) { zeros = 0; continue }
    bytes.push(byte)
    zeros = byte === 0 ? zeros + 1 : 0
  }
  return Buffer.from(bytes)
}
