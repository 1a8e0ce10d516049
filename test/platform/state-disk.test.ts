import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { isStateDiskFull } from '../../src/platform/state-disk.ts'
import { SmallDisk } from '../support/recorder/small-disk.ts'

t.test('a disk is full without space, and without inodes', t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-state-disk-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const disk = new SmallDisk(t, path.join(folder, 'state'), 4)
  t.notOk(isStateDiskFull(disk.folder))
  disk.fill()
  t.ok(isStateDiskFull(disk.folder))
  disk.makeRoom()
  t.notOk(isStateDiskFull(disk.folder))
  disk.fillInodes()
  t.ok(disk.freeBytes > 1 << 20)
  t.ok(isStateDiskFull(disk.folder))
  t.notOk(isStateDiskFull(path.join(folder, 'nowhere')), 'who cannot be asked says nothing')
  t.end()
})
