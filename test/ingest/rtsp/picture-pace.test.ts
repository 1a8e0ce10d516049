import t from 'tap'
import { PicturePace } from '../../../src/ingest/rtsp/picture-pace.ts'

/** A session that plays from then on and brings pictures at these distances. */
function session(pace: PicturePace, fromMs: number, steps: readonly number[]): number {
  let nowMs = fromMs
  pace.begin(nowMs)
  pace.came(nowMs)
  for (const stepMs of steps) pace.came(nowMs += stepMs)
  return nowMs
}
const each = (count: number, stepMs: number): number[] => Array.from({ length: count }, () => stepMs)

t.test('a camera that is silent for long is given up soon, and one that is known to send seldom is not', t => {
  const pace = new PicturePace()
  session(pace, 0, each(100, 40))
  t.equal(pace.mostSilentMs, 7000)
  session(pace, 10_000, [40, 40, 9000, 40, 40, 9000, 40, 40])
  t.equal(pace.mostSilentMs, 7000, 'a line that is held up shows nothing')
  session(pace, 60_000, each(4, 10_000))
  t.equal(pace.mostSilentMs, 25_000)
  t.equal(pace.mostWithoutPictureMs, 35_000)
  session(pace, 200_000, each(100, 40))
  t.equal(pace.mostSilentMs, 25_000, 'also when it sent quickly meanwhile')
  session(pace, 300_000, each(5, 60_000))
  t.equal(pace.mostSilentMs, 90_000, 'within a bound')
  t.end()
})

t.test('after two sessions that ended in silence one is waited for longer, and no other for an hour', t => {
  const pace = new PicturePace()
  for (const fromMs of [0, 10_000]) {
    session(pace, fromMs, [])
    t.equal(pace.mostSilentMs, 7000)
    pace.gaveUp()
  }
  session(pace, 20_000, [])
  t.equal(pace.mostSilentMs, 90_000)
  pace.gaveUp()
  session(pace, 120_000, [])
  t.equal(pace.mostSilentMs, 7000, 'a camera that hangs')
  pace.gaveUp()
  session(pace, 3_700_000, each(4, 30_000))
  t.equal(pace.mostSilentMs, 75_000, 'a camera that sends seldom')
  t.end()
})

t.test('sessions that brought pictures before they fell silent are no reason to wait', t => {
  const pace = new PicturePace()
  for (const fromMs of [0, 10_000, 20_000, 30_000]) {
    session(pace, fromMs, each(20, 40))
    t.equal(pace.mostSilentMs, 7000)
    pace.gaveUp()
  }
  t.end()
})

t.test('the wait under way counts, and none of another session', t => {
  const pace = new PicturePace()
  t.equal(pace.waitMs(5000), 0)
  const lastMs = session(pace, 0, each(5, 4000))
  t.equal(pace.waitMs(lastMs + 1000), 4000)
  t.equal(pace.waitMs(lastMs + 9000), 9000)
  t.equal(pace.usualWaitMs, 4000)
  pace.begin(60_000)
  t.equal(pace.waitMs(65_000), 0)
  t.equal(pace.sinceFirstMs(70_000), null)
  t.end()
})

t.test('packets of which nothing tells the pictures are a sign of life, and of no pace', t => {
  const pace = new PicturePace()
  pace.begin(0)
  for (let ms = 0; ms <= 60_000; ms += 5000) pace.came(ms, false)
  t.equal(pace.sinceLastMs(61_000), 1000)
  t.equal(pace.mostSilentMs, 7000)
  t.end()
})
