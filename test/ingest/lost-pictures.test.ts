import t from 'tap'
import { LostPictures, type LostSpan, type PlacedFrame } from '../../src/ingest/lost-pictures.ts'

const TIMESCALE = 90_000, STEP_MS = 100

/** Frames each 100 ms but those missing, as a fragment each half second; those of `heldUp` are read when the last of them is. */
function told(
  lossesMs: readonly number[], missing: readonly number[],
  { seconds = 10, heldUp = [0, 0] as readonly [number, number] } = {}
): LostSpan[] {
  const readAs = (n: number): number => n >= heldUp[0] && n <= heldUp[1] ? heldUp[1] : n
  const lost = new LostPictures(TIMESCALE), spans: LostSpan[] = []
  const frames = Array.from({ length: seconds * 10 }, (_, n) => n).filter(n => !missing.includes(n)).map((n): PlacedFrame =>
    ({ arrivedMs: readAs(n) * STEP_MS + 5, startTicks: n * STEP_MS * 90 }))
  let noted = 0
  for (let at = 0; at < frames.length; at += 5) {
    const fragment = frames.slice(at, at + 5), endMs = fragment.at(-1)!.arrivedMs
    const until = lossesMs.filter(ms => ms <= endMs).length
    lost.note(lossesMs.slice(noted, until))
    noted = until
    spans.push(...lost.place(fragment, STEP_MS))
  }
  return [...spans, ...lost.end(STEP_MS)]
}
const span = (from: number, to: number): LostSpan => ({ startTicks: from * STEP_MS * 90, endTicks: to * STEP_MS * 90 })

t.test('a picture that is missing is told from the one before it to the one behind it, wherever fragments end', async t => {
  for (const n of [11, 14, 15, 16, 20]) t.same(told([n * STEP_MS + 90], [n]), [span(n - 1, n + 1)], `frame ${n}`)
})

t.test('where none is missing the picture that stood then is told, and a loss noticed twice is one', async t => {
  t.same(told([1250], []), [span(12, 13)])
  t.same(told([1240, 1250], []), [span(12, 13)])
  t.same(told([], [12]), [], 'without a loss nothing is told')
})

t.test('a loss that is noticed long before ffmpeg reads the pictures is told where the picture is missing', async t => {
  for (const n of [13, 16, 20]) t.same(told([n * STEP_MS + 90], [n], { heldUp: [12, 24] }), [span(n - 1, n + 1)], `frame ${n}`)
  t.same(told([1390, 1690], [13, 16], { heldUp: [12, 24] }), [span(12, 14), span(15, 17)], 'each of two')
})

t.test('a loss just before the end is told too', async t => {
  t.same(told([9790], [97]), [span(96, 98)])
})

t.test('a line that loses for good is told in spans of ten seconds, and all of it', async t => {
  const losses = Array.from({ length: 590 }, (_, i) => i * STEP_MS + 1050)
  const spans = told(losses, [], { seconds: 61 })
  t.ok(spans.length <= 20 + 7, `${spans.length} spans`)
  t.equal(spans[0]!.startTicks, span(10, 11).startTicks)
  t.ok(spans.every(({ startTicks }, i) => i === 0 || startTicks <= spans[i - 1]!.endTicks + STEP_MS * 90), 'without a break')
  t.ok(spans.at(-1)!.endTicks >= span(0, 595).endTicks)
})
