import t from 'tap'
import fc from 'fast-check'
import { holeTicks, repairFrameTimes, usualFrameTicks } from '../../src/ingest/frame-times.ts'
import { FragmentParser, parseMovieFragment, type Fragment, type InitSegment, type TrackFragment } from '../../src/media/index.ts'
import { realMedia } from '../support/recorder/real-media.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 200)
const media = await realMedia({ codec: 'libx264', seconds: 3 })
const [first, ...others] = new FragmentParser({ headRoomBytes: 16, tailRoomBytes: 8, maxFragmentBytes: 1 << 24 }).push(media)
if (first?.kind !== 'init') throw new Error('no init segment')
const video = { ...(first.init as InitSegment).video, timescale: 90_000 }
// What ffmpeg's muxer writes when durations differ: one field a sample.
const real = others.flatMap(each => each.kind === 'fragment' ? [each.fragment] : [])

/** A real fragment whose frames are given these durations, in bytes as in facts. */
function withDurations(durations: readonly number[], startTicks = 0): { fragment: Fragment, track: TrackFragment } {
  const count = durations.length
  const traf = 8 + 16 + 20 + (8 + 12 + count * 8)
  const moofBytes = 8 + 16 + traf
  const moof = Buffer.alloc(moofBytes)
  let at = 0
  const box = (type: string, sizeBytes: number) => { moof.writeUInt32BE(sizeBytes, at); moof.write(type, at + 4); at += 8 }
  const u32 = (...values: readonly number[]) => { for (const value of values) at = moof.writeUInt32BE(value, at) }
  box('moof', moofBytes)
  box('mfhd', 16); u32(0, 1)
  box('traf', traf)
  box('tfhd', 16); u32(0x020000, 1)
  box('tfdt', 20); u32(0x01000000); at = moof.writeBigUInt64BE(BigInt(startTicks), at)
  box('trun', 20 + count * 8); u32(0x000301, count, moofBytes + 8)
  for (const ticks of durations) u32(ticks, 1)
  const mdat = Buffer.alloc(8 + count)
  mdat.writeUInt32BE(mdat.length, 0); mdat.write('mdat', 4)
  const buffer = Buffer.concat([Buffer.alloc(16), moof, mdat])
  const [track] = parseMovieFragment(buffer.subarray(16), buffer.length - 16)
  return { fragment: { buffer, moofAt: 16, moofBytes, endAt: buffer.length, tracks: [track!] }, track: track! }
}

const writtenDurations = ({ buffer, moofAt }: Fragment) => parseMovieFragment(buffer.subarray(moofAt), buffer.length - moofAt)[0]!.samples.map(sample => sample.durationTicks)

t.test('a first frame without a time, as GStreamer sends it, is moved before the run and the next one back where it was', async t => {
  const { fragment, track } = withDurations([1, 5999, 6000, 6000, 6000])
  const times = repairFrameTimes(fragment, track, video, true, null)
  t.equal(times.startTicks, -6000)
  t.equal(times.durationTicks, 30_000)
  t.strictSame(writtenDurations(fragment), [6000, 6000, 6000, 6000, 6000])
  t.equal(times.releasedAtTicks, 24_000)
  t.equal(times.wentBackwards, false)
})

t.test('a first frame without a time in a fragment of two frames is repaired too', async t => {
  const { fragment, track } = withDurations([1, 5999])
  t.match(repairFrameTimes(fragment, track, video, true, null), { durationTicks: 2 * 5999 + 1 })
  const [before, after] = writtenDurations(fragment)
  t.ok(Math.abs(before! - 6000) <= 1 && Math.abs(after! - 6000) <= 1)
})

t.test('frames squeezed by a clock that went backwards stand at the usual distance and are told', async t => {
  const { fragment, track } = withDurations([1, 1, 1, 1, 1, 1], 900_000)
  const times = repairFrameTimes(fragment, track, video, false, 6000)
  t.match(times, { startTicks: 900_000, durationTicks: 36_000, wentBackwards: true })
  t.strictSame(writtenDurations(fragment), [6000, 6000, 6000, 6000, 6000, 6000])
})

t.test('a jump that squeezes the smaller part of a fragment is repaired without alarm', async t => {
  const { fragment, track } = withDurations([6000, 6000, 6000, 6000, 1, 1], 900_000)
  t.match(repairFrameTimes(fragment, track, video, false, 6000), { wentBackwards: false, durationTicks: 36_000 })
})

t.test('normal fragments are untouched, at any frame rate', async () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 750, max: 90_000 }), { minLength: 1, maxLength: 60 }), fc.nat(2 ** 40), fc.boolean(), (durations, startTicks, isFirst) => {
    const { fragment, track } = withDurations(durations, startTicks)
    const before = Buffer.from(fragment.buffer)
    const times = repairFrameTimes(fragment, track, video, isFirst, null)
    return fragment.buffer.equals(before) && times.startTicks === startTicks && !times.wentBackwards
      && times.durationTicks === durations.reduce((sum, ticks) => sum + ticks, 0)
      && times.releasedAtTicks <= times.startTicks + times.durationTicks
      && times.holes.length === 0 // nothing is known of its rate, and no frame stands for over a second
  }), runs)
})

t.test('real fragments of ffmpeg are untouched', async t => {
  let usualTicks: number | null = null
  for (const [i, fragment] of real.entries()) {
    const before = Buffer.from(fragment.buffer)
    const track = fragment.tracks[0]!
    const times = repairFrameTimes(fragment, track, video, i === 0, usualTicks)
    usualTicks = usualFrameTicks(track)
    t.ok(fragment.buffer.equals(before))
    t.equal(times.durationTicks, track.durationTicks)
  }
})

t.test('a hole inside a fragment is told with its place and length, and stays in the times', async t => {
  const { fragment, track } = withDurations([6000, 6000, 300_000, 6000], 60_000)
  t.match(repairFrameTimes(fragment, track, video, false, 6000), { holes: [{ startTicks: 72_000, durationTicks: 300_000 }], durationTicks: 318_000 })
})

t.test('the frame that let go of a fragment was due one usual frame after the last, however long the last stands', async t => {
  const { fragment, track } = withDurations([6000, 6000, 300_000])
  t.equal(repairFrameTimes(fragment, track, video, false, 6000).releasedAtTicks, 18_000)
})

t.test('the usual distance is that of most frames, and unknown where no frame has one', async t => {
  t.equal(usualFrameTicks(withDurations([1, 6000, 6000, 300_000, 6001]).track), 6001)
  t.equal(usualFrameTicks(withDurations([1, 1]).track), null)
})

t.test('frames that are missing inside a fragment are a hole, each, by the rate that the camera had before [G7]', async t => {
  const holesOf = (durations: readonly number[], usual: number | null) => {
    const { fragment, track } = withDurations(durations, 900_000)
    return repairFrameTimes(fragment, track, video, false, usual).holes
  }
  const usual = 6000 // 15 frames a second
  t.strictSame(holesOf([6000, 6000, 8 * 6000, 6000, 4 * 6000], usual), [{ startTicks: 912_000, durationTicks: 48_000 }, { startTicks: 966_000, durationTicks: 24_000 }], 'seven frames, and three, at their places')
  t.strictSame(holesOf([6000, 2 * 6000, 6000], usual), [], 'a single late frame may be the camera\'s own clock')
  t.strictSame(holesOf([90_000, 90_000], 90_000), [], 'one a second is a rate')
  t.strictSame(holesOf([3 * 90_000], 90_000).length, 1, 'and three seconds are a hole at any rate')
  t.strictSame(holesOf([90_000], null), [])
})

t.test('the bound of a hole follows the rate, between a fifth of a second and one and a half', async () => {
  fc.assert(fc.property(fc.double({ min: 1, max: 1e6, noNaN: true }), fc.constantFrom(1000, 12_800, 15_360, 90_000), (usual, timescale) => {
    const ms = holeTicks(usual, timescale) * 1000 / timescale
    return ms >= 200 - 1e-6 && ms <= 1500 + 1e-6 && (holeTicks(usual * 2, timescale) >= holeTicks(usual, timescale)) && holeTicks(null, timescale) === 1.5 * timescale
  }), runs)
})
