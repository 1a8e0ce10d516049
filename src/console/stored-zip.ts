import { crc32 } from 'node:zlib'
import type { EpochMs } from '../domain/index.ts'

/** A file as it goes in. `read` gives exactly `bytes` bytes, or the ZIP breaks off. */
export interface ZipFile { readonly name: string, readonly bytes: number, read(): AsyncIterable<Uint8Array> }

const UTF8_AND_DESCRIPTOR = 0x0808, STORED = 0, PLAIN_VERSION = 20, ZIP64_VERSION = 45, MADE_BY_UNIX = 3 << 8, FILE_MODE = 0o100600
const MOST_32 = 0xffffffff, MOST_16 = 0xffff
const LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22, END64_BYTES = 56 + 20, EXTRA_LOCAL64_BYTES = 20

interface Entry { readonly file: ZipFile, readonly name: Buffer, readonly at: number, readonly is64: boolean }

/**
 * Files as one ZIP that is written while it is sent: stored, so that opening it gives the very files, and known by its names and sizes alone, so that its
 * length stands before the first byte and any part of it can be asked for. The same files give the same bytes. Zip64 only where it must be.
 */
export class StoredZip {
  readonly bytes: number
  readonly #entries: readonly Entry[]
  readonly #centralAt: number
  readonly #centralBytes: number
  readonly #stamp: { readonly time: number, readonly date: number }

  /** `madeAt` stands at each file, as the office's clock shows it. */
  constructor(files: readonly ZipFile[], madeAt: EpochMs) {
    this.#stamp = dosTime(madeAt)
    let at = 0
    this.#entries = files.map(file => {
      const entry: Entry = { file, name: Buffer.from(file.name, 'utf8'), at, is64: file.bytes >= MOST_32 }
      at += LOCAL_BYTES + entry.name.length + (entry.is64 ? EXTRA_LOCAL64_BYTES : 0) + file.bytes + descriptorBytes(entry)
      return entry
    })
    this.#centralAt = at
    this.#centralBytes = this.#entries.reduce((sum, entry) => sum + CENTRAL_BYTES + entry.name.length + centralExtra(entry).length, 0)
    this.bytes = at + this.#centralBytes + (this.#is64 ? END64_BYTES : 0) + END_BYTES
  }

  get #is64(): boolean { return this.#entries.length >= MOST_16 || this.#centralAt >= MOST_32 || this.#centralBytes >= MOST_32 }

  /** The bytes from `start` to before `end`. What comes before is read all the same, for its checksums. */
  async *part(start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    let at = 0
    for await (const piece of this.#whole()) {
      const from = Math.max(0, start - at), to = Math.min(piece.length, end - at)
      at += piece.length
      if (from < to) yield piece.subarray(from, to)
      if (at >= end) return
    }
  }

  async *#whole(): AsyncGenerator<Uint8Array, void, undefined> {
    const sums: number[] = []
    for (const entry of this.#entries) {
      yield this.#local(entry)
      let sum = 0, left = entry.file.bytes
      for await (const piece of entry.file.read()) {
        left -= piece.length
        if (left < 0) break
        sum = crc32(piece, sum)
        yield piece
      }
      if (left !== 0) throw new RangeError(`a file is not as long as it was: ${entry.file.name}`)
      sums.push(sum)
      yield descriptor(entry, sum)
    }
    for (const [index, entry] of this.#entries.entries()) yield this.#central(entry, sums[index] ?? 0)
    yield this.#end()
  }

  #local({ name, is64, file }: Entry): Buffer {
    const head = Buffer.alloc(LOCAL_BYTES), { time, date } = this.#stamp
    head.writeUInt32LE(0x04034b50, 0)
    head.writeUInt16LE(is64 ? ZIP64_VERSION : PLAIN_VERSION, 4)
    head.writeUInt16LE(UTF8_AND_DESCRIPTOR, 6)
    head.writeUInt16LE(STORED, 8)
    head.writeUInt16LE(time, 10)
    head.writeUInt16LE(date, 12)
    // Checksum and sizes follow the content; zip64 says so by its field.
    if (is64) { head.writeUInt32LE(MOST_32, 18); head.writeUInt32LE(MOST_32, 22) }
    head.writeUInt16LE(name.length, 26)
    head.writeUInt16LE(is64 ? EXTRA_LOCAL64_BYTES : 0, 28)
    return Buffer.concat([head, name, is64 ? extra64([file.bytes, file.bytes]) : Buffer.alloc(0)])
  }

  #central(entry: Entry, sum: number): Buffer {
    const head = Buffer.alloc(CENTRAL_BYTES), { name, is64, at, file } = entry, extra = centralExtra(entry), { time, date } = this.#stamp
    const version = extra.length > 0 ? ZIP64_VERSION : PLAIN_VERSION, size = is64 ? MOST_32 : file.bytes
    head.writeUInt32LE(0x02014b50, 0)
    head.writeUInt16LE(MADE_BY_UNIX | ZIP64_VERSION, 4)
    head.writeUInt16LE(version, 6)
    head.writeUInt16LE(UTF8_AND_DESCRIPTOR, 8)
    head.writeUInt16LE(STORED, 10)
    head.writeUInt16LE(time, 12)
    head.writeUInt16LE(date, 14)
    head.writeUInt32LE(sum, 16)
    head.writeUInt32LE(size, 20)
    head.writeUInt32LE(size, 24)
    head.writeUInt16LE(name.length, 28)
    head.writeUInt16LE(extra.length, 30)
    head.writeUInt32LE(FILE_MODE * 0x10000, 38)
    head.writeUInt32LE(Math.min(at, MOST_32), 42)
    return Buffer.concat([head, name, extra])
  }

  #end(): Buffer {
    const end = Buffer.alloc(END_BYTES), count = this.#entries.length
    end.writeUInt32LE(0x06054b50, 0)
    end.writeUInt16LE(Math.min(count, MOST_16), 8)
    end.writeUInt16LE(Math.min(count, MOST_16), 10)
    end.writeUInt32LE(Math.min(this.#centralBytes, MOST_32), 12)
    end.writeUInt32LE(Math.min(this.#centralAt, MOST_32), 16)
    if (!this.#is64) return end
    const end64 = Buffer.alloc(END64_BYTES)
    end64.writeUInt32LE(0x06064b50, 0)
    end64.writeBigUInt64LE(44n, 4)
    end64.writeUInt16LE(MADE_BY_UNIX | ZIP64_VERSION, 12)
    end64.writeUInt16LE(ZIP64_VERSION, 14)
    end64.writeBigUInt64LE(BigInt(count), 24)
    end64.writeBigUInt64LE(BigInt(count), 32)
    end64.writeBigUInt64LE(BigInt(this.#centralBytes), 40)
    end64.writeBigUInt64LE(BigInt(this.#centralAt), 48)
    end64.writeUInt32LE(0x07064b50, 56) // where that record stands
    end64.writeBigUInt64LE(BigInt(this.#centralAt + this.#centralBytes), 64)
    end64.writeUInt32LE(1, 72)
    return Buffer.concat([end64, end])
  }
}

const descriptorBytes = ({ is64 }: Entry): number => (is64 ? 24 : 16)
function descriptor(entry: Entry, sum: number): Buffer {
  const { file: { bytes }, is64 } = entry, tail = Buffer.alloc(descriptorBytes(entry))
  tail.writeUInt32LE(0x08074b50, 0)
  tail.writeUInt32LE(sum, 4)
  if (is64) { tail.writeBigUInt64LE(BigInt(bytes), 8); tail.writeBigUInt64LE(BigInt(bytes), 16) } else { tail.writeUInt32LE(bytes, 8); tail.writeUInt32LE(bytes, 12) }
  return tail
}

const centralExtra = ({ is64, at, file }: Entry): Buffer => { const values = [...(is64 ? [file.bytes, file.bytes] : []), ...(at >= MOST_32 ? [at] : [])]; return values.length === 0 ? Buffer.alloc(0) : extra64(values) }
function extra64(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length)
  extra.writeUInt16LE(1, 0)
  extra.writeUInt16LE(8 * values.length, 2)
  for (const [index, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index)
  return extra
}

/** Two seconds fine and without a zone, as the format has it; Taipei's. */
function dosTime(at: EpochMs): { readonly time: number, readonly date: number } {
  const { year, month, day, hour, minute, second } = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO('Asia/Taipei')
  return { time: hour << 11 | minute << 5 | second >> 1, date: Math.max(0, year - 1980) << 9 | month << 5 | day }
}
