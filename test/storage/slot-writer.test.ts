import t from 'tap'
import { epochMs, generation, slotNumber, cameraId, cameraUuid, streamName, volumeUuid } from '../../src/domain/index.ts'
import { boxesIn, type InitSegment } from '../../src/media/index.ts'
import type { VolumeFile } from '../../src/platform/file-system.ts'
import { encodeSlotStart, freeHeader, sha256, trailerBytes } from '../../src/slots/slot-format.ts'
import { readSlot, type SlotFootage } from '../../src/slots/slot-walk.ts'
import { SlotWriter } from '../../src/storage/slot-writer.ts'
import { merkleRoot } from '../../src/platform/merkle.ts'
import { FaultyFileSystem } from '../support/faulty-file-system.ts'
import { builtFragment, builtInit, mediaBytesOf, realFootage, timedFragment } from '../support/fragments.ts'
import { MemoryFileSystem } from '../support/memory-file-system.ts'
import { nameIn, SLOT_BYTES, START } from '../support/recorder-rig.ts'
import { seededRandom } from '../support/seeded-random.ts'

const startAt = epochMs(Date.parse(START))
const keepUntilOf = () => epochMs(startAt + 32 * 86_400_000)

interface Open { readonly memory: MemoryFileSystem, readonly fs: FaultyFileSystem, readonly file: VolumeFile, readonly bytes: Buffer, readonly writer: SlotWriter }

async function openSlot(init: InitSegment): Promise<Open> {
  const memory = new MemoryFileSystem(), fs = new FaultyFileSystem(memory)
  await memory.createAllocated('/slot', SLOT_BYTES, 'test')
  const file = await fs.open('/slot', 'read-write', 'test open')
  const start = encodeSlotStart({
    volumeUuid: volumeUuid('0'.repeat(32)), slot: slotNumber(0), generation: generation(1), cameraId: cameraId('lobby'), cameraUuid: cameraUuid('1'.repeat(32)),
    stream: streamName('main'), startAt, floorRule: '31d Asia/Taipei', slotSizeBytes: SLOT_BYTES,
  }, init.ftyp, init.moov)
  await file.write(Buffer.concat([start, freeHeader(SLOT_BYTES - start.length)]), 0, 'test header')
  await file.datasync('test sync')
  const writer = new SlotWriter({ file, slot: slotNumber(0), generation: generation(1), startAt, init, slotSizeBytes: SLOT_BYTES, endByte: start.length })
  return { memory, fs, file, bytes: memory.bytesOf('/slot'), writer }
}

/** Throws unless the slot is whole boxes from the first byte to the last. */
const typesIn = (bytes: Buffer): string[] => [...boxesIn(bytes, 0, bytes.length)].map(box => box.type)
const built = (init: InitSegment, i: number, { dataBytes = 3000, run = 1, at = startAt + i * 500 } = {}) =>
  timedFragment(init, builtFragment({ init, name: `f${i}`, dataBytes, isKey: i % 2 === 0, decodeTimeMs: i * 500 }), { runId: run, startAt: at })

async function footage({ file }: Open): Promise<SlotFootage> {
  const content = await readSlot(file, SLOT_BYTES)
  if (content.kind !== 'footage') throw new Error(`slot is ${content.kind}`)
  return content
}

t.test('a reader alongside meets whole boxes after every single write of appending and sealing', async t => {
  const init = builtInit(), open = await openSlot(init)
  const { fs, bytes, writer } = open
  const seen: string[] = []
  fs.onApplied = step => {
    const types = typesIn(bytes)
    t.same(types.slice(0, 3), ['ftyp', 'uuid', 'moov'], step)
    const body = types.slice(3)
    const records = body.filter(type => type === 'moof').length
    t.same(body.slice(0, records * 4), Array.from({ length: records }, () => ['prft', 'uuid', 'moof', 'mdat']).flat(), `${step}: whole records only`)
    seen.push(`${step} ${body.slice(records * 4).join(' ')}`)
  }
  for (let i = 0; i < 3; i++) { await writer.append(built(init, i)); await writer.sync() }
  await writer.seal(keepUntilOf)
  fs.onApplied = null
  t.ok(seen.includes('append body free'), 'between the two writes the old free box still covers the record')
  t.equal(seen.at(-1), 'seal free sync free uuid mfra')
  t.same(typesIn(bytes).slice(-3), ['free', 'uuid', 'mfra'])
})

t.test('what real ffmpeg delivers is kept to the byte, pictures and sound', async t => {
  for (const options of [{ codec: 'h264', width: 320, height: 180, seconds: 4 }, { codec: 'h265', width: 320, height: 180, seconds: 4 }, { codec: 'h264', width: 320, height: 180, seconds: 4, sound: true }] as const) {
    const real = await realFootage(options), open = await openSlot(real.init)
    let atMs = 0
    for (let i = 0; i < real.count; i++) {
      const timed = timedFragment(real.init, real.fragment(i), { startAt: startAt + atMs })
      await open.writer.append(timed)
      atMs += timed.durationMs
    }
    await open.writer.seal(keepUntilOf)
    const { entries, sealed } = await footage(open)
    t.equal(entries.length, real.count)
    t.not(sealed, null)
    for (const [i, entry] of entries.entries()) {
      const media = mediaBytesOf(real.fragment(i))
      t.same(open.bytes.subarray(entry.at + entry.sizeBytes - media.length, entry.at + entry.sizeBytes), media, `${options.codec} fragment ${i}`)
      t.same(entry.sha256, sha256(open.bytes.subarray(entry.at, entry.at + entry.sizeBytes)))
    }
  }
})

t.test('sealing again gives equal bytes and equal facts', async t => {
  const init = builtInit(), open = await openSlot(init)
  for (let i = 0; i < 9; i++) await open.writer.append(built(init, i))
  const facts = await open.writer.seal(keepUntilOf)
  const once = Buffer.from(open.bytes)
  const { entries, endByte } = await footage(open)
  const again = new SlotWriter({ file: open.file, slot: slotNumber(0), generation: generation(1), startAt, init, slotSizeBytes: SLOT_BYTES, entries, endByte })
  t.same(await again.seal(keepUntilOf), facts)
  t.same(Buffer.compare(open.bytes, once), 0)
  t.same(facts, { endAt: startAt + 4500, keepUntil: keepUntilOf(), records: 9, usedBytes: endByte, merkleRoot: merkleRoot(entries.map(entry => entry.sha256)) })
})

t.test('a segment without a record can be sealed', async t => {
  const init = builtInit(), open = await openSlot(init)
  const facts = await open.writer.seal(keepUntilOf)
  t.same([facts.records, facts.usedBytes, facts.endAt], [0, 0, startAt])
  const { sealed, entries } = await footage(open)
  t.not(sealed, null)
  t.same(entries, [])
})

t.test('a slot takes what fits with its index and not a byte more, whatever the sizes', async t => {
  const random = seededRandom(7)
  for (let round = 0; round < 25; round++) {
    const init = builtInit(), open = await openSlot(init)
    const largest = [600, 5_000, 60_000, 400_000][round % 4]!
    let i = 0
    for (; i < 600; i++) {
      const timed = built(init, i, { dataBytes: 200 + Math.floor(random() * largest) })
      if (!open.writer.takes(timed)) break
      await open.writer.append(timed)
    }
    const names = (await footage(open)).entries.length
    await open.writer.seal(keepUntilOf)
    const { entries, sealed, endByte } = await footage(open)
    t.equal(entries.length, names)
    t.not(sealed, null, `round ${round}`)
    t.ok(endByte + trailerBytes(entries.length) <= SLOT_BYTES)
    t.equal(typesIn(open.bytes).filter(type => type === 'moof').length, i)
    const strays = entries.filter((entry, position) => nameIn(open.bytes.subarray(entry.at, entry.at + entry.sizeBytes)) !== `f${position}`)
    t.same(strays, [])
  }
})

t.test('a fragment that no slot can hold is refused before a byte of it is written', async t => {
  const init = builtInit()
  for (const dataBytes of [SLOT_BYTES, SLOT_BYTES + 5, SLOT_BYTES - 700, SLOT_BYTES - 1100, SLOT_BYTES * 3]) {
    const open = await openSlot(init)
    const before = Buffer.from(open.bytes)
    await t.rejects(open.writer.append(built(init, 0, { dataBytes })), { code: 'CUSTOS_FRAGMENT_TOO_LARGE' }, `${dataBytes} bytes`)
    t.same(Buffer.compare(open.bytes, before), 0)
    t.equal(open.writer.failure, null, 'the slot itself is good')
    await open.writer.append(built(init, 0))
    t.equal((await footage(open)).entries.length, 1)
  }
})

t.test('a group of pictures that would not fit begins in the next slot', async t => {
  const init = builtInit(), { writer } = await openSlot(init)
  let i = 0
  while (writer.takes(built(init, i, { dataBytes: 100_000 }))) await writer.append(built(init, i++, { dataBytes: 100_000 }))
  t.equal(i % 2, 0, 'the last record ends a group')
  t.ok(i >= 6)
})

t.test('after a failed write or sync nothing is written any more and sealing counts only what was synced', async t => {
  for (const step of ['append body', 'append head', 'append sync']) {
    for (const mode of ['not-applied', 'applied-then-failed'] as const) {
      const init = builtInit(), open = await openSlot(init)
      const { writer, fs } = open
      for (let i = 0; i < 4; i++) await writer.append(built(init, i))
      await writer.sync()
      await writer.append(built(init, 4))
      fs.break({ step, mode })
      await t.rejects((async () => { await writer.append(built(init, 5)); await writer.sync() })(), { code: 'CUSTOS_STORAGE_IO', fault: 'io' })
      t.notOk(writer.isDirty)
      const before = Buffer.from(open.bytes), steps = fs.steps.length
      await t.rejects(writer.append(built(init, 6)))
      await t.rejects(writer.sync())
      const facts = await writer.seal(keepUntilOf)
      t.same([facts.records, facts.endAt], [4, startAt + 2000], `${step} ${mode}`)
      t.equal(fs.steps.length, steps, 'no call after the failure')
      t.same(Buffer.compare(open.bytes, before), 0)
    }
  }
})

t.test('a sync counts only what was appended before it began', async t => {
  const init = builtInit(), { writer, fs } = await openSlot(init)
  await writer.append(built(init, 0))
  fs.onApplied = async step => { if (step === 'append sync') { fs.onApplied = null; await writer.append(built(init, 1)) } }
  await writer.sync()
  t.ok(writer.isDirty)
})

t.test('when an index is durable, so is every record it lists, wherever the power fails while sealing', async t => {
  const random = seededRandom(99)
  for (const step of ['seal trailer', 'seal trailer sync', 'seal free', 'seal free sync']) {
    for (let round = 0; round < 30; round++) {
      const init = builtInit(), open = await openSlot(init)
      for (let i = 0; i < 4; i++) { await open.writer.append(built(init, i)); if (i === 1) await open.writer.sync() }
      let medium: MemoryFileSystem | null = null
      open.fs.break({ step, mode: round % 2 === 0 ? 'crash' : 'crash-after', onCrash: () => { medium = open.memory.afterPowerCut(random) } })
      await open.writer.seal(keepUntilOf).catch(() => undefined)
      const after = medium as MemoryFileSystem | null
      if (after === null) { t.fail(`${step} was never reached`); continue }
      const file = await after.open('/slot', 'read', 'test')
      const content = await readSlot(file, SLOT_BYTES)
      if (content.kind !== 'footage') { t.fail(`slot is ${content.kind}`); continue }
      const bytes = after.bytesOf('/slot')
      t.ok(content.entries.length >= 2, 'what was synced is there')
      const torn = content.entries.findIndex(entry => !sha256(bytes.subarray(entry.at, entry.at + entry.sizeBytes)).equals(entry.sha256))
      t.equal(torn, -1, `${step}, round ${round}${content.sealed === null ? '' : ', by its index'}`)
    }
  }
})

t.test('decode times in a slot only go forward, also when a run ran ahead of the wall clock before the next began', async t => {
  const init = builtInit(), open = await openSlot(init)
  for (let i = 0; i < 4; i++) await open.writer.append(built(init, i, { run: 1, at: startAt + i * 480 })) // media time 4 % fast: what slewing leaves after hours
  for (let i = 4; i < 8; i++) await open.writer.append(built(init, i, { run: 2, at: startAt + 1945 + (i - 4) * 500 }))
  const { entries } = await footage(open)
  for (const [i, entry] of entries.entries()) {
    const before = entries[i - 1]
    if (before !== undefined) t.ok(entry.decodeTimeTicks >= before.decodeTimeTicks + 45_000n, `record ${i}: ${entry.decodeTimeTicks} after ${before.decodeTimeTicks}`)
  }
})

t.test('a record of sound alone is placed and measured like one with pictures', async t => {
  const init = builtInit({ sound: true }), open = await openSlot(init)
  const sound = timedFragment(init, builtFragment({ init, name: 'sound', soundOnly: true, decodeTimeMs: 1000 }), { startAt: startAt + 1000 })
  await open.writer.append(timedFragment(init, builtFragment({ init, name: 'f0', durationMs: 1000 }), { startAt }))
  await open.writer.append(sound)
  await open.writer.append(timedFragment(init, builtFragment({ init, name: 'f2', decodeTimeMs: 1500 }), { startAt: startAt + 1500 }))
  const walked = await footage(open)
  t.same(walked.entries.map(entry => [entry.startAt - startAt, entry.durationMs, Number(entry.decodeTimeTicks), entry.startsWithKey]), [[0, 1000, 0, true], [1000, 500, 90_000, false], [1500, 500, 135_000, true]])
  await open.writer.seal(keepUntilOf)
  t.same((await footage(open)).entries, walked.entries)
})

t.test('a new run stands at its wall time in the slot', async t => {
  const init = builtInit(), open = await openSlot(init)
  await open.writer.append(built(init, 0, { run: 1 }))
  await open.writer.append(timedFragment(init, builtFragment({ init, name: 'later', decodeTimeMs: 123_456 }), { runId: 2, startAt: startAt + 60_000 }))
  const { entries } = await footage(open)
  t.equal(entries[1]?.decodeTimeTicks, 60n * 90_000n)
})
