import fc from 'fast-check'
import t from 'tap'
import { StorageError, type VolumeFile } from '../../src/platform/file-system.ts'
import { checkSegment, SCRUB_BUFFER_BYTES, type CheckedSegment, type SegmentFault } from '../../src/storage/segment-check.ts'
import type { Scrubber } from '../../src/storage/index.ts'
import { RecorderRig, SLOT_BYTES } from '../support/recorder-rig.ts'

const LARGE = { dataBytes: 120_000 }

/** Two sealed segments and a clock that has gone on. */
async function recorded(t: Parameters<typeof RecorderRig.open>[0]): Promise<RecorderRig> {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.append(14, LARGE)
  rig.endRun()
  await rig.close()
  await rig.restart()
  return rig
}

const sealed = (rig: RecorderRig, slot = 0): CheckedSegment => ({ ...rig.segments().find(segment => segment.slot === slot)!, isQuarantined: false })
const check = async (rig: RecorderRig, slot = 0): Promise<SegmentFault[]> => (await checkSegment({ fs: rig.fs, volume: rig.volumes[0]!, segment: sealed(rig, slot), buffer: Buffer.allocUnsafeSlow(SCRUB_BUFFER_BYTES), pace: async () => true }))!
const flip = (rig: RecorderRig, slot: number, at: number, bit = 0): void => { const bytes = rig.rawSlot(slot); bytes[at]! ^= 1 << bit }

interface Finding { readonly kind: string, readonly from_at: number, readonly to_at: number, readonly cleared_at: number | null, readonly slot: number }
const findings = (rig: RecorderRig) => rig.rows<Finding>('SELECT kind, from_at, to_at, cleared_at, slot FROM scrub_finding ORDER BY finding_id')
const audited = (rig: RecorderRig) => rig.rows<{ action: string, detail: string }>("SELECT action, detail FROM audit_entry WHERE action LIKE 'segment.r%' ORDER BY seq").map(row => ({ action: row.action, detail: JSON.parse(row.detail) as Record<string, unknown> }))

/** Lets a scrubber work until it is through all that is there. */
async function oneRound(rig: RecorderRig, scrubber: Scrubber): Promise<void> {
  const stop = new AbortController()
  const running = scrubber.run(stop.signal)
  const before = scrubber.status().lastPassAt
  for (let i = 0; i < 400 && scrubber.status().lastPassAt === before; i++) { await rig.clock.settle(rig.idleWaits + 1); await rig.clock.advance(100) }
  stop.abort()
  await running
}

t.test('sound footage is read and nothing is found, round after round', async t => {
  const rig = await recorded(t)
  t.same(await check(rig), [])
  const scrubber = rig.storage.scrubber(() => 0.4)
  t.match(scrubber.status(), { lastPassAt: null, progress: 0, rotten: [] })
  await oneRound(rig, scrubber)
  t.match(scrubber.status(), { lastPassAt: Number, rotten: [] })
  t.same(findings(rig), [])
})

t.test('a slot that failed while it was sealed, its index written, has not rotted', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  rig.fs.break({ step: 'seal free', mode: 'not-applied' })
  await rig.append(14, LARGE)
  rig.endRun()
  await rig.close()
  await rig.restart()
  t.ok(rig.rows('SELECT 1 FROM segment WHERE is_quarantined = 1').length > 0, 'the seal failed')
  await oneRound(rig, rig.storage.scrubber(() => 0.4))
  t.same(findings(rig), [])
})

t.test('a flipped bit in a record names camera, stream and the half second, once, in the audit log and to whoever asks', async t => {
  const rig = await recorded(t)
  const content = await rig.content(0)
  if (content.kind !== 'footage') throw new Error(content.kind)
  const entry = content.entries[3]!
  flip(rig, 0, entry.at + 50_000, 5)
  const before = Buffer.from(rig.rawSlot(0))
  const scrubber = rig.storage.scrubber(() => 0)
  await oneRound(rig, scrubber)
  const endAt = entry.startAt + entry.durationMs
  t.match(findings(rig), [{ kind: 'record', slot: 0, from_at: entry.startAt, to_at: endAt, cleared_at: null }])
  t.match(audited(rig), [{ action: 'segment.rotted', detail: { camera: 'lobby', stream: 'main', kind: 'record', from: new Date(entry.startAt).toISOString(), to: new Date(endAt).toISOString() } }])
  t.match(scrubber.status().rotten, [{ cameraId: 'lobby', stream: 'main', fromAt: entry.startAt, kind: 'record' }])
  await oneRound(rig, scrubber)
  t.equal(findings(rig).length, 1, 'told once')
  t.ok(before.equals(rig.rawSlot(0)), 'nothing was changed')
  flip(rig, 0, entry.at + 50_000, 5)
  await oneRound(rig, scrubber)
  t.match(findings(rig), [{ cleared_at: Number }])
  t.same(scrubber.status().rotten, [])
  t.match(audited(rig).at(-1), { action: 'segment.reads-again' })
})

t.test('header, index, random access box and the box between: each is named for what it is, and the pictures are told to be whole', async t => {
  const rig = await recorded(t)
  const content = await rig.content(0)
  if (content.kind !== 'footage') throw new Error(content.kind)
  const kinds = async (at: number) => {
    flip(rig, 0, at)
    const found = await check(rig)
    flip(rig, 0, at)
    return found.map(fault => fault.kind)
  }
  t.same(await kinds(40), ['header'])
  t.same(await kinds(SLOT_BYTES - 400), ['index'], 'among the hashes')
  t.same(await kinds(SLOT_BYTES - 20), ['frame'], 'among the positions for players')
  t.same(await kinds(SLOT_BYTES - 1), ['index'], 'the number by which the index is found')
  t.same(await kinds(content.endByte + 5), ['frame'])
  t.same(await check(rig), [])
})

t.test('every flipped bit in the records is found, with the record it is in', async t => {
  const rig = await recorded(t)
  const content = await rig.content(0)
  if (content.kind !== 'footage') throw new Error(content.kind)
  const { entries, endByte } = content
  await fc.assert(fc.asyncProperty(fc.integer({ min: entries[0]!.at, max: endByte - 1 }), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
    flip(rig, 0, at, bit)
    const found = await check(rig)
    flip(rig, 0, at, bit)
    const position = entries.findIndex(entry => at >= entry.at && at < entry.at + entry.sizeBytes)
    return found.length === 1 && found[0]!.kind === 'record' && found[0]!.firstRecord === position && found[0]!.records === 1 && found[0]!.fromAt === entries[position]!.startAt
  }), { numRuns: 200 })
})

t.test('whoever changes a record and its hash in the index, but not the catalogue, is found', async t => {
  const rig = await recorded(t)
  t.match(await checkSegment({ fs: rig.fs, volume: rig.volumes[0]!, segment: { ...sealed(rig), merkleRoot: '0'.repeat(64) }, buffer: Buffer.allocUnsafeSlow(SCRUB_BUFFER_BYTES), pace: async () => true }), [{ kind: 'index' }, { kind: 'record' }])
})

t.test('sectors that cannot be read are findings of their own, and the rest of the slot is read', async t => {
  const rig = await recorded(t)
  const content = await rig.content(0)
  if (content.kind !== 'footage') throw new Error(content.kind)
  const { entries } = content
  const badAt = entries[2]!.at + 1000
  const open = rig.fs.open.bind(rig.fs)
  rig.fs.open = async (file, mode, step) => {
    const handle = await open(file, mode, step)
    const read: VolumeFile['read'] = async (target, position, what) => {
      if (position <= badAt && position + target.length > badAt) throw new StorageError('io', what, file, undefined)
      return handle.read(target, position, what)
    }
    return { ...handle, read, write: handle.write, datasync: handle.datasync, close: handle.close }
  }
  flip(rig, 0, entries[4]!.at + 5000)
  t.match(await check(rig), [{ kind: 'unreadable', firstRecord: 2, records: 1, fromAt: entries[2]!.startAt }, { kind: 'record', firstRecord: 4, records: 1 }])
})

t.test('without its index a segment is followed record by record, and doubtful from the first that rotted', async t => {
  const rig = await recorded(t)
  const content = await rig.content(0)
  if (content.kind !== 'footage') throw new Error(content.kind)
  flip(rig, 0, SLOT_BYTES - 400)
  flip(rig, 0, content.entries[4]!.at + 5000)
  t.match(await check(rig), [{ kind: 'index' }, { kind: 'record', firstRecord: 4, records: content.entries.length - 4, fromAt: content.entries[4]!.startAt, toAt: sealed(rig).endAt }])
})

t.test('a segment that is overwritten while it is read is no finding', async t => {
  const rig = await recorded(t)
  flip(rig, 0, 40)
  rig.catalogue(db => { db.prepare('UPDATE segment SET ended_at = 1 WHERE slot = 0').run() })
  rig.rawSlot(0).fill(0)
  const scrubber = rig.storage.scrubber(() => 0)
  await oneRound(rig, scrubber)
  t.same(findings(rig), [])
})

t.test('while the disks are slow the scrubber waits', async t => {
  const rig = await recorded(t)
  await rig.append(1)
  const datasync = rig.clock.drift.bind(rig.clock)
  rig.fs.onApplied = step => { if (step === 'append sync') datasync(400, 0) }
  await rig.sync()
  rig.fs.onApplied = null
  const reads = () => rig.fs.steps.filter(step => step === 'scrub read').length
  const stop = new AbortController()
  const running = rig.storage.scrubber(() => 0).run(stop.signal)
  await rig.clock.settle(rig.idleWaits + 1)
  await rig.clock.advance(20_000)
  t.equal(reads(), 0)
  for (let i = 0; i < 30; i++) { await rig.clock.advance(5_000); await rig.clock.settle(rig.idleWaits + 1) }
  t.ok(reads() > 0, 'a minute later it goes on')
  stop.abort()
  await running
})

t.test('where it was is written down: a restart goes on from there', async t => {
  const rig = await recorded(t)
  const scrubber = rig.storage.scrubber(() => 0)
  const stop = new AbortController()
  const running = scrubber.run(stop.signal)
  for (let i = 0; i < 100 && scrubber.status().progress === 0; i++) { await rig.clock.settle(rig.idleWaits + 1); await rig.clock.advance(50) }
  stop.abort()
  await running
  const { progress } = scrubber.status()
  t.equal(progress, 0.25)
  await rig.restart()
  t.equal(rig.storage.scrubber(() => 0.9).status().progress, progress)
})

t.test('pictures of two runs in one slot are told apart by time', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.append(2)
  rig.endRun()
  rig.clock.drift(60_000, 0)
  await rig.append(2)
  rig.endRun()
  await rig.close()
  await rig.restart()
  const content = await rig.content(0)
  if (content.kind !== 'footage') throw new Error(content.kind)
  flip(rig, 0, content.entries[2]!.at + 900)
  t.match(await check(rig), [{ kind: 'record', fromAt: rig.appended[2]!.startAt, records: 1 }])
})
