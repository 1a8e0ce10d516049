import t from 'tap'
import { RecorderRig } from '../support/recorder-rig.ts'
import { judgeAll } from '../support/rig-judge.ts'
import { ended, pass } from '../support/rig-time.ts'
import { Recording } from './support/sick-catalogue.ts'

const MINUTES = 10
const SMALL = { dataBytes: 18_000 } // some fifty fill a slot: ten minutes take more than twenty

for (const kind of ['busy', 'full-at-commit'] as const) {
  for (const outlives of [false, true]) {
    const until = outlives ? 'and the recorder is killed and starts meanwhile' : 'and all is told afterwards'
    t.test(`no fragment is lost in ten minutes of ${kind}, ${until}`, async t => {
      const rig = await RecorderRig.open(t, { slots: 40 })
      const recording = new Recording(rig)
      await recording.record(8, SMALL)
      await pass(rig, 1_000)
      rig.catalogueFaults.break({ kind, lasts: true })
      for (let minute = 0; minute < MINUTES; minute++) {
        await recording.record(114, SMALL)
        await recording.interrupt(SMALL)
      }
      if (outlives) {
        await recording.start(() => rig.killAndReopen())
        await recording.record(60, SMALL)
      }
      t.ok(rig.catalogueFaults.hasBroken)
      rig.catalogueFaults.heal()
      t.equal(recording.refused.length, 0, 'fragments that were refused')
      t.equal(recording.hasFailedToStart, false)
      await pass(rig, 10_000)
      t.same([...recording.wrong, ...await judgeAll(rig)], [])
      const unreached = rig.rows("SELECT count(*) AS n FROM gap WHERE last_cause = 'unreachable'")
      if (!outlives) t.match(unreached, [{ n: MINUTES }], 'each time the camera was away')
      await recording.stop()
      await rig.killAndReopen()
      await ended(rig, 'recovery', rig.lane.recover())
      await recording.goesOn()
      t.same([...recording.wrong, ...await judgeAll(rig)], [])
    })
  }
}
