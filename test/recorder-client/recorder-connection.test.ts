import { readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import t from 'tap'
import { RetryableError } from '../../src/domain/index.ts'
import { LINK_VERSION, type Handlers } from '../../src/link/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { RecorderConnection } from '../../src/recorder-client/index.ts'
import { RECONNECT_MS } from '../../src/recorder-client/recorder-connection.ts'
import { frameOf, log, serveStrange } from '../link/support.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { until } from '../support/until.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { Office, serveOffice } from './support.ts'

const START = '2026-11-22T08:00:00.000Z', NONE = { cameras: [], next: null }
const open = (folder: string, clock = systemClock) => RecorderConnection.open({ folder, version: '9.9.9', clock, log })
const turn = () => new Promise(resolve => setTimeout(resolve, 20))

t.test('while none listens asking is refused at once, and it is tried after 1, 2, 5, 10 and 10 seconds', async t => {
  const folder = t.testdir({}), clock = new VirtualClock(START)
  await using connection = open(folder, clock)
  const refused = await connection.ask('footage.cameras', { after: null }).catch((error: unknown) => error)
  t.ok(refused instanceof RetryableError)
  const since = clock.wallNow()
  for (const delayMs of [...RECONNECT_MS, 10_000]) {
    await until('it waits', () => clock.pendingWaits === 1)
    await clock.advance(delayMs - 1)
    t.equal(clock.pendingWaits, 1)
    t.match(connection.away, { since, why: 'none listens' })
    await clock.advance(1)
    await turn()
  }
  await using _server = serveOffice(folder, { 'footage.cameras': async () => NONE })
  await until('it is asked again', async () => { await clock.advance(1_000); await turn(); return connection.away === null })
  t.same(await connection.ask('footage.cameras', { after: null }), NONE)
})

t.test('a recorder of another version, and one that dies before it answers, are told and tried again', async t => {
  const folder = t.testdir({})
  let answer = (socket: Socket): void => { socket.write(frameOf({ hello: { protocol: 9, role: 'recorder', version: '4' } })) }
  await using _recorder = await serveStrange(folder, socket => { answer(socket) })
  await using connection = open(folder)
  await until('told', () => connection.away?.why.includes('CUSTOS_LINK_VERSION') === true)
  await t.rejects(connection.ask('footage.cameras', { after: null }), { code: 'CUSTOS_RECORDER_AWAY' })
  answer = socket => {
    socket.write(frameOf({ hello: { protocol: LINK_VERSION, role: 'recorder', version: '9.9.9' } }))
    socket.on('data', chunk => { if (chunk.includes('footage.cameras')) socket.destroy() })
  }
  await until('connected', () => connection.away === null)
  await t.rejects(connection.ask('footage.cameras', { after: null }), { code: 'CUSTOS_LINK_CLOSED' })
})

t.test('more is asked than the recorder takes at once: it waits and none is refused', async t => {
  const folder = t.testdir({})
  let atOnce = 0, most = 0
  await using _server = serveOffice(folder, { 'footage.cameras': async () => {
    most = Math.max(most, ++atOnce)
    await turn()
    atOnce--
    return NONE
  } })
  await using connection = open(folder)
  await until('connected', () => connection.away === null)
  const all = await Promise.all(Array.from({ length: 700 }, () => connection.ask('footage.cameras', { after: null })))
  t.equal(all.length, 700)
  t.ok(most <= 64)
  t.equal(connection.away, null)
})

/** Lets the delay before the next try pass, and no more: leases lapse by the same clock. */
async function reconnected(office: Office, clock: VirtualClock): Promise<void> {
  let passedMs = 0
  await until('connected', async () => {
    if (office.connection.away !== null && (passedMs += 1_000) <= 10_000) await clock.advance(1_000)
    await turn()
    return office.connection.away === null
  })
}

t.test('a connection that flaps a hundred times leaves nothing behind', { timeout: 240_000 }, async t => {
  const rig = await RecorderRig.open(t, { slots: 3 }), folder = t.testdir({})
  await rig.fillSlots(1)
  await rig.append(1)
  const [segment] = rig.segments(), clock = new VirtualClock(START)
  let leases = new Set<number>(), watches = new Set<number>()
  const handlers = (gone: AbortSignal): Handlers => {
    gone.addEventListener('abort', () => { leases = new Set(); watches = new Set() })
    return {
      'footage.cameras': async () => NONE,
      'lease.take': async ({ lease }) => {
        leases.add(lease)
        return { outcome: 'taken', folder: '/volumes/disk1', slotSizeBytes: 1 << 20 }
      },
      'lease.renew': async () => ({ lapsed: [] }), 'lease.end': async ({ lease }) => { leases.delete(lease); return {} },
      'live.watch': async ({ watch }) => { watches.add(watch); return { outcome: 'watching' } },
      'live.stop': async ({ watch }) => { watches.delete(watch); return {} },
    }
  }
  const descriptors = () => readdirSync('/proc/self/fd').length
  let before = 0, beforeWaits = 0
  {
    await using office = new Office(folder, { fs: rig.fs, connectionClock: clock, clock })
    const stop = office.live.watch(rig.camera, rig.stream, () => undefined)
    let kept: AsyncDisposable | null = null
    for (let n = 0; n < 100; n++) {
      await using _server = serveOffice(folder, ({ gone }) => handlers(gone))
      await reconnected(office, clock)
      kept ??= await office.footage.open(segment!)
      await until('taken and watched', () => leases.size === 1 && watches.size === 1)
      if (n === 5) { before = descriptors(); beforeWaits = clock.pendingWaits }
    }
    await using _server = serveOffice(folder, ({ gone }) => handlers(gone))
    await reconnected(office, clock)
    await until('taken and watched', () => leases.size === 1 && watches.size === 1)
    t.ok(descriptors() <= before, `${descriptors()} descriptors, ${before} before`)
    t.ok(clock.pendingWaits <= beforeWaits, `${clock.pendingWaits} waits, ${beforeWaits} before`)
    await kept![Symbol.asyncDispose]()
    stop()
    await until('given back', () => leases.size === 0 && watches.size === 0)
    t.same([office.footage.readers, office.live.watched], [0, 0])
  }
  t.equal(clock.pendingWaits, 0, 'no timer is left')
})
