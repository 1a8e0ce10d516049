import fc from 'fast-check'
import t from 'tap'
import { epochMs, monoMs } from '../../src/domain/index.ts'
import { RunClock } from '../../src/ingest/run-clock.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 200)
const WALL_AT_ZERO = 1_790_000_000_000
const FRAGMENT_MS = 500
const SLEW = 500e-6

/** A camera, a network and a host: what arrives when, by clocks that may go wrong. All in milliseconds since the run began. */
interface World {
  /** How far the camera's crystal runs fast (positive) or slow, as a share. */
  readonly driftShare?: number
  readonly delayMs?: (mediaMs: number) => number
  readonly mediaJumpMs?: (mediaMs: number) => number
  readonly wallStepMs?: (arrivalMs: number) => number
}

interface Step { readonly mono: number, readonly mediaMs: number, readonly trouble: string | null, readonly errorMs: number }

/** Plays `durationMs` of such a world into a RunClock, in the order of arrival, up to the first trouble. `errorMs`: given wall time of a media time minus the true one. */
function play(durationMs: number, { driftShare = 0, delayMs = () => 20, mediaJumpMs = () => 0, wallStepMs = () => 0 }: World): Step[] {
  let busyUntil = 0
  const steps: Step[] = []
  let clock: RunClock | null = null
  for (let capturedMs = 0; capturedMs < durationMs; capturedMs += FRAGMENT_MS) {
    const mediaMs = capturedMs * (1 + driftShare) + mediaJumpMs(capturedMs)
    const arrival = Math.max(busyUntil, capturedMs + delayMs(capturedMs)) // one connection: nothing overtakes
    busyUntil = arrival
    const mono = monoMs(arrival)
    const wall = epochMs(WALL_AT_ZERO + arrival + wallStepMs(arrival))
    clock ??= new RunClock(wall - mediaMs, wall, mono)
    const trouble = clock.observe(mediaMs, wall, mono)
    steps.push({ mono: arrival, mediaMs, trouble, errorMs: clock.wallOf(mediaMs) - (WALL_AT_ZERO + capturedMs) })
    if (trouble !== null) break
  }
  return steps
}

const troubleOf = (steps: readonly Step[]) => steps.at(-1)!.trouble
const jitter = fc.array(fc.nat(400), { minLength: 40, maxLength: 40 })

t.test('a steady stream keeps its time to the millisecond, for an hour', async t => {
  const steps = play(3_600_000, {})
  t.equal(troubleOf(steps), null)
  t.ok(steps.every(step => Math.abs(step.errorMs - 20) <= 1))
})

t.test('whatever arrives when, the clock never slews by more than 500 ppm of the time that passed', async () => {
  fc.assert(fc.property(jitter, fc.double({ min: -400e-6, max: 400e-6, noNaN: true }), fc.nat(100), (delays, driftShare, stallAt) => {
    const clock = { value: null as RunClock | null }
    let last: { anchor: number, mono: number } | null = null
    for (let i = 0; i < 400; i++) {
      const stallMs = i === stallAt ? 20_000 : 0
      const mono = i * FRAGMENT_MS + delays[i % delays.length]! + stallMs
      if (last !== null && mono < last.mono) continue
      const mediaMs = i * FRAGMENT_MS * (1 + driftShare)
      const wall = epochMs(WALL_AT_ZERO + mono)
      clock.value ??= new RunClock(wall - mediaMs, wall, monoMs(mono))
      if (clock.value.observe(mediaMs, wall, monoMs(mono)) !== null) return true
      const anchor = clock.value.wallOf(0)
      if (last !== null && Math.abs(anchor - last.anchor) > (mono - last.mono) * SLEW + 1) return false // 1: instants are whole milliseconds
      last = { anchor, mono }
    }
    return true
  }), runs)
})

t.test('over any minute the times of frames move by at most 30 ms against their distance', async () => {
  fc.assert(fc.property(jitter, fc.double({ min: -300e-6, max: 300e-6, noNaN: true }), (delays, driftShare) => {
    const steps = play(600_000, { driftShare, delayMs: mediaMs => delays[(mediaMs / FRAGMENT_MS) % delays.length]! })
    const window = 60_000 / FRAGMENT_MS
    return steps.every((step, i) => {
      const before = steps[i - window]
      return before === undefined || Math.abs(step.errorMs - before.errorMs) <= 30 + Math.abs(driftShare) * 60_000 + 2
    })
  }), { ...runs, numRuns: 40 })
})

t.test('a step of the wall clock by more than 500 ms ends the run at once', async () => {
  fc.assert(fc.property(fc.integer({ min: 501, max: 1e9 }), fc.boolean(), fc.integer({ min: 1, max: 100 }), (byMs, forward, at) => {
    const steps = play(120_000, { wallStepMs: arrival => arrival > at * 1000 ? (forward ? byMs : -byMs) : 0 })
    return troubleOf(steps) === 'clock-stepped' && steps.at(-1)!.mono < at * 1000 + 2 * FRAGMENT_MS
  }), runs)
})

t.test('a wall clock that is slewed, as time daemons do, moves the run along and ends nothing', async t => {
  for (const ppm of [-500, 500]) {
    const steps = play(1_200_000, { wallStepMs: arrival => arrival * ppm * 1e-6 })
    t.equal(troubleOf(steps), null, `${ppm} ppm`)
    t.ok(Math.abs(steps.at(-1)!.errorMs - 20 - 1_200_000 * ppm * 1e-6) < 60, 'the frames follow the wall clock')
  }
})

t.test('media time that jumps forward by more than a second ends the run at once', async () => {
  fc.assert(fc.property(fc.integer({ min: 1_100, max: 1e7 }), fc.integer({ min: 2, max: 100 }), (byMs, at) => {
    const steps = play(120_000, { mediaJumpMs: mediaMs => mediaMs >= at * 1000 ? byMs : 0 })
    return troubleOf(steps) === 'timestamps-jumped' && steps.length === at * 1000 / FRAGMENT_MS + 1
  }), runs)
})

t.test('no frame is stored more than a second from its true time when media time falls behind', async t => {
  const steps = play(300_000, { mediaJumpMs: mediaMs => mediaMs >= 30_000 ? -5_000 : 0 })
  t.equal(troubleOf(steps), 'timestamps-jumped')
  const late = steps.filter(step => step.errorMs < -1_020)
  t.comment(`${late.length} fragments were off by more than a second before the run ended`)
  t.ok(late.length * FRAGMENT_MS <= 61_000, 'it ends within the window')
})

t.test('a network that stalls for 30 s and then catches up does not end the run, nor move its times', async t => {
  const steps = play(300_000, { delayMs: mediaMs => mediaMs >= 60_000 && mediaMs < 90_000 ? 90_000 - mediaMs + 20 : 20 })
  t.equal(troubleOf(steps), null)
  t.ok(steps.every(step => Math.abs(step.errorMs - 20) <= 31), `${Math.max(...steps.map(step => Math.abs(step.errorMs)))} ms at worst`)
})

t.test('a camera whose crystal is off is followed for a day, in either direction', async t => {
  for (const ppm of [-200, -50, 50, 200]) {
    const steps = play(6 * 3_600_000, { driftShare: ppm * 1e-6 })
    t.equal(troubleOf(steps), null, `${ppm} ppm`)
    const worst = Math.max(...steps.map(step => Math.abs(step.errorMs)))
    t.ok(worst < 100, `${ppm} ppm: ${worst} ms at worst`)
  }
})

t.test('a stream that gets slower by a second for good is followed slowly or ended, but never wrong for longer than the window', async t => {
  const steps = play(600_000, { delayMs: mediaMs => mediaMs > 60_000 ? 900 : 20 })
  t.equal(troubleOf(steps), null, 'a longer way through the network is no jump')
  t.ok(steps.every(step => step.errorMs >= 0 && step.errorMs <= 920))
})
