import { createHash } from 'node:crypto'
import { boxesIn, MalformedMediaError, parseInitSegment, type InitSegment } from '../../media/index.ts'
import { HASH_BYTES, leafHash, rootByInclusion } from '../../platform/merkle.ts'
import type { ManifestVideo } from './manifest.ts'
import { restoreRecord } from './restore-record.ts'

/** A record is half a second of one camera. */
const MOST_RECORD_BYTES = 64 << 20
const MOST_HEAD_BYTES = 1 << 20

/** Takes a video file in pieces and checks, record by record, that it hashes to what was recorded, in order and without a byte between. */
export class VideoCheck {
  readonly #video: ManifestVideo
  readonly #digest = createHash('sha256')
  #held: Buffer[] = []
  #heldBytes = 0
  #bytes = 0
  #next = 0
  #init: InitSegment | null = null
  /** The first thing wrong; null while all is well. */
  fault: string | null = null

  constructor(video: ManifestVideo) {
    this.#video = video
    const { records, segments } = video
    let at = records[0]?.offset ?? 0
    for (const [i, record] of records.entries()) {
      const segment = segments[record.segment], before = records[i - 1]
      if (segment === undefined || record.sequence >= segment.leaves || record.bytes === 0 || record.bytes > MOST_RECORD_BYTES) { this.fault ??= `record ${i} is listed wrongly`; return }
      if (record.offset !== at) this.fault ??= `record ${i} does not follow the one before`
      if (before !== undefined && (record.segment < before.segment || (record.segment === before.segment && record.sequence <= before.sequence))) this.fault ??= `record ${i} is out of order`
      at += record.bytes
    }
    if (records.length === 0 || at !== video.bytes || (records[0]?.offset ?? 0) > MOST_HEAD_BYTES) this.fault ??= 'its records do not fill the file'
  }

  take(chunk: Uint8Array): void {
    this.#digest.update(chunk)
    this.#bytes += chunk.length
    if (this.fault !== null) return
    this.#held.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    this.#heldBytes += chunk.length
    for (;;) {
      const wanted = this.#init === null ? this.#video.records[0]!.offset : this.#video.records[this.#next]?.bytes
      if (wanted === undefined || this.#heldBytes < wanted || this.fault !== null) return
      const whole = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held)
      const rest = whole.subarray(wanted)
      this.#held = rest.length === 0 ? [] : [rest]
      this.#heldBytes = rest.length
      if (this.#init === null) this.#head(whole.subarray(0, wanted))
      else this.#record(whole.subarray(0, wanted))
    }
  }

  #head(bytes: Buffer): void {
    try {
      const boxes = [...boxesIn(bytes, 0, bytes.length)]
      const [ftyp, moov] = boxes
      if (boxes.length !== 2 || ftyp?.type !== 'ftyp' || moov?.type !== 'moov') { this.fault = 'it does not begin as a video file of this format'; return }
      this.#init = parseInitSegment(bytes.subarray(ftyp.at, ftyp.endAt), bytes.subarray(moov.at, moov.endAt))
    } catch (error) { this.#broken(error, 'its head') }
  }

  #record(bytes: Buffer): void {
    const i = this.#next++
    const record = this.#video.records[i]!, segment = this.#video.segments[record.segment]!
    try {
      const sha256 = Buffer.from(record.sha256, 'hex')
      if (!record.cut && !createHash('sha256').update(restoreRecord(bytes, this.#init!, record.sequence)).digest().equals(sha256)) { this.fault = `record ${i} is not what was recorded`; return }
      const root = rootByInclusion(leafHash(sha256), record.sequence, segment.leaves, record.proof.map(hash => Buffer.from(hash, 'hex')))
      if (root === null || root.length !== HASH_BYTES || root.toString('hex') !== segment.merkleRoot) this.fault = `record ${i} is not in its segment`
    } catch (error) { this.#broken(error, `record ${i}`) }
  }

  #broken(error: unknown, what: string): void {
    if (!(error instanceof MalformedMediaError) && !(error instanceof RangeError)) throw error
    this.fault = `${what} cannot be read: ${error.message.slice(0, 100)}`
  }

  /** Hash of the whole, and whether every record was seen. */
  end(): { readonly sha256: string, readonly bytes: number, readonly fault: string | null } {
    if (this.#next !== this.#video.records.length) this.fault ??= `${this.#next} of ${this.#video.records.length} records were there`
    return { sha256: this.#digest.digest('hex'), bytes: this.#bytes, fault: this.fault }
  }
}
