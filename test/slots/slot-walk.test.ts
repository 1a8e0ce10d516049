import t from 'tap'
import { cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, volumeUuid } from '../../src/domain/index.ts'
import type { VolumeFile } from '../../src/platform/file-system.ts'
import { encodeSlotStart, freeHeader, type SlotHeader } from '../../src/slots/slot-format.ts'
import { endOfFootage, readSlot, type SlotFootage } from '../../src/slots/slot-walk.ts'
import { SlotWriter } from '../../src/storage/slot-writer.ts'
import { builtFragment, builtInit, timedFragment } from '../support/fragments.ts'
import { MemoryFileSystem, SECTOR_BYTES } from '../support/memory-file-system.ts'
import { nameIn, SLOT_BYTES, START } from '../support/recorder-rig.ts'
import { seededRandom } from '../support/seeded-random.ts'

const init = builtInit()
const startAt = epochMs(Date.parse(START))
const headerOf = (gen: number): SlotHeader => ({
  volumeUuid: volumeUuid('0'.repeat(32)), slot: slotNumber(2), generation: generation(gen), cameraId: cameraId('lobby'), cameraUuid: cameraUuid('1'.repeat(32)), stream: streamName('main'),
  startAt, floorRule: '31d Asia/Taipei', slotSizeBytes: SLOT_BYTES,
})

interface Slot { readonly fs: MemoryFileSystem, readonly file: VolumeFile, readonly bytes: Buffer }
async function emptySlot(): Promise<Slot> {
  const fs = new MemoryFileSystem()
  await fs.createAllocated('/slot', SLOT_BYTES, 'test')
  return { fs, file: await fs.open('/slot', 'read-write', 'test'), bytes: fs.bytesOf('/slot') }
}

/** Begins a generation the way the ring does, but without the zeroing. */
async function begin(file: VolumeFile, gen: number): Promise<SlotWriter> {
  const start = encodeSlotStart(headerOf(gen), init.ftyp, init.moov)
  await file.write(Buffer.concat([start, freeHeader(SLOT_BYTES - start.length)]), 0, 'test')
  return new SlotWriter({ file, slot: slotNumber(2), generation: generation(gen), startAt, init, slotSizeBytes: SLOT_BYTES, endByte: start.length })
}

const append = (writer: SlotWriter, position: number, { run = 1, dataBytes = 2500, prefix = 'new' } = {}) => writer.append(timedFragment(
  init, builtFragment({ init, name: `${prefix}${position}`, dataBytes, isKey: position % 2 === 0, decodeTimeMs: position * 500 }), { runId: run, startAt: startAt + position * 500 }))

async function footage(file: VolumeFile): Promise<SlotFootage> {
  const content = await readSlot(file, SLOT_BYTES)
  if (content.kind !== 'footage') throw new Error(`slot is ${content.kind}`)
  return content
}
const namesIn = (bytes: Buffer, { entries }: SlotFootage): string[] => entries.map(entry => nameIn(bytes.subarray(entry.at, entry.at + entry.sizeBytes)))

t.test('a blank slot is blank, and one with a header alone is footage without records', async t => {
  const { file } = await emptySlot()
  t.same(await readSlot(file, SLOT_BYTES), { kind: 'blank' })
  await begin(file, 1)
  const { entries, sealed, header } = await footage(file)
  t.same([entries, sealed, header], [[], null, headerOf(1)])
  t.equal(endOfFootage(entries), null)
})

t.test('the walk over an open slot finds what the writer wrote', async t => {
  const { file, bytes } = await emptySlot()
  const writer = await begin(file, 4)
  for (let i = 0; i < 12; i++) await append(writer, i, { run: 1 + Math.floor(i / 5) })
  const open = await footage(file)
  t.same(namesIn(bytes, open), Array.from({ length: 12 }, (_, i) => `new${i}`))
  t.same(open.entries.map(entry => [entry.startAt, entry.durationMs, entry.startsWithKey, entry.runId]), Array.from({ length: 12 }, (_, i) => [startAt + i * 500, 500, i % 2 === 0, 1 + Math.floor(i / 5)]))
  t.equal(endOfFootage(open.entries), startAt + 6000)
  await writer.seal(() => epochMs(startAt + 1e9))
  const sealed = await footage(file)
  t.not(sealed.sealed, null)
  t.same(sealed.entries, open.entries, 'the index says what the walk said')
  t.equal(sealed.endByte, open.endByte)
})

t.test('the walk stops at the first record that does not hold and never looks behind it', async t => {
  for (const broken of [0, 1, 5, 9]) {
    const { file, bytes } = await emptySlot()
    const writer = await begin(file, 1)
    for (let i = 0; i < 10; i++) await append(writer, i)
    const { entries } = await footage(file)
    const { at, sizeBytes } = entries[broken]!
    bytes[at + sizeBytes - 1]! ^= 1
    const found = await footage(file)
    t.same(namesIn(bytes, found), Array.from({ length: broken }, (_, i) => `new${i}`), `record ${broken}`)
    t.equal(found.endByte, at)
  }
})

t.test('records out of sequence, of another slot or of an older run end the walk', async t => {
  const { file, bytes } = await emptySlot()
  const writer = await begin(file, 1)
  for (let i = 0; i < 4; i++) await append(writer, i)
  const [first, second, third] = (await footage(file)).entries
  const whole = Buffer.from(bytes)
  bytes.copy(bytes, second!.at, third!.at, third!.at + third!.sizeBytes)
  t.same(namesIn(bytes, await footage(file)), ['new0'], 'the third where the second stood')
  whole.copy(bytes)
  bytes.copy(bytes, second!.at, first!.at, first!.at + first!.sizeBytes)
  t.same(namesIn(bytes, await footage(file)), ['new0'], 'the first twice')

  const other = await emptySlot()
  const older = await begin(other.file, 1)
  await append(older, 0, { run: 9 })
  await append(older, 1, { run: 8 })
  t.same(namesIn(other.bytes, await footage(other.file)), ['new0'], 'a run older than the one before')
})

t.test('a sealed slot whose index rotted is walked instead', async t => {
  const { file, bytes } = await emptySlot()
  const writer = await begin(file, 1)
  for (let i = 0; i < 6; i++) await append(writer, i)
  await writer.seal(() => epochMs(startAt + 1e9))
  const indexAt = bytes.indexOf('custosSLOTIndex-')
  for (const at of [indexAt - 4, indexAt + 20, indexAt + 100, SLOT_BYTES - 1, SLOT_BYTES - 12]) {
    const was = bytes[at]!
    bytes[at] = was ^ 0x10
    const { sealed, entries } = await footage(file)
    t.same([sealed, entries.length], [null, 6], `byte ${at}`)
    bytes[at] = was
  }
  t.not((await footage(file)).sealed, null)
})

t.test('an index of a former generation is not believed', async t => {
  const { file, bytes } = await emptySlot()
  const old = await begin(file, 1)
  for (let i = 0; i < 6; i++) await append(old, i, { prefix: 'old' })
  await old.seal(() => epochMs(startAt + 1e9))
  const writer = await begin(file, 2) // over it, nothing zeroed
  await append(writer, 0)
  const found = await footage(file)
  t.equal(found.sealed, null)
  t.same(namesIn(bytes, found), ['new0'])
})

t.test('torn over a full former generation: at every missing sector no stale byte is accepted and every older record kept', async t => {
  const { file, bytes } = await emptySlot()
  const old = await begin(file, 1)
  // The same sizes at the same places: the hardest case, for every header of the old generation stands where one of the new belongs.
  let planted = 0
  while (old.takes(timedFragment(init, builtFragment({ init, name: 'x' }), { startAt }))) await append(old, planted++, { prefix: 'old' })
  await old.seal(() => epochMs(startAt + 1e9))
  const before = Buffer.from(bytes)
  const writer = await begin(file, 2)
  const kept = 5
  for (let i = 0; i < kept; i++) await append(writer, i)
  const keptBytes = Buffer.from(bytes)
  await append(writer, kept)
  const after = Buffer.from(bytes)
  t.ok(planted > 100, `${planted} records were planted`)
  const { entries } = await footage(file)
  const { at, sizeBytes } = entries[kept]!
  const sectors: number[] = []
  for (let sector = Math.floor(at / SECTOR_BYTES); sector * SECTOR_BYTES < at + sizeBytes + 8; sector++) sectors.push(sector)
  const wanted = Array.from({ length: kept }, (_, i) => `new${i}`)
  let accepted = 0
  const tear = async (missing: ReadonlySet<number>, what: string) => {
    after.copy(bytes)
    for (const sector of missing) keptBytes.copy(bytes, sector * SECTOR_BYTES, sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
    const names = namesIn(bytes, await footage(file))
    if (names.length === kept + 1) accepted++
    const whole = after.subarray(at, at + sizeBytes).equals(bytes.subarray(at, at + sizeBytes))
    t.same(names, whole ? [...wanted, `new${kept}`] : wanted, what)
  }
  t.notOk(before.equals(after), 'the new generation is another one')
  for (const sector of sectors) await tear(new Set([sector]), `without sector ${sector - sectors[0]!}`)
  for (let count = 1; count <= sectors.length; count++) await tear(new Set(sectors.slice(-count)), `without the last ${count}`)
  for (let count = 1; count <= sectors.length; count++) await tear(new Set(sectors.slice(0, count)), `without the first ${count}`)
  const random = seededRandom(20261122)
  for (let i = 0; i < 300; i++) await tear(new Set(sectors.filter(() => random() < 0.5)), `random ${i}`)
  t.ok(accepted < 20, 'a whole record is the exception')
})

t.test('a fragment that was torn where it crosses into the old generation leaves its predecessors whole, for every size of it', async t => {
  for (let dataBytes = 400; dataBytes < 400 + 2 * SECTOR_BYTES; dataBytes += 61) {
    const { file, bytes } = await emptySlot()
    const old = await begin(file, 7)
    for (let i = 0; i < 20; i++) await append(old, i, { prefix: 'old', dataBytes: 1200 })
    const writer = await begin(file, 8)
    await append(writer, 0, { dataBytes })
    const before = Buffer.from(bytes)
    await append(writer, 1, { dataBytes })
    const after = Buffer.from(bytes)
    const { at, sizeBytes } = (await footage(file)).entries[1]!
    for (let sector = Math.floor(at / SECTOR_BYTES); sector * SECTOR_BYTES < at + sizeBytes; sector++) {
      after.copy(bytes)
      before.copy(bytes, sector * SECTOR_BYTES, sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
      const names = namesIn(bytes, await footage(file))
      if (names.length !== 1 || names[0] !== 'new0') t.same(names, ['new0'], `${dataBytes} bytes, sector ${sector}`)
    }
  }
  t.pass('every sector of every size')
})
