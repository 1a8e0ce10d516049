import t from 'tap'
import { OfficeTold } from '../../src/daemon/office-told.ts'
import { epochMs, type OfficeFacts } from '../../src/domain/index.ts'
import { LinkServer } from '../../src/link/index.ts'
import { FactsTeller } from '../../src/office/facts-teller.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { PartFaults } from '../../src/platform/part-faults.ts'
import { RecorderConnection } from '../../src/recorder-client/index.ts'
import { log } from '../link/support.ts'
import { until } from '../support/until.ts'

const at = epochMs(Date.parse('2026-11-30T08:00:00Z')), TOO_LONG = '長'.repeat(5_000)
const facts: OfficeFacts = {
  auditFailedSince: at, glass: { open: 1, openedAt: at, owed: 2, owedSince: at },
  office: {
    rules: 'none', ruleProblems: 1, calendarMissing: Array.from({ length: 50 }, (_, year) => 2026 + year), calendarProblems: 0,
    book: { lines: 3, orphans: 1, reconciledAt: null, isReconcilingLate: true, unsigned: 1, oldestUnsignedAt: at, unsignedDays: -1, packsDue: 1 },
    cases: { overdue: 1, soon: 2 }, inbox: { state: 'failed', waiting: 1, rejected: 1, rejectedAt: at },
    holds: { waiting: 1, waitingSince: at, unknown: 0, unknownSince: null },
  },
  archive: {
    state: 'not-mounted', detail: TOO_LONG, items: 1, bytes: 2 ** 41, quotaBytes: 2 ** 42, freeBytes: null, isFull: true,
    fullInDays: 0.5, next: [{ itemNo: 'A115-0001', destroysAt: at }], expiring: { count: 1, soonestAt: at }, overdue: 0,
    unsigned: { count: 1, since: at }, holdsToApprove: { count: 0, since: null }, strays: 1,
    lost: Array.from({ length: 3_000 }, (_, n) => ({ itemNo: `A115-${n}`, since: at, what: n === 0 ? TOO_LONG : 'gone' })),
  },
}

t.test('all that an office has to say is told within the bounds of the link, and again when a fault comes', async t => {
  const folder = t.testdir({}), told = new OfficeTold(systemClock, new PartFaults(systemClock).teller('office-away'))
  await using _server = LinkServer.open({
    folder, version: '1', takesRoles: ['office'], handlers: told.requests, clock: systemClock, log,
  })
  await using connection = RecorderConnection.open({ folder, version: '1', clock: systemClock, log })
  const faults = new PartFaults(systemClock)
  await using _teller = FactsTeller.open({ connection, isOpen: () => true, facts: () => facts, faults, clock: systemClock, log })
  await until('told', () => told.facts().office !== null)
  t.match(told.facts(), {
    auditFailedSince: at, glass: facts.glass, office: { cases: { overdue: 1 }, book: { unsignedDays: 0 } },
    archive: { state: 'not-mounted', bytes: 2 ** 41 }, faults: [],
  })
  t.equal(told.facts().archive?.lost.length, 1_000)
  faults.teller('console-failed').tell({ why: 'port' })
  faults.teller('config-not-kept').tell()
  await until('the fault is told', () => told.facts().faults.length > 0)
  t.match(told.facts().faults, [{ code: 'console-failed', values: { why: 'port' } }], 'what only a recorder may say is not')
})
