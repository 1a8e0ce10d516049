import Database from 'better-sqlite3'
import pino from 'pino'
import t, { type Test } from 'tap'
import { AuditLog, entryTable } from '../../src/audit/index.ts'
import { cameraId, cameraUuid, epochMs, streamName, type RunId, type DeviceFacts } from '../../src/domain/index.ts'
import { migrate } from '../../src/platform/catalogue.ts'
import { DeviceBook } from '../../src/storage/index.ts'
import { MOST_CHANGES_A_DAY } from '../../src/storage/device-book.ts'
import { deviceTable } from '../../src/storage/tables/devices.ts'
import { cameraTable, mintCameraUuid } from '../../src/storage/tables/cameras.ts'
import { RunIds } from '../../src/storage/run-ids.ts'
import { runTable } from '../../src/storage/tables/runs.ts'
import { builtInit } from '../support/fragments.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const LOBBY = cameraId('lobby'), MINUTE = 60_000, HOUR = 3_600_000
const OLD: DeviceFacts = { maker: 'Alpha', model: 'A1', firmware: '1.0', serial: '001' }
const NEW: DeviceFacts = { maker: 'Bravo', model: 'B2', firmware: '7', serial: null }

function book(t: Test) {
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z'), db = new Database(':memory:')
  migrate(db, clock.wallNow())
  t.teardown(() => { db.close() })
  const uuid = mintCameraUuid(), runs = runTable(db), start = clock.wallNow()
  cameraTable(db).insert(uuid, LOBBY, start)
  const ids = new RunIds(0, start)
  const devices = new DeviceBook({ catalogue: { db, [Symbol.dispose]: () => undefined }, audit: new AuditLog({ db, clock }), clock, log: pino({ level: 'silent' }) })
  const at = (ms: number) => epochMs(start + ms), stream = (name: string) => ({ cameraUuid: uuid, stream: streamName(name) })
  return {
    db, uuid, at,
    hears: async (ms: number, told: DeviceFacts) => { await clock.advance(start + ms - clock.wallNow()); devices.heard(LOBBY, told) },
    run: (fromMs: number, name = 'main') => {
      const id = ids.next()
      runs.begin(id, stream(name), builtInit().video, at(fromMs))
      return id
    },
    ends: (run: RunId, ms: number) => { runs.end(run, at(ms), 'closed-by-camera') },
    finds: (ms: number) => deviceTable(db).at(uuid, at(ms))?.maker ?? null,
    entries: () => entryTable(db).after(0, 1000).filter(({ action }) => action === 'camera.device-changed').map(({ object, detail }) => ({ object, detail: JSON.parse(detail) as Record<string, unknown> })),
  }
}

t.test('a device stood there since its connection began; another one since the next; in between only as far as it is known', async t => {
  const { hears, run, ends, finds, entries } = book(t)
  const first = run(10_000)
  run(10_300, 'sub')
  await hears(12_000, OLD)
  t.equal(finds(9_999), null, 'nobody was heard of before')
  t.equal(finds(10_000), 'Alpha', 'from the first picture of the connection on which it was heard')
  await hears(HOUR, OLD)
  t.equal(entries().length, 1, 'hearing the same again is no change')
  ends(first, HOUR + 10 * MINUTE)
  t.equal(finds(HOUR + 10 * MINUTE), 'Alpha', 'the connection went on')
  run(HOUR + 12 * MINUTE)
  t.equal(finds(HOUR + 12 * MINUTE), null, 'connected anew, and nobody has said who it is')
  await hears(2 * HOUR, NEW)
  t.equal(finds(HOUR + 11 * MINUTE), 'Alpha')
  t.equal(finds(HOUR + 12 * MINUTE), 'Bravo')
  t.equal(finds(9 * HOUR), 'Bravo')
  t.match(entries(), [{ object: 'lobby', detail: { before: null, now: OLD } }, { object: 'lobby', detail: { before: OLD, now: NEW } }])
})

t.test('another firmware is another device; silence is none', async t => {
  const { hears, finds, entries, run, at, db, uuid } = book(t)
  run(0)
  await hears(1000, OLD)
  await hears(2000, { ...OLD, firmware: '1.1' })
  await hears(3000, { maker: null, model: null, firmware: null, serial: null })
  t.equal(entries().length, 2)
  t.match(deviceTable(db).at(uuid, at(1000)), { firmware: '1.0' }, 'not from before the other was last heard')
  t.match(deviceTable(db).at(uuid, at(1001)), { firmware: '1.1' })
  t.equal(finds(5000), 'Alpha')
})

t.test('a device that is another each time fills neither catalogue nor log, and a camera that nobody recorded is not noted', async t => {
  const { hears, entries, db } = book(t)
  for (let i = 0; i < 5 * MOST_CHANGES_A_DAY; i++) await hears(i * MINUTE, { ...OLD, serial: String(i) })
  t.equal(entries().length, MOST_CHANGES_A_DAY)
  await hears(30 * HOUR, NEW)
  t.equal(entries().length, MOST_CHANGES_A_DAY + 1, 'the day after it counts again')
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  new DeviceBook({ catalogue: { db, [Symbol.dispose]: () => undefined }, audit: new AuditLog({ db, clock }), clock, log: pino({ level: 'silent' }) }).heard(cameraId('nowhere'), NEW)
  t.equal(entries().length, MOST_CHANGES_A_DAY + 1)
  t.equal(deviceTable(db).at(cameraUuid('f'.repeat(32)), epochMs(0)), null)
})
