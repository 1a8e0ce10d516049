import pino from 'pino'
import t, { type Test } from 'tap'
import { Upkeep, type UpkeepJob } from '../../src/daemon/upkeep.ts'
import { LastKnown } from '../../src/platform/last-known.ts'
import { CatalogueFaultError } from '../../src/platform/catalogue.ts'
import Database from 'better-sqlite3'
import { VirtualClock } from '../support/virtual-clock.ts'
import { LATE_PART_RETRY_MS, LatePart } from '../../src/platform/late-part.ts'
import { PartFaults } from '../../src/platform/part-faults.ts'

const log = pino({ level: 'silent' })
const START = '2026-11-22T08:00:00.000Z'

t.test('a part that cannot be opened is told and tried again each minute, and closed when it is there',
  async t => {
  const clock = new VirtualClock(START, t), faults = new PartFaults(clock)
  let tries = 0, isClosed = false
  const late = await LatePart.open({ code: 'console-failed', faults, clock, log, open: async () => {
    if (++tries < 3) throw new Error('taken')
    return { [Symbol.asyncDispose]: async () => { isClosed = true } }
  } })
  t.match([late.part, faults.all()], [null, [{ code: 'console-failed', since: Date.parse(START) }]])
  await clock.advance(LATE_PART_RETRY_MS)
  t.match([tries, faults.all()], [2, [{ since: Date.parse(START) }]], 'one trouble since it began')
  await clock.advance(LATE_PART_RETRY_MS)
  t.same([tries, faults.all()], [3, []])
  t.ok(late.part)
  await late[Symbol.asyncDispose]()
  t.ok(isClosed)
})

t.test('one that never opens holds up no stop', async t => {
  const clock = new VirtualClock(START, t), faults = new PartFaults(clock)
  const open = () => Promise.reject(new Error('broken'))
  const late = await LatePart.open({ code: 'office-failed', faults, clock, log, open })
  await clock.advance(10 * LATE_PART_RETRY_MS)
  await late[Symbol.asyncDispose]()
  t.equal(late.part, null)
})

t.test('a reason stands as long as one of those who tell it does', async t => {
  const clock = new VirtualClock(START), faults = new PartFaults(clock)
  const office = faults.teller('office-failed'), other = faults.teller('office-failed')
  other.tell()
  clock.stepWall(1_000)
  office.tell()
  t.match(faults.all(), [{ code: 'office-failed', since: Date.parse(START) }])
  t.equal(faults.all().length, 1)
  other.clear()
  t.match(faults.all(), [{ since: Date.parse(START) + 1_000 }])
  office.clear()
  t.same(faults.all(), [])
})

const settled = () => new Promise(resolve => { setImmediate(resolve) })
type Schedule = NonNullable<Parameters<typeof Upkeep.open>[0]['schedule']>
function upkept(t: Test, jobs: readonly UpkeepJob[], schedule?: Schedule) {
  const clock = new VirtualClock(START, t), faults = new PartFaults(clock)
  const given = schedule === undefined ? {} : { schedule }
  const upkeep = Upkeep.open({ jobs, timezone: 'Asia/Taipei', faults, clock, log, ...given })
  t.teardown(async () => { await upkeep[Symbol.asyncDispose]() })
  return { clock, told: () => faults.all().map(({ code, values }) => [code, values?.['jobs']]) }
}

t.test('a job of the start that fails keeps nobody from recording, is told, and is tried again before the next night', async t => {
  let tries = 0, other = 0
  const { clock, told } = upkept(t, [
    { name: 'overwrite record', when: '20 0 * * *', atStart: true, run: async () => {
      if (++tries < 3) throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR')
    } },
    { name: 'catalogue upkeep', when: '23 3 * * *', run: async () => { other++ } },
  ])
  await settled()
  t.same(told(), [['upkeep-failed', 'overwrite record']])
  await clock.advance(10 * 60_000)
  t.same(told(), [['upkeep-failed', 'overwrite record']])
  await clock.advance(10 * 60_000)
  t.same([told(), tries, other], [[], 3, 0], 'and those that did not fail wait for their time')
})

t.test('a schedule that cannot be opened is told and opened later', async t => {
  let tries = 0
  const { clock, told } = upkept(t, [], () => {
    if (++tries < 2) throw new Error('no such zone')
    return { [Symbol.asyncDispose]: () => Promise.resolve() }
  })
  t.same(told(), [['upkeep-failed', 'schedule']])
  await clock.advance(10 * 60_000)
  t.same([told(), tries], [[], 2])
})

t.test('while the catalogue cannot be read what it said last is told', async t => {
  const known = new LastKnown()
  const fault = (code: string) => () => { throw new Database.SqliteError('planted', code) }
  t.equal(known.ask('n', fault('SQLITE_IOERR'), 0), 0)
  t.equal(known.fault, 'planted')
  known.begin()
  t.equal(known.ask('n', () => 7, 0), 7)
  t.equal(known.fault, null)
  t.equal(known.ask('n', fault('SQLITE_CORRUPT_INDEX'), 0), 7)
  const wrapped = () => { throw new CatalogueFaultError(new Database.SqliteError('planted', 'SQLITE_FULL')) }
  t.equal(known.ask('n', wrapped, 0), 7)
  t.equal(known.ask('of another', fault('SQLITE_CORRUPT'), 1), 1)
  known.begin()
  t.equal(known.ask('n', fault('SQLITE_BUSY_RECOVERY'), 0), 7)
  t.equal(known.fault, null, 'somebody else has it for a moment')
  for (const code of ['SQLITE_ERROR', 'SQLITE_CONSTRAINT_UNIQUE']) {
    t.throws(() => known.ask('n', fault(code), 0), { code })
  }
  t.throws(() => known.ask('n', () => { throw new TypeError('a mistake') }, 0), TypeError)
})
