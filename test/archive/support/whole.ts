import { readdirSync } from 'node:fs'
import path from 'node:path'
import type { Test } from 'tap'
import type { FaultyDisk } from './faulty-disk.ts'
import { ACTING, contentOf, type ArchiveRig } from './rig.ts'

export const small = { 'a.txt': 'a', 'b/c.txt': 'c' }
export const names = (rig: ArchiveRig, ...folder: string[]): string[] => readdirSync(path.join(rig.folder, ...folder)).sort()

/** Everything that must hold whenever no work is under way: rows, folders and keys are the same items, and each can be read. */
export async function checkWhole(t: Test, rig: ArchiveRig, what: string): Promise<void> {
  const kept = rig.archive.list().filter(item => item.state === 'kept').map(item => item.itemNo)
  t.same(names(rig, 'archive', 'items'), [...kept].sort(), `${what}: a folder for each row and no other`)
  t.equal(names(rig, 'state', 'keys').length, 2, `${what}: one key file, one master`)
  t.match(rig.archive.view(), { state: 'ok', lost: [], strays: 0 }, what)
  for (const itemNo of kept.slice(-2)) t.same(Object.keys(await contentOf(await rig.archive.read(ACTING, itemNo))), Object.keys(small), what)
  t.same(rig.archive.list().filter(item => item.state === 'destroying'), [], what)
  for (const item of rig.archive.list().filter(each => each.state === 'destroyed')) t.ok(rig.archive.destruction(item.itemNo), `${what}: a record`)
}

/** How many calls of the disk the work takes when nothing breaks. */
export async function callsOf(disk: FaultyDisk, work: () => Promise<unknown>): Promise<number> {
  const before = disk.steps.length
  await work()
  return disk.steps.length - before
}
