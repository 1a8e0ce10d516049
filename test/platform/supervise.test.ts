import fc from 'fast-check'
import t from 'tap'
import { epochMs, monoMs } from '../../src/domain/index.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { jittered, supervise } from '../../src/platform/supervise.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 300)
const LADDER = [0, 100, 200, 400]

const raise = (error: unknown): never => { throw error }

/** A clock whose waits pass at once; it keeps what was waited for. */
function instantClock(): Clock & { waits: number[] } {
  const waits: number[] = []
  return { waits, wallNow: () => epochMs(0), monoNow: () => monoMs(0), wait: async durationMs => { waits.push(durationMs) } }
}

/** Plays these ends of runs, then stops. */
async function played(ends: readonly ('good' | 'bad')[], ladder: readonly number[] = LADDER): Promise<number[]> {
  const clock = instantClock()
  const stop = new AbortController()
  let at = 0
  await supervise<'good' | 'bad'>({
    clock, signal: stop.signal, random: () => 0.5, delaysMs: () => ladder, wasHealthy: end => end === 'good', crashed: () => 'bad',
    runOnce: async () => ends[at++]!, onEnd: () => { if (at === ends.length) stop.abort() },
  })
  return clock.waits
}

t.test('climbs one step a failure, stays on the last, and starts over after a good run', async t => {
  t.strictSame(await played(['bad', 'bad', 'bad', 'bad', 'bad', 'good', 'bad']), [100, 200, 400, 400, 400, 0, 100])
})

t.test('each way to end has its own ladder, and the failures are counted over all', async t => {
  const clock = instantClock()
  const stop = new AbortController()
  const ends = ['x', 'y', 'x'] as const
  let at = 0
  await supervise<'x' | 'y'>({
    clock, signal: stop.signal, random: () => 0.5, delaysMs: end => end === 'x' ? [0, 1, 2, 3] : [0, 10, 20, 30], wasHealthy: () => false, crashed: raise,
    runOnce: async () => ends[at++]!, onEnd: () => { if (at === ends.length) stop.abort() },
  })
  t.strictSame(clock.waits, [1, 20, 3])
})

t.test('a fleet that failed at one instant does not return at one instant', async () => {
  fc.assert(fc.property(fc.nat(60_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (delayMs, random) => {
    const wait = jittered(delayMs, () => random)
    return wait >= delayMs * 0.5 && wait < delayMs * 1.5 + 1e-9
  }), runs)
})

t.test('an empty ladder means no wait, and is no endless climb', async t => {
  t.strictSame(await played(['bad', 'bad'], []), [0, 0])
})

t.test('does not run again once it was told to stop, and tells no end that was asked for', async t => {
  const stop = new AbortController()
  let count = 0
  const told: string[] = []
  await supervise<string>({
    clock: instantClock(), signal: stop.signal, random: () => 0, delaysMs: () => LADDER, wasHealthy: () => false, crashed: raise,
    runOnce: async () => { count++; stop.abort(); return 'stopped' }, onEnd: end => { told.push(end) },
  })
  t.equal(count, 1)
  t.strictSame(told, [])
})

t.test('a wake or a stop ends the wait', async t => {
  const stop = new AbortController()
  let wake = new AbortController()
  const signals: AbortSignal[] = []
  let count = 0
  const clock: Clock = {
    wallNow: () => epochMs(0), monoNow: () => monoMs(0),
    wait: (_durationMs, signal) => new Promise(resolve => { signals.push(signal!); signal!.addEventListener('abort', () => { resolve() }, { once: true }) }),
  }
  const done = supervise<string>({
    clock, signal: stop.signal, random: () => 0, delaysMs: () => [60_000], wasHealthy: () => false, crashed: raise,
    runOnce: async () => { count++; return 'bad' }, wake: () => { wake = new AbortController(); return wake.signal },
  })
  const turn = () => new Promise(resolve => { setImmediate(resolve) })
  await turn()
  t.equal(count, 1)
  wake.abort()
  await turn()
  t.equal(count, 2, 'woken')
  stop.abort()
  await done
  t.equal(count, 2)
  t.ok(signals.every(signal => signal.aborted))
})

t.test('a run that throws counts as a failure and is tried again', async t => {
  const clock = instantClock()
  const stop = new AbortController()
  const ends: string[] = []
  await supervise<string>({
    clock, signal: stop.signal, random: () => 0.5, delaysMs: () => LADDER, wasHealthy: () => false,
    runOnce: () => { throw new TypeError('at once') }, crashed: error => `crashed: ${(error as Error).message}`,
    onEnd: end => { ends.push(end); if (ends.length === 3) stop.abort() },
  })
  t.strictSame(ends, Array(3).fill('crashed: at once'))
  t.strictSame(clock.waits, [100, 200, 400])
})
