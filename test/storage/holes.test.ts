import t from 'tap'
import { epochMs, runId } from '../../src/domain/index.ts'
import { holesBetween } from '../../src/storage/holes.ts'

const MIN = 60_000, DAY = 86_400_000
/** `[run, from, to]` in milliseconds. */
const spans = (...all: (readonly [number, number, number])[]) =>
  all.map(([run, from, to]) => ({ runId: runId(run), startAt: epochMs(from), endAt: epochMs(to) }))
const found = (now: number, ...all: (readonly [number, number, number])[]) => {
  const { holes, stepsBack } = holesBetween(spans(...all), epochMs(now))
  return { holes: holes.map(({ startAt, endAt, afterRun, isInRun }) => [startAt, endAt, afterRun, isInRun]), back: stepsBack.map(({ at, afterRun }) => [at, afterRun]) }
}

t.test('between runs, and inside one; what touches or overlaps is no hole', async t => {
  t.same(found(9 * MIN, [1, 0, 1000], [1, 1000, 2000], [1, 3000, 4000], [2, 5000, 6000], [3, 5500, 7000]), {
    holes: [[2000, 3000, 1, true], [4000, 5000, 1, false]], back: [],
  })
  t.same(found(9 * MIN, [2, 5000, 6000], [1, 0, 1000]).holes, [[1000, 5000, 1, false]], 'in whatever order they are given')
  t.same(found(MIN), { holes: [], back: [] })
})

t.test('a clock that went ahead and came back: what it passed over is not missing', async t => {
  const real = [1, 0, MIN] as const, ahead = [2, 30 * DAY, 30 * DAY + MIN] as const
  t.same(found(20 * MIN, real, ahead, [3, 3 * MIN, 4 * MIN]), { holes: [[MIN, 3 * MIN, 1, false]], back: [[30 * DAY + MIN, 2]] })
  t.same(found(20 * MIN, real, ahead), { holes: [], back: [] }, 'it is back by now')
  t.same(found(40 * DAY, real, ahead).holes, [[MIN, 30 * DAY, 1, false]], 'it never came back: it was behind before')
  t.same(found(20 * MIN, [1, 30 * DAY, 30 * DAY + MIN], [2, 0, MIN]), { holes: [], back: [[30 * DAY + MIN, 1]] }, 'nothing is known of before')
  t.same(found(20 * MIN, real, ahead, [3, 30 * DAY + 2 * MIN, 30 * DAY + 3 * MIN]).holes, [[30 * DAY + MIN, 30 * DAY + 2 * MIN, 2, false]], 'what is missing while it is ahead')
})

t.test('a clock that is set back over what was recorded: the same times twice are no hole', async t => {
  t.same(found(20 * MIN, [1, 0, 10 * MIN], [2, 5 * MIN, 6 * MIN]), { holes: [], back: [[10 * MIN, 1]] })
  t.same(found(30 * MIN, [1, 0, 10 * MIN], [2, 12 * MIN, 20 * MIN], [3, 5 * MIN, 25 * MIN]).holes, [[10 * MIN, 12 * MIN, 1, false]], 'what was missing before it was set back')
})
