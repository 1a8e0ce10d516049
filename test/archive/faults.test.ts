import { readdirSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { realArchiveDisk } from '../../src/archive/index.ts'
import { DISK_FAULT_MODES, FaultyDisk, type DiskFaultMode } from './support/faulty-disk.ts'
import { ACTING, ArchiveRig, at, contentOf } from './support/rig.ts'

const small = { 'a.txt': 'a', 'b/c.txt': 'c' }
const names = (rig: ArchiveRig, ...folder: string[]): string[] => readdirSync(path.join(rig.folder, ...folder)).sort()
const OVER = at('2027-11-27T00:30:00')

/** Everything that must hold whenever no work is under way: rows, folders and keys are the same items, and each can be read. */
async function checkWhole(t: Test, rig: ArchiveRig, what: string): Promise<void> {
  const kept = rig.archive.list().filter(item => item.state === 'kept').map(item => item.itemNo)
  t.same(names(rig, 'archive', 'items'), [...kept].sort(), `${what}: a folder for each row and no other`)
  t.equal(names(rig, 'state', 'keys').length, 2, `${what}: one key file, one master`)
  t.match(rig.archive.view(), { state: 'ok', lost: [], strays: 0 }, what)
  for (const itemNo of kept) t.same(Object.keys(await contentOf(await rig.archive.read(ACTING, itemNo))), Object.keys(small), what)
  t.same(rig.archive.list().filter(item => item.state === 'destroying'), [], what)
  for (const item of rig.archive.list().filter(each => each.state === 'destroyed')) t.ok(rig.archive.destruction(item.itemNo), `${what}: a record`)
}

/** How many calls of the disk the work takes when nothing breaks. */
async function callsOf(disk: FaultyDisk, work: () => Promise<unknown>): Promise<number> {
  const before = disk.steps.length
  await work()
  return disk.steps.length - before
}

for (const mode of DISK_FAULT_MODES) {
  t.test(`putting in: ${mode} at each step loses no item and leaves nothing behind`, async t => {
    const count = await (async () => {
      const disk = new FaultyDisk(realArchiveDisk), rig = await ArchiveRig.open({ testdir: () => t.testdir(), teardown: work => { t.teardown(work) } }, each => { each.disk = disk })
      await rig.put({}, small)
      return await callsOf(disk, () => rig.put({ footageSha256: 'd'.repeat(64) }, small))
    })()
    t.ok(count > 20, `${count} steps`)
    const rig = await ArchiveRig.open(t)
    await rig.put({}, small)
    for (let call = 0; call < count; call++) {
      const what = `${mode} at call ${call}`, footageSha256 = call.toString(16).padStart(64, '0')
      const disk = new FaultyDisk(realArchiveDisk)
      rig.disk = disk
      await rig.start()
      disk.break(call, mode)
      const put = await rig.put({ footageSha256 }, small).then(itemNo => itemNo, () => null)
      t.ok(disk.hasBroken, `${what} (${disk.steps.at(-1) ?? ''})`)
      rig.disk = realArchiveDisk
      await rig.start()
      await rig.archive.sweep()
      const rows = rig.archive.list().filter(item => item.footageSha256 === footageSha256)
      if (put !== null) t.equal(rows.length, 1, `${what}: it was said to be there`)
      t.ok(rows.length <= 1, what)
      await checkWhole(t, rig, what)
      const again = await rig.put({ footageSha256 }, small)
      t.equal(rig.archive.list().filter(item => item.footageSha256 === footageSha256).length, 1, `${what}: put again, once there`)
      t.equal(rig.archive.get(again)?.state, 'kept')
    }
  })

  t.test(`destruction: ${mode} at each step goes on where it ended, with one record`, async t => {
    const count = await (async () => {
      const disk = new FaultyDisk(realArchiveDisk), rig = await ArchiveRig.open({ testdir: () => t.testdir(), teardown: work => { t.teardown(work) } }, each => { each.disk = disk })
      await rig.put({}, small)
      rig.passTo(OVER)
      return await callsOf(disk, () => rig.archive.sweep())
    })()
    t.ok(count > 20, `${count} steps`)
    for (let call = 0; call < count; call++) await destroyWithFault(t, call, mode)
  })
}

async function destroyWithFault(t: Test, call: number, mode: DiskFaultMode): Promise<void> {
  const what = `${mode} at call ${call}`
  const rig = await ArchiveRig.open({ testdir: () => t.testdir(), teardown: work => { t.teardown(work) } })
  const old = await rig.put({}, small)
  rig.passTo(at('2027-11-20'))
  const young = await rig.put({ footageSha256: 'd'.repeat(64) }, small)
  rig.passTo(OVER)
  const disk = new FaultyDisk(realArchiveDisk)
  rig.disk = disk
  await rig.start()
  disk.break(call, mode)
  await rig.archive.sweep().catch(() => undefined)
  t.ok(disk.hasBroken, `${what} (${disk.steps.at(-1) ?? ''})`)
  rig.disk = realArchiveDisk
  await rig.start()
  await rig.archive.sweep()
  t.equal(rig.archive.get(old)?.state, 'destroyed', what)
  t.equal(rig.archive.get(young)?.state, 'kept', what)
  t.equal(rig.archive.destructions().length, 1, what)
  t.equal(rig.entries('archive.destroyed').length, 1, what)
  await checkWhole(t, rig, what)
}

t.test('the log fails at each entry of a destruction: it goes on when the log is back', async t => {
  for (const action of ['archive.destruction-began', 'archive.destroyed']) {
    const rig = await ArchiveRig.open({ testdir: () => t.testdir(), teardown: work => { t.teardown(work) } })
    const itemNo = await rig.put({}, small)
    rig.passTo(OVER)
    rig.db.exec(`CREATE TRIGGER full BEFORE INSERT ON audit_entry WHEN NEW.action = '${action}' BEGIN SELECT RAISE(ABORT, 'no room'); END`)
    t.equal(await rig.archive.sweep(), 0)
    t.equal(rig.archive.get(itemNo)?.state, action === 'archive.destroyed' ? 'destroying' : 'kept')
    t.equal(names(rig, 'archive', 'items').length, action === 'archive.destroyed' ? 0 : 1, 'without its entry nothing is begun')
    rig.db.exec('DROP TRIGGER full')
    t.equal(await rig.archive.sweep(), 1)
    await checkWhole(t, rig, action)
  }
})
