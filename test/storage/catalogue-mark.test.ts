import path from 'node:path'
import t from 'tap'
import { AuditLog } from '../../src/audit/index.ts'
import { epochMs } from '../../src/domain/index.ts'
import { openCatalogueBeside } from '../../src/platform/catalogue.ts'
import type { FloorRule } from '../../src/retention/index.ts'
import { openHoldDesk } from '../../src/storage/index.ts'
import { judgeMark, MARK_FILE } from '../../src/storage/catalogue-mark.ts'
import { FAULT_MODES } from '../support/faulty-file-system.ts'
import { RecorderRig } from '../support/recorder-rig.ts'

const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 1000 }, timezone: 'Asia/Taipei' }
const states = (rig: RecorderRig) => rig.storage.volumeStatus().map(volume => volume.state)
const detail = (rig: RecorderRig) => rig.storage.volumeStatus().map(volume => volume.detail).join(' ')
const markOf = (rig: RecorderRig, volume = 0) => path.join(rig.volumes[volume]!.path, MARK_FILE)
const copy = (rig: RecorderRig, t: { testdir(): string }): string => { const folder = t.testdir(); rig.copyCatalogue(folder); return folder }

t.test('which marks agree, and which tell that catalogue or volume is old', async t => {
  const start = { kind: 'start', startId: 'a' } as const
  t.equal(judgeMark({ kind: 'none' }, null, null), 'agrees', 'never marked')
  t.equal(judgeMark(start, 5, 5), 'agrees')
  t.equal(judgeMark(start, 5, 4), 'agrees', 'a crash between the file and its row')
  t.equal(judgeMark(start, null, 4), 'unknown-start')
  t.equal(judgeMark(start, null, null), 'unknown-start')
  t.equal(judgeMark(start, 3, 4), 'older-volume')
  t.equal(judgeMark({ kind: 'none' }, null, 4), 'doubtful')
  t.equal(judgeMark({ kind: 'damaged' }, null, null), 'doubtful')
})

t.test('restarts, crashes between the marks of several volumes and volumes that come late raise no false alarm', async t => {
  const rig = await RecorderRig.open(t, { slots: 4, volumes: ['disk1', 'disk2', 'disk3'] })
  await rig.append(2)
  for (const mode of FAULT_MODES) {
    for (const occurrence of [1, 2, 3]) {
      rig.freeze(rig.memory.afterKill())
      let frozen = rig.frozenMemory!
      await rig.reopen({ arm: fs => { fs.break({ step: 'mark publish', mode, occurrence, onCrash: () => { frozen = rig.memory.afterKill() } }) } })
      t.ok(frozen)
      rig.freeze(rig.memory.afterKill())
      await rig.reopen()
      t.same(states(rig), ['ok', 'ok', 'ok'], `${mode} ${occurrence}`)
    }
  }
  const giveBack = rig.memory.takeAway('/volumes/disk2')
  await rig.restart()
  await rig.restart()
  giveBack()
  await rig.recheck()
  t.same(states(rig), ['ok', 'ok', 'ok'])
})

t.test('a catalogue from before the last start is refused on every volume, and the next start does not take it for its own', async t => {
  const rig = await RecorderRig.open(t, { slots: 4, volumes: ['disk1', 'disk2'] })
  await rig.append(2)
  const backup = copy(rig, t)
  await rig.restart()
  await rig.close()
  rig.stateDir = backup
  for (let start = 0; start < 3; start++) {
    await rig.restart()
    t.same(states(rig), ['foreign', 'foreign'])
    t.match(detail(rig), /came from a backup.*custos rebuild/)
  }
  await t.rejects(rig.append(1), { code: 'CUSTOS_NO_VOLUME' })
})

t.test('without a start in between, the slots that the ring took since tell it', async t => {
  for (const hasTurned of [false, true]) {
    const rig = await RecorderRig.open(t, { slots: 6, floor: SHORT })
    await rig.fillSlots(hasTurned ? 8 : 2)
    const backup = copy(rig, t)
    await rig.fillSlots(1)
    rig.endRun()
    await rig.close()
    const slots = Buffer.concat([0, 1, 2, 3, 4, 5].map(slot => rig.rawSlot(slot)))
    rig.stateDir = backup
    await rig.restart()
    t.same(states(rig), ['foreign'])
    t.match(detail(rig), hasTurned ? /holds generation \d of slot \d where the catalogue has generation \d/ : /is free by the catalogue and holds generation 1/)
    t.ok(slots.equals(Buffer.concat([0, 1, 2, 3, 4, 5].map(slot => rig.rawSlot(slot)))), 'nothing was changed')
  }
})

t.test('a catalogue that knows fewer slots than the volume has is refused', async t => {
  const rig = await RecorderRig.open(t, { slots: 6 })
  await rig.fillSlots(1)
  rig.endRun()
  await rig.close()
  rig.catalogue(db => { db.exec('DELETE FROM slot WHERE slot > 2') })
  await rig.restart()
  t.match(detail(rig), /knows 3 of its 6 slots/)
  t.same(states(rig), ['foreign'])
})

t.test('another recorder\'s volume, and one that another recorder used meanwhile, are refused', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.append(2)
  rig.endRun()
  await rig.close()
  await rig.memory.publishText(markOf(rig), JSON.stringify({ format: 1, start: 'f'.repeat(32) }))
  await rig.restart()
  t.same(states(rig), ['foreign'])
})

t.test('a mark that was deleted or spoilt is written anew when the slots agree', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.append(2)
  rig.endRun()
  for (const text of ['', '{"format":1,"start":', '{"format":2}']) {
    await rig.close()
    await rig.memory.publishText(markOf(rig), text)
    await rig.restart()
    t.same(states(rig), ['ok'])
    t.match(JSON.parse(await rig.memory.readText(markOf(rig), 1000, 'test')), { format: 1, start: /^[0-9a-f]{32}$/ })
  }
})

t.test('a mark that cannot be written stops nobody from recording', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.append(1)
  rig.freeze(rig.memory.afterKill())
  await rig.reopen({ arm: fs => { fs.break({ step: 'mark publish', mode: 'not-applied' }) } })
  t.same(states(rig), ['ok'])
  await rig.append(1)
})

t.test('a command that places a hold leaves the list of a volume alone which its catalogue is too old for', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.append(2)
  const backup = copy(rig, t)
  const by = { kind: 'machine-user', name: '王小明', role: null, source: 'test' } as const
  const request = { camera: { id: rig.camera, uuid: rig.segments()[0]!.cameraUuid }, stream: null, fromAt: epochMs(rig.nextAt - 500), toAt: rig.nextAt, authority: 'order', application: null, by }
  await rig.restart()
  await rig.storage.holds.place(request)
  await rig.close()
  const file = path.join(rig.volumes[0]!.path, 'custos-holds.json')
  const before = await rig.memory.readText(file, 10_000, 'test')
  using catalogue = openCatalogueBeside(backup, 'write')
  const desk = await openHoldDesk({ catalogue, audit: new AuditLog({ db: catalogue.db, clock: rig.clock }), fs: rig.fs, clock: rig.clock, volumes: rig.configured })
  await desk.book.place({ ...request, authority: 'another order' })
  t.match(desk.refused(), [{ id: 'disk1', detail: /rebuild/ }])
  t.equal(await rig.memory.readText(file, 10_000, 'test'), before)
})
