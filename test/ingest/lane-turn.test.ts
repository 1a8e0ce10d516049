import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { LaneTurn } from '../../src/ingest/lane-turn.ts'
import { VirtualClock, type TestOwner } from '../support/virtual-clock.ts'

const never = new AbortController().signal
const clockOf = (owner: TestOwner) => new VirtualClock('2026-11-22T08:00:00.000Z', owner)

t.test('a free lane is not waited for', async t => {
  t.ok(await new LaneTurn().free(clockOf(t), never))
})

t.test('one that is taken is waited for ten seconds, and no longer once it comes free', async t => {
  const clock = clockOf(t), lane = new LaneTurn(), work = Promise.withResolvers<void>()
  lane.leave(work.promise)
  const { freed } = lane
  const first = lane.free(clock, never)
  await clock.advance(10_000)
  t.notOk(await first)
  const second = lane.free(clock, never)
  work.resolve()
  t.ok(await second)
  t.ok(freed.aborted)
  t.notOk(lane.freed.aborted, 'it speaks of the next time')
})

t.test('a stop ends the waiting', async t => {
  const lane = new LaneTurn(), stop = new AbortController()
  lane.leave(new Promise(() => undefined))
  const free = lane.free(clockOf(t), stop.signal)
  stop.abort()
  t.notOk(await free)
})

t.test('it is free when all that was left behind has come back', async t => {
  const lane = new LaneTurn(), first = Promise.withResolvers<void>(), second = Promise.withResolvers<void>()
  lane.leave(first.promise)
  lane.leave(second.promise)
  second.resolve()
  await turn()
  t.notOk(lane.isFree)
  first.resolve()
  await turn()
  t.ok(lane.isFree)
})
