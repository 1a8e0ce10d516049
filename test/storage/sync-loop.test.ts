import t from 'tap'
import { SYNC_INTERVAL_MS } from '../../src/storage/sync-loop.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { seededRandom } from '../support/seeded-random.ts'

t.test('what was appended is on the medium within one interval', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(1)
  t.ok(rig.lane.openSlot?.writer.isDirty)
  await rig.clock.advance(SYNC_INTERVAL_MS)
  await rig.clock.settle(rig.idleWaits)
  t.notOk(rig.lane.openSlot?.writer.isDirty)
  rig.freeze(rig.memory.afterPowerCut(seededRandom(1)))
  await rig.reopen()
  await rig.lane.recover()
  t.same((await rig.found()).map(record => record.name), rig.appended.map(({ name }) => name))
})

t.test('a slot without new records is not synced', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(1)
  await rig.sync()
  const syncs = () => rig.fs.steps.filter(step => step === 'append sync').length
  const before = syncs()
  for (let i = 0; i < 5; i++) await rig.sync()
  t.equal(syncs(), before)
})

t.test('a disk that stutters is busy for the seconds after it, so that copies of old footage make way and are made all the same', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(1)
  t.notOk(rig.storage.isBusy)
  const late = rig.clock.drift.bind(rig.clock)
  rig.fs.onApplied = step => { if (step === 'append sync') late(400, 0) }
  await rig.sync()
  rig.fs.onApplied = null
  t.ok(rig.storage.isBusy)
  await rig.clock.advance(4_000)
  t.ok(rig.storage.isBusy)
  await rig.clock.advance(2_000)
  t.notOk(rig.storage.isBusy)
  t.match(rig.storage.volumeStatus(), [{ worstSyncMs: 400 }], 'health tells of it for a minute')
})

t.test('one slot that cannot be synced keeps no other from it', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.append(1)
  const main = rig.lane
  rig.lane = rig.storage.lane(rig.camera, 'sub' as typeof rig.stream)
  rig.run = null
  await rig.append(1)
  rig.fs.break({ step: 'append sync', mode: 'not-applied' })
  await rig.sync()
  t.not(main.openSlot?.writer.failure, null, 'the first failed')
  t.equal(rig.lane.openSlot?.writer.isDirty, false, 'the second is safe')
  t.equal(rig.lane.openSlot?.writer.failure, null)
})

t.test('the loop ends with the storage and leaves no wait behind', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(1)
  await rig.close()
  t.equal(rig.clock.pendingWaits, 0)
})
