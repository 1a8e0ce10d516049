import t from 'tap'
import { epochMs, type RecordingMode, type RunEndReason } from '../../src/domain/index.ts'
import { modeLane } from '../../src/ingest/mode-lane.ts'
import { RecorderRig } from '../support/recorder-rig.ts'

interface Ended { readonly end_reason: string }
interface Gap { readonly cause: string, readonly last_cause: string }

async function rigAs(owner: Parameters<typeof RecorderRig.open>[0], mode: RecordingMode, asked: RunEndReason) {
  const rig = await RecorderRig.open(owner)
  rig.lane = modeLane(rig.lane, { mode, askedReason: () => asked })
  return rig
}
const gaps = (rig: RecorderRig) => rig.rows<Gap>('SELECT cause, last_cause FROM gap ORDER BY gap_id')

t.test('an end that was asked for carries the reason of the change; any other keeps its own', async t => {
  const rig = await rigAs(t, 'lower', 'stepped-down')
  await rig.append(2)
  rig.endRun('recorder-stopped')
  rig.clock.drift(3_000, 0)
  await rig.append(2)
  rig.endRun('unreachable')
  t.same(rig.rows<Ended>('SELECT end_reason FROM run ORDER BY run_id').map(({ end_reason }) => end_reason), ['stepped-down', 'unreachable'])
  t.match(gaps(rig), [{ cause: 'stepped-down' }, { cause: 'unreachable' }])
  rig.lane.noteNoFootage('recorder-stopped')
  t.match(gaps(rig).at(-1), { cause: 'unreachable', last_cause: 'stepped-down' })
})

t.test('frames left out on purpose are no holes; in every other mode they are', async t => {
  for (const [mode, holes] of [['key-frames', 0], ['lower', 1], ['full', 1]] as const) {
    const rig = await rigAs(t, mode, 'stepped-down')
    await rig.append(1)
    rig.lane.noteHole(rig.clock.wallNow(), epochMs(rig.clock.wallNow() + 2_000), 'no-frames')
    t.equal(gaps(rig).filter(({ cause }) => cause === 'no-frames').length, holes, mode)
  }
})

t.test('everything else is the lane itself', async t => {
  const rig = await RecorderRig.open(t)
  const lane = modeLane(rig.lane, { mode: 'full', askedReason: () => 'stepped-up' })
  t.equal(lane.cameraId, rig.lane.cameraId)
  await lane.recover()
  t.ok(lane.isRecovered)
  t.same(lane.gapNow(), rig.lane.gapNow())
})
