import { execFileSync } from 'node:child_process'
import t from 'tap'
import { systemClock } from '../../src/platform/clock.ts'

t.test('a wait ends with its time, with its signal, and at once when that was given before', async t => {
  const startedAt = systemClock.monoNow()
  await systemClock.wait(30)
  t.ok(systemClock.monoNow() - startedAt >= 29)
  const stop = new AbortController()
  const waiting = systemClock.wait(3_600_000, stop.signal)
  stop.abort()
  await waiting
  await systemClock.wait(3_600_000, stop.signal)
})

t.test('a wait longer than a timer can hold does not end at once', async t => {
  const stop = new AbortController()
  let ended = false
  const waiting = systemClock.wait(2 ** 40, stop.signal).then(() => { ended = true })
  await systemClock.wait(20)
  t.notOk(ended)
  stop.abort()
  await waiting
})

t.test('a negative wait is none', async () => { await systemClock.wait(-5) })

t.test('waits that have ended leave no listener on their signal', async t => {
  const stop = new AbortController()
  let listeners = 0
  const signal = stop.signal
  const add = signal.addEventListener.bind(signal), remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => { listeners++; add(...args) }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => { listeners--; remove(...args) }
  for (let i = 0; i < 50; i++) await systemClock.wait(0, signal)
  t.equal(listeners, 0)
})

t.test('running time is the same for all processes of a boot', async t => {
  const before = systemClock.monoNow()
  const other = Number(execFileSync(process.execPath, ['-e', 'process.stdout.write(String(process.hrtime.bigint() / 1000000n))'], { encoding: 'utf8' }))
  t.ok(other >= before - 1 && other <= systemClock.monoNow() + 1, `${before} <= ${other}`)
})
