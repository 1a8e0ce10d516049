import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { partAsked } from '../../src/console/ranges.ts'
import { StoredZip, type ZipFile } from '../../src/console/stored-zip.ts'
import { epochMs } from '../../src/domain/index.ts'
import { bytesOf } from '../archive/support/rig.ts'

const MADE_AT = epochMs(Date.parse('2026-11-26T14:05:08+08:00'))
const fileOf = (name: string, content: Buffer, pieces = 1000): ZipFile => ({
  name, bytes: content.length,
  async *read() { for (let at = 0; at < content.length; at += pieces) yield content.subarray(at, at + pieces) },
})
async function bytesIn(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all)
}
const LIST = `import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
  print(json.dumps([[i.filename, i.file_size, i.date_time] for i in z.infolist()]))`
const listOf = (file: string): unknown => JSON.parse(execFileSync('python3', ['-c', LIST, file], { encoding: 'utf8' }))

t.test('opens with other programs to the very files, is as long as it said, and is the same each time', async t => {
  const files = [fileOf('115-調-0001/說明 ’𡍼.txt', Buffer.from('內容')), fileOf('115-調-0001/empty', Buffer.alloc(0)), fileOf('115-調-0001/video/lobby.mp4', bytesOf(300_001, 'lobby'))]
  const zip = new StoredZip(files, MADE_AT), whole = await bytesIn(zip.part(0, zip.bytes))
  t.equal(whole.length, zip.bytes)
  t.ok(whole.equals(await bytesIn(new StoredZip(files, MADE_AT).part(0, zip.bytes))))
  const place = path.join(t.testdir(), 'a.zip')
  writeFileSync(place, whole)
  t.same(listOf(place), [['115-調-0001/說明 ’𡍼.txt', 6, [2026, 11, 26, 14, 5, 8]], ['115-調-0001/empty', 0, [2026, 11, 26, 14, 5, 8]], ['115-調-0001/video/lobby.mp4', 300_001, [2026, 11, 26, 14, 5, 8]]])
  execFileSync('python3', ['-m', 'zipfile', '-e', place, path.dirname(place)]) // looks at each checksum
  t.ok(readFileSync(path.join(path.dirname(place), '115-調-0001/video/lobby.mp4')).equals(bytesOf(300_001, 'lobby')))
})

t.test('any part is that part of the whole', async () => {
  const files = fc.array(fc.record({ name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), size: fc.nat(4000) }), { maxLength: 5 })
  await fc.assert(fc.asyncProperty(files, fc.nat(), fc.nat(), async (wanted, a, b) => {
    const zip = new StoredZip(wanted.map(({ name, size }, index) => fileOf(`${index}-${name}`, bytesOf(size, name), 700)), MADE_AT)
    const whole = await bytesIn(zip.part(0, zip.bytes)), [start, end] = [a % zip.bytes, b % (zip.bytes + 1)].sort((x, y) => x - y) as [number, number]
    return whole.length === zip.bytes && (await bytesIn(zip.part(start, end))).equals(whole.subarray(start, end))
  }), { numRuns: 150 })
})

t.test('a file that grew or shrank meanwhile breaks the ZIP off, it does not spoil it', async t => {
  for (const bytes of [99, 101]) {
    const zip = new StoredZip([{ ...fileOf('a', Buffer.alloc(100)), bytes }], MADE_AT)
    await t.rejects(bytesIn(zip.part(0, zip.bytes)), RangeError)
  }
})

t.test('beyond 4 GiB, in one file and in all: zip64, and what comes after is found', async t => {
  const big = 2 ** 32 + 5, zeros = Buffer.alloc(16 << 20)
  const last = Buffer.from('the last')
  const files: ZipFile[] = [{ name: 'big', bytes: big, async *read() { for (let left = big; left > 0; left -= zeros.length) yield zeros.subarray(0, Math.min(left, zeros.length)) } }, fileOf('last', last)]
  const zip = new StoredZip(files, MADE_AT), place = path.join(t.testdir(), 'big.zip'), descriptor = openSync(place, 'w')
  let at = 0
  for await (const piece of zip.part(0, zip.bytes)) {
    if (piece.length < 1 << 20) writeSync(descriptor, piece, 0, piece.length, at) // zeros stay a hole
    at += piece.length
  }
  closeSync(descriptor)
  t.equal(at, zip.bytes)
  t.match(listOf(place), [['big', big], ['last', last.length]])
  t.equal(execFileSync('python3', ['-c', 'import sys, zipfile\nsys.stdout.write(zipfile.ZipFile(sys.argv[1]).read("last").decode())', place], { encoding: 'utf8' }), 'the last')
})

t.test('what a Range header asks for', async t => {
  const of = (range: string | undefined, ifRange?: string) => partAsked({ range, ifRange, etag: '"e"', bytes: 100 })
  t.same(['bytes=0-9', 'bytes=90-', 'bytes=90-500', 'bytes=-10', 'bytes=-500'].map(range => of(range)), [{ start: 0, end: 10 }, { start: 90, end: 100 }, { start: 90, end: 100 }, { start: 90, end: 100 }, { start: 0, end: 100 }])
  t.same([undefined, 'bytes=', 'bytes=-', 'bytes=0-1,5-6', 'lines=1-2', 'bytes=9-3', 'bytes=a-b'].map(range => of(range)), Array(7).fill(null), 'the whole')
  t.same([of('bytes=5-9', '"e"'), of('bytes=5-9', '"other"')], [{ start: 5, end: 10 }, null], 'only of the same file')
  for (const range of ['bytes=100-', 'bytes=100-200', 'bytes=-0']) t.throws(() => of(range), { code: 'CUSTOS_CONSOLE_REQUEST' }, range)
})
