const PAGE_BYTES = 4096
const ZEROS = Buffer.alloc(1 << 20)

export const isZero = (bytes: Buffer): boolean => bytes.equals(ZEROS.subarray(0, bytes.length))

/** Bytes of which most are zero. Pages are never changed once they are there, so a copy shares them. */
export class SparseBytes {
  readonly sizeBytes: number
  readonly #pages: Map<number, Buffer>

  constructor(sizeBytes: number, pages = new Map<number, Buffer>()) {
    this.sizeBytes = sizeBytes
    this.#pages = pages
  }

  copy(): SparseBytes { return new SparseBytes(this.sizeBytes, new Map(this.#pages)) }
  get isBlank(): boolean { return this.#pages.size === 0 }
  /** Numbers of the pages that hold anything but zeros, of `[from, to)`. */
  pagesIn(from: number, to: number): number[] {
    return [...this.#pages.keys()].filter(page => (page + 1) * PAGE_BYTES > from && page * PAGE_BYTES < to)
  }

  isZeroFrom(at: number): boolean {
    for (const page of this.#pages.keys()) {
      if ((page + 1) * PAGE_BYTES <= at) continue
      if (page * PAGE_BYTES >= at || !isZero(this.#pages.get(page)!.subarray(at - page * PAGE_BYTES))) return false
    }
    return true
  }

  read(target: Buffer, at: number): number {
    const length = Math.max(0, Math.min(target.length, this.sizeBytes - at))
    for (let done = 0; done < length;) {
      const page = Math.floor((at + done) / PAGE_BYTES), inPage = (at + done) % PAGE_BYTES
      const part = Math.min(PAGE_BYTES - inPage, length - done)
      const bytes = this.#pages.get(page)
      if (bytes === undefined) target.fill(0, done, done + part)
      else bytes.copy(target, done, inPage, inPage + part)
      done += part
    }
    return length
  }

  slice(at: number, length: number): Buffer {
    const target = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.sizeBytes - at)))
    this.read(target, at)
    return target
  }

  write(source: Buffer, at: number): void {
    for (let done = 0; done < source.length;) {
      const page = Math.floor((at + done) / PAGE_BYTES), inPage = (at + done) % PAGE_BYTES
      const part = source.subarray(done, done + Math.min(PAGE_BYTES - inPage, source.length - done))
      done += part.length
      this.#put(page, inPage, part)
    }
  }

  #put(page: number, inPage: number, part: Buffer): void {
    const before = this.#pages.get(page)
    const isEmpty = isZero(part)
    if (isEmpty && (before === undefined || part.length === PAGE_BYTES)) { this.#pages.delete(page); return }
    const after = before === undefined ? Buffer.alloc(PAGE_BYTES) : Buffer.from(before)
    part.copy(after, inPage)
    if (isEmpty && isZero(after)) this.#pages.delete(page)
    else this.#pages.set(page, after)
  }

  zero(at: number, length: number): void {
    for (const page of this.pagesIn(at, at + length)) {
      const from = Math.max(at, page * PAGE_BYTES), to = Math.min(at + length, (page + 1) * PAGE_BYTES)
      this.#put(page, from - page * PAGE_BYTES, ZEROS.subarray(0, to - from))
    }
  }
}

export const PAGE = PAGE_BYTES
