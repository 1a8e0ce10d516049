import t from 'tap'
import { monoMs } from '../../src/domain/index.ts'
import { VolumeHealth } from '../../src/storage/volume-health.ts'

/** Taken out by three bursts; the time of the last. */
function takenOut(health: VolumeHealth, fromMs: number): number {
  const last = [0, 2_000, 4_000].map(ms => fromMs + ms)
  const outs = last.map(ms => health.noteFault(monoMs(ms)))
  if (outs.join() !== 'false,false,true') throw new Error(outs.join())
  health.noteOut(monoMs(last[2]!))
  return last[2]!
}

t.test('a volume that is out is probed after 1, 2, 5, 10, 20, 40 s, then each minute for ever', t => {
  const health = new VolumeHealth()
  let now = takenOut(health, 0)
  const delays: number[] = []
  for (let probe = 0; probe < 12; probe++) {
    delays.push(health.probeAt - now)
    now = health.probeAt
    health.noteFailedProbe(monoMs(now))
  }
  t.same(delays.slice(0, 7), [1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 60_000])
  t.ok(delays.slice(7).every(ms => ms === 60_000), delays.join())
  t.end()
})

t.test('faults of one second are one, and a good write between them begins the count again', t => {
  const health = new VolumeHealth()
  t.same([0, 300, 600, 900].map(ms => health.noteFault(monoMs(ms))), [false, false, false, false])
  t.equal(health.isCalm, false)
  health.noteGood()
  t.equal(health.isCalm, true)
  t.same([5_000, 7_000].map(ms => health.noteFault(monoMs(ms))), [false, false])
  t.equal(health.noteFault(monoMs(9_000)), true)
  t.end()
})
