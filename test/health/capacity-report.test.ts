import t, { type Test } from 'tap'
import { epochMs, volumeId } from '../../src/domain/index.ts'
import { CapacityReport } from '../../src/health/index.ts'
import type { VolumeLoad } from '../../src/retention/index.ts'
import { loaded, yamlOf } from '../config/support.ts'
import { at, stream, volume } from './support/facts.ts'
import { keptLog } from './support/kept-log.ts'
import { ManualClock } from './support/manual-clock.ts'

const SLOT = 64 * 2 ** 20
const NOW = at('2026-11-22T08:00:00.000Z')
const load = (tb: number, change: Partial<VolumeLoad> = {}): VolumeLoad => {
  const total = Math.round(tb * 1e12 / SLOT)
  return { id: volumeId('disk1'), slotSizeBytes: SLOT, slots: { total, free: total - 1, open: 1, quarantined: 0 }, sealed: [], holds: [], ...change }
}

async function reportOn(t: Test, { ring, main = 'url: "rtsp://h/", bitrate: 4Mbit/s', retention = '' }: { ring: () => Promise<readonly VolumeLoad[]>, main?: string, retention?: string }) {
  const configOf = async (stream: string, section = retention) => {
    const { config } = await loaded(t, yamlOf({ retention: section, cameras: `[ { id: lobby, name: 大廳, streams: { main: { ${stream} } } } ]` }))
    if (config === null) throw new Error('the test needs a sound configuration')
    return config
  }
  const config = await configOf(main)
  const clock = new ManualClock(), { log, lines } = keptLog()
  const floor = { floor: config.retention.floor, timezone: config.site.timezone }
  const report = new CapacityReport({ config: () => config, floor, ring, trustedNow: () => NOW, clock, log })
  const look = (change: Parameters<typeof stream>[1] = {}) => report.view([stream('lobby', change)], [volume('disk1')], false)
  /** The ring is looked through in the background. */
  const settled = async (change?: Parameters<typeof stream>[1]) => { look(change); await new Promise(resolve => { setImmediate(resolve) }); return look(change) }
  return { report, clock, look, settled, configOf, lines }
}

t.test('before the first look at the ring nothing is told; then by what is declared', async t => {
  const { look, settled } = await reportOn(t, { ring: async () => [load(1.5)] })
  t.match(look().floor, { required: { kind: 'calendar-days', days: 31 }, forecastDays: null, fits: null, lackingBytes: null, stopsAt: null })
  const { floor, streams, volumes } = await settled()
  t.match(floor, { fits: true, lackingBytes: 0, insisted: false, stopsAt: null, timezone: 'Asia/Taipei' })
  t.ok(Math.abs(floor.forecastDays! - 34.2) < 0.1, `${floor.forecastDays}`)
  t.ok(streams[0]!.forecastDays! > 34, 'its oldest frame is of October: it goes once the ring comes round to it')
  t.equal(volumes[0]!.forecastDays, null, 'nothing is sealed there yet')
})

t.test('what is measured above what was declared decides', async t => {
  const { settled, look, clock } = await reportOn(t, { ring: async () => [load(1.5)] })
  for (let second = 0; second <= 700; second++) { look({ bitrateBps: 8e6 }); await clock.advance(1_000) }
  const { floor } = await settled({ bitrateBps: 8e6 })
  t.match(floor, { fits: false })
  t.ok(Math.abs(floor.lackingBytes! / 1e12 - 1.35) < 0.02, `${floor.lackingBytes}`)
  t.ok(floor.stopsInDays! < 18 && floor.stopsInDays! > 16, `${floor.stopsInDays}`)
})

t.test('a stream whose rate nobody knows: no figure, unless even without it the volumes are too small', async t => {
  const roomy = await reportOn(t, { ring: async () => [load(1.5)], main: 'url: "rtsp://h/"' })
  t.match((await roomy.settled({ bitrateBps: 0 })).floor, { forecastDays: null, fits: null, lackingBytes: null, wrapsAt: null })
})

t.test('the ring is looked through once a minute, at once when streams come or change their mode, and what was measured in another mode is forgotten', async t => {
  let asked = 0
  const { look, clock } = await reportOn(t, { ring: async () => { asked++; return [load(1.5)] } })
  for (let second = 0; second < 120; second++) { look(); await clock.advance(1_000) }
  t.equal(asked, 2)
  look({ mode: 'lower' })
  await clock.advance(1_000)
  t.equal(asked, 3)
})

t.test('a catalogue that cannot be read costs no look at health: the last forecast stands, and is told once', async t => {
  let broken = false
  const { settled, clock, lines } = await reportOn(t, { ring: async () => { if (broken) throw new Error('disk I/O error'); return [load(1.5)] } })
  const before = (await settled()).floor.forecastDays
  broken = true
  for (let minute = 0; minute < 3; minute++) { await clock.advance(61_000); t.equal((await settled()).floor.forecastDays, before) }
  t.equal(lines.filter(line => line.includes('no forecast can be made')).length, 1)
})

t.test('decides over a configuration that is not yet in force, by the volumes as they are', async t => {
  const { report, configOf } = await reportOn(t, { ring: async () => [load(1.5, { holds: [{ slots: 1_000, until: null }] })] })
  t.equal((await report.decide(await configOf('url: "rtsp://h/", bitrate: 4Mbit/s'))).verdict, 'fits')
  t.match(await report.decide(await configOf('url: "rtsp://h/", bitrate: 5Mbit/s')), { verdict: 'does-not-fit' })
  t.match(await report.decide(await configOf('url: "rtsp://h/"')), { verdict: 'unknown', undeclared: ['lobby/main'] })
})

t.test('insistence shows beside what lacks', async t => {
  const { settled } = await reportOn(t, { ring: async () => [load(1)], retention: '{ insist: { by: 王主任, reason: r } }' })
  const { floor } = await settled()
  t.match(floor, { fits: false, insisted: true, lackingBytes: Number })
  t.equal(floor.stopsAt === null ? null : epochMs(floor.stopsAt) > NOW, true)
})
