import { once } from 'node:events'
import { spawn } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import { MalformedMediaError } from '../../src/media/box.ts'
import { FragmentParser, type Fragment } from '../../src/media/fragment-parser.ts'
import { parseMovieFragment, patchDecodeTime, patchSequenceNumber, MAX_SAMPLES_PER_FRAGMENT } from '../../src/media/movie-fragment.ts'
import { realMedia } from '../support/recorder/real-media.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 500)
const media = await realMedia({ codec: 'libx264', audio: true })
const parsed = new FragmentParser({ headRoomBytes: 0, tailRoomBytes: 0, maxFragmentBytes: 1 << 24 }).push(media)
const fragments = parsed.flatMap(each => each.kind === 'fragment' ? [each.fragment] : [])
const [init] = parsed.flatMap(each => each.kind === 'init' ? [each.init] : [])
const videoOf = (fragment: Fragment) => fragment.tracks.find(track => track.trackId === init!.video.trackId)!

t.test('tells frames, key frames and times as ffprobe does', async t => {
  const child = spawn('ffprobe', ['-v', 'error', '-select_streams', 'v', '-show_entries', 'packet=dts,size,flags', '-of', 'csv=p=0', '-'], { stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.on('error', () => undefined)
  child.stdin.end(media)
  const [lines] = await Promise.all([child.stdout.setEncoding('utf8').toArray(), once(child, 'close')])
  const seen = lines.join('').trim().split('\n').map(line => { const [dts, size, flags] = line.split(','); return [Number(dts), Number(size), flags!.startsWith('K')] })
  const ours = fragments.flatMap(fragment => {
    let at = Number(videoOf(fragment).decodeTimeTicks)
    return videoOf(fragment).samples.map(({ durationTicks, sizeBytes, isKey }) => { at += durationTicks; return [at - durationTicks, sizeBytes, isKey] })
  })
  t.equal(seen.length, 30)
  t.strictSame(ours, seen)
})

t.test('every sample lies in its fragment, behind the moof, and none overlaps another', async t => {
  for (const { tracks, moofBytes, endAt } of fragments) {
    const spans = tracks.flatMap(track => track.samples.map(({ dataAt, sizeBytes }) => [dataAt, dataAt + sizeBytes] as const)).sort((a, b) => a[0] - b[0])
    t.ok(spans[0]![0] >= moofBytes + 8)
    t.equal(spans.at(-1)![1], endAt)
    for (const [i, [from]] of spans.entries()) if (i > 0) t.ok(from >= spans[i - 1]![1])
  }
})

t.test('moves a fragment in time without touching anything else', async t => {
  const [fragment] = fragments
  const copy = Buffer.from(fragment!.buffer)
  patchDecodeTime(copy, 0, videoOf(fragment!), 2n ** 40n + 7n)
  const [after] = parseMovieFragment(copy, copy.length).filter(track => track.trackId === init!.video.trackId)
  t.equal(after!.decodeTimeTicks, 2n ** 40n + 7n)
  patchDecodeTime(copy, 0, videoOf(fragment!), videoOf(fragment!).decodeTimeTicks)
  t.ok(copy.equals(fragment!.buffer))
})

t.test('numbers a fragment without touching anything else', async t => {
  const [fragment] = fragments
  const copy = Buffer.from(fragment!.buffer)
  patchSequenceNumber(copy, 0, fragment!.moofBytes, 0xfffffffe)
  t.equal(copy.readUInt32BE(copy.indexOf('mfhd') + 8), 0xfffffffe)
  t.equal([...copy].filter((byte, i) => byte !== fragment!.buffer[i]).length, 4)
})

t.test('refuses what a muxer with default_base_moof does not write', async t => {
  const [fragment] = fragments
  const changed = (type: string, at: number, write: (buffer: Buffer, at: number) => void) => () => {
    const copy = Buffer.from(fragment!.buffer)
    write(copy, copy.indexOf(type) + 4 + at)
    return parseMovieFragment(copy, copy.length)
  }
  const cases: Record<string, () => unknown> = {
    'a base offset of its own': changed('tfhd', 3, (buffer, at) => { buffer[at] = (buffer[at] ?? 0) | 1 }),
    'no base at the moof': changed('tfhd', 1, (buffer, at) => { buffer[at] = 0 }),
    'a decode time of 32 bits': changed('tfdt', 0, (buffer, at) => { buffer[at] = 0 }),
    'no sample': changed('trun', 4, (buffer, at) => { buffer.writeUInt32BE(0, at) }),
    'too many samples': changed('trun', 4, (buffer, at) => { buffer.writeUInt32BE(MAX_SAMPLES_PER_FRAGMENT + 1, at) }),
    'more samples than rows': changed('trun', 4, (buffer, at) => { buffer.writeUInt32BE(MAX_SAMPLES_PER_FRAGMENT, at) }),
    'data before the moof': changed('trun', 8, (buffer, at) => { buffer.writeInt32BE(-1, at) }),
    'data behind the fragment': changed('trun', 8, (buffer, at) => { buffer.writeInt32BE(0x7fffffff, at) }),
    'no sample run': changed('trun', -4, (buffer, at) => { buffer.write('free', at) }),
    'no track': () => { const copy = Buffer.from(fragment!.buffer.toString('latin1').replaceAll('traf', 'free'), 'latin1'); return parseMovieFragment(copy, copy.length) },
  }
  for (const [what, parse] of Object.entries(cases)) t.throws(parse, { name: 'MalformedMediaError' }, what)
})

t.test('any change of a moof reads as another fragment within bounds, or is malformed', async () => {
  const { buffer, moofBytes } = fragments[1]!
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(moofBytes - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }), changes => {
    const copy = Buffer.from(buffer)
    for (const [at, value] of changes) copy[at] = value
    try {
      return parseMovieFragment(copy, copy.length).every(track => track.samples.length <= MAX_SAMPLES_PER_FRAGMENT
        && track.samples.every(({ dataAt, sizeBytes }) => dataAt >= 0 && dataAt + sizeBytes <= copy.length))
    } catch (error) {
      if (error instanceof MalformedMediaError) return true
      throw error
    }
  }), runs)
})
