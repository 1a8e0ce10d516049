import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { slotNumber, volumeId } from '../../src/domain/index.ts'
import { slotPath } from '../../src/footage/index.ts'
import { realFileSystem } from '../../src/platform/file-system.ts'
import {
  checkVolume, IDENTITY_FILE, initVolume, MIN_SLOT_BYTES, parseIdentity,
} from '../../src/storage/index.ts'
import { MemoryFileSystem } from '../support/memory-file-system.ts'

const MIB = 1 << 20
const disk1 = volumeId('disk1')
const now = new Date('2026-11-22T08:00:00Z')
const init = (folder: string, sizeBytes = 4 * MIB, slotSizeBytes = MIN_SLOT_BYTES) => initVolume(realFileSystem, { folder, id: disk1, sizeBytes, slotSizeBytes, now })
const check = async (folder: string) => { const found = await checkVolume(realFileSystem, folder, disk1); return found.kind === 'ok' ? 'ok' : found.state }

interface Mounted extends Disposable { readonly folder: string, remount(option: string): void }

/** A file system of its own in a sparse image, mounted until it is disposed of. Not in the test's folder, whose removal must never walk into a mount. */
function mounted(type: 'ext4' | 'xfs' | 'tmpfs', sizeMib: number): Mounted {
  const base = mkdtempSync(path.join(tmpdir(), 'custos-volume-')), folder = path.join(base, 'mount')
  mkdirSync(folder)
  if (type === 'tmpfs') execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}M`, 'none', folder])
  else {
    const image = path.join(base, 'image')
    writeFileSync(image, '')
    truncateSync(image, sizeMib * MIB)
    execFileSync(`mkfs.${type}`, ['-q', image], { stdio: 'pipe' })
    execFileSync('mount', ['-o', 'loop', image, folder])
  }
  return {
    folder, remount: option => { execFileSync('mount', ['-o', `remount,${option}`, folder]) },
    [Symbol.dispose]: () => { execFileSync('umount', [folder]); rmSync(base, { recursive: true, force: true }) },
  }
}

t.test('a volume is made once: slots of equal size, allocated to the last byte, and an identity', async t => {
  using disk = mounted('ext4', 24)
  const { folder } = disk
  const volume = await init(folder, 4 * MIB + 4095)
  t.same(volume.identity, { format: 1, id: 'disk1', uuid: volume.identity.uuid, slotSizeBytes: MIB, slotCount: 4, createdAt: now.toISOString() })
  for (let slot = 0; slot < 4; slot++) {
    const { size, blocks } = statSync(slotPath(volume, slotNumber(slot)))
    t.equal(size, MIB)
    t.ok(blocks * 512 >= MIB, 'its blocks are there')
    t.ok(readFileSync(slotPath(volume, slotNumber(slot))).every(byte => byte === 0))
  }
  const found = await checkVolume(realFileSystem, folder, disk1)
  t.same(found, { kind: 'ok', volume })
})

t.test('XFS carries a volume as ext4 does', async t => {
  using disk = mounted('xfs', 320)
  const { folder } = disk
  const volume = await init(folder)
  t.equal(await check(folder), 'ok')
  const file = slotPath(volume, slotNumber(1))
  const handle = await realFileSystem.open(file, 'read-write', 'test')
  await handle.write(Buffer.alloc(10_000, 'stale'), 5_000, 'test')
  await realFileSystem.zeroRange(file, 0, MIB, 'test')
  await handle.datasync('test')
  await handle.close()
  const bytes = readFileSync(file)
  t.equal(bytes.length, MIB)
  t.ok(bytes.every(byte => byte === 0))
})

t.test('no second init touches a volume', async t => {
  using disk = mounted('ext4', 24)
  const { folder } = disk
  const volume = await init(folder)
  const slot = slotPath(volume, slotNumber(0))
  writeFileSync(slot, 'footage', { flag: 'r+' })
  const identity = readFileSync(path.join(folder, IDENTITY_FILE))
  await t.rejects(init(folder, 8 * MIB), { code: 'CUSTOS_VOLUME_EXISTS' })
  t.same(readFileSync(path.join(folder, IDENTITY_FILE)), identity)
  t.equal(readFileSync(slot).subarray(0, 7).toString(), 'footage')
  rmSync(path.join(folder, IDENTITY_FILE))
  await t.rejects(init(folder), { code: 'CUSTOS_FOLDER_NOT_EMPTY' }, 'also when its identity is lost')
  t.equal(readFileSync(slot).subarray(0, 7).toString(), 'footage')
})

t.test('a folder with anything in it is left alone', async t => {
  const folder = t.testdir({ 'letter.txt': 'keep me' })
  await t.rejects(init(folder), { code: 'CUSTOS_FOLDER_NOT_EMPTY' })
  t.same(readdirSync(folder), ['letter.txt'])
})

t.test('init refuses what cannot be a volume and leaves nothing behind', async t => {
  const folder = t.testdir()
  await t.rejects(init(folder, 4 * MIB, MIB - 4096), { code: 'CUSTOS_SLOT_SIZE' })
  await t.rejects(init(folder, 4 * MIB, MIB + 1), { code: 'CUSTOS_SLOT_SIZE' })
  await t.rejects(init(folder, 2 ** 42, 2 ** 31), { code: 'CUSTOS_SLOT_SIZE' })
  await t.rejects(init(folder, 2 * MIB - 1), { code: 'CUSTOS_VOLUME_TOO_SMALL' })
  await t.rejects(init(folder, 2 ** 50, 2 ** 30), { code: 'CUSTOS_NO_SPACE' })
  t.same(readdirSync(folder), [])
})

t.test('a file system that is neither ext4 nor XFS is refused by init and by check', async t => {
  using disk = mounted('tmpfs', 8)
  const { folder } = disk
  await t.rejects(init(folder), { code: 'CUSTOS_FILE_SYSTEM' })
  t.same(readdirSync(folder), [])
  const { identity } = await initVolume(new MemoryFileSystem(), { folder, id: disk1, sizeBytes: 4 * MIB, slotSizeBytes: MIB, now })
  writeFileSync(path.join(folder, IDENTITY_FILE), JSON.stringify(identity))
  t.equal(await check(folder), 'unsupported')
})

t.test('a volume that is mounted read-only is refused until it is writable again', async t => {
  using disk = mounted('ext4', 24)
  const { folder } = disk
  await init(folder)
  disk.remount('ro')
  t.equal(await check(folder), 'read-only')
  disk.remount('rw')
  t.equal(await check(folder), 'ok')
})

t.test('init on a read-only mount is refused', async t => {
  using disk = mounted('ext4', 24)
  const { folder } = disk
  disk.remount('ro')
  await t.rejects(init(folder), { code: 'CUSTOS_READ_ONLY' })
})

t.test('an empty folder where a mount should be is told from a folder that is no volume and from one that is missing', async t => {
  const base = t.testdir({ empty: {}, other: { 'photo.jpg': '' }, file: '' })
  t.equal(await check(path.join(base, 'empty')), 'not-mounted')
  t.equal(await check(path.join(base, 'other')), 'foreign')
  t.equal(await check(path.join(base, 'nowhere')), 'missing')
  t.equal(await check(path.join(base, 'file')), 'missing')
  t.same(readdirSync(path.join(base, 'empty')), [], 'looking writes nothing')
})

t.test('another volume than the one configured is refused', async t => {
  using disk = mounted('ext4', 24)
  const { folder } = disk
  await init(folder)
  const found = await checkVolume(realFileSystem, folder, volumeId('disk2'))
  t.match(found, { kind: 'refused', state: 'foreign', detail: /"disk1", not "disk2"/ })
})

t.test('an identity that is damaged in any way is refused, never guessed', async t => {
  const { identity } = await initVolume(new MemoryFileSystem(), { folder: '/v', id: disk1, sizeBytes: 4 * MIB, slotSizeBytes: MIB, now })
  t.same(parseIdentity(JSON.stringify(identity)), identity)
  const broken: unknown[] = [
    { ...identity, format: 2 }, { ...identity, id: 'Disk 1' }, { ...identity, id: undefined }, { ...identity, uuid: 'x'.repeat(32) }, { ...identity, uuid: '' },
    { ...identity, slotSizeBytes: 0 }, { ...identity, slotSizeBytes: -MIB }, { ...identity, slotSizeBytes: MIB + 1 }, { ...identity, slotSizeBytes: 2 ** 40 }, { ...identity, slotSizeBytes: '1' },
    { ...identity, slotCount: 0 }, { ...identity, slotCount: 1.5 }, { ...identity, slotCount: -4 }, { ...identity, slotCount: 2 ** 53 }, { ...identity, slotCount: 2 ** 50 }, { ...identity, createdAt: 3 }, [], null, 7, 'text',
  ]
  for (const raw of broken) t.equal(parseIdentity(JSON.stringify(raw)), null, JSON.stringify(raw))
  for (const text of ['', '{', '\0'.repeat(300), JSON.stringify(identity).slice(0, -1)]) t.equal(parseIdentity(text), null)
  const folder = t.testdir({ [IDENTITY_FILE]: '{"format":1' })
  t.equal(await check(folder), 'damaged')
})

t.test('an init that was interrupted leaves no volume', async t => {
  using disk = mounted('ext4', 24)
  const { folder } = disk
  await t.rejects(initVolume({ ...realFileSystem, publishText: async () => { throw new Error('killed') } }, { folder, id: disk1, sizeBytes: 4 * MIB, slotSizeBytes: MIB, now }), { message: 'killed' })
  t.equal(await check(folder), 'foreign')
})
