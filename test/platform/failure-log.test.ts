import t from 'tap'
import { FailureLog } from '../../src/platform/failure-log.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const START = '2026-11-22T08:00:00.000Z'

function failing() {
  const lines: Record<string, unknown>[] = []
  const clock = new VirtualClock(START)
  const failures = new FailureLog({ clock, log: createLogger({ destination: { write: line => { lines.push(JSON.parse(line) as Record<string, unknown>) } } }), failed: 'it failed', recovered: 'it works again' })
  return { clock, failures, take: () => lines.splice(0).map(({ time: _, ...line }) => line) }
}

t.test('logs the first failure at once, then one line every 30 s with the count, and the recovery once', async t => {
  const { clock, failures, take } = failing()
  failures.failure({ why: 'a' })
  t.strictSame(take(), [{ level: 'warn', why: 'a', failures: 1, msg: 'it failed' }])
  for (let s = 0; s < 60; s++) { await clock.advance(1_000); failures.failure({ why: 'b' }) }
  t.strictSame(take(), [31, 61].map(count => ({ level: 'warn', why: 'b', failures: count, msg: 'it failed' })))
  t.equal(failures.failures, 61)
  await clock.advance(500)
  t.ok(failures.success())
  t.notOk(failures.success())
  t.strictSame(take(), [{ level: 'info', failures: 61, outageSince: Date.parse(START), outageMs: 60_500, msg: 'it works again' }])
})

t.test('what fails after a recovery is told at once again', async t => {
  const { failures, take } = failing()
  t.notOk(failures.success(), 'nothing to recover from')
  failures.failure({})
  failures.success()
  failures.failure({ err: new Error('broken') }, 'error')
  t.match(take(), [{ failures: 1 }, { msg: 'it works again' }, { level: 'error', failures: 1, err: { message: 'broken' } }])
})

t.test('a set wall clock does not change when it speaks', async t => {
  const { clock, failures, take } = failing()
  failures.failure({})
  clock.stepWall(86_400_000)
  failures.failure({})
  t.equal(take().length, 1)
  await clock.advance(1_000)
  failures.success()
  t.match(take(), [{ outageMs: 1_000 }])
})
