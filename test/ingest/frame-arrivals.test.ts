import t from 'tap'
import { FrameArrivals } from '../../src/ingest/frame-arrivals.ts'
import { fragmentsOf, oddInit, type SentFrame } from '../support/odd-stream.ts'

/** What is read back of a camera that stamps like this and of which a frame comes each 100 ms. */
function stampsRead(stampOf: (n: number) => number | null, count: number): (number | null)[] {
  const frames = Array.from({ length: count }, (_, n): SentFrame => ({
    arrivedMs: 1000 + n * 100, stampMs: stampOf(n), isKey: n % 20 === 0, isBidirectional: false, sets: [],
  }))
  const init = oddInit(), arrivals = new FrameArrivals(init.video.timescale)
  return fragmentsOf(init, frames).flatMap(({ tracks }) => arrivals.read(tracks[0]!)).map(({ stampTicks }) => stampTicks)
}
const stepsOf = (stamps: readonly (number | null)[]) => new Set(stamps.slice(1).map((ticks, i) => ticks! - stamps[i]!))

t.test('stamps are read on where the count that carries them wraps, each 99 minutes, forwards and backwards', async t => {
  const turnMs = 2 ** 29 / 90
  t.same(stepsOf(stampsRead(n => turnMs - 2000 + n * 100, 60)), new Set([9000]))
  t.same(stepsOf(stampsRead(n => 5 * turnMs - 2000 + n * 100, 60)), new Set([9000]))
  t.same(stepsOf(stampsRead(n => turnMs + 2000 - n * 100, 60)), new Set([-9000]))
})

t.test('a frame without a stamp has none, and those around it keep theirs', async t => {
  const stamps = stampsRead(n => n === 7 ? null : n * 100, 20)
  t.equal(stamps[7], null)
  t.equal(stamps[8]! - stamps[6]!, 18_000)
})
