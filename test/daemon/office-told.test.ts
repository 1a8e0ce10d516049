import t from 'tap'
import { HEARD_WITHIN_MS, OfficeTold } from '../../src/daemon/office-told.ts'
import type { OfficeFactsMessage } from '../../src/link/index.ts'
import { PartFaults } from '../../src/platform/part-faults.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const message = (open: number): OfficeFactsMessage => ({
  auditFailedSince: null, glass: { open, openedAt: null, owed: 0, owedSince: null }, office: null, archive: null,
  faults: [{ code: 'console-failed', since: 5, values: {} }],
})

t.test('what the office told is believed for 30 s; silent, it is away, and what it told last stays', async t => {
  const clock = new VirtualClock('2026-11-30T08:00:00.000Z', t), faults = new PartFaults(clock)
  const told = new OfficeTold(clock, faults.teller('office-away'))
  const codes = (): string[] => { told.facts(); return faults.all().map(({ code }) => code) }
  t.match(told.facts(), { office: null, faults: [], glass: { open: 0 } })
  t.same(codes(), [], 'an office that starts is not away')
  clock.drift(HEARD_WITHIN_MS + 1, 0)
  t.same(codes(), ['office-away'])
  await told.requests['office.facts'](message(1))
  t.same(codes(), [])
  t.match(told.facts(), { glass: { open: 1 }, faults: [{ code: 'console-failed', since: 5 }] })
  clock.drift(HEARD_WITHIN_MS, 0)
  t.same(codes(), [])
  clock.drift(1, 0)
  t.same(codes(), ['office-away'])
  t.match(told.facts(), { glass: { open: 1 } }, 'an opening of break-glass is not forgotten')
})
