import t from 'tap'
import { RecorderRig } from '../support/recorder-rig.ts'
import { learn, LONG, Recording, testPhase, turnedRing, type Phase } from './support/sick-catalogue.ts'

const base = await turnedRing(t)

/** Killed while it prepared a slot, with another one open. */
const START: Phase = {
  name: 'a start after a kill',
  occurrences: 1,
  async prepare(owner) {
    const rig = await RecorderRig.fork(owner, base)
    await rig.append(1, LONG)
    const onCrash = () => { rig.freeze(rig.memory.afterKill()) }
    rig.fs.break({ step: 'prepare header', mode: 'crash', onCrash })
    for (let i = 0; i < 8 && rig.frozenMemory === null; i++) await rig.append(1, LONG).catch(() => undefined)
    return new Recording(rig)
  },
  async act(recording, arm) {
    await recording.start(() => recording.rig.reopen({ arm }))
    await recording.record(2)
  },
  next: rig => rig.killAndReopen(),
  mayRefuse: true,
}

testPhase(t, START, await learn(t, START))
