import Database from 'better-sqlite3'
import pino from 'pino'
import t from 'tap'
import { cameraId, epochMs, streamName, volumeId, type AuditEvent, type CameraConfig, type RecordingMode } from '../../src/domain/index.ts'
import { OrderOfSacrifice } from '../../src/capacity/index.ts'
import type { StreamReport } from '../../src/ingest/index.ts'
import { migrate } from '../../src/platform/catalogue.ts'
import { keepUntil, type FloorRule, type VolumeLoad } from '../../src/retention/index.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const START = '2026-11-22T08:00:00.000Z'
const FLOOR: FloorRule = { floor: { kind: 'calendar-days', days: 31 }, timezone: 'Asia/Taipei' }
const SLOT_BYTES = 64 * 2 ** 20
const log = pino({ level: 'silent' })

const camera = (id: string, priority: number, declaredBps: number | null = null): CameraConfig => ({
  id: cameraId(id), name: id, place: null, credential: null, audio: false, priority,
  streams: [{ name: streamName('main'), source: { kind: 'url', url: `rtsp://10.0.0.1/${id}` }, declaredBps, lower: { kind: 'url', url: `rtsp://10.0.0.1/${id}-sub` } }],
})

/** Two cameras of 4 Mbit/s, real tables, and a ring of so many slots that are all free, or full since so many hours. */
class Site {
  readonly db = new Database(':memory:')
  readonly clock = new VirtualClock(START)
  readonly events: AuditEvent[] = []
  readonly modes: ReadonlyMap<string, RecordingMode>[] = []
  cameras = [camera('hall', 1), camera('yard', 9)]
  bps: Record<string, number> = { hall: 4e6, yard: 4e6 }
  free = 0
  auditFails = false
  inDoubt = false

  constructor() {
    this.db.pragma('foreign_keys = ON')
    migrate(this.db, Date.parse(START))
    for (const [index, id] of ['hall', 'yard'].entries()) this.db.prepare('INSERT INTO camera VALUES (?, ?, ?, NULL)').run(String(index).repeat(32), id, Date.parse(START))
  }

  order(): OrderOfSacrifice {
    return new OrderOfSacrifice({
      catalogue: { db: this.db, [Symbol.dispose]: () => undefined }, floor: FLOOR, clock: this.clock, log, trustedNow: () => this.inDoubt ? null : this.clock.wallNow(),
      audit: { append: event => { if (this.auditFails) throw new Error('the audit log cannot be written'); this.events.push(event); return { seq: this.events.length } } },
      ring: () => Promise.resolve([this.#load()]), streams: () => this.#reports(), setModes: modes => { this.modes.push(modes) },
    })
  }

  /** Free slots, and enough that are sealed today to make 32 days of one camera, not of two. */
  #load(): VolumeLoad {
    const newestFrameAt = epochMs(this.clock.wallNow() - 3_600_000)
    return { id: volumeId('disk1'), slotSizeBytes: SLOT_BYTES, holds: [], slots: { total: 24_000, free: this.free, open: 2, quarantined: 0 }, sealed: [{ newestFrameAt, keepUntil: keepUntil(FLOOR, newestFrameAt), slots: 23_998 - this.free }] }
  }

  #reports(): StreamReport[] {
    return this.cameras.map(({ id }) => ({
      cameraId: id, stream: streamName('main'), mode: this.modes.at(-1)?.get(`${id}/main`) ?? 'full', state: 'recording', stateSince: epochMs(Date.parse(START) - 60_000), lastFrameAt: null, lastFrameAgeMs: null,
      supervisorTickAgeMs: 0, bitrateBps: this.bps[id]!, fps: 15, restarts: 0, lastEndReason: null,
      cameraClockOffsetMs: null, channel: null, stampRate: 1, isSoundMissing: false, pictureWaitMs: 0,
    }))
  }

  steps() { return this.db.prepare('SELECT stream, mode, reason, full_bps AS fullBps, ended_at AS endedAt, end_reason AS endReason FROM sacrifice_step ORDER BY step_id').all() }
  modesNow() { return Object.fromEntries(this.modes.at(-1)!) }
  pass(durationMs: number): void { this.clock.drift(durationMs, 0) }
}

const settled = async (site: Site, order: OrderOfSacrifice) => { for (let i = 0; i < 12; i++) { site.pass(60_000); await order.look() } }

t.test('a step is a row, an audit entry and another mode; with room again it is taken back', async t => {
  const site = new Site()
  site.free = 24_000 - 2
  const order = site.order()
  order.configure(site.cameras)
  await settled(site, order)
  t.same(site.steps(), [], 'a ring of free slots gives up nothing, though it will not last')
  site.free = 1_000 // 1000 slots are 18 hours of both
  site.pass(60_000)
  await order.look()
  t.same(site.modesNow(), { 'yard/main': 'lower', 'hall/main': 'lower' })
  t.match(site.steps(), [{ mode: 'lower', reason: 'ring-would-stop', fullBps: 4e6, endedAt: null }, { mode: 'lower' }])
  t.match(site.events.map(({ action, object }) => `${action} ${object}`), ['recording.stepped-down hall/main', 'recording.stepped-down yard/main'])
  t.match(site.events[0]!.detail, { from: 'full', to: 'lower', priority: 1, headroomS: Number, fullBps: 4e6 })
  t.match(order.view(), { steps: [{ cameraId: 'hall', mode: 'lower', since: site.clock.wallNow() }, { cameraId: 'yard' }] })

  site.bps = { hall: 1e6, yard: 1e6 }
  for (let hour = 0; hour < 12; hour++) { site.pass(3_600_000); await order.look() }
  t.same(Object.keys(site.modesNow()).length, 2, 'it does not fit in full, so nothing is taken back')
  site.cameras = [camera('hall', 1)]
  order.configure(site.cameras)
  site.free = 24_000 - 2 // a volume came
  t.match(site.steps(), [{}, { endReason: 'removed-from-config' }])
  for (let hour = 0; hour < 12; hour++) { site.pass(3_600_000); await order.look() }
  t.same(site.modesNow(), {}, 'one camera alone fits')
  t.match(site.steps(), [{ endReason: 'floor-fits-again' }, {}])
  t.match(site.events.at(-1), { action: 'recording.stepped-up', object: 'hall/main' })
})

t.test('without its audit entry no step is taken', async t => {
  const site = new Site()
  site.free = 1_000
  const order = site.order()
  order.configure(site.cameras)
  site.auditFails = true
  site.pass(60_000)
  await t.rejects(order.look(), /cannot be written/)
  t.same(site.steps(), [])
  t.same(site.modesNow(), {})
  t.same(order.view().steps, [])
  site.auditFails = false
  site.pass(60_000)
  await order.look()
  t.equal(site.steps().length, 2, 'the next look takes it')
})

t.test('while time is in doubt nothing is stepped', async t => {
  const site = new Site()
  site.free = 10
  site.inDoubt = true
  const order = site.order()
  order.configure(site.cameras)
  for (let i = 0; i < 5; i++) { site.pass(60_000); await order.look() }
  t.same(site.steps(), [])
})

t.test('a recorder that starts again takes up the steps before any stream starts, and still knows what recording in full would take', async t => {
  const site = new Site()
  site.free = 1_000
  const before = site.order()
  before.configure(site.cameras)
  site.pass(60_000)
  await before.look()
  site.modes.length = 0
  const after = site.order()
  t.same(site.modesNow(), { 'hall/main': 'lower', 'yard/main': 'lower' })
  after.configure(site.cameras)
  t.same(site.modesNow(), { 'hall/main': 'lower', 'yard/main': 'lower' })
  site.bps = { hall: 1e6, yard: 1e6 }
  for (let hour = 0; hour < 12; hour++) { site.pass(3_600_000); await after.look() }
  t.equal(site.events.length, 2, 'not taken back: 8 Mbit/s do not fit')
})

t.test('a stream above its declared rate is told, and gives up before a less important one', async t => {
  const site = new Site()
  site.free = 24_000 - 2
  site.cameras = [camera('hall', 1, 2e6), camera('yard', 9, 6e6)]
  const order = site.order()
  order.configure(site.cameras)
  await settled(site, order)
  t.match(order.view().overBudget, [{ cameraId: 'hall', measuredBps: 4e6, declaredBps: 2e6 }])
  site.bps = { hall: 4e6, yard: 1e6 }
  for (let i = 0; i < 120; i++) { site.pass(60_000); await order.look() }
  site.free = 500
  site.pass(60_000)
  await order.look()
  t.match(site.steps()[0], { reason: 'over-budget', mode: 'lower' })
})

t.test('looks by itself until it is taken down', async t => {
  const site = new Site()
  site.free = 1_000
  const order = site.order()
  order.configure(site.cameras)
  order.start()
  await site.clock.advance(60_000)
  await site.clock.advance(60_000)
  t.ok(site.steps().length > 0)
  await order[Symbol.asyncDispose]()
  t.equal(site.clock.pendingWaits, 0)
})
