import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { realFileSystem } from '../../src/platform/file-system.ts'

t.test('where a range cannot be zeroed by the file system, as on tmpfs, it is zeroed by writing', async t => {
  const file = `/dev/shm/custos-zero-${process.pid}`
  t.teardown(() => { rmSync(file, { force: true }) })
  writeFileSync(file, Buffer.alloc(3 << 20, 7))
  await realFileSystem.zeroRange(file, 4096, 2 << 20, 'test')
  const bytes = readFileSync(file)
  t.equal(bytes.length, 3 << 20, 'its size stays')
  t.ok(bytes.subarray(4096, 4096 + (2 << 20)).every(byte => byte === 0), 'the range is zero')
  t.ok(bytes.subarray(0, 4096).every(byte => byte === 7) && bytes.subarray(4096 + (2 << 20)).every(byte => byte === 7), 'and nothing else')
})

t.test('a range is zeroed by writing where fallocate cannot be started, and no disk is blamed for that', async t => {
  const file = path.join(t.testdir({ slot: 'x'.repeat(10_000) }), 'slot')
  const { PATH } = process.env
  t.teardown(() => { process.env['PATH'] = PATH })
  process.env['PATH'] = '/nowhere'
  await realFileSystem.zeroRange(file, 10, 9_000, 'test')
  t.equal(readFileSync(file, 'utf8'), `${'x'.repeat(10)}${'\0'.repeat(9_000)}${'x'.repeat(990)}`)
  await t.rejects(realFileSystem.createAllocated(path.join(path.dirname(file), 'fresh'), 4096, 'test'), { fault: 'other', cause: { code: 'ENOENT' } })
})

t.test('what fallocate says is understood in whatever language the host speaks', async t => {
  const bin = path.join(t.testdir({}), 'bin')
  mkdirSync(bin)
  writeFileSync(path.join(bin, 'fallocate'), '#!/bin/sh\nif [ "$LC_ALL" = C ]; then echo "fallocate: fallocate failed: No space left on device" >&2; else echo "fallocate: fallocate 失敗: 裝置上已無多餘空間" >&2; fi\nexit 1\n')
  chmodSync(path.join(bin, 'fallocate'), 0o755)
  const { PATH, LC_ALL } = process.env
  t.teardown(() => { process.env['PATH'] = PATH; if (LC_ALL === undefined) delete process.env['LC_ALL']; else process.env['LC_ALL'] = LC_ALL })
  process.env['PATH'] = `${bin}:${PATH}`
  process.env['LC_ALL'] = 'zh_TW.UTF-8'
  const file = path.join(bin, 'slot')
  writeFileSync(file, 'x')
  await t.rejects(realFileSystem.zeroRange(file, 0, 1, 'test'), { message: /no-space/ })
})

t.test('a text file that is longer than allowed is refused, never cut', async t => {
  const file = path.join(t.testdir({ text: '統計\n'.repeat(10) }), 'text')
  t.equal(await realFileSystem.readText(file, 70, 'test'), '統計\n'.repeat(10))
  await t.rejects(realFileSystem.readText(file, 69, 'test'), { code: 'CUSTOS_STORAGE_IO', fault: 'too-large', message: /text/ })
  await t.rejects(realFileSystem.readText(path.dirname(file), 69, 'test'), { code: 'CUSTOS_STORAGE_IO' })
  await t.rejects(realFileSystem.readText('/dev/zero', 4096, 'test'), { code: 'CUSTOS_STORAGE_IO', fault: 'too-large' })
})
