import { createHash } from 'node:crypto'
import { epochMs, isoOf, type TimeRange } from '../../domain/index.ts'
import { boxesIn, MalformedMediaError, parseInitSegment, type InitSegment } from '../../media/index.ts'
import { HASH_BYTES, leafHash, rootByInclusion } from '../../platform/merkle.ts'
import { samplesOf } from './cut.ts'
import type { ManifestScope, ManifestVideo } from './manifest.ts'
import { restoreRecord } from './restore-record.ts'

/** A record is half a second of one camera. */
const MOST_RECORD_BYTES = 64 << 20
const MOST_HEAD_BYTES = 1 << 20
/** In `prft`, the first box of a record: the media time that its wall time is of. */
const MEDIA_TIME_AT = 24

/** What may be in a video: the granted ranges of its camera, and the pre-roll that it lists. Half-open. */
export function grantedIn({ cameraUuid, preRoll }: Pick<ManifestVideo, 'cameraUuid' | 'preRoll'>, scope: readonly ManifestScope[]): readonly TimeRange[] {
  return [...scope.filter(line => line.cameraUuid === cameraUuid), ...preRoll === null ? [] : [preRoll]].map(({ from, to }) => ({ startAt: epochMs(Date.parse(from)), endAt: epochMs(Date.parse(to)) }))
}

/** Takes a video file in pieces and checks, record by record, that it hashes to what was recorded, in order and without a byte between. */
export class VideoCheck {
  readonly #video: ManifestVideo
  readonly #granted: readonly TimeRange[] | null
  readonly #digest = createHash('sha256')
  #held: Buffer[] = []
  #heldBytes = 0
  #bytes = 0
  #next = 0
  #init: InitSegment | null = null
  /** The first thing wrong; null while all is well. */
  fault: string | null = null
  /** The first record with an instant that was not granted [G5]. */
  outside: string | null = null

  /** `granted`: null where nothing is asked of instants. */
  constructor(video: ManifestVideo, granted: readonly TimeRange[] | null = null) {
    this.#video = video
    this.#granted = granted
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

  /** Something is wrong; what follows is only hashed. */
  get #isOver(): boolean { return this.fault !== null || this.outside !== null }

  take(chunk: Uint8Array): void {
    this.#digest.update(chunk)
    this.#bytes += chunk.length
    if (this.#isOver) return
    this.#held.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    this.#heldBytes += chunk.length
    for (;;) {
      const wanted = this.#init === null ? this.#video.records[0]!.offset : this.#video.records[this.#next]?.bytes
      if (wanted === undefined || this.#heldBytes < wanted || this.#isOver) return
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
      const sha256 = Buffer.from(record.sha256, 'hex'), restored = restoreRecord(bytes, this.#init!, record.sequence)
      if (!record.cut && !createHash('sha256').update(restored).digest().equals(sha256)) { this.fault = `record ${i} is not what was recorded`; return }
      const root = rootByInclusion(leafHash(sha256), record.sequence, segment.leaves, record.proof.map(hash => Buffer.from(hash, 'hex')))
      if (root === null || root.length !== HASH_BYTES || root.toString('hex') !== segment.merkleRoot) { this.fault = `record ${i} is not in its segment`; return }
      this.#grant(restored, i)
    } catch (error) { this.#broken(error, `record ${i}`) }
  }

  /** By the rule that the fence itself was asked by when the copy was made. */
  #grant(restored: Buffer, i: number): void {
    const granted = this.#granted
    if (granted === null) return
    const startAt = epochMs(Date.parse(this.#video.records[i]!.at))
    for (const { decodeAt, showAt } of samplesOf(restored, this.#init!, { startAt, decodeTimeTicks: restored.readBigUInt64BE(MEDIA_TIME_AT) }).flat()) {
      const at = [decodeAt, showAt].find(instant => !granted.some(range => range.startAt <= instant && instant < range.endAt))
      if (at !== undefined) { this.outside = `record ${i} holds the instant ${isoOf(at)}`; return }
    }
  }

  #broken(error: unknown, what: string): void {
    if (!(error instanceof MalformedMediaError) && !(error instanceof RangeError)) throw error
    this.fault = `${what} cannot be read: ${error.message.slice(0, 100)}`
  }

  /** Hash of the whole, and whether every record was seen. */
  end(): { readonly sha256: string, readonly bytes: number, readonly fault: string | null, readonly outside: string | null } {
    if (this.#next !== this.#video.records.length && this.outside === null) this.fault ??= `${this.#next} of ${this.#video.records.length} records were there`
    return { sha256: this.#digest.digest('hex'), bytes: this.#bytes, fault: this.fault, outside: this.outside }
  }
}
