import t from 'tap'
import { monoMs } from '../../src/domain/index.ts'
import { StreamRate } from '../../src/ingest/stream-rate.ts'

t.test('tells bits and frames a second of media time', async t => {
  const rate = new StreamRate()
  for (let at = 0; at < 5000; at += 500) rate.add(monoMs(at), 62_500, 8, 500)
  t.strictSame(rate.at(monoMs(5000)), { bitrateBps: 1_000_000, fps: 16 })
})

t.test('a burst after a stall is no high rate', async t => {
  const rate = new StreamRate()
  for (let i = 0; i < 20; i++) rate.add(monoMs(1000 + i), 62_500, 8, 500)
  t.strictSame(rate.at(monoMs(1100)), { bitrateBps: 1_000_000, fps: 16 })
})

t.test('is zero before the first fragment and ten seconds after the last', async t => {
  const rate = new StreamRate()
  t.strictSame(rate.at(monoMs(0)), { bitrateBps: 0, fps: 0 })
  rate.add(monoMs(1000), 62_500, 8, 500)
  t.ok(rate.at(monoMs(11_000)).bitrateBps > 0)
  t.strictSame(rate.at(monoMs(11_001)), { bitrateBps: 0, fps: 0 })
})

t.test('is zero, not infinite, where fragments have no length', async t => {
  const rate = new StreamRate()
  rate.add(monoMs(0), 1000, 1, 0)
  t.strictSame(rate.at(monoMs(1)), { bitrateBps: 0, fps: 0 })
})
