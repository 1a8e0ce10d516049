import fc from 'fast-check'
import t from 'tap'
import { epochMs, monoMs } from '../../src/domain/index.ts'
import { WallStep } from '../../src/ingest/wall-step.ts'
import { seeded } from '../support/recorder/seeded.ts'

const WALL = 1_790_000_000_000

t.test('a step of the wall clock by more than half a second is noticed at once, and a clock that is slewed never', async () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 501, max: 1e9 }), fc.boolean(), (at, byMs, forward) => {
    const watch = new WallStep(), slewed = new WallStep()
    const noticed = Array.from({ length: 120 }, (_, i) => {
      const mono = monoMs(i * 450), stepMs = i < at ? 0 : forward ? byMs : -byMs
      return { isStep: watch.observe(epochMs(WALL + mono + stepMs), mono), isSlew: slewed.observe(epochMs(WALL + mono * 1.0005), mono) }
    })
    return noticed.every(({ isStep, isSlew }, i) => isStep === (i === at) && !isSlew)
  }), seeded(t, 100))
})
