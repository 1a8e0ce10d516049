import t from 'tap'
import { cameraId, cameraUuid, epochMs, generation, runId, slotNumber, streamName, volumeUuid } from '../../src/domain/index.ts'
import {
  decodeRecord, decodeSlotStart, decodeTrailer, encodeSlotStart, encodeTrailer, freeHeader, mfraBytesOf, recordSizes, RECORD_HEAD_BYTES, sha256, trailerBytes, writeRecordHead,
  type IndexEntry, type RecordLabel, type SegmentIndex, type SlotHeader,
} from '../../src/slots/slot-format.ts'
import { boxesIn } from '../../src/media/index.ts'
import { builtFragment, builtInit, realFootage } from '../support/fragments.ts'

const init = builtInit()
const header: SlotHeader = {
  volumeUuid: volumeUuid('0123456789abcdef0123456789abcdef'), slot: slotNumber(99_999), generation: generation(0xfffffffe), cameraId: cameraId('a'.repeat(40)),
  cameraUuid: cameraUuid('fedcba9876543210fedcba9876543210'), stream: streamName('main'), startAt: epochMs(Date.UTC(2026, 10, 22, 8, 0, 0, 123)),
  floorRule: '9999999999999ms America/Argentina/ComodRivadavia', slotSizeBytes: 1 << 30,
}
const label: RecordLabel = {
  slot: slotNumber(7), generation: generation(3), sequence: 41, runId: runId(0xffffffff), startAt: epochMs(Date.UTC(2026, 10, 22, 8, 0, 0, 499)),
  decodeTimeTicks: 2n ** 40n + 1n, videoTrackId: 1, cameraClockOffsetMs: -3_600_000,
}

function recordWith(of: RecordLabel): Buffer {
  const { buffer, moofAt, endAt } = builtFragment({ init, name: 'record', dataBytes: 700, frames: 2 })
  writeRecordHead(buffer, moofAt - RECORD_HEAD_BYTES, endAt, of)
  return buffer.subarray(moofAt - RECORD_HEAD_BYTES, endAt)
}

/** Positions of bytes whose change `holds` does not notice, every bit tried. */
function unnoticed(bytes: Buffer, holds: (changed: Buffer) => boolean): number[] {
  const missed: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 1; bit < 256; bit <<= 1) {
      bytes[at] = bytes[at]! ^ bit
      if (holds(bytes)) missed.push(at)
      bytes[at] = bytes[at]! ^ bit
    }
  }
  return missed
}

t.test('a slot header comes back as it was written, the longest texts included', t => {
  const start = encodeSlotStart(header, init.ftyp, init.moov)
  const decoded = decodeSlotStart(Buffer.concat([start, Buffer.alloc(5000)]))
  t.equal(decoded.kind, 'slot')
  if (decoded.kind !== 'slot') return t.end()
  t.same(decoded.header, header)
  t.same(decoded.init.moov, init.moov)
  t.same(decoded.init.ftyp, init.ftyp)
  t.equal(decoded.dataAt, start.length)
  return t.end()
})

t.test('a slot starts with ftyp, uuid and moov, whole boxes that every player knows', t => {
  const start = encodeSlotStart(header, init.ftyp, init.moov)
  t.same([...boxesIn(start, 0, start.length)].map(box => box.type), ['ftyp', 'uuid', 'moov'])
  t.end()
})

t.test('a change of any bit in a slot header is noticed', t => {
  const start = Buffer.concat([encodeSlotStart(header, init.ftyp, init.moov), Buffer.alloc(64)])
  const guarded = start.subarray(0, start.length - 64)
  t.same(unnoticed(guarded, () => decodeSlotStart(start).kind === 'slot'), [])
  t.equal(decodeSlotStart(start).kind, 'slot', 'and the untouched one holds')
  t.end()
})

t.test('a zeroed slot is blank, a half written header is damaged', t => {
  t.equal(decodeSlotStart(Buffer.alloc(8192)).kind, 'blank')
  const start = Buffer.concat([encodeSlotStart(header, init.ftyp, init.moov), Buffer.alloc(8192)])
  for (let bytes = 1; bytes < start.length - 8192; bytes++) {
    const half = Buffer.alloc(start.length)
    start.copy(half, 0, 0, bytes)
    if (decodeSlotStart(half).kind === 'slot') t.fail(`holds with ${bytes} bytes`)
  }
  t.equal(decodeSlotStart(start.subarray(0, 40)).kind, 'damaged')
  t.end()
})

t.test('a record label comes back as it was written', t => {
  t.same(decodeRecord(recordWith(label)), label)
  const odd: RecordLabel = { ...label, cameraClockOffsetMs: null, sequence: 0, decodeTimeTicks: 0n, generation: generation(1) }
  t.same(decodeRecord(recordWith(odd)), odd)
  t.same(recordSizes(recordWith(label).subarray(0, RECORD_HEAD_BYTES + 16)), { moofBytes: recordWith(label).readUInt32BE(RECORD_HEAD_BYTES) })
  t.end()
})

t.test('a change of any bit in a record is noticed, and a missing last byte', t => {
  const record = Buffer.from(recordWith(label))
  t.same(unnoticed(record, changed => decodeRecord(changed) !== null), [])
  t.equal(decodeRecord(record.subarray(0, -1)), null)
  t.equal(decodeRecord(Buffer.concat([record, Buffer.alloc(1)])), null)
  t.equal(decodeRecord(Buffer.alloc(40)), null)
  t.not(decodeRecord(record), null, 'and the untouched one holds')
  t.end()
})

t.test('times keep their millisecond before, at and after the NTP era ends on 2036-02-07', t => {
  const eraEnd = Date.UTC(2036, 1, 7, 6, 28, 16)
  const instants = [Date.UTC(2000, 0, 1), Date.UTC(2026, 10, 22, 8, 0, 0, 999), eraEnd - 1000, eraEnd - 1, eraEnd, eraEnd + 1, Date.UTC(2036, 1, 8, 12, 0, 0, 1), Date.UTC(2099, 11, 31, 23, 59, 59, 999)]
  for (let ms = 0; ms < 1000; ms++) instants.push(eraEnd + ms)
  for (const at of instants) {
    const found = decodeRecord(recordWith({ ...label, startAt: epochMs(at) }))?.startAt
    if (found !== at) t.equal(found, at, new Date(at).toISOString())
  }
  t.equal(recordWith({ ...label, startAt: epochMs(eraEnd) }).readUInt32BE(16), 0, 'the count has wrapped')
  t.end()
})

const entriesOf = (count: number): IndexEntry[] => Array.from({ length: count }, (_, i) => ({
  at: 2000 + i * 5000, sizeBytes: 5000, startAt: epochMs(header.startAt + i * 500), durationMs: 500, runId: runId(1 + Math.floor(i / 10)), startsWithKey: i % 2 === 0,
  decodeTimeTicks: BigInt(i) * 45_000n, sha256: sha256(Buffer.from(`record ${i}`)),
}))
const indexOf = (count: number): SegmentIndex => ({
  slot: slotNumber(5), generation: generation(9), entries: entriesOf(count), endAt: epochMs(header.startAt + count * 500), keepUntil: epochMs(header.startAt + 32 * 86_400_000), merkleRoot: sha256(Buffer.from('root')),
})

t.test('an index comes back as it was written, also that of a segment without a record', t => {
  for (const count of [0, 1, 2, 130]) {
    const trailer = encodeTrailer(indexOf(count), 1)
    const mfraBytes = mfraBytesOf(trailer)
    t.ok(mfraBytes !== null && mfraBytes < trailer.length)
    t.same(decodeTrailer(trailer.subarray(0, trailer.length - (mfraBytes ?? 0))), indexOf(count), `${count} records`)
  }
  t.end()
})

t.test('a change of any bit in an index is noticed', t => {
  const trailer = encodeTrailer(indexOf(3), 1)
  const box = trailer.subarray(0, trailer.length - (mfraBytesOf(trailer) ?? 0))
  t.same(unnoticed(box, changed => decodeTrailer(changed) !== null), [])
  t.end()
})

t.test('the room kept for sealing is never too small, however many records begin with a key frame', t => {
  for (const count of [0, 1, 2, 100, 1000]) {
    const all = indexOf(count).entries.map(entry => ({ ...entry, startsWithKey: true }))
    t.ok(encodeTrailer({ ...indexOf(count), entries: all }, 1).length + freeHeader(8).length <= trailerBytes(count), `${count} records`)
  }
  t.end()
})

t.test('the mfra points at the moof of every key record', t => {
  const trailer = encodeTrailer(indexOf(4), 1)
  const tfraAt = trailer.indexOf('tfra') + 4
  t.equal(trailer.readUInt32BE(tfraAt + 4), 1)
  t.equal(trailer.readUInt32BE(tfraAt + 12), 2)
  t.equal(Number(trailer.readBigUInt64BE(tfraAt + 16 + 8)), 2000 + RECORD_HEAD_BYTES)
  t.equal(Number(trailer.readBigUInt64BE(tfraAt + 16 + 19 + 8)), 12_000 + RECORD_HEAD_BYTES)
  t.end()
})

t.test('what ffmpeg writes of H.264, H.265 and sound fits a slot header', async t => {
  for (const options of [{ codec: 'h264', width: 320, height: 180, seconds: 4 }, { codec: 'h265', width: 320, height: 180, seconds: 4 }, { codec: 'h264', width: 320, height: 180, seconds: 4, sound: true }] as const) {
    const real = await realFootage(options)
    const start = encodeSlotStart(header, real.init.ftyp, real.init.moov)
    const decoded = decodeSlotStart(start)
    t.equal(decoded.kind, 'slot', options.codec)
    if (decoded.kind === 'slot') t.same([decoded.init.video.codec, decoded.init.video.widthPx, decoded.init.tracks.length], [options.codec, 320, 'sound' in options ? 2 : 1])
  }
})
