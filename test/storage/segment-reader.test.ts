import t from 'tap'
import { generation, slotNumber } from '../../src/domain/index.ts'
import { LEASE_LAPSE_MS, SegmentReader, slotPath } from '../../src/footage/index.ts'
import { nameIn, RecorderRig, SLOT_BYTES } from '../support/recorder-rig.ts'

/** A recorder with one sealed segment behind it. */
async function recorded(t: Parameters<typeof RecorderRig.open>[0]) {
  const rig = await RecorderRig.open(t, { slots: 3 })
  await rig.fillSlots(1)
  await rig.append(2)
  await rig.sync()
  const [segment] = rig.segments()
  return { rig, segment: segment! }
}

t.test('a reader gives every record as it was recorded, and nothing beyond', async t => {
  const { rig, segment } = await recorded(t)
  await using reader = await rig.storage.openReader(segment)
  t.equal(reader.footage.entries.length, 4)
  for (let i = 0; i < 4; i++) t.equal(nameIn(await reader.read(i)), rig.appended[i]?.name)
  await t.rejects(reader.read(4), { name: 'RangeError' })
})

t.test('a reader alongside reads the tip of an open slot', async t => {
  const { rig } = await recorded(t)
  const open = rig.segments().at(-1)!
  await using reader = await rig.storage.openReader(open)
  t.equal(nameIn(await reader.read(1)), rig.appended.at(-1)?.name)
})

t.test('when the slot is given away between two reads the segment is gone, at every stage of the next generation', async t => {
  const { rig, segment } = await recorded(t)
  const { slot } = segment
  await using reader = await SegmentReader.open(rig.fs, rig.volumes[0]!, segment, null)
  const old = Buffer.from(rig.rawSlot(slot))
  t.equal(nameIn(await reader.read(0)), rig.appended[0]?.name)
  // A generation that puts records of the same size at the same places: only generation and CRC tell them apart.
  rig.rawSlot(slot).fill(0)
  await t.rejects(reader.read(0), { code: 'CUSTOS_SEGMENT_GONE' }, 'zeroed')
  const other = await RecorderRig.open(t, { slots: 2, floor: { floor: { kind: 'plain', durationMs: 1000 }, timezone: 'UTC' } })
  await other.append(12, { dataBytes: 220_000, prefix: 'o' })
  t.match(await other.content(slot), { kind: 'footage', header: { slot, generation: 2 }, entries: { length: 4 } })
  other.rawSlot(slot).copy(rig.rawSlot(slot))
  for (let i = 0; i < 4; i++) await t.rejects(reader.read(i), { code: 'CUSTOS_SEGMENT_GONE' }, `record ${i}`)
  old.copy(rig.rawSlot(slot))
  t.equal(nameIn(await reader.read(1)), rig.appended[1]?.name)
})

t.test('when the ring itself takes the slot, a reader without a say in it gets an error and no stranger\'s picture', async t => {
  const rig = await RecorderRig.open(t, { slots: 2, floor: { floor: { kind: 'plain', durationMs: 1000 }, timezone: 'UTC' } })
  await rig.fillSlots(1)
  await rig.append(1)
  const [segment] = rig.segments()
  await using reader = await SegmentReader.open(rig.fs, rig.volumes[0]!, segment!, null)
  t.equal(nameIn(await reader.read(0)), rig.appended[0]?.name)
  await rig.fillSlots(2)
  t.notOk(rig.segments().some(each => each.slot === segment!.slot && each.generation === segment!.generation), 'the slot was used again')
  for (let i = 0; i < 4; i++) await t.rejects(reader.read(i), { code: 'CUSTOS_SEGMENT_GONE' })
  await t.rejects(rig.storage.openReader(segment!), { code: 'CUSTOS_SEGMENT_GONE' }, 'and cannot be opened')
})

t.test('a record that rotted is not handed out', async t => {
  const { rig, segment } = await recorded(t)
  await using reader = await rig.storage.openReader(segment)
  const { at, sizeBytes } = reader.footage.entries[2]!
  rig.rawSlot(segment.slot)[at + sizeBytes - 5]! ^= 4
  await t.rejects(reader.read(2), { code: 'CUSTOS_SEGMENT_GONE' })
  t.equal(nameIn(await reader.read(3)), rig.appended[3]?.name)
})

t.test('a reader whose lease lapsed reads no more', async t => {
  const { rig, segment } = await recorded(t)
  await using reader = await rig.storage.openReader(segment)
  rig.clock.drift(LEASE_LAPSE_MS, 0)
  await reader.read(0)
  rig.clock.drift(LEASE_LAPSE_MS + 1, 0)
  await t.rejects(reader.read(0), { code: 'CUSTOS_SEGMENT_GONE' })
})

t.test('another generation, another slot\'s file and another volume\'s file in its place are refused', async t => {
  const { rig, segment } = await recorded(t)
  await t.rejects(rig.storage.openReader({ ...segment, generation: generation(2) }), { code: 'CUSTOS_SEGMENT_GONE' })
  await t.rejects(rig.storage.openReader({ ...segment, slot: slotNumber(2) }), { code: 'CUSTOS_SEGMENT_GONE' }, 'a slot that was never used')
  const [, second] = rig.segments()
  rig.rawSlot(second!.slot).copy(rig.rawSlot(segment.slot))
  await t.rejects(rig.storage.openReader(segment), { code: 'CUSTOS_SEGMENT_GONE' }, 'a slot file that was copied over it')
  const other = await RecorderRig.open(t, { slots: 2 })
  await other.append(2)
  other.rawSlot(0).copy(rig.rawSlot(segment.slot))
  await t.rejects(rig.storage.openReader(segment), { code: 'CUSTOS_SEGMENT_GONE' }, 'the same slot of another volume')
})

t.test('a reader that is closed leaves no file open and no lease behind', async t => {
  const { rig, segment } = await recorded(t)
  const openBefore = rig.memory.openFiles
  const reader = await rig.storage.openReader(segment)
  await reader[Symbol.asyncDispose]()
  await reader[Symbol.asyncDispose]()
  t.equal(rig.memory.openFiles, openBefore)
  rig.rawSlot(segment.slot).fill(0)
  await t.rejects(rig.storage.openReader(segment), { code: 'CUSTOS_SEGMENT_GONE' })
  t.equal(rig.memory.openFiles, openBefore, 'nor does a refusal')
  t.equal(rig.memory.bytesOf(slotPath(rig.volumes[0]!, segment.slot)).length, SLOT_BYTES)
})
