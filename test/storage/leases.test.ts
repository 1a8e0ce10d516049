import t from 'tap'
import { generation, slotNumber, volumeUuid } from '../../src/domain/index.ts'
import { LEASE_LAPSE_MS } from '../../src/footage/index.ts'
import { LeaseTable } from '../../src/storage/leases.ts'
import { START } from '../support/recorder-rig.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const segment = (slot: number, gen = 1) => ({ volumeUuid: volumeUuid('a'.repeat(32)), slot: slotNumber(slot), generation: generation(gen) })

t.test('a lease covers its slot generation and no other', async t => {
  const table = new LeaseTable(new VirtualClock(START, t))
  await using lease = table.take(segment(3))
  t.ok(lease.renew())
  t.ok(table.isLeased(segment(3)))
  t.notOk(table.isLeased(segment(3, 2)))
  t.notOk(table.isLeased(segment(4)))
})

t.test('a lease that is not renewed lapses after a minute and cannot be renewed any more', async t => {
  const clock = new VirtualClock(START, t), table = new LeaseTable(clock)
  await using lease = table.take(segment(1))
  clock.drift(LEASE_LAPSE_MS, 0)
  t.ok(table.isLeased(segment(1)))
  t.ok(lease.renew())
  clock.drift(LEASE_LAPSE_MS + 1, 0)
  t.notOk(table.isLeased(segment(1)))
  t.notOk(lease.renew())
  t.notOk(table.isLeased(segment(1)), 'a renewal that failed brings nothing back')
})

t.test('a jump of the wall clock lapses no lease', async t => {
  const clock = new VirtualClock(START, t), table = new LeaseTable(clock)
  await using lease = table.take(segment(1))
  clock.stepWall(365 * 86_400_000)
  t.ok(table.isLeased(segment(1)))
  t.ok(lease.renew())
})

t.test('a slot stays leased until its last reader is gone', async t => {
  const table = new LeaseTable(new VirtualClock(START, t))
  const first = table.take(segment(1)), second = table.take(segment(1))
  await first[Symbol.asyncDispose]()
  t.ok(table.isLeased(segment(1)))
  await second[Symbol.asyncDispose]()
  t.notOk(table.isLeased(segment(1)))
})

t.test('a reader that is disposed of twice takes nobody else\'s lease away', async t => {
  const table = new LeaseTable(new VirtualClock(START, t))
  const first = table.take(segment(1))
  await first[Symbol.asyncDispose]()
  await using second = table.take(segment(1))
  await first[Symbol.asyncDispose]()
  t.ok(table.isLeased(segment(1)))
  t.ok(second.renew())
  t.notOk(first.renew(), 'what was given back cannot be renewed')
})
