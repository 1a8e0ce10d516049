import t from 'tap'
import { epochMs } from '../../../src/domain/index.ts'
import { gapsOf, type Taken } from '../../../src/export/index.ts'

const of = { cameraId: 'lobby', cameraName: '大廳', stream: 'main' }
const at = (ms: number) => epochMs(1_795_707_360_000 + ms)
/** Footage as records of half a second, from and to in milliseconds. */
const taken = (...runs: readonly (readonly [number, number])[]): Taken => ({
  videos: runs.map(([from, to]) => ({ records: [{ at: new Date(at(from)).toISOString(), durationMs: to - from }] })), unreadable: [], hadFootage: true, cameraOffsets: [],
} as unknown as Taken)
const told = (gaps: ReturnType<typeof gapsOf>) => gaps.map(({ from, to, cause }) => [Date.parse(from) - at(0), Date.parse(to) - at(0), cause.code])
const range = { startAt: at(0), endAt: at(30_000) }

t.test('a gap is told once, from the last picture to the next: a millisecond between it and the footage is no second gap of another cause', t => {
  const noted = [{ startAt: at(10_001), endAt: at(15_000), cause: 'closed-by-camera' as const }]
  t.same(told(gapsOf({ range, taken: taken([0, 10_000], [15_003, 30_000]), noted, of })), [[10_000, 15_003, 'closed-by-camera']])
  t.same(told(gapsOf({ range, taken: taken([0, 10_000], [20_000, 30_000]), noted, of })), [[10_000, 15_000, 'closed-by-camera'], [15_000, 20_000, 'no-footage']], 'what is longer has a cause of its own')
  t.same(told(gapsOf({ range, taken: taken([0, 10_000], [15_000, 30_000]), noted: [{ startAt: at(10_001), endAt: null, cause: 'closed-by-camera' }], of })), [[10_000, 15_000, 'closed-by-camera']], 'one that is open still')
  t.same(told(gapsOf({ range, taken: taken([0, 10_000], [15_000, 30_000]), noted: [{ startAt: at(2000), endAt: at(2100), cause: 'closed-by-camera' }], of })), [[10_000, 15_000, 'no-footage']], 'one elsewhere explains nothing here')
  t.end()
})
