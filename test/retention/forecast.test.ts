import t from 'tap'
import { epochMs, volumeId, type EpochMs } from '../../src/domain/index.ts'
import { capacityOf, slotMs } from '../../src/retention/capacity.ts'
import { evenlySealed, forecast, keepUntil, plannedSpanMs, type FloorRule, type ForecastInput, type VolumeLoad } from '../../src/retention/index.ts'

const DAY_MS = 86_400_000
const month: FloorRule = { floor: { kind: 'calendar-days', days: 31 }, timezone: 'Asia/Taipei' }
const at = (text: string): EpochMs => epochMs(Date.parse(text))
const NOW = at('2026-11-22T10:00:00+08:00')
const SLOT = 64 * 2 ** 20
/** Slots that hold so many days of one 4 Mbit/s stream. */
const slotsFor = (days: number): number => Math.round(days * DAY_MS / slotMs([4e6], SLOT))
const disk = (days: number, change: Partial<VolumeLoad> = {}): VolumeLoad => {
  const total = slotsFor(days)
  return { id: volumeId('disk1'), slotSizeBytes: SLOT, slots: { total, free: total - 1, open: 1, quarantined: 0 }, sealed: [], holds: [], ...change }
}
const asked = (volumes: VolumeLoad[], change: Partial<ForecastInput> = {}): ForecastInput =>
  ({ streams: [{ key: 'hall/main', bitrateBps: 4e6, oldestAt: null }], volumes, floor: month, now: NOW, ...change })
/** A ring that has been wrapping for long: footage of each day since `days` ago. */
function wrapping(days: number, floor = month): VolumeLoad {
  const total = slotsFor(days)
  return disk(days, { slots: { total, free: 0, open: 1, quarantined: 0 }, sealed: evenlySealed({ slots: total - 1, oldestAt: epochMs(NOW - days * DAY_MS), now: NOW, floor }) })
}
const dayText = (instant: EpochMs | null): string => instant === null ? '-' : new Date(instant + 8 * 3_600_000).toISOString().slice(0, 10)
const days = (value: number | null): string => value === null ? '-' : value.toFixed(1)

t.test('golden table: how old footage gets, when the ring wraps, when it stops, what lacks', t => {
  const table: [string, ForecastInput, string][] = [
    ['a fresh ring of 60 days', asked([disk(60)]), 'kept 60.0 margin 28.0 fits true lacks 0 wraps 2027-01-21 at 60.0 stops -'],
    ['a fresh ring of 33 days just fits', asked([disk(33)]), 'kept 33.0 margin 1.0 fits true lacks 0 wraps 2026-12-25 at 33.0 stops -'],
    ['31 days are not enough for a floor of 31', asked([disk(31)]), 'kept 31.0 margin -1.0 fits false lacks 44 wraps 2026-12-23 at 31.0 stops 2026-12-23'],
    ['a ring of 10 days stops after ten', asked([disk(10)]), 'kept 10.0 margin -22.0 fits false lacks 966 wraps 2026-12-02 at 10.0 stops 2026-12-02'],
    ['a ring of 40 days that is wrapping', asked([wrapping(40)]), 'kept 40.0 margin 8.0 fits true lacks 0 wraps 2026-11-22 at 39.4 stops -'],
    ['twice the rate halves it, and it will stop', asked([wrapping(40)], { streams: [{ key: 'hall/main', bitrateBps: 8e6, oldestAt: null }] }),
      'kept 19.7 margin -12.3 fits false lacks 1096 wraps 2026-11-22 at 39.4 stops 2026-11-29'],
    ['holds on a quarter of the ring', asked([{ ...wrapping(40), holds: [{ slots: slotsFor(10), until: null }], sealed: evenlySealed({ slots: slotsFor(30) - 1, oldestAt: epochMs(NOW - 40 * DAY_MS), now: NOW, floor: month }) }]),
      'kept 30.0 margin -2.0 fits false lacks 88 wraps 2026-11-22 at 39.4 stops 2026-12-14'],
    ['the floor was raised to 60 days', asked([wrapping(40)], { floor: { ...month, floor: { kind: 'calendar-days', days: 60 } } }), 'kept 40.0 margin -21.0 fits false lacks 922 wraps 2026-11-22 at 39.4 stops 2026-11-22'],
    ['time in doubt: no dates', asked([wrapping(40)], { now: null }), 'kept 40.0 margin 8.0 fits true lacks 0 wraps - at - stops -'],
    ['no volume', asked([]), 'kept 0.0 margin -32.0 fits false lacks 1405 wraps 2026-11-22 at 0.0 stops 2026-11-22'],
    ['no stream', asked([disk(10)], { streams: [] }), 'kept - margin - fits true lacks 0 wraps - at - stops -'],
    ['a rate that is not known', asked([disk(60)], { streams: [{ key: 'hall/main', bitrateBps: null, oldestAt: null }] }), 'kept - margin - fits - lacks - wraps - at - stops -'],
    ['one of two known, and it fits alone: cannot be told', asked([disk(60)], { streams: [{ key: 'a/main', bitrateBps: 4e6, oldestAt: null }, { key: 'b/main', bitrateBps: null, oldestAt: null }] }),
      'kept 60.0 margin 28.0 fits - lacks - wraps 2027-01-21 at 60.0 stops -'],
    ['one of two known, and it does not fit even alone', asked([disk(20)], { streams: [{ key: 'a/main', bitrateBps: 4e6, oldestAt: null }, { key: 'b/main', bitrateBps: null, oldestAt: null }] }),
      'kept 20.0 margin -12.0 fits false lacks 527 wraps 2026-12-12 at 20.0 stops 2026-12-12'],
  ]
  for (const [name, input, expected] of table) {
    const told = forecast(input)
    t.equal(`kept ${days(told.capacityDays)} margin ${days(told.marginDays)} fits ${told.fits ?? '-'} lacks ${told.lackingBytes === null ? '-' : Math.round(told.lackingBytes / 1e9)} `
      + `wraps ${dayText(told.wrapsAt)} at ${days(told.ageAtWrapDays)} stops ${dayText(told.stopsAt)}`, expected, name)
  }
  t.end()
})

t.test('each stream and volume tells when its own oldest footage goes, and how old it will be', t => {
  const oldestAt = epochMs(NOW - 20 * DAY_MS)
  const told = forecast(asked([wrapping(40)], { streams: [{ key: 'new/main', bitrateBps: 1e6, oldestAt }, { key: 'old/main', bitrateBps: 3e6, oldestAt: epochMs(NOW - 40 * DAY_MS) }, { key: 'none/main', bitrateBps: 0, oldestAt: null }] }))
  t.match(told.streams.map(({ key, share }) => [key, share]), [['new/main', 0.25], ['old/main', 0.75], ['none/main', 0]])
  t.ok(Math.abs(told.streams[0]!.daysLeft! - 20) < 0.7, `half the ring goes before it: ${told.streams[0]!.daysLeft} days`)
  t.ok(Math.abs(told.streams[0]!.forecastDays! - 40) < 0.7, `${told.streams[0]!.forecastDays}`)
  t.equal(told.streams[1]!.daysLeft, 0, 'it is next')
  t.equal(told.streams[2]!.daysLeft, null)
  t.ok(Math.abs(told.volumes[0]!.capacityDays! - 40) < 1)
  const young = forecast(asked([disk(60)], { streams: [{ key: 'hall/main', bitrateBps: 4e6, oldestAt: epochMs(NOW - DAY_MS) }] })).streams[0]!
  t.equal(young.daysLeft! >= (keepUntil(month, epochMs(NOW - DAY_MS)) - NOW) / DAY_MS, true, 'never before it leaves its floor')
  t.end()
})

t.test('volumes of unequal slots add up by what they hold', t => {
  const small = { id: volumeId('a'), slotSizeBytes: 16 * 2 ** 20, slots: 400 }, large = { id: volumeId('b'), slotSizeBytes: SLOT, slots: 100 }
  const [a, b, both] = [[small], [large], [small, large]].map(list => capacityOf([4e6, 2e6], list)!)
  t.ok(Math.abs(both!.capacityMs + 2 * slotMs([4e6, 2e6], SLOT) - (a!.capacityMs + 2 * a!.slotMs) - (b!.capacityMs + 2 * b!.slotMs)) < 1)
  t.equal(both!.slotMs, b!.slotMs, 'open slots count as the larger')
  t.equal(capacityOf([], [small]), null)
  t.ok(slotMs([400e6], 2 ** 20) > 0, 'a group of pictures larger than a slot is no division by nothing')
  t.end()
})

t.test('a calendar floor of 31 days is planned as 32 x 24 h, a plain one as it is', t => {
  t.equal(plannedSpanMs(month), 32 * DAY_MS)
  t.equal(plannedSpanMs({ floor: { kind: 'plain', durationMs: 90_000 }, timezone: 'UTC' }), 90_000)
  t.end()
})

t.test('a hold whose end is known gives its slots back then', t => {
  const held = (until: EpochMs | null) => forecast(asked([disk(40, { slots: { total: slotsFor(40), free: slotsFor(26), open: 1, quarantined: 0 }, holds: [{ slots: slotsFor(14) - 1, until }] })])).stopsAt
  t.equal(dayText(held(null)), '2026-12-18')
  t.equal(held(epochMs(NOW + 20 * DAY_MS)), null)
  t.equal(dayText(held(epochMs(NOW + 27 * DAY_MS))), '2026-12-18', 'too late')
  t.end()
})
