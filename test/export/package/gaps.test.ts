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

t.test('a span of which only key frames were recorded is told beside its pictures (R20), and explains no hole in them', t => {
  const noted = [{ startAt: at(-5000), endAt: at(20_000), cause: 'key-frames-only' as const }]
  t.same(told(gapsOf({ range, taken: taken([0, 30_000]), noted, of })), [[0, 20_000, 'key-frames-only']], 'as far as it was granted')
  t.same(told(gapsOf({ range, taken: taken([0, 10_000], [15_000, 30_000]), noted: [...noted, { startAt: at(10_001), endAt: at(15_000), cause: 'stalled' }], of })),
    [[0, 10_000, 'key-frames-only'], [10_000, 15_000, 'stalled'], [15_000, 20_000, 'key-frames-only']], 'a camera may fail meanwhile')
  t.same(told(gapsOf({ range, taken: taken([0, 10_000], [15_000, 30_000]), noted, of })), [[0, 10_000, 'key-frames-only'], [10_000, 15_000, 'no-footage'], [15_000, 20_000, 'key-frames-only']])
  t.same(told(gapsOf({ range, taken: taken([0, 30_000]), noted: [{ startAt: at(25_000), endAt: null, cause: 'key-frames-only' }], of })), [[25_000, 30_000, 'key-frames-only']], 'one that lasts still')
  t.end()
})

t.test('what packing met comes before what was noted, and the rest is told by where it stands', t => {
  const rotten = { ...taken([0, 10_000], [20_000, 29_500]), unreadable: [{ startAt: at(10_000), endAt: at(12_000), cause: 'record-unreadable' as const }] }
  t.same(told(gapsOf({ range, taken: rotten, noted: [{ startAt: at(9_000), endAt: at(15_000), cause: 'stalled' }], of })),
    [[10_000, 12_000, 'record-unreadable'], [12_000, 15_000, 'stalled'], [15_000, 20_000, 'no-footage'], [29_500, 30_000, 'end-of-decodable']])
  t.same(told(gapsOf({ range, taken: taken([3000, 30_000]), noted: [], of })), [[0, 3000, 'before-first-key-frame']])
  t.same(told(gapsOf({ range, taken: taken(), noted: [], of })), [[0, 30_000, 'before-first-key-frame']], 'footage without a key frame')
  t.same(told(gapsOf({ range, taken: { ...taken(), hadFootage: false }, noted: [], of })), [[0, 30_000, 'no-footage']])
  t.end()
})
