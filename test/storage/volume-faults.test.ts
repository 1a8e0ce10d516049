import t from 'tap'
import { StorageError } from '../../src/platform/file-system.ts'
import { checkInvariants, RecorderRig } from '../support/recorder-rig.ts'

const SYNCS = /sync$/
const stateOf = (rig: RecorderRig) => rig.storage.volumeStatus()[0]!.state
const names = async (rig: RecorderRig) => (await rig.found()).map(record => record.name)
const quarantined = (rig: RecorderRig) => rig.rows<{ n: number }>("SELECT count(*) AS n FROM slot WHERE state = 'quarantined'")[0]!.n
const toldOf = (rig: RecorderRig, action: string) => rig.rows<{ detail: string }>(`SELECT detail FROM audit_entry WHERE action = '${action}' ORDER BY seq`).map(({ detail }) => JSON.parse(detail) as Record<string, unknown>)

/** Every sync fails from now on, until the function returned is called. */
function breakSyncs(rig: RecorderRig): () => void {
  rig.fs.onApplied = step => { if (SYNCS.test(step)) throw new StorageError('io', step, 'any', new Error('injected')) }
  return () => { rig.fs.onApplied = null }
}

/** One sync of the volume that is recorded to fails; its stream goes on elsewhere. Returns which volume. */
async function failOnce(rig: RecorderRig): Promise<string> {
  await rig.append(1)
  const { id } = rig.lane.openSlot!.volume.identity
  const mend = breakSyncs(rig)
  await rig.sync()
  mend()
  await rig.append(1)
  return id
}

/** Appends while time goes on, as it does for a recorder: a lane may wait for a volume to be probed. */
async function appendInTime(rig: RecorderRig, count: number): Promise<void> {
  let isOver = false
  const appended = rig.append(count).finally(() => { isOver = true })
  appended.catch(() => undefined)
  for (let i = 0; i < 200 && !isOver; i++) await rig.clock.advance(250)
  await appended
}

t.test('a burst of faults in all streams at once counts as one: the volume stays in use', async t => {
  const rig = await RecorderRig.open(t, { slots: 24 })
  const main = rig.lane
  const lanes = ['main', 'a', 'b', 'c', 'd', 'e', 'f', 'g'].map(name => name === 'main' ? main : rig.storage.lane(rig.camera, name as typeof rig.stream))
  const eachLane = async (): Promise<void> => {
    for (const lane of lanes) { rig.lane = lane; rig.run = null; await rig.append(1) }
  }
  await eachLane()
  const mend = breakSyncs(rig)
  await rig.clock.advance(800)
  mend()
  t.equal(lanes.filter(lane => lane.openSlot?.writer.failure != null).length, 8, 'all eight syncs failed')
  for (const lane of lanes) { rig.lane = lane; rig.run = null; await rig.append(1) }
  t.equal(stateOf(rig), 'ok')
  await rig.sync()
  t.equal(quarantined(rig), 8)
  t.same(await checkInvariants(rig), [])
})

t.test('a volume that failed once, and on which nothing is open since, is written to again and takes its share', async t => {
  const rig = await RecorderRig.open(t, { slots: 24, volumes: ['disk1', 'disk2'] })
  const id = await failOnce(rig)
  t.not(rig.lane.openSlot!.volume.identity.id, id, 'its stream went on elsewhere')
  await rig.recheck()
  await rig.fillSlots(6)
  const idOf = (uuid: string) => rig.volumes.find(({ identity }) => identity.uuid === uuid)!.identity.id
  const used = rig.segments().slice(-4).map(({ volumeUuid }) => idOf(volumeUuid))
  t.same(new Set(used), new Set(['disk1', 'disk2']))
  t.same(await checkInvariants(rig), [])
})

t.test('a volume that stands idle after a fault is not taken out because its file system is full, and no slot is written to', async t => {
  const rig = await RecorderRig.open(t, { slots: 24, volumes: ['disk1', 'disk2'] })
  const id = await failOnce(rig)
  rig.fs.steps.length = 0
  rig.fs.onApplied = step => {
    if (step === 'probe publish') throw new StorageError('no-space', step, 'any', new Error('injected'))
  }
  for (let i = 0; i < 6; i++) await rig.recheck()
  rig.fs.onApplied = null
  t.equal(rig.storage.volumeStatus().find(each => each.id === id)!.state, 'ok')
  t.notOk(rig.fs.steps.includes('probe write'))
})

t.test('a volume whose syncs fail is taken out, probed, and taken back by itself; it costs few slots however long it lasts', async t => {
  const rig = await RecorderRig.open(t, { slots: 24 })
  await rig.append(2)
  await rig.sync()
  const mend = breakSyncs(rig)
  for (let i = 0; i < 12; i++) {
    await appendInTime(rig, 1).catch(() => undefined)
    await rig.clock.advance(2_000)
  }
  t.equal(stateOf(rig), 'failed')
  const lost = quarantined(rig)
  t.ok(lost <= 6, `${lost} slots were set aside`)
  await rig.clock.advance(600_000)
  t.equal(quarantined(rig), lost, 'probing costs no slot')
  t.equal(stateOf(rig), 'failed')
  mend()
  await rig.clock.advance(61_000)
  t.equal(stateOf(rig), 'ok')
  t.match(toldOf(rig, 'volume.failed'), [{ why: /sync/ }])
  t.match(toldOf(rig, 'volume.in-use').at(-1), { was: 'failed' })
  await rig.append(3)
  await rig.sync()
  t.same((await names(rig)).slice(-3), rig.appended.slice(-3).map(({ name }) => name))
  t.same(await checkInvariants(rig), [])
})

t.test('with one volume a stream waits for the probe, and no fragment that came meanwhile is lost', async t => {
  const rig = await RecorderRig.open(t, { slots: 24 })
  await rig.append(2)
  await rig.sync()
  const mend = breakSyncs(rig)
  for (let i = 0; i < 6 && stateOf(rig) === 'ok'; i++) {
    await appendInTime(rig, 1).catch(() => undefined)
    await rig.clock.advance(1_500)
  }
  t.equal(stateOf(rig), 'failed')
  mend()
  await appendInTime(rig, 4)
  t.equal(stateOf(rig), 'ok')
  t.same((await names(rig)).slice(-4), rig.appended.slice(-4).map(({ name }) => name))
})

t.test('with a second volume the stream goes on there at once, and the first is taken back when it works', async t => {
  const rig = await RecorderRig.open(t, { slots: 24, volumes: ['disk1', 'disk2'] })
  await rig.append(1)
  const bad = rig.segments()[0]!.volumeUuid, badAt = rig.volumes.findIndex(volume => volume.identity.uuid === bad)
  const files = rig.volumes[badAt]!.path
  rig.fs.onStep = (step, file) => { if (file.startsWith(files) && SYNCS.test(step)) throw new StorageError('io', step, file, new Error('injected')) }
  await rig.sync()
  const lost = rig.appended.length
  for (let i = 0; i < 20; i++) { await rig.append(1); await rig.sync() }
  t.same((await names(rig)).slice(-20), rig.appended.slice(lost).map(({ name }) => name), 'not one more is lost')
  t.ok(quarantined(rig) <= 1, 'and the bad volume cost one slot')
  rig.fs.onStep = null
  await rig.clock.advance(61_000)
  t.same(rig.storage.volumeStatus().map(({ state }) => state), ['ok', 'ok'])
})
