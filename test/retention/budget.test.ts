import fc from 'fast-check'
import t from 'tap'
import { monoMs } from '../../src/domain/index.ts'
import { ByteBudget, SlotBudget, SlotBudgetError } from '../../src/retention/index.ts'
import { seeded } from '../support/recorder/seeded.ts'

const MIB = 2 ** 20
const HOUR_MS = 3_600_000

t.test('a stream may open what its bitrate fills twice over, and a spare day of trouble', async t => {
  const budget = new SlotBudget(64 * MIB)
  budget.expect('lobby/main', 4e6, monoMs(0))
  let opened = 0
  while (budget.mayOpen('lobby/main', monoMs(0))) { budget.note('lobby/main', monoMs(0)); opened++ }
  t.equal(opened, 27 * 2 + 24, '4 Mbit/s fill 26.8 slots an hour')
  t.same(budget.exhausted(monoMs(0)), ['lobby/main'])
  const next = budget.nextAt('lobby/main', monoMs(0))
  t.equal(next, HOUR_MS / 78)
  t.notOk(budget.mayOpen('lobby/main', monoMs(next - 1)))
  t.ok(budget.mayOpen('lobby/main', monoMs(next + 1)))
  t.ok(budget.mayOpen('door/main', monoMs(0)), 'another stream has its own')
  budget.forget('lobby/main')
  t.ok(budget.mayOpen('lobby/main', monoMs(0)))
})

t.test('says when the next one may be opened', async t => {
  t.match(new SlotBudgetError('lobby/main', monoMs(46_200), monoMs(1_000)).message, 'lobby/main has used up its slots of this hour; it may take the next one in 46 s')
})

t.test('whatever a camera does, it opens no more than its hourly share and one hour in advance, and never waits for ever', async () => {
  const use = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 600_000 }), wants: fc.integer({ min: 1, max: 40 }) }), { maxLength: 60 })
  fc.assert(fc.property(use, fc.integer({ min: 8_000, max: 64e6 }), (uses, bitrateBps) => {
    const budget = new SlotBudget(64 * MIB)
    budget.expect('a/main', bitrateBps, monoMs(0))
    const perHour = Math.ceil(bitrateBps / 8 * 3600 / (64 * MIB)) * 2 + 24
    let now = 0
    let opened = 0
    for (const { afterMs, wants } of uses) {
      now += afterMs
      for (let i = 0; i < wants && budget.mayOpen('a/main', monoMs(now)); i++) { budget.note('a/main', monoMs(now)); opened++ }
      if (opened > perHour * (1 + now / HOUR_MS) + 1e-6) return false
      const next = budget.nextAt('a/main', monoMs(now))
      if (next < now || next > now + HOUR_MS / perHour + 1) return false
    }
    return budget.mayOpen('a/main', monoMs(budget.nextAt('a/main', monoMs(now)) + 1))
  }), seeded(t, 10_000))
})

t.test('a camera that records without trouble never reaches its budget', async () => {
  fc.assert(fc.property(fc.integer({ min: 8_000, max: 64e6 }), fc.integer({ min: 1, max: 256 }), (bitrateBps, slotMiB) => {
    const budget = new SlotBudget(slotMiB * MIB)
    budget.expect('a/main', bitrateBps, monoMs(0))
    const everyMs = slotMiB * MIB * 0.8 * 8000 / bitrateBps // a fifth of each slot is left over
    for (let now = 0, opened = 0; now < 3 * HOUR_MS && opened < 400; now += everyMs, opened++) {
      if (!budget.mayOpen('a/main', monoMs(now))) return false
      budget.note('a/main', monoMs(now))
    }
    return true
  }), seeded(t, 2_000))
})

t.test('over budget is a quarter above the declared rate over the last hour, and over again only below a tenth', async t => {
  const budget = new ByteBudget()
  for (let i = 0; i < 9; i++) budget.add(60_000, 9e6)
  t.equal(budget.averageBps, null, 'ten minutes must have been seen')
  t.notOk(budget.isOver(4e6))
  budget.add(60_000, 9e6)
  t.equal(Math.round(budget.averageBps!), 9e6)
  t.ok(budget.isOver(4e6))
  t.notOk(budget.isOver(null), 'what declares nothing is never over')
  for (let i = 0; i < 50; i++) budget.add(60_000, 4.9e6)
  t.notOk(new ByteBudget().isOver(1))
  for (let i = 0; i < 100; i++) budget.add(60_000, 4.9e6)
  t.ok(budget.isOver(4e6), '22 % above: still over, for it was')
  for (let i = 0; i < 200; i++) budget.add(60_000, 4.2e6)
  t.notOk(budget.isOver(4e6))
  for (let i = 0; i < 200; i++) budget.add(60_000, 4.9e6)
  t.notOk(budget.isOver(4e6), '22 % above: not over, for it was not')
})
