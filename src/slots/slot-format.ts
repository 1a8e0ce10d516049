import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import {
  cameraId, cameraUuid, epochMs, generation, runId, slotNumber, streamName, volumeUuid,
  type CameraId, type CameraUuid, type EpochMs, type Generation, type RunId, type SlotNumber, type StreamName, type VolumeUuid,
} from '../domain/index.ts'
import { BOX_HEADER_BYTES, findBox, makeBox, parseInitSegment, readBoxHeader, writeBoxHeader, type InitSegment } from '../media/index.ts'

/**
 * The bytes of a slot (docs/design/0001-recording.md):
 * `ftyp`, `uuid` header, `moov`, records of `prft` `uuid` `moof` `mdat`, one `free` over the rest; sealed: `free`, `uuid` index, `mfra` at the very end.
 * All numbers big-endian. Every structure is refused unless its CRC-32 holds.
 */
export const SLOT_FORMAT_VERSION = 1
export const FREE_HEADER_BYTES = BOX_HEADER_BYTES

const HEADER_UUID = Buffer.from('637573746f73534c4f54486561646572', 'hex')   // "custosSLOTHeader"
const FRAGMENT_UUID = Buffer.from('637573746f73467261676d656e742d31', 'hex') // "custosFragment-1"
const INDEX_UUID = Buffer.from('637573746f73534c4f54496e6465782d', 'hex')    // "custosSLOTIndex-"
const UUID_BODY_AT = BOX_HEADER_BYTES + 16

export interface SlotHeader {
  readonly volumeUuid: VolumeUuid
  readonly slot: SlotNumber
  readonly generation: Generation
  readonly cameraId: CameraId
  readonly cameraUuid: CameraUuid
  readonly stream: StreamName
  /** Time of the first frame. */
  readonly startAt: EpochMs
  /** The floor in force while recording, as floorRuleText writes it. */
  readonly floorRule: string
  readonly slotSizeBytes: number
}

const TEXT = { cameraId: 40, stream: 40, floorRule: 64 }
const HEADER_BODY_BYTES = 4 + 16 + 4 + 4 + 16 + TEXT.cameraId + TEXT.stream + 8 + TEXT.floorRule + 8 + 4

/** `ftyp`, header and `moov` as they stand at the start of a slot. */
export function encodeSlotStart(header: SlotHeader, ftyp: Buffer, moov: Buffer): Buffer {
  const body = Buffer.alloc(HEADER_BODY_BYTES)
  let at = body.writeUInt32BE(SLOT_FORMAT_VERSION, 0)
  at += body.write(header.volumeUuid, at, 'hex')
  at = body.writeUInt32BE(header.slot, at)
  at = body.writeUInt32BE(header.generation, at)
  at += body.write(header.cameraUuid, at, 'hex')
  for (const key of ['cameraId', 'stream'] as const) { body.write(header[key], at, TEXT[key], 'utf8'); at += TEXT[key] }
  at = body.writeBigInt64BE(BigInt(header.startAt), at)
  body.write(header.floorRule, at, TEXT.floorRule, 'utf8')
  at += TEXT.floorRule
  at = body.writeBigUInt64BE(BigInt(header.slotSizeBytes), at)
  const start = Buffer.concat([ftyp, makeBox('uuid', HEADER_UUID, body), moov])
  const crcAt = ftyp.length + UUID_BODY_AT + at
  start.writeUInt32BE(crcAround(start, 0, crcAt, start.length), crcAt)
  return start
}

/** What decodeSlotStart found, and why not where it did not. `blank`: no generation was ever written here, or it was zeroed. */
export type SlotStart =
  | { readonly kind: 'slot', readonly header: SlotHeader, readonly init: InitSegment, readonly dataAt: number }
  | { readonly kind: 'blank' }
  | { readonly kind: 'damaged', readonly why: string }

/** `bytes` must reach past `moov`; SLOT_START_MAX_BYTES always does. */
export function decodeSlotStart(bytes: Buffer): SlotStart {
  if (bytes.subarray(0, 4096).every(byte => byte === 0)) return { kind: 'blank' }
  try {
    const ftyp = readBoxHeader(bytes, 0)
    if (ftyp?.type !== 'ftyp') return { kind: 'damaged', why: 'no ftyp at the start' }
    const headerAt = ftyp.sizeBytes
    const headerBox = readBoxHeader(bytes, headerAt)
    const bodyAt = headerAt + UUID_BODY_AT
    if (headerBox?.type !== 'uuid' || headerBox.sizeBytes !== UUID_BODY_AT + HEADER_BODY_BYTES
      || !bytes.subarray(headerAt + BOX_HEADER_BYTES, bodyAt).equals(HEADER_UUID)) return { kind: 'damaged', why: 'no slot header' }
    const moovAt = headerAt + headerBox.sizeBytes
    const moov = readBoxHeader(bytes, moovAt)
    if (moov?.type !== 'moov' || moovAt + moov.sizeBytes > bytes.length) return { kind: 'damaged', why: 'no moov behind the header' }
    const dataAt = moovAt + moov.sizeBytes
    const crcAt = bodyAt + HEADER_BODY_BYTES - 4
    if (bytes.readUInt32BE(crcAt) !== crcAround(bytes, 0, crcAt, dataAt)) return { kind: 'damaged', why: 'the header fails its CRC' }
    return { kind: 'slot', header: decodeHeaderBody(bytes, bodyAt), init: parseInitSegment(bytes.subarray(0, headerAt), bytes.subarray(moovAt, dataAt)), dataAt }
  } catch (error) {
    return { kind: 'damaged', why: error instanceof Error ? error.message : String(error) }
  }
}

/** ftyp, header and the longest moov the parser lets in. */
export const SLOT_START_MAX_BYTES = 320 * 1024

function decodeHeaderBody(bytes: Buffer, bodyAt: number): SlotHeader {
  let at = bodyAt
  const version = bytes.readUInt32BE(at)
  if (version !== SLOT_FORMAT_VERSION) throw new RangeError(`slot format ${version}; this version reads ${SLOT_FORMAT_VERSION}`)
  const text = (length: number) => { at += length; return bytes.toString('utf8', at - length, at).replace(/\0+$/, '') }
  const hex = () => { at += 16; return bytes.toString('hex', at - 16, at) }
  const u32 = () => { at += 4; return bytes.readUInt32BE(at - 4) }
  at += 4
  return {
    volumeUuid: volumeUuid(hex()), slot: slotNumber(u32()), generation: generation(u32()), cameraUuid: cameraUuid(hex()),
    cameraId: cameraId(text(TEXT.cameraId)), stream: streamName(text(TEXT.stream)),
    startAt: epochMs(Number(bytes.readBigInt64BE((at += 8) - 8))), floorRule: text(TEXT.floorRule), slotSizeBytes: Number(bytes.readBigUInt64BE((at += 8) - 8)),
  }
}

/** CRC-32 of `[from, to)` with the four bytes at `crcAt` left out. */
function crcAround(bytes: Buffer, from: number, crcAt: number, to: number): number {
  return crc32(bytes.subarray(crcAt + 4, to), crc32(bytes.subarray(from, crcAt)))
}

// ---- records -------------------------------------------------------------------------------------------------------

const PRFT_BYTES = BOX_HEADER_BYTES + 24
const FRAGMENT_BOX_BYTES = UUID_BODY_AT + 28
/** Room that a fragment needs before its `moof`. */
export const RECORD_HEAD_BYTES = PRFT_BYTES + FRAGMENT_BOX_BYTES
const UNKNOWN_OFFSET = -0x80000000

/** What the recorder says of a fragment, in front of it. */
export interface RecordLabel {
  readonly slot: SlotNumber
  readonly generation: Generation
  /** Position in the segment, from 0. */
  readonly sequence: number
  readonly runId: RunId
  /** Time of the first frame. */
  readonly startAt: EpochMs
  /** Decode time of the first video frame as in `tfdt`: ticks of the video track since the segment's start. */
  readonly decodeTimeTicks: bigint
  readonly videoTrackId: number
  /** The camera's clock minus ours when it was last asked; null when it never answered. */
  readonly cameraClockOffsetMs: number | null
}

const NTP_EPOCH_S = 2208988800      // 1900 to 1970
const NTP_ERA_S = 0x100000000       // the 32-bit count wraps in 2036; what looks older than 1968 is of the next era

function writeNtp(target: Buffer, at: number, time: EpochMs): void {
  const seconds = Math.floor(time / 1000)
  target.writeUInt32BE((seconds + NTP_EPOCH_S) % NTP_ERA_S, at)
  target.writeUInt32BE(Math.round((time - seconds * 1000) / 1000 * 0x100000000), at + 4)
}

function readNtp(source: Buffer, at: number): EpochMs {
  const seconds = source.readUInt32BE(at)
  const era = seconds < 0x80000000 ? NTP_ERA_S : 0
  return epochMs((seconds + era - NTP_EPOCH_S) * 1000 + source.readUInt32BE(at + 4) / 0x100000000 * 1000)
}

/** Writes `prft` and `uuid` in front of the `moof` at `recordAt + RECORD_HEAD_BYTES`; the rest of the record must be final. */
export function writeRecordHead(record: Buffer, recordAt: number, recordEnd: number, label: RecordLabel): void {
  let at = recordAt
  writeBoxHeader(record, at, 'prft', PRFT_BYTES)
  record.writeUInt32BE(0x01000000, at + 8)
  record.writeUInt32BE(label.videoTrackId, at + 12)
  writeNtp(record, at + 16, label.startAt)
  record.writeBigUInt64BE(label.decodeTimeTicks, at + 24)
  at += PRFT_BYTES
  writeBoxHeader(record, at, 'uuid', FRAGMENT_BOX_BYTES)
  FRAGMENT_UUID.copy(record, at + BOX_HEADER_BYTES)
  at += UUID_BODY_AT
  at = record.writeUInt32BE(SLOT_FORMAT_VERSION, at)
  at = record.writeUInt32BE(label.slot, at)
  at = record.writeUInt32BE(label.generation, at)
  at = record.writeUInt32BE(label.sequence, at)
  at = record.writeUInt32BE(label.runId, at)
  at = record.writeInt32BE(label.cameraClockOffsetMs ?? UNKNOWN_OFFSET, at)
  record.writeUInt32BE(crcAround(record, recordAt, at, recordEnd), at)
}

/** Size of the record whose head stands in `head`, from its box headers alone; null when they are no record's. `head` holds at least RECORD_HEAD_BYTES + 16. */
export function recordSizes(head: Buffer): { moofBytes: number } | null {
  const prft = readBoxHeader(head, 0)
  const uuid = readBoxHeader(head, PRFT_BYTES)
  const moof = readBoxHeader(head, RECORD_HEAD_BYTES)
  if (prft?.type !== 'prft' || prft.sizeBytes !== PRFT_BYTES || uuid?.type !== 'uuid' || uuid.sizeBytes !== FRAGMENT_BOX_BYTES) return null
  if (!head.subarray(PRFT_BYTES + BOX_HEADER_BYTES, PRFT_BYTES + UUID_BODY_AT).equals(FRAGMENT_UUID)) return null
  return moof?.type === 'moof' && moof.sizeBytes >= BOX_HEADER_BYTES ? { moofBytes: moof.sizeBytes } : null
}

/** The label of a whole record, or null unless its CRC holds. */
export function decodeRecord(record: Buffer): RecordLabel | null {
  if (record.length < RECORD_HEAD_BYTES + BOX_HEADER_BYTES || recordSizes(record) === null) return null
  const at = PRFT_BYTES + UUID_BODY_AT
  const crcAt = at + 24
  if (record.readUInt32BE(at) !== SLOT_FORMAT_VERSION || record.readUInt32BE(crcAt) !== crcAround(record, 0, crcAt, record.length)) return null
  const offset = record.readInt32BE(at + 20)
  return {
    slot: slotNumber(record.readUInt32BE(at + 4)), generation: generation(record.readUInt32BE(at + 8)),
    sequence: record.readUInt32BE(at + 12), runId: runId(record.readUInt32BE(at + 16)),
    startAt: readNtp(record, 16), decodeTimeTicks: record.readBigUInt64BE(24), videoTrackId: record.readUInt32BE(12),
    cameraClockOffsetMs: offset === UNKNOWN_OFFSET ? null : offset,
  }
}

/** The camera's clock minus ours, from a record that was checked already. */
export function cameraClockOffsetOf(record: Buffer): number | null {
  const offset = record.readInt32BE(PRFT_BYTES + UUID_BODY_AT + 20)
  return offset === UNKNOWN_OFFSET ? null : offset
}

export const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()

// ---- index ---------------------------------------------------------------------------------------------------------

/** One record in a segment's index. */
export interface IndexEntry {
  readonly at: number
  readonly sizeBytes: number
  readonly startAt: EpochMs
  readonly durationMs: number
  readonly runId: RunId
  readonly startsWithKey: boolean
  readonly decodeTimeTicks: bigint
  /** Over the whole record as it stands in the slot. */
  readonly sha256: Buffer
}

const INDEX_ENTRY_BYTES = 4 + 4 + 8 + 4 + 4 + 4 + 8 + 32
const INDEX_FIXED_BYTES = UUID_BODY_AT + 4 + 4 + 4 + 4 + 8 + 8 + 32 + 4 + 4
/** The index ends with its record count and its CRC, so that it can be found from behind. */
export const INDEX_TAIL_BYTES = 8
const TFRA_ENTRY_BYTES = 19
const MFRA_FIXED_BYTES = BOX_HEADER_BYTES + (BOX_HEADER_BYTES + 16) + (BOX_HEADER_BYTES + 8)

/** Bytes that sealing needs at the end of a slot of so many records, the `free` header before them included. */
export function trailerBytes(records: number): number {
  return FREE_HEADER_BYTES + INDEX_FIXED_BYTES + records * (INDEX_ENTRY_BYTES + TFRA_ENTRY_BYTES) + MFRA_FIXED_BYTES
}

export interface SegmentIndex {
  readonly slot: SlotNumber
  readonly generation: Generation
  readonly entries: readonly IndexEntry[]
  /** End of the newest frame. */
  readonly endAt: EpochMs
  readonly keepUntil: EpochMs
  readonly merkleRoot: Buffer
}

/** `uuid` index and `mfra`, to stand at the very end of the slot. */
export function encodeTrailer(index: SegmentIndex, videoTrackId: number): Buffer {
  const body = Buffer.alloc(INDEX_FIXED_BYTES - UUID_BODY_AT + index.entries.length * INDEX_ENTRY_BYTES)
  let at = body.writeUInt32BE(SLOT_FORMAT_VERSION, 0)
  at = body.writeUInt32BE(index.slot, at)
  at = body.writeUInt32BE(index.generation, at)
  at = body.writeUInt32BE(index.entries.length, at)
  at = body.writeBigInt64BE(BigInt(index.endAt), at)
  at = body.writeBigInt64BE(BigInt(index.keepUntil), at)
  at += index.merkleRoot.copy(body, at)
  for (const entry of index.entries) {
    at = body.writeUInt32BE(entry.at, at)
    at = body.writeUInt32BE(entry.sizeBytes, at)
    at = body.writeBigInt64BE(BigInt(entry.startAt), at)
    at = body.writeUInt32BE(entry.durationMs, at)
    at = body.writeUInt32BE(entry.runId, at)
    at = body.writeUInt32BE(entry.startsWithKey ? 1 : 0, at)
    at = body.writeBigUInt64BE(entry.decodeTimeTicks, at)
    at += entry.sha256.copy(body, at)
  }
  at = body.writeUInt32BE(index.entries.length, at)
  body.writeUInt32BE(crc32(body.subarray(0, at)), at)
  return Buffer.concat([makeBox('uuid', INDEX_UUID, body), encodeRandomAccess(index.entries, videoTrackId)])
}

function encodeRandomAccess(entries: readonly IndexEntry[], videoTrackId: number): Buffer {
  const keys = entries.filter(entry => entry.startsWithKey)
  const tfra = Buffer.alloc(16 + keys.length * TFRA_ENTRY_BYTES)
  tfra[0] = 1
  tfra.writeUInt32BE(videoTrackId, 4)
  tfra.writeUInt32BE(keys.length, 12) // bytes 8-11: traf, trun and sample numbers of one byte each
  let at = 16
  for (const key of keys) {
    at = tfra.writeBigUInt64BE(key.decodeTimeTicks, at)
    at = tfra.writeBigUInt64BE(BigInt(key.at + RECORD_HEAD_BYTES), at)
    at = tfra.fill(1, at, at + 3) && at + 3
  }
  const mfro = Buffer.alloc(8)
  const sizeBytes = BOX_HEADER_BYTES + (BOX_HEADER_BYTES + tfra.length) + (BOX_HEADER_BYTES + mfro.length)
  mfro.writeUInt32BE(sizeBytes, 4)
  return makeBox('mfra', makeBox('tfra', tfra), makeBox('mfro', mfro))
}

/** Size of the `mfra` that ends with `lastBytes` (16 or more). Null: the slot does not end with one. */
export function mfraBytesOf(lastBytes: Buffer): number | null {
  const at = lastBytes.length - 16
  if (at < 0 || lastBytes.toString('latin1', at + 4, at + 8) !== 'mfro') return null
  return lastBytes.readUInt32BE(at + 12)
}

/** Size of the index box whose last INDEX_TAIL_BYTES are `tail`, if it is one. */
export const indexBytesOf = (tail: Buffer): number => INDEX_FIXED_BYTES + tail.readUInt32BE(0) * INDEX_ENTRY_BYTES

/** Reads an index box; null unless its CRC holds. */
export function decodeTrailer(bytes: Buffer): SegmentIndex | null {
  try {
    const span = { bodyAt: 0, endAt: bytes.length }
    const box = findBox(bytes, span, 'uuid')
    if (box === null || !bytes.subarray(box.bodyAt, box.bodyAt + 16).equals(INDEX_UUID)) return null
    const body = bytes.subarray(box.bodyAt + 16, box.endAt)
    const count = body.readUInt32BE(12)
    const crcAt = body.length - 4
    if (body.readUInt32BE(0) !== SLOT_FORMAT_VERSION || body.length !== INDEX_FIXED_BYTES - UUID_BODY_AT + count * INDEX_ENTRY_BYTES) return null
    if (body.readUInt32BE(crcAt) !== crc32(body.subarray(0, crcAt))) return null
    const entries: IndexEntry[] = []
    for (let i = 0, at = 64; i < count; i++, at += INDEX_ENTRY_BYTES) {
      entries.push({
        at: body.readUInt32BE(at), sizeBytes: body.readUInt32BE(at + 4), startAt: epochMs(Number(body.readBigInt64BE(at + 8))),
        durationMs: body.readUInt32BE(at + 16), runId: runId(body.readUInt32BE(at + 20)), startsWithKey: body.readUInt32BE(at + 24) === 1,
        decodeTimeTicks: body.readBigUInt64BE(at + 28), sha256: Buffer.from(body.subarray(at + 36, at + 68)),
      })
    }
    return {
      slot: slotNumber(body.readUInt32BE(4)), generation: generation(body.readUInt32BE(8)), entries,
      endAt: epochMs(Number(body.readBigInt64BE(16))), keepUntil: epochMs(Number(body.readBigInt64BE(24))), merkleRoot: Buffer.from(body.subarray(32, 64)),
    }
  } catch { return null } // any nonsense is simply no index: the walk over the records decides
}

/** The `free` box header over `[at, slotSize)`. */
export function freeHeader(sizeBytes: number): Buffer {
  const header = Buffer.alloc(FREE_HEADER_BYTES)
  writeBoxHeader(header, 0, 'free', sizeBytes)
  return header
}
