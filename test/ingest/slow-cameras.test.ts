import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { MemoryLane } from '../support/memory-lane.ts'
import { recordSession, STARTED_AT, type SentFrame } from '../support/odd-stream.ts'

/** From the first frame to each that follows. */
type Steps = readonly number[]
const each = (count: number, stepMs: number): Steps => Array.from({ length: count }, () => stepMs)

/** A camera that sends a frame after each of these, and stamps them so. */
function camera(steps: Steps, stampOf: (atMs: number) => number | null = atMs => atMs): SentFrame[] {
  let atMs = 0
  return [0, ...steps].map(stepMs => {
    atMs += stepMs
    return { arrivedMs: 300 + atMs, stampMs: stampOf(atMs), isKey: true, isBidirectional: false, sets: [] }
  })
}

async function recorded(frames: readonly SentFrame[], lossesMs: readonly number[] = []): Promise<MemoryLane> {
  const lane = new MemoryLane(1000)
  await recordSession(lane.lane, frames, { lossesMs })
  return lane
}

const span = (fromMs: number, toMs: number): { startAt: number, endAt: number } =>
  ({ startAt: epochMs(STARTED_AT + 300 + fromMs), endAt: epochMs(STARTED_AT + 300 + toMs) })

/** The longest pause between two records, as every reader sees them. */
async function longestPauseMs(lane: MemoryLane): Promise<number> {
  const entries = (await lane.read()).flatMap(({ footage }) => footage.entries)
  const endOf = (i: number): number => entries[i]!.startAt + entries[i]!.durationMs
  return Math.max(...entries.slice(1).map(({ startAt }, i) => startAt - endOf(i)))
}

const STAMPS = {
  right: (atMs: number) => atMs, constant: () => 0, none: () => null,
  'as of another rate': (atMs: number) => atMs * 0.8,
}

for (const seconds of [1, 2, 4, 10, 30]) {
  for (const [name, stampOf] of Object.entries(STAMPS)) {
    t.test(`a frame each ${seconds} s is continuous footage, stamps ${name}`, async t => {
      const lane = await recorded(camera(each(12, seconds * 1000), stampOf))
      t.strictSame(lane.holes, [])
      const pauseMs = await longestPauseMs(lane)
      t.ok(pauseMs <= 200, `${pauseMs} ms`)
    })
  }
}

const RATES: Record<string, Steps> = {
  '10 a second, one each 4 s, and back, twice': [
    ...each(50, 100), 2100, ...each(4, 4000), 2000,
    ...each(100, 100), 2100, ...each(4, 4000), 2000, ...each(30, 100),
  ],
  '25 a second, one each 5 s, and back': [...each(100, 40), ...each(8, 5000), ...each(100, 40)],
  '15 a second, one each second, and back': [...each(60, 66), ...each(20, 1000), ...each(60, 66)],
  '25 a second, 2, 1, 0.5, and back': [
    ...each(50, 40), ...each(10, 500), ...each(10, 1000), ...each(10, 2000), ...each(50, 40),
  ],
  'one each 3 to 7 s': [4000, 6000, 3000, 5000, 7000, 3000, 4000, 7000, 3500],
  'one each 4 s, with a few for a moment': [...each(5, 4000), 100, 100, ...each(3, 4000), 100, 4000, 4000],
}
for (const [name, steps] of Object.entries(RATES)) {
  t.test(`a camera that changes its rate lost nothing: ${name}`, async t => {
    const lane = await recorded(camera(steps))
    t.strictSame(lane.holes, [])
    const pauseMs = await longestPauseMs(lane)
    t.ok(pauseMs <= 200, `${pauseMs} ms`)
  })
}

t.test('three seconds in which a camera does not send are a gap, whatever its rate before and behind', async t => {
  for (const stepMs of [40, 66, 100, 200]) {
    for (const count of [30, 31, 37]) {
      const lane = await recorded(camera([...each(count, stepMs), 3000, ...each(40, stepMs)]))
      t.strictSame(lane.holes, [span(count * stepMs, count * stepMs + 3000)], `${stepMs} ms`)
      t.ok(await longestPauseMs(lane) > 2700, 'it is no footage')
    }
  }
  const changed = await recorded(camera([...each(50, 40), 3000, ...each(40, 500)]))
  t.equal(changed.holes.length, 1, 'behind it at a lower rate')
})

t.test('a slow camera that misses several frames in a row has a gap', async t => {
  for (const stepMs of [1000, 4000, 10_000]) {
    const lane = await recorded(camera([...each(8, stepMs), 4 * stepMs, ...each(8, stepMs)]))
    t.strictSame(lane.holes, [span(8 * stepMs, 12 * stepMs)])
  }
})

t.test('a long silence is a gap where packets were lost in it, also if another one follows', async t => {
  const steps = [...each(50, 100), ...each(5, 4000), ...each(20, 100)]
  const lane = await recorded(camera(steps), [300 + 5000 + 3990])
  t.strictSame(lane.holes, [span(5000, 9000)])
})

t.test('a frame between a gap and a line that is held up shows no slower camera', async t => {
  const frames = camera([...each(50, 100), 3000, ...each(60, 100)])
  const heldUntilMs = frames[51]!.arrivedMs + 2200
  for (const [i, frame] of frames.entries()) {
    if (i > 51) (frame as { arrivedMs: number }).arrivedMs = Math.max(frame.arrivedMs, heldUntilMs + i * 0.03)
  }
  t.strictSame((await recorded(frames)).holes, [span(5000, 8000)])
})

t.test('the first frames of a session that sends seldom are dated right', async t => {
  const sessions = [each(5, 10_000), each(5, 30_000), [4000, 4000, 2000, ...each(30, 100)]]
  for (const steps of sessions) {
    const frames = camera(steps) // ffmpeg lets them go when it has looked at some
    const letGoMs = frames[3]!.arrivedMs
    for (const frame of frames.slice(2)) (frame as { arrivedMs: number }).arrivedMs = Math.max(frame.arrivedMs, letGoMs)
    const [slot] = await (await recorded(frames)).read()
    const offMs = slot!.footage.header.startAt - STARTED_AT - 300
    t.ok(Math.abs(offMs) <= 100, `${offMs} ms off`)
  }
})
