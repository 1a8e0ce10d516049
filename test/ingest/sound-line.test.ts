import fc from 'fast-check'
import t from 'tap'
import { SoundLine, type SoundPart } from '../../src/ingest/sound-line.ts'
import { buildFragmentIn, parseMovieFragment, type Fragment } from '../../src/media/index.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 200)
const TIMESCALE = 16_000, SAMPLE_TICKS = 1024, SAMPLE_MS = SAMPLE_TICKS * 1000 / TIMESCALE

/**
 * As the sound's session brings it: samples that say their number, each as long as its neighbours whatever
 * the camera's clock did.
 */
function fragmentOf(
  first: number, count: number, lengths: (i: number) => number = () => SAMPLE_TICKS
): Fragment {
  const data = Buffer.concat(
    Array.from({ length: count }, (_, i) => Buffer.from(String(first + i).padStart(6, '0')))
  )
  const samples = Array.from(
    { length: count },
    (_, i) => (
      { durationTicks: lengths(i), sizeBytes: 6, isKey: true, compositionOffsetTicks: 0, dataAt: i * 6 }
    )
  )
  const place = { headRoomBytes: 0, tailRoomBytes: 0, allocate: (bytes: number) => Buffer.alloc(bytes) }
  const built = buildFragmentIn(1, [{ trackId: 1, decodeTimeTicks: 0n, samples, data }], place)
  return { ...built, tracks: parseMovieFragment(built.buffer, built.buffer.length) }
}

const numbersOf = (parts: readonly (SoundPart | null)[]): number[] =>
  parts.flatMap(
    part => part === null ? [] : part.samples.map(
      ({ dataAt }) => Number(part.data.toString('latin1', dataAt, dataAt + 6))
    )
  )

t.test('sound that comes evenly lies side by side and is handed out once, whatever the pictures\' records are', async () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 10, max: 900 }), { minLength: 5, maxLength: 40 }), fc.nat(60), (recordsMs, jitterMs) => {
    const line = new SoundLine(TIMESCALE), parts: (SoundPart | null)[] = []
    let sent = 0, atMs = 1000
    for (const lengthMs of recordsMs) {
      atMs += lengthMs
      const due = Math.floor((atMs - 1000) / SAMPLE_MS)
      if (due > sent) line.add(fragmentOf(sent, due - sent), atMs + sent % 2 * jitterMs)
      sent = Math.max(sent, due)
      parts.push(line.takeUntil(atMs))
    }
    for (let more = 0; more < 20; more++) parts.push(line.takeUntil(1e9))
    const numbers = numbersOf(parts), taken = parts.filter(part => part !== null)
    return numbers.length === sent && numbers.every((n, i) => n === i)
      && taken.every(
        (part, i) => i === 0
          || part.startTicks === taken[i - 1]!.startTicks + taken[i - 1]!.samples.length * SAMPLE_TICKS
      )
  }), runs)
})

t.test('where sound was lost or its clock stepped it stands by its arrival, and never goes back', async () => {
  fc.assert(fc.property(fc.array(fc.record({ waitMs: fc.nat(20_000), count: fc.integer({ min: 1, max: 40 }), step: fc.nat(1_000_000) }), { minLength: 1, maxLength: 30 }), all => {
    const line = new SoundLine(TIMESCALE)
    let atMs = 0, endTicks = -Infinity
    for (const { waitMs, count, step } of all) {
      atMs += waitMs
      line.add(fragmentOf(0, count, i => i === 1 ? step + 1 : SAMPLE_TICKS), atMs)
      for (let part = line.takeUntil(atMs); part !== null; part = line.takeUntil(atMs)) {
        if (part.startTicks < endTicks || part.samples.length === 0) return false
        endTicks = part.startTicks + part.samples.reduce((sum, { durationTicks }) => sum + durationTicks, 0)
        if (part.startTicks > atMs * TIMESCALE / 1000) return false
      }
    }
    return true
  }), runs)
})

t.test('sound without pictures is dropped beyond a bound', async t => {
  const line = new SoundLine(TIMESCALE)
  for (let i = 0; i < 100; i++) line.add(fragmentOf(i * 100, 100), 1000 + (i + 1) * 100 * SAMPLE_MS)
  t.equal(line.takeUntil(1e9)!.samples.length, 512)
})
