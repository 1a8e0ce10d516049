import { readFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { epochMs, type TimeRange } from '../../../src/domain/index.ts'
import type { ManifestVideo } from '../../../src/export/index.ts'
import { samplesOf } from '../../../src/export/package/cut.ts'
import { VideoCheck } from '../../../src/export/package/verify-video.ts'
import { CameraReader } from '../../../src/viewing/camera-reader.ts'
import { boxesIn, parseMoof } from '../../../web/evidence-player/boxes.ts'
import { frameTable } from '../../../web/evidence-player/frame-table.ts'
import { builtInit, footageOf, fragmentOf, type Footage } from '../../support/fragments.ts'
import { at, execute, inARow, LOBBY, MAIN, Shelf, START_MS, take, type Put } from './support.ts'

/** One frame as it was recorded. Times in units of a millisecond over the timescale, so that none is rounded. */
interface Frame { readonly words: string, readonly isKey: boolean, readonly run: number, readonly decodeAt: bigint, readonly showAt: bigint }
interface Recorded { readonly shelf: Shelf, readonly frames: readonly Frame[], readonly timescale: number }

/** Decode order I P B P B: each offset in frames, so that nothing is shown before it is decoded. */
const B_FRAMES = [1, 2, 0, 2, 0]
const shape = fc.record({
  timescale: fc.constantFrom(1000, 12_800, 15_360, 90_000, 10_000_000), fps: fc.constantFrom(7.5, 15, 24, 25, 29.97, 30), hasBFrames: fc.boolean(),
  runs: fc.array(fc.record({ fragments: fc.integer({ min: 2, max: 5 }), framesEach: fc.integer({ min: 1, max: 8 }), moveMs: fc.integer({ min: -1500, max: 2500 }), drift: fc.double({ min: -0.0005, max: 0.0005, noNaN: true }) }), { minLength: 1, maxLength: 3 }),
})

async function record({ timescale, fps, hasBFrames, runs }: typeof shape extends fc.Arbitrary<infer T> ? T : never): Promise<Recorded> {
  const init = builtInit({ timescale }), durationTicks = Math.max(1, Math.round(timescale / fps))
  const frames: Frame[] = [], puts: Put[] = [], made: ReturnType<typeof fragmentOf>[] = []
  let runAtMs = 0
  for (const [run, { fragments, framesEach, moveMs, drift }] of runs.entries()) {
    let ticks = 0
    runAtMs = Math.max(0, runAtMs + (run === 0 ? 0 : moveMs))
    for (let i = 0; i < fragments; i++) {
      const startAt = Math.round(START_MS + runAtMs + ticks * 1000 / timescale * (1 + drift)) // a record's own time is whole, and slewed
      const isKey = i % 2 === 0, decodeTicks = ticks
      const pictures = Array.from({ length: framesEach }, (_, n) => {
        const words = `frame:${String(frames.length).padStart(5, '0')};`, offsetTicks = hasBFrames ? B_FRAMES[n % B_FRAMES.length]! * durationTicks : 0
        const timeOf = (own: number) => BigInt(startAt) * BigInt(timescale) + BigInt(own - decodeTicks) * 1000n
        frames.push({ words, isKey: isKey && n === 0, run, decodeAt: timeOf(ticks), showAt: timeOf(ticks + offsetTicks) })
        ticks += durationTicks
        return { words, durationTicks, offsetTicks }
      })
      made.push(fragmentOf(init, { decodeTicks, isKey, pictures }))
      puts.push({ position: made.length - 1, run: run + 1, atMs: startAt - START_MS })
    }
    runAtMs += Math.round(ticks * 1000 / timescale)
  }
  const shelf = new Shelf()
  const footage: Footage = { init, count: made.length, fragment: position => ({ ...made[position]!, buffer: Buffer.from(made[position]!.buffer) }) }
  for (const run of new Set(puts.map(put => put.run))) await shelf.add(footage, puts.filter(put => put.run === run))
  return { shelf, frames, timescale }
}

const isIn = ({ startAt, endAt }: TimeRange, scale: bigint) => (instant: bigint): boolean => instant >= BigInt(startAt) * scale && instant < BigInt(endAt) * scale

/** What a range owes: in each run from a key frame inside on, up to the first frame outside. */
function owed({ frames, timescale }: Recorded, range: TimeRange): string[] {
  const inside = isIn(range, BigInt(timescale))
  let chain = false, run = -1
  return frames.filter(frame => {
    const isInside = inside(frame.decodeAt) && inside(frame.showAt)
    chain = isInside && (frame.isKey || (chain && frame.run === run))
    run = frame.run
    return chain
  }).map(({ words }) => words).sort()
}

const wordsIn = (bytes: Uint8Array): string[] => Buffer.from(bytes).toString('latin1').match(/frame:\d{5};/g) ?? []

async function viewed({ shelf }: Recorded, range: TimeRange): Promise<string[]> {
  const fence = (instant: number) => instant >= range.startAt && instant < range.endAt ? 'inside' as const : 'outside' as const
  await using reader = new CameraReader({
    shelf, camera: LOBBY, stream: MAIN, ranges: [range], isPreRollAllowed: false, originAt: at(-60_000), fence,
  }, range.startAt)
  const seen: string[] = []
  for (let told = await reader.next(); told !== null; told = await reader.next()) if (told.kind === 'piece') seen.push(...wordsIn(told.bytes))
  return seen.sort()
}

/** Frames of a written file with the instants that the offline player gives them. */
function played(file: Buffer, { records }: ManifestVideo, timescale: number): { readonly words: string, readonly wallMs: number }[] {
  return records.flatMap(({ at: iso, offset, bytes }, position) => {
    const record = new Uint8Array(file.subarray(offset, offset + bytes)), moof = boxesIn(record, 0, record.length).find(box => box.type === 'moof')!
    const [pictures] = parseMoof(record, moof).tracks
    const table = frameTable(pictures!, timescale, { atMs: Date.parse(iso) }, position, 0)
    const inOrder = pictures!.frames.map((frame, index) => ({ frame, words: wordsIn(record)[index]! })).toSorted((a, b) => a.frame.pts - b.frame.pts)
    return inOrder.map(({ words }, index) => ({ words, wallMs: table[index]!.wallMs }))
  })
}

t.test('[G5] whatever the timescale and wherever the edges, viewing, copying, manifest and player have one rule: the millisecond a frame begins in', async t => {
  const root = t.testdir()
  let made = 0, frames = 0, onTheEdge = 0
  await fc.assert(fc.asyncProperty(shape, fc.nat(), fc.nat(), fc.integer({ min: -1, max: 1 }), fc.integer({ min: -1, max: 1 }), fc.boolean(), async (given, one, other, shiftFrom, shiftTo, isShown) => {
    const recorded = await record(given), scale = BigInt(recorded.timescale)
    const msOf = (pick: number): number => { const frame = recorded.frames[pick % recorded.frames.length]!; return Number((isShown ? frame.showAt : frame.decodeAt) / scale) }
    const [from, to] = [msOf(one) + shiftFrom, msOf(other) + shiftTo].sort((a, b) => a - b) as [number, number]
    if (from === to) return
    const range = { startAt: epochMs(from), endAt: epochMs(to) }
    const due = owed(recorded, range), inside = isIn(range, scale)
    const instants = new Map(recorded.frames.map(frame => [frame.words, frame]))
    if (recorded.frames.some(({ decodeAt }) => decodeAt === BigInt(from) * scale || decodeAt === BigInt(to) * scale)) onTheEdge++
    const folder = path.join(root, String(made++))
    const { videos } = await take(recorded.shelf, folder, { range })
    const copied = videos.flatMap(video => {
      const file = readFileSync(path.join(folder, video.path)), shown = played(file, video, recorded.timescale)
      if (shown.length !== video.frames) throw new Error(`the manifest says ${video.frames} frames, the file has ${shown.length}`)
      if (Date.parse(video.firstFrameAt) < from || Date.parse(video.firstFrameAt) >= to) throw new Error('the manifest names a first frame outside')
      for (const { words, wallMs } of shown) {
        const exact = Number(instants.get(words)!.showAt / scale)
        if (wallMs !== exact) throw new Error(`${words} begins in ${exact}, the player says ${wallMs}`)
      }
      const check = new VideoCheck(video, [range])
      check.take(file)
      const { fault, outside } = check.end()
      if (fault !== null || outside !== null) throw new Error(`unsound: ${fault ?? outside}`)
      return shown.map(({ words }) => words)
    }).sort()
    const seen = await viewed(recorded, range)
    for (const [who, words] of [['copying', copied], ['viewing', seen]] as const) {
      const left = words.filter(word => !inside(instants.get(word)!.decodeAt) || !inside(instants.get(word)!.showAt))
      if (left.length > 0) throw new Error(`${who} let out ${left.join()}, which begin outside`)
      if (words.join() !== due.join()) throw new Error(`${who} let out ${words.join()}\nand the range owes ${due.join()}`)
    }
    frames += copied.length
  }), { numRuns: 200 })
  t.ok(frames > 500 && onTheEdge > 50, `${made} ranges, ${frames} frames, ${onTheEdge} times a frame exactly on an edge`)
})

t.test('real fragments: an edge exactly on a frame takes the frame at the start and leaves it out at the end', async t => {
  const root = t.testdir(), file = path.join(root, 'clip.mp4')
  await execute('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=15', '-t', '4', '-c:v', 'libx264', '-preset', 'ultrafast', '-threads', '1', '-g', '15', '-bf', '0', '-pix_fmt', 'yuv420p', '-movflags', '+frag_keyframe+empty_moov+default_base_moof', '-frag_duration', '500000', file], { timeout: 60_000 })
  const footage = footageOf(readFileSync(file)), shelf = new Shelf()
  await shelf.add(footage, inARow(footage, footage.count))
  const frames = [...shelf.records()].flatMap(({ footage: of, position, bytes }) => samplesOf(bytes, of.init, of.entries[position]!).flat()).map(({ showAt, sample }) => ({ at: showAt - START_MS, isKey: sample.isKey }))
  t.same(frames.slice(0, 5).map(frame => frame.at), [0, 66, 133, 200, 266], 'the second of fifteen a second begins at 66 2/3 ms')
  for (const from of frames.filter(({ isKey }) => isKey).map(frame => frame.at).slice(0, 2)) {
    for (const to of frames.map(frame => frame.at).filter(ms => ms > from + 400 && ms < from + 1400)) {
      for (const shift of [0, 1]) {
        const { videos } = await take(shelf, path.join(root, `${from}-${to}-${shift}`), { range: { startAt: at(from), endAt: at(to + shift) } })
        t.equal(videos[0]?.firstFrameAt, new Date(at(from)).toISOString())
        t.equal(videos.reduce((sum, video) => sum + video.frames, 0), frames.filter(frame => frame.at >= from && frame.at < to + shift).length, `${from} to ${to + shift}`)
      }
    }
  }
})
