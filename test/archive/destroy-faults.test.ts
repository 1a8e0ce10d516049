import t from 'tap'
import { realArchiveDisk } from '../../src/archive/index.ts'
import { DISK_FAULT_MODES, FaultyDisk } from './support/faulty-disk.ts'
import { ArchiveRig, at, facts } from './support/rig.ts'
import { callsOf, checkWhole, names, small } from './support/whole.ts'

const OVER = at('2027-11-27T00:30:00')

/** Counted from a recording of long ago, an item is over its time when it is put in. */
const over = (rig: ArchiveRig): void => { rig.rule = { period: { years: 1 }, from: 'recorded' } }
const OLD = facts().ranges.map(range => ({ ...range, from: at('2024-11-20T09:00:00'), to: at('2024-11-20T10:00:00') }))

for (const mode of DISK_FAULT_MODES) {
  t.test(`destruction: ${mode} at each step goes on where it ended, with one record`, async t => {
    const counting = new FaultyDisk(realArchiveDisk)
    const rig = await ArchiveRig.open(t, each => { each.disk = counting; over(each) })
    const young = await rig.put({}, small)
    await rig.put({ ranges: OLD, footageSha256: 'd'.repeat(64) }, small)
    const count = await callsOf(counting, () => rig.archive.sweep())
    t.ok(count > 20 && counting.steps.includes('old master wipe') && counting.steps.includes('payload remove'), `${count} steps`)
    for (let call = 0; call < count; call++) {
      rig.disk = realArchiveDisk
      await rig.start()
      const what = `${mode} at call ${call}`, itemNo = await rig.put({ ranges: OLD, footageSha256: call.toString(16).padStart(64, '0') }, small)
      const disk = new FaultyDisk(realArchiveDisk)
      rig.disk = disk
      await rig.start()
      disk.break(call, mode)
      await rig.archive.sweep().catch(() => undefined)
      t.ok(disk.hasBroken, `${what} (${disk.steps.at(-1) ?? ''})`)
      rig.disk = realArchiveDisk
      await rig.start()
      await rig.archive.sweep()
      t.equal(rig.archive.get(itemNo)?.state, 'destroyed', what)
      t.equal(rig.archive.get(young)?.state, 'kept', what)
      t.equal(rig.entries('archive.destroyed').filter(entry => entry.object === itemNo).length, 1, what)
      await checkWhole(t, rig, what)
    }
  })
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
