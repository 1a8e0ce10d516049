import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, volumeUuid, type EpochMs } from '../../src/domain/index.ts'
import { planClip, writeClip, writeClipFile, type ClipPart, type ClipResult, type FootageSource } from '../../src/export/index.ts'
import type { TimedFragment } from '../../src/footage/index.ts'
import { boxesIn, parseMovieFragment, patchDecodeTime, patchSequenceNumber, type InitSegment } from '../../src/media/index.ts'
import { RECORD_HEAD_BYTES } from '../../src/slots/index.ts'
import { encodeSlotStart, freeHeader } from '../../src/slots/slot-format.ts'
import { readSlot } from '../../src/slots/slot-walk.ts'
import { SlotWriter } from '../../src/storage/slot-writer.ts'
import { builtFragment, builtInit, footageOf, mediaBytesOf, realFootage, timedFragment, type Footage } from '../support/fragments.ts'
import { MemoryFileSystem } from '../support/memory-file-system.ts'
import { nameIn, SLOT_BYTES, START } from '../support/recorder-rig.ts'

const run = promisify(execFile)
const startAt = Date.parse(START)
const range = (fromMs: number, toMs: number) => ({ startAt: epochMs(startAt + fromMs), endAt: epochMs(startAt + toMs) })
const ALL = range(-86_400_000, 86_400_000)
const uuid = cameraUuid('1'.repeat(32))

/** One slot generation of these fragments, sealed. */
async function slotOf(slot: number, init: InitSegment, at: number, timed: readonly TimedFragment[]): Promise<FootageSource> {
  const fs = new MemoryFileSystem(), header = {
    volumeUuid: volumeUuid('0'.repeat(32)), slot: slotNumber(slot), generation: generation(1), cameraId: cameraId('lobby'), cameraUuid: uuid, stream: streamName('main'),
    startAt: epochMs(at), floorRule: '31d Asia/Taipei', slotSizeBytes: SLOT_BYTES,
  }
  await fs.createAllocated('/slot', SLOT_BYTES, 'test')
  const file = await fs.open('/slot', 'read-write', 'test'), start = encodeSlotStart(header, init.ftyp, init.moov)
  await file.write(Buffer.concat([start, freeHeader(SLOT_BYTES - start.length)]), 0, 'test')
  const writer = new SlotWriter({ file, slot: header.slot, generation: header.generation, startAt: header.startAt, init, slotSizeBytes: SLOT_BYTES, endByte: start.length })
  for (const each of timed) await writer.append(each)
  await writer.seal(endAt => endAt)
  const footage = await readSlot(file, SLOT_BYTES)
  if (footage.kind !== 'footage') throw new Error(`slot is ${footage.kind}`)
  return { footage, read: async position => { const { at: from, sizeBytes } = footage.entries[position]!; return Buffer.from(fs.bytesOf('/slot').subarray(from, from + sizeBytes)) } }
}

/** Real footage in slots: one list of fragment positions a slot, each run begun at its wall time. */
async function recorded(real: Footage, slots: readonly (readonly { readonly position: number, readonly run: number, readonly atMs: number }[])[]): Promise<FootageSource[]> {
  const sources: FootageSource[] = []
  for (const [slot, records] of slots.entries()) {
    sources.push(await slotOf(slot, real.init, startAt + records[0]!.atMs, records.map(({ position, run: runId, atMs }) => timedFragment(real.init, real.fragment(position), { runId, startAt: startAt + atMs }))))
  }
  return sources
}

async function written(part: ClipPart): Promise<{ mp4: Buffer, result: ClipResult }> {
  const chunks: Buffer[] = []
  const result = await writeClip(part, async bytes => { chunks.push(Buffer.from(bytes)) })
  return { mp4: Buffer.concat(chunks), result }
}

/** The clip without the recorder's own boxes, as a muxer would have written it. */
const mediaOf = (mp4: Buffer): Buffer => Buffer.concat([...boxesIn(mp4, 0, mp4.length)].filter(box => !['prft', 'uuid'].includes(box.type)).map(box => mp4.subarray(box.at, box.endAt)))

/** The records of a clip as they stand in it: from `prft` to the end of `mdat`. */
function recordsIn(mp4: Buffer): Buffer[] {
  const records: Buffer[] = []
  let from = 0
  for (const box of boxesIn(mp4, 0, mp4.length)) {
    if (box.type === 'prft') from = box.at
    if (box.type === 'mdat') records.push(mp4.subarray(from, box.endAt))
  }
  return records
}

/** Undoes what writeClip documents: each `tfdt` goes back by what the pictures' own says against `prft`, the sequence number to the record's own. */
function restored(record: Buffer, init: InitSegment, listed: ClipResult['records'][number]): Buffer {
  const bytes = Buffer.from(record), media = bytes.subarray(RECORD_HEAD_BYTES)
  const moved = Number(parseMovieFragment(media, media.length).find(each => each.trackId === init.video.trackId)!.decodeTimeTicks) - Number(bytes.readBigUInt64BE(24))
  for (const track of parseMovieFragment(media, media.length)) {
    const { timescale } = init.tracks.find(known => known.trackId === track.trackId)!
    patchDecodeTime(media, 0, track, track.decodeTimeTicks - BigInt(Math.round(moved * timescale / init.video.timescale)))
  }
  patchSequenceNumber(media, 0, media.readUInt32BE(0), listed.sequence + 1)
  return bytes
}

function checkManifest(mp4: Buffer, init: InitSegment, result: ClipResult): string[] {
  const wrong: string[] = []
  if (createHash('sha256').update(mp4).digest('hex') !== result.sha256 || mp4.length !== result.bytes) wrong.push('the whole')
  const records = recordsIn(mp4)
  if (records.length !== result.records.length) wrong.push(`${records.length} records, ${result.records.length} listed`)
  for (const [i, listed] of result.records.entries()) {
    if (createHash('sha256').update(restored(records[i]!, init, listed)).digest('hex') !== listed.sha256) wrong.push(`record ${i}`)
  }
  return wrong
}

interface Packet { readonly pts_time: string, readonly dts_time: string, readonly duration_time: string, readonly flags: string, readonly data_hash: string, readonly codec_type: string }

/** What ffprobe reads, and every word it says about it. */
async function probed(folder: string, mp4: Buffer): Promise<{ packets: Packet[], said: string }> {
  const file = path.join(folder, 'clip.mp4')
  writeFileSync(file, mp4)
  const { stdout, stderr } = await run('ffprobe', ['-v', 'warning', '-show_packets', '-show_data_hash', 'md5', '-of', 'json', file], { maxBuffer: 64 << 20, timeout: 60_000 })
  return { packets: (JSON.parse(stdout) as { packets: Packet[] }).packets, said: stderr }
}
const video = (packets: readonly Packet[]) => packets.filter(packet => packet.codec_type === 'video')
const isForward = (packets: readonly Packet[]) => packets.every((packet, i) => i === 0 || Number(packet.dts_time) > Number(packets[i - 1]!.dts_time))
const hashes = (packets: readonly Packet[]) => packets.map(packet => packet.data_hash)

for (const options of [{ codec: 'h264', width: 320, height: 180, seconds: 4 }, { codec: 'h265', width: 320, height: 180, seconds: 4 }, { codec: 'h264', width: 320, height: 180, seconds: 4, sound: true }] as const) {
  const kind = `${options.codec}${'sound' in options ? ' with sound' : ''}`
  t.test(`a clip of ${kind} across slots and runs has each frame once, in order, bit for bit, and ffprobe has nothing to say`, async t => {
    const real = await realFootage(options)
    const half = real.count >> 1
    const at = (position: number) => ({ position, run: 1, atMs: Array.from({ length: position }, (_, i) => timedFragment(real.init, real.fragment(i), { startAt }).durationMs).reduce((sum, ms) => sum + ms, 0) })
    const first = Array.from({ length: real.count }, (_, i) => at(i))
    const second = first.map(record => ({ ...record, run: 2, atMs: record.atMs + 7_013 }))
    // A run over two slots, the second of which begins in the middle of a group and 3 ms off by slewing; then another run in that slot and a third.
    const sources = await recorded(real, [first.slice(0, half), [...first.slice(half).map(record => ({ ...record, atMs: record.atMs + 3 })), ...second.slice(0, half)], second.slice(half)])
    const parts = planClip(sources, ALL).parts
    t.equal(parts.length, 1)
    const { mp4, result } = await written(parts[0]!)
    t.same(checkManifest(mp4, real.init, result), [])
    const clip = footageOf(mediaOf(mp4))
    t.equal(clip.count, real.count * 2)
    for (let i = 0; i < clip.count; i++) if (!mediaBytesOf(clip.fragment(i)).equals(mediaBytesOf(real.fragment(i % real.count)))) t.fail(`fragment ${i} changed`)
    const original = await probed(t.testdir(), Buffer.concat([real.init.ftyp, real.init.moov, ...Array.from({ length: real.count }, (_, i) => { const { buffer, moofAt, endAt } = real.fragment(i); return buffer.subarray(moofAt, endAt) })]))
    const { packets, said } = await probed(t.testdir(), mp4)
    t.equal(said, '')
    t.same(hashes(video(packets)), [...hashes(video(original.packets)), ...hashes(video(original.packets))])
    t.ok(isForward(video(packets)), 'pictures only go forward')
    t.ok(isForward(packets.filter(packet => packet.codec_type === 'audio')), 'and sound')
    t.ok(Number(video(packets)[0]!.pts_time) < 0.01, 'it starts at zero')
    const gap = Number(video(packets)[options.seconds * 15]!.dts_time) - Number(video(packets)[options.seconds * 15 - 1]!.dts_time)
    t.ok(Math.abs(gap - 3.0 - 1 / 15) < 0.15, `the time between the runs is there: ${gap} s`)
  })
}

const built = (init: InitSegment, count: number, { from = 0, run: runId = 1, atMs = 0, prefix = 'f' } = {}): TimedFragment[] => Array.from({ length: count }, (_, i) =>
  timedFragment(init, builtFragment({ init, name: `${prefix}${from + i}`, isKey: (from + i) % 2 === 0, decodeTimeMs: (from + i) * 500 }), { runId, startAt: startAt + atMs + i * 500 }))
const namesOf = async (part: ClipPart) => await Promise.all(part.pieces.map(async ({ source, position }) => nameIn(await source.read(position))))

t.test('lost time between two runs of a slot is in the clip though a run before them overlapped', async t => {
  const init = builtInit()
  const overlapping = [...built(init, 4, { run: 1 }), ...built(init, 4, { run: 2, atMs: 1000 })]
  const sources = [await slotOf(0, init, startAt, [...overlapping, ...built(init, 4, { run: 3, atMs: 3500 })])]
  const part = planClip(sources, ALL).parts.at(-1)!
  t.equal(part.startAt, startAt + 1000)
  const { mp4, result } = await written(part)
  t.same(checkManifest(mp4, init, result), [])
  const starts = recordsIn(mp4).map(record => {
    const media = record.subarray(RECORD_HEAD_BYTES)
    return Number(parseMovieFragment(media, media.length)[0]!.decodeTimeTicks) * 1000 / init.video.timescale
  })
  t.strictSame(starts, [0, 500, 1000, 1500, 2500, 3000, 3500, 4000])
})

t.test('a clip starts with the key frame at or before its range and ends with the record that holds its last instant', async t => {
  const init = builtInit()
  const sources = [await slotOf(0, init, startAt, built(init, 4)), await slotOf(1, init, startAt + 2000, built(init, 4, { from: 4, atMs: 2000 }))]
  const names = async (fromMs: number, toMs: number) => (
    await Promise.all(planClip(sources, range(fromMs, toMs)).parts.map(namesOf))
  ).flat().join(' ')
  t.equal(await names(0, 1), 'f0')
  t.equal(await names(499, 501), 'f0 f1')
  t.equal(await names(500, 1000), 'f0 f1')
  t.equal(await names(1700, 2100), 'f2 f3 f4')
  t.equal(await names(2600, 2700), 'f4 f5')
  t.equal(await names(3999, 9999), 'f6 f7')
  t.equal(await names(4000, 9999), '')
  t.equal(await names(-5000, 0), '')
})

t.test('a slot that begins in the middle of a group is joined to the one before, and alone it waits for its first key frame', async t => {
  const init = builtInit()
  const sources = [await slotOf(0, init, startAt, built(init, 3)), await slotOf(1, init, startAt + 1500, built(init, 4, { from: 3, atMs: 1500 }))]
  t.same(await namesOf(planClip(sources, range(1500, 1600)).parts[0]!), ['f2', 'f3'])
  t.same(await namesOf(planClip(sources.slice(1), ALL).parts[0]!), ['f4', 'f5', 'f6'])
})

t.test('other picture parameters begin a new part', async t => {
  const one = builtInit(), other = builtInit({ width: 128 })
  const sources = [await slotOf(0, one, startAt, built(one, 4)), await slotOf(1, other, startAt + 2000, built(other, 4, { run: 2, atMs: 2000, prefix: 'g' })), await slotOf(2, one, startAt + 4000, built(one, 2, { run: 3, atMs: 4000, prefix: 'h' }))]
  const parts = planClip(sources, ALL).parts
  t.same(await Promise.all(parts.map(namesOf)), [['f0', 'f1', 'f2', 'f3'], ['g0', 'g1', 'g2', 'g3'], ['h0', 'h1']])
  t.same(parts.map(part => part.init.video.widthPx), [64, 128, 64])
  for (const part of parts) { const { mp4, result } = await written(part); t.same(checkManifest(mp4, part.init, result), []) }
})

t.test('where recorded time goes back a new part begins and nothing is merged', async t => {
  const init = builtInit()
  const sources = [await slotOf(0, init, startAt, built(init, 4)), await slotOf(1, init, startAt + 500, built(init, 4, { run: 2, atMs: 500, prefix: 'g' }))]
  const parts = planClip(sources, ALL).parts
  t.same(await Promise.all(parts.map(namesOf)), [['f0', 'f1', 'f2', 'f3'], ['g0', 'g1', 'g2', 'g3']])
  t.same(parts.map(part => [part.startAt - startAt, part.endAt - startAt]), [[0, 2000], [500, 2500]])
})

t.test('rounding of a slewed clock at a seam neither splits a clip nor turns its time back', async t => {
  const init = builtInit()
  for (const offMs of [-19, -7, -1, 0, 1, 8, 60, 99]) {
    const sources = [await slotOf(0, init, startAt, built(init, 4)), await slotOf(1, init, startAt + 2000 + offMs, built(init, 4, { from: 4, atMs: 2000 + offMs }))]
    const parts = planClip(sources, ALL).parts
    t.equal(parts.length, 1, `${offMs} ms`)
    const { mp4, result } = await written(parts[0]!)
    t.same(checkManifest(mp4, init, result), [])
    const clip = footageOf(mediaOf(mp4))
    t.same(Array.from({ length: 8 }, (_, i) => Number(clip.fragment(i).tracks[0]!.decodeTimeTicks)), Array.from({ length: 8 }, (_, i) => i * 45_000), 'one run goes on without a seam')
  }
})

t.test('real footage with sound restores to what was recorded, however far its runs are moved', async t => {
  const real = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4, sound: true })
  for (const gapMs of [0, 1, 7, 1_013, 59_999]) {
    const records = (atMs: number, run: number) => [0, 1].map(position => ({ position, run, atMs: atMs + position * 533 }))
    const sources = await recorded(real, [records(0, 1), records(1_067 + gapMs, 2), records(90_000 + gapMs * 3, 3)])
    for (const asked of [ALL, range(600, 100_000)]) {
      const [part] = planClip(sources, asked).parts
      const { mp4, result } = await written(part!)
      t.same(checkManifest(mp4, real.init, result), [], `${gapMs} ms`)
    }
  }
})

t.test('sound that begins before the first picture is neither cut nor moved against it', async t => {
  const init = builtInit({ sound: true })
  const early = (n: number): TimedFragment => {
    const timed = timedFragment(init, builtFragment({ init, name: `f${n}`, decodeTimeMs: n * 500 }), { startAt: startAt + n * 500 })
    return { ...timed, trackTimes: timed.trackTimes.map(each => each.track.trackId === init.video.trackId ? each : { ...each, ticks: each.ticks - 960n }) } // 20 ms
  }
  const sources = [await slotOf(0, init, startAt, [early(0), early(1), early(2), early(3)])]
  const { mp4, result } = await written(planClip(sources, range(600, 5000)).parts[0]!)
  t.same(checkManifest(mp4, init, result), [])
  const [first] = footageOf(mediaOf(mp4)).fragment(0).tracks.map(track => track.decodeTimeTicks)
  t.equal(first, 1800n, 'pictures stand 20 ms behind the sound')
})

t.test('a clip with sound restores to what was recorded, at every fraction of a millisecond its parts are moved by', async t => {
  const init = builtInit({ sound: true })
  for (let i = 0; i < 25; i++) {
    const media = Array.from({ length: 6 }, (_, n) => timedFragment(init, builtFragment({ init, name: `f${n}`, durationMs: 500 + i / 9, isKey: true, decodeTimeMs: n * (500 + i / 9) }), { startAt: startAt + n * 500 + i }))
    const sources = [await slotOf(0, init, startAt + i, media.slice(0, 2)), await slotOf(1, init, startAt + 1000 + i, media.slice(2, 4)), await slotOf(2, init, startAt + 2000 + i, media.slice(4))]
    const [part] = planClip(sources, range(700, 5000)).parts
    const { mp4, result } = await written(part!)
    t.same(checkManifest(mp4, init, result), [], `round ${i}`)
  }
})

const part = async (): Promise<ClipPart> => {
  const init = builtInit()
  return planClip(
    [
      await slotOf(3, init, startAt, built(init, 4)),
      await slotOf(5, init, startAt + 9000, built(init, 2, { run: 2, atMs: 9000 })),
    ],
    ALL
  ).parts[0]!
}
const subject = {
  cameraId: cameraId('lobby'), cameraUuid: uuid, stream: streamName('main'),
  asked: { startAt: epochMs(startAt) as EpochMs, endAt: epochMs(startAt + 20_000) }, leftOut: [],
}

t.test('the manifest names every record, its slot and hash, and the time without footage between them', async t => {
  const folder = t.testdir(), file = path.join(folder, 'clip.mp4')
  t.same(await writeClipFile(file, await part(), subject), [file, `${file}.manifest.json`])
  const manifest = JSON.parse(readFileSync(`${file}.manifest.json`, 'utf8')) as Record<string, unknown> & { records: { slot: number, sequence: number, run: number }[] }
  const mp4 = readFileSync(file)
  t.match(manifest, {
    file: 'clip.mp4', bytes: mp4.length, sha256: createHash('sha256').update(mp4).digest('hex'), camera: 'lobby', stream: 'main', codec: 'h264', widthPx: 64,
    asked: { from: START, to: '2026-11-22T08:00:20.000Z' }, from: START, to: '2026-11-22T08:00:10.000Z',
    gaps: [{ from: '2026-11-22T08:00:02.000Z', to: '2026-11-22T08:00:09.000Z' }],
  })
  t.same(manifest.records.map(record => [record.slot, record.sequence, record.run]), [[3, 0, 1], [3, 1, 1], [3, 2, 1], [3, 3, 1], [5, 0, 2], [5, 1, 2]])
  t.same(readdirSync(folder).sort(), ['clip.mp4', 'clip.mp4.manifest.json'])
})

t.test('an existing file is never overwritten, neither clip nor manifest', async t => {
  const folder = t.testdir({ 'clip.mp4': 'evidence', 'other.mp4.manifest.json': 'evidence' })
  await t.rejects(writeClipFile(path.join(folder, 'clip.mp4'), await part(), subject), { code: 'EEXIST' })
  await t.rejects(writeClipFile(path.join(folder, 'other.mp4'), await part(), subject), { code: 'EEXIST' })
  t.equal(readFileSync(path.join(folder, 'clip.mp4'), 'utf8'), 'evidence')
  t.equal(readFileSync(path.join(folder, 'other.mp4.manifest.json'), 'utf8'), 'evidence')
  t.same(readdirSync(folder).sort(), ['clip.mp4', 'other.mp4.manifest.json'], 'and no half of another beside it')
})

t.test('a clip whose footage is overwritten while it is written leaves nothing under its name', async t => {
  const folder = t.testdir(), file = path.join(folder, 'clip.mp4')
  const whole = await part()
  const pieces = whole.pieces.map((piece, i) => i < 3 ? piece : { ...piece, source: { ...piece.source, read: () => Promise.reject(new Error('gone')) } })
  await t.rejects(writeClipFile(file, { ...whole, pieces }, subject), { message: 'gone' })
  t.same(readdirSync(folder), [])
  t.notOk(existsSync(file))
  await writeClipFile(file, whole, subject)
  t.same(readdirSync(folder).sort(), ['clip.mp4', 'clip.mp4.manifest.json'], 'the name is free for the next try')
})

t.test('records that reach into the next, as they were recorded once, are all in the clip, shortened and told', async t => {
  const init = builtInit(), timed = Array.from({ length: 8 }, (_, i) => {
    const fragment = builtFragment({ init, name: `r${i}`, durationMs: 900, isKey: i === 0, decodeTimeMs: i * 500 })
    return timedFragment(init, fragment, { startAt: startAt + i * 500 })
  })
  const { parts, leftOut } = planClip([await slotOf(0, init, startAt, timed)], ALL)
  t.equal(parts.length, 1)
  t.strictSame(leftOut, [])
  const { mp4, result } = await written(parts[0]!)
  t.strictSame(result.records.map(({ shortened }) => shortened === true), [true, true, true, true, true, true, true, false])
  let endTicks = -1
  for (const record of recordsIn(mp4)) {
    const media = record.subarray(RECORD_HEAD_BYTES), [track] = parseMovieFragment(media, media.length)
    t.ok(Number(track!.decodeTimeTicks) >= endTicks, 'none begins before the end of the one before')
    endTicks = Number(track!.decodeTimeTicks) + track!.durationTicks
  }
  t.equal(endTicks, (7 * 500 + 900) * 90, 'and each stands where it was recorded')
})

t.test('frames whose key frame is gone are left out and named', async t => {
  const init = builtInit(), timed = [false, false, true, false].map((isKey, i) =>
    timedFragment(init, builtFragment({ init, name: 'x', isKey, decodeTimeMs: i * 500 }), { startAt: startAt + i * 500 }))
  const { parts, leftOut } = planClip([await slotOf(0, init, startAt, timed)], ALL)
  t.equal(parts[0]!.pieces.length, 2)
  const named = (fromMs: number) => ({ ...range(fromMs, fromMs + 500), why: 'no-key-frame' })
  t.strictSame(leftOut, [named(0), named(500)])
})
