import t from 'tap'
import { HealthState } from '../../src/health/index.ts'
import { clock, facts } from './support/facts.ts'
import { ManualClock } from './support/manual-clock.ts'

const verdict = (change: Parameters<typeof clock>[0]): string[] => {
  const { level, reasons } = new HealthState(new ManualClock()).assess(facts({ clock: clock(change) }))
  return [level, ...reasons.map(reason => `${reason.urgency} ${reason.code}`)]
}

t.test('what is said of the clock', t => {
  for (const [title, change, expected] of [
    ['all is well', {}, ['healthy']],
    ['an offset at the bound', { offsetMs: 500 }, ['healthy']],
    ['an offset worth a word', { offsetMs: -501 }, ['degraded', 'week clock-offset']],
    ['the time service says it is far off', { referenceOffsetMs: 2_001 }, ['degraded', 'tonight clock-offset']],
    ['slewing', { state: 'disagrees', offsetMs: 1_900 }, ['degraded', 'week clock-offset']],
    ['set by hand', { state: 'disagrees', offsetMs: 3_600_000 }, ['degraded', 'tonight clock-disagrees']],
    ['no time service', { synchronised: null, source: 'none', referenceOffsetMs: null }, ['degraded', 'week clock-not-synchronised']],
    ['just started after a power cut', { state: 'waiting', offsetMs: 7_200_000, waitingMs: 7_200_000, waitingFor: 'sync', synchronised: false }, ['degraded', 'week clock-not-synchronised', 'week clock-waiting']],
    ['off for a month', { state: 'waiting', offsetMs: 30 * 86_400_000, waitingMs: 30 * 86_400_000, waitingFor: 'people' }, ['degraded', 'tonight clock-waiting']],
    ['unknown', { state: 'unknown', trustedAt: null, offsetMs: 99_999_999, waitingFor: 'people' }, ['critical', 'tonight clock-unknown']],
  ] as const) t.same(verdict(change), expected, title)
  t.end()
})

t.test('the words name the amount and the command', t => {
  const { reasons } = new HealthState(new ManualClock()).assess(facts({ clock: clock({ state: 'disagrees', offsetMs: -3_600_000 }) }))
  t.match(reasons[0], { text: /-3600\.0 秒/, en: /-3600\.0 s apart/, nextStep: { zh: /custos time confirm/, en: /custos time confirm/ } })
  t.end()
})
