import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { realArchiveDisk } from '../../src/archive/index.ts'
import { itemNoOf, type ItemNo } from '../../src/archive/item.ts'
import { CHUNK_BYTES, HEADER_BYTES, openPayload, payloadBytes, sealPayload } from '../../src/archive/payload.ts'
import { bytesOf } from './support/rig.ts'

const itemNo = itemNoOf(115, 1), itemKey = Buffer.alloc(32, 7)
const SEALED_CHUNK = CHUNK_BYTES + 16

async function* pieces(content: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let done = 0, i = 0; done < content.length; i++) {
    const piece = Buffer.from(content.subarray(done, done + (sizes[i % sizes.length] ?? 1)))
    done += piece.length
    yield piece
    piece.fill(0) // whoever writes may use it again
  }
}

async function seal(file: string, content: Buffer, sizes: readonly number[] = [65_536]): Promise<number> {
  const fresh = await realArchiveDisk.create(file, 'test')
  try { return await sealPayload(pieces(content, sizes), { itemNo, itemKey, file: fresh }) } finally { await fresh.close() }
}
async function open(file: string, as: { itemNo: ItemNo, itemKey: Buffer } = { itemNo, itemKey }): Promise<Buffer> {
  const stored = await realArchiveDisk.open(file, 'test'), found: Buffer[] = []
  try { for await (const piece of openPayload(stored, as)) found.push(piece) } finally { await stored.close() }
  return Buffer.concat(found)
}

t.test('whatever its length and however it arrives, it comes out as it went in, at the length that was foretold', async t => {
  const folder = t.testdir()
  let n = 0
  await fc.assert(fc.asyncProperty(fc.oneof(fc.nat(300), fc.constantFrom(CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 5)), fc.array(fc.integer({ min: 1, max: 2 * CHUNK_BYTES }), { minLength: 1, maxLength: 4 }), async (length, sizes) => {
    const file = path.join(folder, String(n++)), content = bytesOf(length, 'x')
    const written = await seal(file, content, sizes.map(size => Math.max(size, length >> 8, 1)))
    return written === payloadBytes(length) && written === readFileSync(file).length && (await open(file)).equals(content)
  }), { numRuns: 60, seed: 20261126 })
  t.equal(n, 60)
})

t.test('cut, moved, doubled, lengthened, turned, of another key or another item: nothing false comes out', async t => {
  const folder = t.testdir(), content = bytesOf(3 * CHUNK_BYTES + 100, 'y'), sound = path.join(folder, 'sound')
  await seal(sound, content)
  const whole = readFileSync(sound), chunk = (i: number) => whole.subarray(HEADER_BYTES + i * SEALED_CHUNK, HEADER_BYTES + (i + 1) * SEALED_CHUNK), head = whole.subarray(0, HEADER_BYTES)
  const turned = (position: number) => { const copy = Buffer.from(whole); copy[position] = (copy[position] ?? 0) ^ 1; return copy }
  const bad: Record<string, Buffer> = {
    'empty': Buffer.alloc(0), 'header only': head, 'cut at a chunk': Buffer.concat([head, chunk(0), chunk(1)]), 'cut inside': whole.subarray(0, -50), 'cut by one byte': whole.subarray(0, -1),
    'two chunks changed places': Buffer.concat([head, chunk(1), chunk(0), chunk(2), chunk(3)]), 'a chunk left out': Buffer.concat([head, chunk(0), chunk(2), chunk(3)]), 'a chunk twice': Buffer.concat([head, chunk(0), chunk(0), chunk(1), chunk(2), chunk(3)]),
    'something behind it': Buffer.concat([whole, Buffer.alloc(40)]), 'its last chunk twice': Buffer.concat([whole, chunk(3)]),
    ...Object.fromEntries([0, 9, HEADER_BYTES, HEADER_BYTES + SEALED_CHUNK - 1, whole.length - 1].map(position => [`bit at ${position}`, turned(position)])),
  }
  for (const [name, bytes] of Object.entries(bad)) {
    const file = path.join(folder, 'bad')
    writeFileSync(file, bytes)
    await t.rejects(open(file), { name: 'PayloadError' }, name)
  }
  await t.rejects(open(sound, { itemNo, itemKey: Buffer.alloc(32, 8) }), { name: 'PayloadError' })
  await t.rejects(open(sound, { itemNo: itemNoOf(115, 2), itemKey }), { name: 'PayloadError' })
  t.ok((await open(sound)).equals(content))
})
