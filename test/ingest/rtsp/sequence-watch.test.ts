import t from 'tap'
import { SequenceWatch } from '../../../src/ingest/rtsp/sequence-watch.ts'

/** Which of the packets, by their place, are told to come after a loss or a restart. */
function told(packets: readonly (readonly [source: number, sequence: number])[]): [number, string][] {
  const watch = new SequenceWatch()
  return packets.flatMap(([source, sequence], i): [number, string][] => {
    const step = watch.step(source, sequence & 0xffff)
    return step === 'next' ? [] : [[i, step]]
  })
}
const counted = (from: number, count: number, source = 7) => Array.from({ length: count }, (_, i) => [source, from + i] as const)

t.test('missing packets of a source that counts are noticed, over the turn of the count too', async t => {
  t.same(told([...counted(100, 40), ...counted(143, 40)]), [[40, 'lost']])
  t.same(told([...counted(65_500, 35), ...counted(65_540, 40)]), [[35, 'lost']])
  t.same(told([...counted(65_490, 80)]), [])
})

t.test('a packet that others overtook is one loss, and what comes behind it is watched on', async t => {
  const swapped = [...counted(100, 40), [7, 141] as const, [7, 140] as const, ...counted(142, 40)]
  t.same(told(swapped), [[40, 'lost']])
  t.same(told([...swapped, ...counted(185, 5)]), [[40, 'lost'], [82, 'lost']])
  t.same(told([...counted(100, 40), ...counted(139, 40)]), [], 'one that came twice')
})

t.test('a count that goes on elsewhere is no loss, and neither is a source that does not count', async t => {
  t.same(told([...counted(100, 40), ...counted(900, 40, 8)]), [], 'near enough for ffmpeg')
  t.same(told([...counted(100, 40), ...counted(9000, 40, 8)]), [[40, 'elsewhere']])
  t.same(told([...counted(100, 40), ...counted(30_000, 40), ...counted(100, 40)]), [[40, 'elsewhere'], [80, 'elsewhere']])
  t.same(told(Array.from({ length: 100 }, () => [7, 5] as const)), [])
  t.same(told(Array.from({ length: 100 }, (_, i) => [7, i * 2] as const)), [])
  t.same(told([...counted(100, 10), ...counted(120, 10)]), [], 'not yet known to count')
})
