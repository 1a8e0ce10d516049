import t from 'tap'
import type { TimedFragment } from '../../src/footage/index.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { builtFragment, timedFragment } from '../support/fragments.ts'

async function lane(t: Parameters<typeof RecorderRig.open>[0]) {
  const rig = await RecorderRig.open(t, { slots: 3 })
  const run = await rig.beginRun()
  const append = async (name: string): Promise<TimedFragment> => {
    const timed = timedFragment(rig.init, builtFragment({ init: rig.init, name }), { runId: run, startAt: rig.nextAt })
    await rig.lane.append(timed)
    return timed
  }
  return { rig, append }
}

t.test('who watches gets each fragment by reference, with its init segment, once it is appended', async t => {
  const { rig, append } = await lane(t)
  const seen: TimedFragment[] = []
  const before = await append('a')
  t.equal(rig.lane.showLive(before), false, 'nobody watches: the buffer may be used again')
  const stop = rig.lane.watch((timed, init) => { t.equal(init, rig.init); seen.push(timed) })
  const first = await append('b')
  t.equal(rig.lane.showLive(first), true, 'somebody may keep the buffer')
  t.equal(seen[0], first, 'no copy')
  stop()
  stop()
  t.equal(rig.lane.showLive(await append('c')), false)
  t.equal(seen.length, 1)
})

t.test('a watcher that throws costs the recording nothing and watches no more', async t => {
  const { rig, append } = await lane(t)
  let asked = 0, seen = 0
  rig.lane.watch(() => { asked++; throw new Error('planted') })
  rig.lane.watch(() => { seen++ })
  for (const name of ['a', 'b', 'c']) rig.lane.showLive(await append(name))
  t.same([asked, seen], [1, 3])
  t.equal((await rig.found()).length, 3, 'all of it is recorded')
})
