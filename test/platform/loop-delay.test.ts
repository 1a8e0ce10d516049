import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { SlidingMaximum, watchLoopDelay } from '../../src/platform/loop-delay.ts'
import { seeded } from '../support/recorder/seeded.ts'

t.test('the maximum is of the current step and the last whole ones, whatever was noted before', async t => {
  const runs = seeded(t, 300)
  fc.assert(fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.oneof(fc.nat(1000), fc.constant('step' as const)), { maxLength: 60 }), (steps, acts) => {
    const maximum = new SlidingMaximum(steps)
    const past: number[][] = [[]]
    for (const act of acts) {
      if (act === 'step') { maximum.step(); past.push([]) } else { maximum.note(act); past.at(-1)!.push(act) }
      if (maximum.get() !== Math.max(0, ...past.slice(-steps - 1).flat())) return false
    }
    return true
  }), runs)
})

t.test('a delay is told to everybody who asks, for ten seconds', async t => {
  using delay = watchLoopDelay()
  await wait(300)
  const until = performance.now() + 700
  while (performance.now() < until) { /* the loop stands still */ }
  await wait(150)
  const first = delay.worstMs()
  t.ok(first >= 500, `${first} ms`)
  for (let i = 0; i < 12; i++) { await wait(100); t.ok(delay.worstMs() >= first, 'the same, though somebody polls') }
})
