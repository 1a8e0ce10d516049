import t from 'tap'
import { cameraId } from '../../src/domain/index.ts'
import { StorageError } from '../../src/platform/file-system.ts'
import type { FloorRule } from '../../src/retention/index.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { stand } from './support/rebuilding.ts'

const GATE = cameraId('gate')
const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 60_000 }, timezone: 'Asia/Taipei' }
const LARGE = { dataBytes: 220_000 }

/** Fills slots until both volumes had their turn. Returns which volumes were recorded to. */
async function usedSince(rig: RecorderRig): Promise<Set<string>> {
  const since = rig.clock.wallNow()
  for (let i = 0; i < 12; i++) {
    rig.nextAt = rig.clock.wallNow()
    await rig.fillSlots(1)
    await rig.sync()
    rig.endRun()
    for (let looks = 0; looks < 4; looks++) { await rig.recheck(); rig.time.tick() }
  }
  const used = rig.rows<{ volume_uuid: string }>(`SELECT volume_uuid FROM segment WHERE start_at >= ${since}`)
  return new Set(used.map(row => row.volume_uuid))
}

t.test('a disk that is pulled, and comes back as an older image of itself, is refused', async t => {
  const rig = await RecorderRig.open(t, { slots: 8, volumes: ['disk1', 'disk2'] })
  await rig.append(2)
  await rig.sync()
  const home = rig.lane.openSlot!.volume
  const image = rig.memory.afterKill()
  const mark = await image.readText(`${home.path}/custos-catalogue.json`, 5000, 'test')
  rig.endRun()
  await rig.restart() // another start: the image is older than what the catalogue says of the volume
  rig.nextAt = rig.clock.wallNow()
  await rig.lane.recover()
  for (let i = 0; i < 4; i++) { await rig.fillSlots(1); rig.endRun() }
  while (rig.lane.openSlot?.volume.path === home.path) await rig.append(1, LARGE)
  await rig.sync()
  const giveBack = rig.memory.takeAway(home.path)
  await rig.recheck()
  t.ok(rig.storage.volumeStatus().some(({ state }) => state === 'missing'))
  giveBack()
  for (let slot = 0; slot < 8; slot++) image.bytesOf(`${home.path}/slots/0000/${String(slot).padStart(7, '0')}.mp4`).copy(rig.rawSlot(slot, home))
  await rig.memory.publishText(`${home.path}/custos-catalogue.json`, mark)
  await rig.recheck()
  await rig.recheck()
  t.ok(rig.storage.volumeStatus().some(({ state }) => state === 'foreign'), 'as it is at a start')
})

t.test('a volume that had one fault is used again, though a slot of a silent camera is open there', async t => {
  const rig = await RecorderRig.open(t, { slots: 4, volumes: ['disk1', 'disk2'], floor: SHORT })
  await rig.append(1) // the lobby; its camera is silent from now on
  await rig.sync()
  rig.endRun('stalled')
  const home = rig.lane.openSlot!.volume
  stand(rig, GATE)
  await rig.fillSlots(1)
  while (rig.lane.openSlot!.volume !== home) await rig.append(1, LARGE)
  await rig.sync()
  rig.fs.break({ step: 'append body', mode: 'not-applied' }) // one fault
  await rig.append(1, LARGE)
  t.ok(rig.fs.hasBroken)
  t.ok((await usedSince(rig)).has(home.identity.uuid), 'the volume that had the fault')
  t.match(rig.storage.volumeStatus(), [{ state: 'ok' }, { state: 'ok' }])
})

t.test('a volume that had one fault and whose file system is full is used again', async t => {
  const rig = await RecorderRig.open(t, { slots: 6, volumes: ['disk1', 'disk2'], floor: SHORT })
  await rig.append(1)
  const home = rig.lane.openSlot!.volume
  rig.fs.onStep = (step, file) => {
    if (step === 'probe publish' && file.startsWith(home.path)) throw new StorageError('no-space', step, file, new Error('slots fill it'))
  }
  rig.fs.break({ step: 'append body', mode: 'not-applied' }) // one fault
  await rig.append(1)
  t.ok(rig.fs.hasBroken)
  t.ok((await usedSince(rig)).has(home.identity.uuid))
  t.match(rig.storage.volumeStatus(), [{ state: 'ok' }, { state: 'ok' }])
})

t.test('a volume that failed comes back while the catalogue cannot be read', async t => {
  const rig = await RecorderRig.open(t, { slots: 8 })
  await rig.append(2)
  await rig.sync()
  const home = rig.lane.openSlot!.volume
  const giveBack = rig.memory.takeAway(home.path)
  await rig.recheck()
  t.match(rig.storage.volumeStatus(), [{ state: 'missing' }])
  rig.catalogueFaults.break({ kind: 'io-read', lasts: true })
  giveBack()
  await rig.recheck()
  t.match(rig.storage.volumeStatus(), [{ state: 'ok' }])
  rig.catalogueFaults.heal()
})
