import t from 'tap'
import { StreamRates } from '../../src/capacity/stream-rates.ts'

const HOUR_MS = 3_600_000

t.test('key frames count for no more than the full stream, whatever a run brings at its beginning', async t => {
  const rates = new StreamRates(null, HOUR_MS, null)
  rates.add('full', HOUR_MS, 1_500_000)
  rates.add('key-frames', HOUR_MS, 3_000_000)
  t.same(rates.bps(), { full: 1_500_000, lower: 375_000, 'key-frames': 1_500_000 })
})

t.test('a stream of which nothing but key frames was seen counts for those', async t => {
  const rates = new StreamRates(null, HOUR_MS, null)
  rates.add('key-frames', HOUR_MS, 300_000)
  t.equal(rates.bps()['key-frames'], 300_000)
})
