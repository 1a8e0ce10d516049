import t from 'tap'
import { SequenceWatch } from '../../../src/ingest/rtsp/sequence-watch.ts'

/** Which of the packets, by their place, are told to come after a loss. */
function lossesIn(packets: readonly (readonly [source: number, sequence: number])[]): number[] {
  const watch = new SequenceWatch()
  return packets.flatMap(([source, sequence], i) => watch.isAfterLoss(source, sequence & 0xffff) ? [i] : [])
}
const counted = (from: number, count: number, source = 7) => Array.from({ length: count }, (_, i) => [source, from + i] as const)

t.test('missing packets of a source that counts are noticed, over the turn of the count too', async t => {
  t.same(lossesIn([...counted(100, 40), ...counted(143, 40)]), [40])
  t.same(lossesIn([...counted(65_500, 35), ...counted(65_540, 40)]), [35])
  t.same(lossesIn([...counted(65_490, 80)]), [])
})

t.test('another source, another count and a source that does not count lose nothing', async t => {
  t.same(lossesIn([...counted(100, 40), ...counted(900, 40, 8)]), [])
  t.same(lossesIn([...counted(100, 40), ...counted(30_000, 40), ...counted(100, 40)]), [])
  t.same(lossesIn(Array.from({ length: 100 }, () => [7, 5] as const)), [])
  t.same(lossesIn(Array.from({ length: 100 }, (_, i) => [7, i * 2] as const)), [])
  t.same(lossesIn([...counted(100, 10), ...counted(120, 10)]), [], 'not yet known to count')
})
