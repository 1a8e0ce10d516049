import t from 'tap'
import { realArchiveDisk } from '../../src/archive/index.ts'
import { DISK_FAULT_MODES, FaultyDisk } from './support/faulty-disk.ts'
import { ArchiveRig } from './support/rig.ts'
import { callsOf, checkWhole, small } from './support/whole.ts'

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
}
