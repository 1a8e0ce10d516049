import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * Reads a slot by the documented format (docs/design/0001-recording.md, "Bytes of a slot") with code of its
 * own:
 * what it finds is what somebody finds who has the disk and the paper, and nothing else.
 */
export interface SlotBytes { readonly sizeBytes: number, slice(at: number, length: number): Buffer }

export interface FoundHeader {
  readonly volume: string
  readonly slot: number
  readonly generation: number
  readonly cameraUuid: string
  readonly camera: string
  readonly stream: string
  readonly startAt: number
  readonly floorRule: string
  /** Where the first record stands. */
  readonly dataAt: number
}

export interface FoundRecord {
  readonly at: number
  readonly sizeBytes: number
  readonly slot: number
  readonly generation: number
  readonly sequence: number
  readonly run: number
  readonly startAt: number
  readonly durationMs: number
  /** What the camera wrote into its pictures: who it is and which fragment this is. */
  readonly name: string
  readonly sha256: Buffer
}

export interface FoundIndex { readonly slot: number, readonly generation: number, readonly records: number, readonly endAt: number, readonly keepUntil: number, readonly root: Buffer, readonly sha256s: readonly Buffer[] }

const UUID = { header: 'custosSLOTHeader', record: 'custosFragment-1', index: 'custosSLOTIndex-' }
const PRFT_BYTES = 32, LABEL_BYTES = 52, HEADER_BODY_BYTES = 208
const LARGEST_START = 320 * 1024
const TIMESCALE = 90_000
const NTP_TO_UNIX_S = 2_208_988_800

const typeAt = (bytes: Buffer, at: number): string => bytes.toString('latin1', at + 4, at + 8)

/** Null: blank. A text: what is wrong with it. */
export function readHeader(slot: SlotBytes): FoundHeader | null | string {
  let bytes = slot.slice(0, 4096)
  if (bytes.every(byte => byte === 0)) return null
  const ftypBytes = bytes.readUInt32BE(0)
  if (typeAt(bytes, 0) !== 'ftyp' || ftypBytes > 1024) return 'no ftyp'
  const boxAt = ftypBytes, bodyAt = boxAt + 24, moovAt = bodyAt + HEADER_BODY_BYTES
  if (typeAt(bytes, boxAt) !== 'uuid' || bytes.toString('latin1', boxAt + 8, boxAt + 24) !== UUID.header) return 'no header box'
  if (bytes.readUInt32BE(boxAt) !== 24 + HEADER_BODY_BYTES || typeAt(bytes, moovAt) !== 'moov') return 'header box of another size'
  const dataAt = moovAt + bytes.readUInt32BE(moovAt)
  if (dataAt > Math.min(slot.sizeBytes, LARGEST_START)) return 'moov is too long'
  if (dataAt > bytes.length) bytes = slot.slice(0, dataAt)
  const crcAt = bodyAt + HEADER_BODY_BYTES - 4
  if (crc32(bytes.subarray(crcAt + 4, dataAt), crc32(bytes.subarray(0, crcAt))) !== bytes.readUInt32BE(crcAt)) return 'header CRC'
  const text = (at: number, length: number): string => bytes.toString('utf8', at, at + length).replace(/\0+$/, '')
  return {
    volume: bytes.toString('hex', bodyAt + 4, bodyAt + 20), slot: bytes.readUInt32BE(bodyAt + 20), generation: bytes.readUInt32BE(bodyAt + 24),
    cameraUuid: bytes.toString('hex', bodyAt + 28, bodyAt + 44), camera: text(bodyAt + 44, 40), stream: text(bodyAt + 84, 40),
    startAt: Number(bytes.readBigInt64BE(bodyAt + 124)), floorRule: text(bodyAt + 132, 64), dataAt,
  }
}

/** The record at `at`; null when there is none that holds. */
export function readRecord(slot: SlotBytes, at: number): FoundRecord | null {
  const headBytes = PRFT_BYTES + LABEL_BYTES
  if (at + headBytes + 16 > slot.sizeBytes) return null
  const head = slot.slice(at, headBytes + 8)
  if (typeAt(head, 0) !== 'prft' || head.readUInt32BE(0) !== PRFT_BYTES || typeAt(head, PRFT_BYTES) !== 'uuid' || head.readUInt32BE(PRFT_BYTES) !== LABEL_BYTES) return null
  if (head.toString('latin1', PRFT_BYTES + 8, PRFT_BYTES + 24) !== UUID.record || typeAt(head, headBytes) !== 'moof') return null
  const moofBytes = head.readUInt32BE(headBytes)
  const mdatAt = at + headBytes + moofBytes
  if (mdatAt + 8 > slot.sizeBytes) return null
  const mdat = slot.slice(mdatAt, 8)
  if (typeAt(mdat, 0) !== 'mdat' || mdat.readUInt32BE(0) < 8 || mdatAt + mdat.readUInt32BE(0) > slot.sizeBytes) return null
  const record = slot.slice(at, headBytes + moofBytes + mdat.readUInt32BE(0))
  const label = PRFT_BYTES + 24, crcAt = label + 24
  if (crc32(record.subarray(crcAt + 4), crc32(record.subarray(0, crcAt))) !== record.readUInt32BE(crcAt)) return null
  const dataAt = headBytes + moofBytes + 8
  return {
    at, sizeBytes: record.length, slot: record.readUInt32BE(label + 4), generation: record.readUInt32BE(label + 8), sequence: record.readUInt32BE(label + 12), run: record.readUInt32BE(label + 16),
    startAt: Math.round((record.readUInt32BE(16) - NTP_TO_UNIX_S) * 1000 + record.readUInt32BE(20) / 2 ** 32 * 1000 + (record.readUInt32BE(16) < 2 ** 31 ? 2 ** 32 * 1000 : 0)),
    durationMs: Math.round(ticksOf(record.subarray(headBytes, headBytes + moofBytes)) * 1000 / TIMESCALE),
    name: record.toString('latin1', dataAt, record.indexOf(' ', dataAt)), sha256: createHash('sha256').update(record).digest(),
  }
}

/** Sum of the durations in the fragment's `trun`: it writes one for each sample. */
function ticksOf(moof: Buffer): number {
  const at = moof.indexOf('trun', 0, 'latin1')
  const flags = moof.readUIntBE(at + 5, 3), count = moof.readUInt32BE(at + 8)
  const stride = 4 * [0x100, 0x200, 0x400, 0x800].filter(flag => (flags & flag) !== 0).length
  let entryAt = at + 12 + ((flags & 0x1) !== 0 ? 4 : 0) + ((flags & 0x4) !== 0 ? 4 : 0), sum = 0
  for (let i = 0; i < count; i++, entryAt += stride) sum += moof.readUInt32BE(entryAt)
  return sum
}

/** The index of a sealed slot, found from its end. */
export function readIndex(slot: SlotBytes): FoundIndex | null {
  const last = slot.slice(slot.sizeBytes - 16, 16)
  if (typeAt(last, 0) !== 'mfro') return null
  const endAt = slot.sizeBytes - last.readUInt32BE(12)
  if (endAt < slot.sizeBytes / 2) return null
  const count = slot.slice(endAt - 8, 4).readUInt32BE(0)
  const bodyBytes = 16 + 8 + 8 + 32 + count * 68 + 8
  if (count > 100_000 || endAt - bodyBytes - 24 < 0) return null
  const box = slot.slice(endAt - bodyBytes - 24, bodyBytes + 24)
  if (typeAt(box, 0) !== 'uuid' || box.toString('latin1', 8, 24) !== UUID.index) return null
  const body = box.subarray(24)
  if (crc32(body.subarray(0, bodyBytes - 4)) !== body.readUInt32BE(bodyBytes - 4)) return null
  return {
    slot: body.readUInt32BE(4), generation: body.readUInt32BE(8), records: body.readUInt32BE(12), endAt: Number(body.readBigInt64BE(16)), keepUntil: Number(body.readBigInt64BE(24)),
    root: Buffer.from(body.subarray(32, 64)), sha256s: Array.from({ length: count }, (_, i) => Buffer.from(body.subarray(64 + i * 68 + 36, 64 + i * 68 + 68))),
  }
}

/** Root of the tree of RFC 6962 over these leaves' data. */
export function treeRoot(leaves: readonly Buffer[]): Buffer {
  const hash = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
  const rootOf = (from: number, to: number): Buffer => {
    if (to - from === 1) return hash(Buffer.from([0]), leaves[from]!)
    let split = 1
    while (split * 2 < to - from) split *= 2
    return hash(Buffer.from([1]), rootOf(from, from + split), rootOf(from + split, to))
  }
  return leaves.length === 0 ? hash() : rootOf(0, leaves.length)
}
