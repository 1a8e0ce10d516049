import Database from 'better-sqlite3'
import pino from 'pino'
import t, { type Test } from 'tap'
import { AuditLog, entryTable } from '../../src/audit/index.ts'
import { cameraId } from '../../src/domain/index.ts'
import { migrate } from '../../src/platform/catalogue.ts'
import { cameraChannels, CameraTraits, DeviceBook } from '../../src/storage/index.ts'
import { cameraTable, mintCameraUuid } from '../../src/storage/tables/cameras.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const LOBBY = cameraId('lobby'), HOUR = 3_600_000

function opened(t: Test) {
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z'), db = new Database(':memory:')
  migrate(db, clock.wallNow())
  t.teardown(() => { db.close() })
  cameraTable(db).insert(mintCameraUuid(), LOBBY, clock.wallNow())
  const options = { catalogue: { db, [Symbol.dispose]: () => undefined }, audit: new AuditLog({ db, clock }),
    clock, log: pino({ level: 'silent' }) }
  const entries = () => entryTable(db).after(0, 1000).map(({ action, object, detail }) =>
    [action, object, (JSON.parse(detail) as { before: string | null, now: string }).before,
      (JSON.parse(detail) as { now: string }).now])
  return { clock, db, traits: new CameraTraits(options), again: () => new CameraTraits(options),
    devices: new DeviceBook(options), entries }
}

t.test('the lens that was chosen is kept over a restart, and another one is an entry', async t => {
  const { clock, db, traits, again, entries } = opened(t)
  t.equal(traits.of(LOBBY, 'video-source'), null)
  traits.shown(LOBBY, 'video-source', 'VS1')
  traits.shown(LOBBY, 'video-source', 'VS1')
  t.equal(again().of(LOBBY, 'video-source'), 'VS1')
  t.equal(cameraChannels(db)(LOBBY), 'VS1')
  t.same(traits.changedWithin(HOUR), [], 'a first value is no change')
  await clock.advance(2 * HOUR)
  traits.shown(LOBBY, 'video-source', 'VS2')
  t.match(traits.changedWithin(HOUR), [{ cameraId: 'lobby', what: 'video-source' }])
  t.equal(traits.of(LOBBY, 'certificate'), null)
  t.same(entries(), [['camera.channel-chosen', 'lobby', null, 'VS1'],
    ['camera.channel-changed', 'lobby', 'VS1', 'VS2']])
})

t.test('a device that shows something else each time is an entry an hour at most', async t => {
  const { clock, traits, entries } = opened(t)
  for (let minute = 0; minute < 180; minute++) {
    traits.shown(LOBBY, 'certificate', `c${minute}`)
    await clock.advance(60_000)
  }
  t.ok(entries().length >= 2 && entries().length <= 4, `${entries().length} entries in three hours`)
  t.equal(traits.of(LOBBY, 'certificate'), 'c179', 'the newest is known all the same')
})

t.test('a catalogue that takes nothing costs no connection, and learns it later', async t => {
  const { clock, db, traits, entries, again } = opened(t)
  db.pragma('query_only = 1')
  traits.shown(LOBBY, 'video-source', 'VS1')
  t.equal(traits.of(LOBBY, 'video-source'), 'VS1')
  db.pragma('query_only = 0')
  await clock.advance(2 * HOUR)
  traits.shown(LOBBY, 'video-source', 'VS1')
  t.equal(again().of(LOBBY, 'video-source'), 'VS1')
  t.equal(entries().length, 1)
})

t.test('another device is one of another maker or serial number', async t => {
  const { clock, devices } = opened(t)
  const device = { maker: 'Alpha', model: 'A1', firmware: '1.0', serial: '001' }
  devices.heard(LOBBY, device)
  t.same(devices.changedWithin(HOUR), [])
  await clock.advance(60_000)
  devices.heard(LOBBY, { ...device, firmware: '1.1' })
  t.same(devices.changedWithin(HOUR), [], 'an update')
  await clock.advance(60_000)
  devices.heard(LOBBY, { ...device, firmware: '1.1', serial: '002' })
  t.match(devices.changedWithin(HOUR), [{ cameraId: 'lobby', what: 'device' }])
  await clock.advance(2 * HOUR)
  t.same(devices.changedWithin(HOUR), [])
})
