import { hexOf, type Bytes } from './bytes.ts'

const BLOCK_BYTES = 64

/** The first 32 bits of the fractional parts of the square (or cube) roots of the first primes, FIPS 180-4 §4.2.2 and §5.3.3. */
function rootsOfPrimes(count: number, exponent: number): Int32Array {
  const words: number[] = []
  for (let n = 2; words.length < count; n++) {
    let isPrime = true
    for (let d = 2; d * d <= n; d++) if (n % d === 0) isPrime = false
    if (isPrime) words.push(Math.floor((n ** exponent % 1) * 2 ** 32) | 0)
  }
  return Int32Array.from(words)
}

const K = rootsOfPrimes(64, 1 / 3)
const H = rootsOfPrimes(8, 1 / 2)

/** SHA-256 that takes its input piece by piece; WebCrypto's wants all of it at once, and a video does not fit in memory. */
export class Sha256 {
  readonly #state = Int32Array.from(H)
  readonly #words = new Int32Array(64)
  readonly #rest = new Uint8Array(BLOCK_BYTES)
  #restBytes = 0
  #totalBytes = 0

  update(bytes: Uint8Array): this {
    this.#totalBytes += bytes.length
    let at = 0
    if (this.#restBytes > 0) {
      at = Math.min(BLOCK_BYTES - this.#restBytes, bytes.length)
      this.#rest.set(bytes.subarray(0, at), this.#restBytes)
      this.#restBytes += at
      if (this.#restBytes < BLOCK_BYTES) return this
      this.#blocks(this.#rest, 0, BLOCK_BYTES)
      this.#restBytes = 0
    }
    const whole = at + Math.floor((bytes.length - at) / BLOCK_BYTES) * BLOCK_BYTES
    this.#blocks(bytes, at, whole)
    this.#rest.set(bytes.subarray(whole))
    this.#restBytes = bytes.length - whole
    return this
  }

  /** 32 bytes. The object is spent afterwards. */
  digest(): Bytes {
    const bits = this.#totalBytes * 8
    const tail = new Uint8Array(this.#restBytes < 56 ? BLOCK_BYTES : 2 * BLOCK_BYTES)
    tail.set(this.#rest.subarray(0, this.#restBytes))
    tail[this.#restBytes] = 0x80
    const view = new DataView(tail.buffer)
    view.setUint32(tail.length - 8, Math.floor(bits / 2 ** 32))
    view.setUint32(tail.length - 4, bits >>> 0)
    this.#blocks(tail, 0, tail.length)
    const out = new Uint8Array(32)
    for (const [i, word] of this.#state.entries()) new DataView(out.buffer).setInt32(i * 4, word)
    return out
  }

  digestHex(): string { return hexOf(this.digest()) }

  #blocks(bytes: Uint8Array, from: number, to: number): void {
    const w = this.#words, state = this.#state
    let h0 = state[0]!, h1 = state[1]!, h2 = state[2]!, h3 = state[3]!, h4 = state[4]!, h5 = state[5]!, h6 = state[6]!, h7 = state[7]!
    for (let at = from; at < to; at += BLOCK_BYTES) {
      for (let i = 0, j = at; i < 16; i++, j += 4) w[i] = (bytes[j]! << 24) | (bytes[j + 1]! << 16) | (bytes[j + 2]! << 8) | bytes[j + 3]!
      for (let i = 16; i < 64; i++) {
        const x = w[i - 15]!, y = w[i - 2]!
        w[i] = (w[i - 16]! + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) + w[i - 7]! + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10)) | 0
      }
      let a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, h = h7
      for (let i = 0; i < 64; i++) {
        const t1 = (h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (g ^ e & (f ^ g)) + K[i]! + w[i]!) | 0
        const t2 = (((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + ((a & b) | c & (a | b))) | 0
        h = g; g = f; f = e; e = (d + t1) | 0
        d = c; c = b; b = a; a = (t1 + t2) | 0
      }
      h0 = (h0 + a) | 0; h1 = (h1 + b) | 0; h2 = (h2 + c) | 0; h3 = (h3 + d) | 0
      h4 = (h4 + e) | 0; h5 = (h5 + f) | 0; h6 = (h6 + g) | 0; h7 = (h7 + h) | 0
    }
    state[0] = h0; state[1] = h1; state[2] = h2; state[3] = h3; state[4] = h4; state[5] = h5; state[6] = h6; state[7] = h7
  }
}

export const sha256Of = (...parts: readonly Uint8Array[]): Bytes => parts.reduce((hash, part) => hash.update(part), new Sha256()).digest()
