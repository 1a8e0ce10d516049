import { readFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { epochMs } from '../../../src/domain/index.ts'
import type { Taken } from '../../../src/export/index.ts'
import { parseMovieFragment } from '../../../src/media/index.ts'
import { RECORD_HEAD_BYTES } from '../../../src/slots/index.ts'
import { realFootage, builtFragment, builtInit, footageOf, timedFragment, type Footage } from '../../support/fragments.ts'
import { cutRecord, keptIn, samplesOf } from '../../../src/export/package/cut.ts'
import { gapsOf } from '../../../src/export/package/gaps.ts'
import { VideoCheck } from '../../../src/export/package/verify-video.ts'
import { at, DOOR, execute, inARow, openFence, Shelf, span, take } from './support.ts'

interface Packet { readonly pts_time: string, readonly flags: string, readonly data_hash: string, readonly codec_type: string }
/** What ffprobe reads of a file, and every word it says about it. */
async function probed(file: string): Promise<{ readonly pictures: Packet[], readonly sounds: Packet[], readonly said: string }> {
  const { stdout, stderr } = await execute('ffprobe', ['-v', 'warning', '-show_packets', '-show_data_hash', 'sha256', '-of', 'json', file], { maxBuffer: 64 << 20, timeout: 60_000 })
  const { packets } = JSON.parse(stdout) as { packets: Packet[] }
  return { pictures: packets.filter(packet => packet.codec_type === 'video'), sounds: packets.filter(packet => packet.codec_type === 'audio'), said: stderr }
}

/** Every picture that was recorded, by content, with all instants it was recorded at. */
async function sourceOf(t: Test, shelf: Shelf): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>()
  const { createHash } = await import('node:crypto')
  for (const { footage, position, bytes } of shelf.records()) {
    for (const samples of samplesOf(bytes, footage.init, footage.entries[position]!)) {
      for (const { isVideo, sample, showAt } of samples) {
        if (!isVideo) continue
        const hash = `SHA256:${createHash('sha256').update(bytes.subarray(RECORD_HEAD_BYTES + sample.dataAt, RECORD_HEAD_BYTES + sample.dataAt + sample.sizeBytes)).digest('hex')}`
        found.set(hash, [...found.get(hash) ?? [], showAt])
      }
    }
  }
  t.ok(found.size > 20, 'the source has pictures')
  return found
}

/** Each picture that came out is one that was recorded inside the range, at the instant the file gives it. */
async function checkFrames(t: Test, folder: string, { videos }: Taken, shelf: Shelf, from: number, to: number): Promise<number> {
  const source = await sourceOf(t, shelf)
  let count = 0
  for (const video of videos) {
    const { pictures, said } = await probed(path.join(folder, video.path))
    if (said !== '') t.fail(`ffprobe says: ${said}`)
    const startMs = Date.parse(video.firstFrameAt), origin = Number(pictures[0]!.pts_time)
    t.equal(pictures.length, video.frames, 'as many pictures as the manifest says')
    t.match(pictures[0]!.flags, /K/, 'it begins with a key frame')
    for (const { pts_time, data_hash } of pictures) {
      const instant = startMs + (Number(pts_time) - origin) * 1000
      const recorded = source.get(data_hash) ?? []
      if (!recorded.some(when => Math.abs(when - instant) <= 2)) t.fail(`a picture at ${instant} was not recorded then: ${recorded.join()}`)
      if (!recorded.some(when => when >= from && when < to)) t.fail(`a picture of ${recorded.join()} left the range ${from} to ${to}`)
      count += 1
    }
  }
  return count
}

for (const options of [{ codec: 'h264' }, { codec: 'h265' }, { codec: 'h264', sound: true }] as const) {
  t.test(`${options.codec}${'sound' in options ? ' with sound' : ''}: begins at the first key frame inside and ends before the first picture outside`, async t => {
    const footage = await realFootage({ ...options, width: 320, height: 180, seconds: 4 })
    const shelf = new Shelf()
    const puts = inARow(footage, footage.count)
    await shelf.add(footage, puts.slice(0, 3))
    await shelf.add(footage, puts.slice(3))
    for (const [i, [fromMs, toMs]] of ([[0, 4000], [1, 3001], [500, 2750], [999, 2000], [1000, 2001], [1001, 3467]] as const).entries()) {
      const folder = path.join(t.testdir(), String(i)), range = span(fromMs, toMs)
      const taken = await take(shelf, folder, { range })
      const frames = await checkFrames(t, folder, taken, shelf, range.startAt, range.endAt)
      const recorded = [...shelf.records()].flatMap(({ footage: of, position, bytes }) => samplesOf(bytes, of.init, of.entries[position]!).flat().filter(({ isVideo }) => isVideo))
      const firstKey = recorded.find(({ showAt, sample }) => sample.isKey && showAt >= range.startAt)!.showAt
      t.equal(frames, recorded.filter(({ showAt }) => showAt >= firstKey && showAt < range.endAt).length, `${fromMs} to ${toMs}: every picture from the first key frame on`)
      t.equal(shelf.opened, shelf.closed, 'readers are closed')
    }
  })
}

t.test('pre-roll leaves only where it was granted, and is listed', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
  const shelf = new Shelf()
  await shelf.add(footage, inARow(footage, footage.count))
  const range = span(1700, 3000)
  const without = await take(shelf, path.join(t.testdir(), 'a'), { range })
  t.equal(without.videos[0]!.firstFrameAt, new Date(at(2000)).toISOString())
  t.equal(without.videos[0]!.preRoll, null)
  const folder = path.join(t.testdir(), 'b')
  const taken = await take(shelf, folder, { range, preRollMs: 15_000 })
  t.equal(taken.videos.length, 1)
  t.same(taken.videos[0]!.preRoll, { from: new Date(at(1000)).toISOString(), to: new Date(at(1700)).toISOString() })
  t.equal(await checkFrames(t, folder, taken, shelf, at(1000), range.endAt), 30)
  const withSound = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4, sound: true }), heard = new Shelf(), place = path.join(t.testdir(), 'd')
  await heard.add(withSound, inARow(withSound, withSound.count))
  const { videos: [video] } = await take(heard, place, { range, preRollMs: 15_000 })
  const check = new VideoCheck(video!, [range, { startAt: epochMs(Date.parse(video!.preRoll!.from)), endAt: range.startAt }])
  check.take(readFileSync(path.join(place, video!.path)))
  t.match(check.end(), { fault: null, outside: null }, 'the list of what went before holds its sound too')
  await t.rejects(take(shelf, path.join(t.testdir(), 'c'), { range, preRollMs: 15_000, leave: openFence(range) }), { code: 'CUSTOS_COPY_FENCED', why: 'outside-range' }, 'the fence has the last word')
})

t.test('a gap, another run and another format each begin a file; rot is a gap with its cause', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 }), other = await realFootage({ codec: 'h265', width: 320, height: 180, seconds: 4 })
  const shelf = new Shelf()
  await shelf.add(footage, [...inARow(footage, 4), ...inARow(footage, 4, { run: 2, fromMs: 7_000 })])
  await shelf.add(other, inARow(other, 4, { run: 3, fromMs: 9_100 }))
  await shelf.add(footage, inARow(footage, 8, { run: 4, fromMs: 12_000 }))
  shelf.rotten.add('2/3')
  const folder = t.testdir()
  const { videos, unreadable } = await take(shelf, folder, { range: span(0, 20_000) })
  t.same(videos.map(video => [Date.parse(video.firstFrameAt) - at(0), video.codec.slice(0, 4), video.frames]), [[0, 'avc1', 30], [7_000, 'avc1', 30], [9_100, 'hvc1', 30], [12_000, 'avc1', 23], [14_000, 'avc1', 30]].map(([a, b, c]) => [a, b === 'hvc1' ? videos[2]!.codec.slice(0, 4) : b, c]))
  t.match(videos[2]!.codec, /^h(vc|ev)1\.1\.6\.[LH]\d+/)
  t.equal(unreadable.length, 1)
  const frames = await checkFrames(t, folder, { videos, unreadable, hadFootage: true, cameraOffsets: [] }, shelf, at(0), at(20_000))
  t.equal(frames, videos.reduce((sum, video) => sum + video.frames, 0))
  t.same(await take(shelf, path.join(folder, 'door'), { range: span(0, 20_000), camera: DOOR }), { videos: [], unreadable: [], hadFootage: false, cameraOffsets: [] }, 'another camera has nothing')
})

t.test('footage on a disk that is not in use is a gap that says so, and is called neither damaged nor overwritten', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 }), range = span(0, 24_000), shelf = new Shelf()
  for (const fromMs of [0, 8_000, 16_000]) await shelf.add(footage, inARow(footage, 4, { fromMs, run: fromMs + 1 }))
  shelf.away.add(1)
  const taken = await take(shelf, t.testdir(), { range })
  t.equal(taken.videos.length, 2)
  const gaps = gapsOf({ range, taken, noted: [], of: { cameraId: 'lobby', cameraName: '大廳', stream: 'main' } })
  t.match(gaps.map(({ from, cause }) => [Date.parse(from) - at(0), cause.code]), [[2_000, 'no-footage'], [8_000, 'volume-away'], [10_000, 'no-footage'], [18_000, 'no-footage']])
})

t.test('a copy that waited for recording longer than a lease lasts takes all the same: only what was really reused meanwhile is lost', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 }), puts = inARow(footage, 8), range = span(0, 30_000)
  for (const [readsByOpening, opened] of [[[3, 2, Infinity], 3], [[1], 8]] as const) {
    const shelf = new Shelf(), folder = t.testdir({})
    await shelf.add(footage, puts)
    shelf.readsByOpening = readsByOpening
    const taken = await take(shelf, folder, { range })
    t.match([taken.unreadable, taken.videos.length, taken.videos[0]?.records.length], [[], 1, 8], `${readsByOpening.join()} reads: nothing is called damaged`)
    t.same([shelf.opened, shelf.closed], [opened, opened])
  }
  const shelf = new Shelf()
  await shelf.add(footage, puts)
  shelf.readsByOpening = [3, -1]
  const taken = await take(shelf, t.testdir({}), { range })
  t.same([taken.unreadable[0]?.startAt, taken.videos.map(({ records }) => records.length)], [at(puts[3]!.atMs), [3]], 'reused')
  t.same([shelf.opened, shelf.closed], [2, 1], 'asked once')
})

t.test('a grant that ends while a copy is taken ends the copy', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
  const shelf = new Shelf()
  await shelf.add(footage, inARow(footage, footage.count))
  let asked = 0
  const leave = () => ++asked > 5 ? { ok: false, why: 'no-grant' } as const : { ok: true, isPreRoll: false } as const
  await t.rejects(take(shelf, t.testdir(), { range: span(0, 4000), leave }), { code: 'CUSTOS_COPY_FENCED' })
  t.equal(shelf.opened, shelf.closed)
  const stop = new AbortController()
  stop.abort(new Error('stopped'))
  await t.rejects(take(shelf, path.join(t.testdir(), 'x'), { signal: stop.signal }), /stopped/)
})

t.test('an open slot is taken as far as it stands, and says so', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
  const shelf = new Shelf()
  await shelf.add(footage, inARow(footage, 4), { isSealed: false })
  const { videos: [video] } = await take(shelf, t.testdir())
  t.same([video!.frames, video!.segments[0]!.isSealed, video!.segments[0]!.leaves], [30, false, 4])
})

t.test('boxes of the export format stand in the file, and say nothing of the network', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
  const shelf = new Shelf(), folder = t.testdir()
  await shelf.add(footage, inARow(footage, 2))
  const { videos: [video] } = await take(shelf, folder)
  const bytes = readFileSync(path.join(folder, video!.path))
  for (const word of ['suep', 'cstb', 'loci', '林承辦', '一樓大廳']) t.ok(bytes.includes(word), word)
  const startAt = bytes.readBigUInt64BE(bytes.indexOf('cstb') + 4 + 4 + 4 + 4)
  t.equal(Number(startAt / 10_000n) - 11_644_473_600_000, Date.parse(video!.firstFrameAt), 'the corrected start, 100 ns since 1601')
  t.equal((await probed(path.join(folder, video!.path))).said, '')
  const nowhere = path.join(folder, 'nowhere')
  const without = await take(shelf, nowhere, { location: null })
  t.notOk(readFileSync(path.join(nowhere, without.videos[0]!.path)).includes('loci'), 'an unknown place is not written as one')
})

/** A fragment whose pictures are shown in another order than they are decoded, as cameras with B frames send. */
function reordered(footage: Footage, offsets: readonly number[]): { readonly record: Buffer, readonly footage: Footage } {
  const fragment = footage.fragment(0)
  const record = Buffer.concat([Buffer.alloc(RECORD_HEAD_BYTES), fragment.buffer.subarray(fragment.moofAt, fragment.endAt)])
  const trun = record.indexOf('trun') + 4
  const flags = record.readUInt32BE(trun)
  record.writeUInt32BE((flags & 0x00ffffff) | 0x01000000, trun)
  t.ok(offsets.length > 0)
  return { record, footage }
}

t.test('cutting keeps a prefix in decode order, loses no byte of what stays, and lets nothing outside pass', async () => {
  const init = builtInit({ sound: true })
  fc.assert(fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: -100, max: 700 }), fc.integer({ min: -100, max: 700 }), fc.boolean(), (frames, fromMs, toMs, isKey) => {
    const footage = { init, count: 1, fragment: () => builtFragment({ init, name: 'cut', frames, isKey, decodeTimeMs: 5000 }) }
    const { record } = reordered(footage, [0])
    const entry = { startAt: at(0), decodeTimeTicks: 450_000n }
    const samples = samplesOf(record, init, entry), kept = keptIn(samples, at(fromMs), at(toMs))
    const whole = samples.flat()
    if (whole.some(({ showAt }, i) => kept.flat()[i] === true && (showAt < at(fromMs) || showAt >= at(toMs)))) return false
    const cut = cutRecord(record, kept)
    if (cut === null) return kept.flat().every(each => !each)
    const left = samplesOf(cut, init, entry)
    const stays = whole.filter((_, i) => kept.flat()[i])
    const bytesOf = (from: Buffer, dataAt: number, sizeBytes: number) => from.subarray(RECORD_HEAD_BYTES + dataAt, RECORD_HEAD_BYTES + dataAt + sizeBytes)
    return left.flat().length === stays.length && left.flat().every(({ sample, showAt }, i) => {
      const before = stays[i]!
      return Math.abs(showAt - before.showAt) <= 1 && bytesOf(cut, sample.dataAt, sample.sizeBytes).equals(bytesOf(record, before.sample.dataAt, before.sample.sizeBytes))
    })
  }), { numRuns: 500 })
})

t.test('pictures decoded inside and shown outside go, with all that is decoded after them', async t => {
  const sample = (decodeAt: number, showAt: number, isVideo = true) => ({ trackId: 1, isVideo, sample: { durationTicks: 1, sizeBytes: 1, isKey: false, compositionOffsetTicks: 0, dataAt: 0 }, decodeAt: epochMs(decodeAt), showAt: epochMs(showAt), endAt: epochMs(showAt + 40) })
  t.same(keptIn([[sample(0, 40), sample(40, 160), sample(80, 80), sample(120, 120)]], 0, 150), [[true, false, false, false]], 'a forward reference is shown too late: what refers to it goes along')
  t.same(keptIn([[sample(1000, 1080), sample(1040, 990), sample(1080, 1120)]], 1000, 2000), [[true, false, true]], 'a leading picture of an open group is shown before the range')
  t.same(keptIn([[sample(-10, -10, false), sample(10, 10, false), sample(30, 30, false)]], 0, 30), [[false, true, false]])
})

t.test('what real B frames leave behind decodes without a word', async t => {
  const file = path.join(t.testdir(), 'b.mp4')
  await execute('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-t', '3', '-c:v', 'libx264', '-preset', 'medium', '-threads', '1', '-g', '25', '-bf', '3', '-pix_fmt', 'yuv420p',
    '-movflags', '+frag_keyframe+empty_moov+default_base_moof', '-frag_duration', '500000', file], { timeout: 60_000 })
  const footage = footageOf(readFileSync(file))
  t.ok(Array.from({ length: footage.count }, (_, i) => footage.fragment(i)).some(fragment => fragment.tracks[0]!.samples.some(sample => sample.compositionOffsetTicks !== 0)), 'they are shown in another order')
  const shelf = new Shelf()
  let atMs = 0
  const puts = Array.from({ length: footage.count }, (_, position) => {
    const put = { position, run: 1, atMs }
    atMs += timedFragment(footage.init, footage.fragment(position), { startAt: 0 }).durationMs
    return put
  })
  await shelf.add(footage, puts)
  for (const toMs of [1213, 1500, 1777, 2040, 2333]) {
    const folder = path.join(t.testdir(), String(toMs)), range = span(0, toMs)
    const { videos } = await take(shelf, folder, { range })
    const { stderr } = await execute('ffmpeg', ['-v', 'warning', '-i', path.join(folder, videos[0]!.path), '-f', 'null', '-'], { timeout: 30_000 })
    t.equal(stderr, '', `decodes to the end when cut at ${toMs}`)
    const bytes = readFileSync(path.join(folder, videos[0]!.path)), last = videos[0]!.records.at(-1)!
    const record = bytes.subarray(last.offset, last.offset + last.bytes), media = record.subarray(RECORD_HEAD_BYTES)
    const [track] = parseMovieFragment(media, media.length)
    let ticks = track!.decodeTimeTicks
    for (const each of track!.samples) {
      if (Number(ticks) + each.compositionOffsetTicks >= (toMs + 0.5) * footage.init.video.timescale / 1000) t.fail('a picture is shown after the end')
      ticks += BigInt(each.durationTicks)
    }
  }
})

t.test('each file names the device that stood there when it was recorded', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 }), shelf = new Shelf(), folder = t.testdir()
  await shelf.add(footage, inARow(footage, 4))
  await shelf.add(footage, inARow(footage, 4, { run: 2, fromMs: 7_000 }))
  await shelf.add(footage, inARow(footage, 4, { run: 3, fromMs: 12_000 }))
  shelf.devices.push({ fromMs: 6_900, maker: 'Bravo', model: 'B2', firmware: '7' }, { fromMs: 11_900, maker: 'Bravo', model: 'B2', firmware: '8' })
  const { videos } = await take(shelf, folder, { range: span(0, 20_000) })
  t.same(videos.map(({ maker, model, firmware }) => [maker, model, firmware]), [['ACME', 'X1', '1.2.3'], ['Bravo', 'B2', '7'], ['Bravo', 'B2', '8']])
})

t.test('manifest facts: records tile the file, cut ones say so, paths lead to the root', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })
  const shelf = new Shelf(), folder = t.testdir()
  await shelf.add(footage, inARow(footage, 8))
  const { videos: [video] } = await take(shelf, folder, { range: span(0, 2_200) })
  t.same(video!.records.map(({ cut }) => cut), [false, false, false, false, true])
  t.equal(video!.records.reduce((end, record) => { t.equal(record.offset, end); return end + record.bytes }, video!.records[0]!.offset), video!.bytes)
  t.same([video!.fps, video!.maker, video!.mediaSigning], ['15.000', 'ACME', 'none'])
  t.equal(Date.parse(video!.endAt) <= epochMs(at(2_200)) + 67, true)
})

t.test('what stands before the first key frame of one a minute is told as that, not as never recorded', async t => {
  const footage = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 }), shelf = new Shelf()
  const keyless = Array.from({ length: 60 }, (_, i) => ({ position: 1, run: 1, atMs: i * 500 }))
  await shelf.add(footage, [...keyless, ...inARow(footage, 4, { fromMs: 30_000 })])
  const of = { cameraId: 'lobby', cameraName: '大廳', stream: 'main' }
  for (const [range, causes] of [
    [span(5_000, 32_000), ['before-first-key-frame']], [span(-20_000, 32_000), ['no-footage', 'before-first-key-frame']],
  ] as const) {
    const taken = await take(shelf, t.testdir(), { range })
    t.same(gapsOf({ range, taken, noted: [], of }).map(({ cause }) => cause.code), causes)
  }
})
