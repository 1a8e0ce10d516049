import t from 'tap'
import { RecorderRig } from '../support/recorder-rig.ts'
import { learn, Recording, testPhase, turnedRing, type Phase } from './support/sick-catalogue.ts'

const base = await turnedRing(t)

const STOP: Phase = {
  name: 'a stop',
  occurrences: 2,
  async prepare(owner) {
    const recording = new Recording(await RecorderRig.fork(owner, base))
    await recording.record(1)
    return recording
  },
  async act(recording, arm) {
    const { rig } = recording
    arm()
    rig.endRun('recorder-stopped')
    await recording.stop()
  },
  next: rig => rig.restart(),
  isStop: true,
  mayRefuse: true,
}

testPhase(t, STOP, await learn(t, STOP))
