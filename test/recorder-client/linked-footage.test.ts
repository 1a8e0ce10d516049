import t from 'tap'
import { LEASE_LAPSE_MS } from '../../src/footage/index.ts'
import { MOST_LEASES, type Handlers } from '../../src/link/index.ts'
import { nameIn, RecorderRig } from '../support/recorder-rig.ts'
import { until } from '../support/until.ts'
import { Office, serveOffice, serveRig } from './support.ts'

const ANSWERED = { outcome: 'taken', folder: '/volumes/disk1', slotSizeBytes: 1 << 20 } as const

/** A recorder with one sealed segment behind it. */
async function recorded(t: Parameters<typeof RecorderRig.open>[0], slots = 3) {
  const rig = await RecorderRig.open(t, { slots })
  await rig.fillSlots(1)
  await rig.append(2)
  await rig.sync()
  return { rig, segment: rig.segments()[0]! }
}

t.test('a segment is read from its slot file under a lease of the recorder, and given back', async t => {
  const { rig, segment } = await recorded(t), folder = t.testdir({})
  await using _server = serveRig(folder, rig)
  await using office = await new Office(folder, { fs: rig.fs, clock: rig.clock }).connected()
  await until('cameras are told', () => office.footage.cameras().length === 1)
  const { camera, stream } = rig, uuid = segment.cameraUuid
  t.same(office.footage.cameras(), rig.storage.footage.cameras())
  const range = { startAt: segment.startAt, endAt: rig.nextAt }
  t.same(await office.footage.segments(uuid, stream, range), rig.storage.segmentsIn(camera, stream, range))
  t.same(await office.footage.found(uuid, range), await rig.storage.footage.found(uuid, range))
  {
    await using reader = await office.footage.open(segment)
    t.equal(nameIn(await reader.read(0)), rig.appended[0]?.name)
    t.equal(office.footage.readers, 1)
  }
  t.equal(office.footage.readers, 0)
  await t.rejects(office.footage.open({ ...segment, generation: 9 as never }), { name: 'SegmentGoneError' })
  await t.rejects(office.footage.open({ ...segment, volumeUuid: 'e'.repeat(32) as never }), { name: 'VolumeAwayError' })
  rig.rawSlot(segment.slot).fill(0)
  await t.rejects(office.footage.open(segment), { name: 'SegmentGoneError' }, 'another generation stands there')
  t.equal(office.footage.readers, 0, 'no lease stays behind')
})

t.test('a slot that is overwritten while it is read gives no stranger\'s picture', async t => {
  const { rig, segment } = await recorded(t), folder = t.testdir({})
  await using _server = serveRig(folder, rig)
  await using office = await new Office(folder, { fs: rig.fs, clock: rig.clock }).connected()
  await using reader = await office.footage.open(segment)
  await reader.read(0)
  rig.rawSlot(segment.slot).fill(7, 1 << 16)
  await t.rejects(reader.read(1), { name: 'SegmentGoneError' })
})

t.test('leases: 64 at most, renewed by one message, taken again at another connection, and never longer than 60 s', async t => {
  const { rig, segment } = await recorded(t), folder = t.testdir({})
  const asked: string[] = []
  const noted: Handlers = {
    'lease.take': async ({ lease }) => { asked.push(`take ${lease}`); return ANSWERED },
    'lease.renew': async ({ leases }) => { asked.push(`renew ${leases.join(' ')}`); return { lapsed: [] } },
    'lease.end': async ({ lease }) => { asked.push(`end ${lease}`); return {} },
  }
  let server = serveOffice(folder, noted)
  t.teardown(() => server[Symbol.asyncDispose]())
  await using office = await new Office(folder, { fs: rig.fs, clock: rig.clock }).connected()
  const readers = [await office.footage.open(segment), await office.footage.open(segment)]
  asked.length = 0
  await rig.clock.advance(20_001)
  await until('renewed', () => asked.length > 0)
  t.same(asked, ['renew 1 2'])
  await server[Symbol.asyncDispose]()
  await until('away', () => office.connection.away !== null)
  await t.rejects(office.footage.open(segment), { name: 'RecorderAwayError', code: 'CUSTOS_RECORDER_AWAY' })
  rig.clock.drift(LEASE_LAPSE_MS - 30_000, 0)
  await readers[0]!.read(0)
  asked.length = 0
  server = serveOffice(folder, noted)
  await office.connected()
  await until('taken again', () => asked.includes('renew 1 2'))
  t.same(asked, ['take 1', 'take 2', 'renew 1 2'])
  await server[Symbol.asyncDispose]()
  await until('away', () => office.connection.away !== null)
  rig.clock.drift(LEASE_LAPSE_MS + 1, 0)
  await t.rejects(readers[0]!.read(0), { name: 'SegmentGoneError' }, 'over 60 s')
  for (const reader of readers) await reader[Symbol.asyncDispose]()
  t.equal(office.footage.readers, 0)

  server = serveOffice(folder, noted)
  await office.connected()
  const many = await Promise.all(Array.from({ length: MOST_LEASES }, () => office.footage.open(segment)))
  await t.rejects(office.footage.open(segment), { code: 'CUSTOS_READERS_FULL' })
  asked.length = 0
  for (const reader of many) await reader[Symbol.asyncDispose]()
  await until('each is ended', () => asked.filter(each => each.startsWith('end')).length === MOST_LEASES)
})

t.test('an answer that is lost or late leaves no lease behind', async t => {
  const { rig, segment } = await recorded(t), folder = t.testdir({})
  const late = Promise.withResolvers<typeof ANSWERED>(), ended: number[] = []
  await using _server = serveOffice(folder, {
    'lease.take': () => late.promise,
    'lease.end': async ({ lease }) => { ended.push(lease); return {} },
  })
  const clock = rig.clock
  await using office = new Office(folder, { fs: rig.fs, connectionClock: clock, clock })
  await until('connected', () => office.connection.away === null)
  const opened = office.footage.open(segment)
  opened.catch(() => undefined)
  await until('asked', () => office.footage.readers === 1)
  await new Promise(resolve => setTimeout(resolve, 100))
  await clock.advance(5_001)
  await t.rejects(opened, { code: 'CUSTOS_LINK_TIMEOUT' })
  t.equal(office.footage.readers, 0)
  await until('ended', () => ended.length === 1)
  late.resolve(ANSWERED)
})

t.test('a volume that this process does not see, or that went away, is told as away', async t => {
  const { rig, segment } = await recorded(t), folder = t.testdir({})
  await using _server = serveOffice(folder, {
    'lease.take': async () => ({ ...ANSWERED, folder: '/volumes/nowhere' }), 'lease.end': async () => ({}),
  })
  await using office = await new Office(folder, { fs: rig.fs, clock: rig.clock }).connected()
  await t.rejects(office.footage.open(segment), { name: 'VolumeAwayError' })
  t.equal(office.footage.readers, 0)
})
