import fc from 'fast-check'
import t from 'tap'
import { FrameClock, MOST_LATE_MS, type FrameToTime } from '../../src/ingest/frame-clock.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 300)
const FRAGMENT_MS = 450
/** Of what comes so soon all is there before the first frame is placed. */
const LEAD_MS = 400

interface Camera {
  readonly fps: number
  readonly seconds: number
  readonly stampOf: (n: number) => number | null
  readonly delayOf?: (n: number) => number
}
interface Timed extends FrameToTime { readonly atMs: number, readonly takenMs: number }

/** Plays a camera and its line into a clock, fragment after fragment, in the order of arrival. */
function play({ fps, seconds, stampOf, delayOf = () => 0 }: Camera, clock = new FrameClock()): Timed[] {
  let arrivedMs = -Infinity
  const frames = Array.from({ length: Math.ceil(fps * seconds) }, (_, n) => {
    // one connection: nothing overtakes
    arrivedMs = Math.max(arrivedMs + 0.02, 1000 + n * 1000 / fps + delayOf(n))
    return { arrivedMs, stampMs: stampOf(n), takenMs: 1000 + n * 1000 / fps }
  })
  clock.begin(frames.filter(frame => frame.arrivedMs <= frames[0]!.arrivedMs + LEAD_MS))
  const timed: Timed[] = []
  for (let from = 0; from < frames.length;) {
    const end = frames.findIndex(frame => frame.arrivedMs >= frames[from]!.arrivedMs + FRAGMENT_MS)
    const fragment = frames.slice(from, end < 0 ? frames.length : end)
    timed.push(...clock.place(fragment, frames[end]?.arrivedMs).map((atMs, i) => ({ ...fragment[i]!, atMs })))
    from += fragment.length
  }
  return timed
}

const goesForward = (frames: readonly Timed[]) => frames.every(
  ({ atMs }, i) => i === 0 || atMs > frames[i - 1]!.atMs
)
const worstMs = (frames: readonly Timed[], of: (frame: Timed) => number) =>
  Math.max(...frames.map(frame => Math.abs(of(frame))))

const anyStamps = fc.constantFrom<(fps: number, bends: readonly number[]) => (n: number) => number | null>(
  fps => n => n * 1000 / fps,
  () => () => 0,
  () => () => null,
  fps => n => Math.floor(n / 2) * 2000 / fps,
  fps => n => n * 800 / fps,
  fps => n => n * 1200 / fps,
  fps => n => n * 90_000 / fps,
  fps => n => -n * 1000 / fps,
  (fps, bends) => n => n * 1000 / fps + bends[Math.floor(n / 20) % bends.length]!,
  (_, bends) => n => bends[n % bends.length]!,
  (fps, bends) => n => bends[n % bends.length]! > 0 ? null : n * 1000 / fps,
  (fps, bends) => n => n * 1000 / fps * (1 + bends[0]! / 1e7),
)
const anyFps = fc.constantFrom(1, 2, 4, 8.4, 10, 12.5, 15, 25, 30)
const bends = fc.array(fc.integer({ min: -20_000, max: 20_000 }), { minLength: 1, maxLength: 12 })

t.test('on a steady line a frame is within 250 ms of its arrival, whatever its stamps do; time only goes forward', async () => {
  fc.assert(fc.property(anyFps, anyStamps, bends, fc.array(fc.nat(20), { minLength: 5, maxLength: 30 }), (fps, stamps, offsets, jitter) => {
    const frames = play(
      { fps, seconds: 60, stampOf: stamps(fps, offsets), delayOf: n => jitter[n % jitter.length]! }
    )
    const late = frames.map(({ arrivedMs, atMs }) => arrivedMs - atMs)
    return goesForward(frames) && late.every(ms => Math.abs(ms) <= 250)
  }), runs)
})

t.test('time only goes forward and a frame is not 110 ms after its arrival, whatever stamps and line do', async () => {
  fc.assert(fc.property(anyFps, anyStamps, bends, fc.array(fc.nat(40_000), { minLength: 5, maxLength: 30 }), (fps, stamps, offsets, delays) => {
    const frames = play(
      {
        fps, seconds: 60, stampOf: stamps(fps, offsets),
        delayOf: n => delays[Math.floor(n / 7) % delays.length]!,
      }
    )
    return goesForward(frames) && frames.every(({ arrivedMs, atMs }) => atMs <= arrivedMs + 110)
  }), runs)
})

t.test('a camera that gives key frames the stamp before keeps its times while a held-up line catches up', t => {
  const frames = play({
    fps: 10, seconds: 60, stampOf: n => (n % 20 === 0 ? n - 1 : n) * 100,
    delayOf: n => n >= 197 && n < 215 ? 1800 - (n - 197) * 100 : 0,
  })
  t.ok(worstMs(frames.slice(1), frame => frame.atMs - frame.takenMs) < 5)
  t.end()
})

t.test('stamps make even what the line made uneven', async () => {
  fc.assert(fc.property(fc.array(fc.nat(120), { minLength: 40, maxLength: 40 }), delays => {
    const frames = play(
      { fps: 10, seconds: 60, stampOf: n => n * 100, delayOf: n => n < 6 ? 0 : delays[n % delays.length]! }
    )
    return worstMs(frames.slice(1), frame => frame.atMs - frame.takenMs) < 5
  }), runs)
})

t.test('a line that stalls and catches up moves no frame, also when it stalls again meanwhile', async t => {
  for (const stalls of [[[100, 30]], [[100, 1]], [[100, 2], [120, 2.5]], [[100, 0.7], [107, 1.2]]] as const) {
    const frames = play({
      fps: 10, seconds: 60, stampOf: n => n * 100,
      delayOf: n => Math.max(
        0, ...stalls.map(([from, seconds]) => n >= from ? from * 100 + seconds * 1000 - n * 100 : 0)
      ),
    })
    t.ok(
      worstMs(frames, frame => frame.atMs - frame.takenMs) < 5,
      `${JSON.stringify(stalls)}: ${worstMs(frames, frame => frame.atMs - frame.takenMs)} ms`
    )
  }
})

t.test('a stall moves no frame wherever fragments end in what it held back', async t => {
  for (let from = 200; from < 216; from++) {
    for (const stallMs of [300, 500, 900, 2_500]) {
      const frames = play({
        fps: 15, seconds: 30, stampOf: n => n * 1000 / 15,
        delayOf: n => n < from ? 0 : Math.max(0, stallMs - (n - from) * 1000 / 15),
      })
      const worst = worstMs(frames, frame => frame.atMs - frame.takenMs)
      t.ok(worst < 5, `${stallMs} ms from frame ${from}: ${worst} ms`)
    }
  }
})

t.test('a camera that took no frames for seconds, and whose stamps count frames, is dated by what comes then', async () => {
  fc.assert(fc.property(fc.integer({ min: 150, max: 190 }), fc.constantFrom(500, 1000, 4000), fc.array(fc.integer({ min: 40, max: 100 }), { minLength: 7, maxLength: 7 }), (from, freezeMs, beats) => {
    // What comes is passed on in a beat.
    const marks = Array.from({ length: 900 }, () => 0)
    for (let i = 1; i < marks.length; i++) marks[i] = marks[i - 1]! + beats[i % beats.length]!
    const beaten = (atMs: number): number => marks.find(mark => mark >= atMs)! - atMs
    const taken = (n: number): number => n * 1000 / 15 + (n < from ? 0 : freezeMs)
    const frames = play({ fps: 15, seconds: 30, stampOf: n => n * 1000 / 15, delayOf: n => taken(n) - n * 1000 / 15 + beaten(taken(n)) })
    return frames.slice(60).every(({ arrivedMs, atMs }) => arrivedMs - atMs < 350)
  }), runs)
})

t.test('frames whose stamps say nothing are laid out over the time in which the line held them up', async t => {
  const stampings = [() => null, () => 0, (n: number) => Math.floor(n / 2) * 200, (n: number) => -n]
  for (const [i, stampOf] of stampings.entries()) {
    for (const stalls of [[[100, 0.5]], [[100, 3]], [[100, 30]], [[101, 2], [140, 0.7]], [[100, 0.3], [104, 0.4], [109, 1.1]]] as const) {
      const frames = play({
        fps: 10, seconds: 60, stampOf,
        delayOf: n => Math.max(
          0, ...stalls.map(([from, seconds]) => n >= from ? from * 100 + seconds * 1000 - n * 100 : 0)
        ),
      })
      const worst = worstMs(frames, frame => frame.atMs - frame.takenMs)
      t.ok(worst < 250, `${JSON.stringify(stalls)}, stamps ${i}: ${worst} ms`)
      t.ok(goesForward(frames))
    }
  }
})

t.test('a line that stalls again in the midst of what it held back puts no frame long before it was taken', async t => {
  const stampings = [() => null, () => 0, (n: number) => Math.floor(n / 2) * 2000 / 15, (n: number) => -n]
  for (const [i, stampOf] of stampings.entries()) {
    for (const pieceMs of [0.02, 2, 10]) {
      for (const againMs of [100, 300, 1_000]) {
        let cameMs = 0
        // Nothing comes for five seconds, then piece by piece, with a second silence before frame 200.
        const delayOf = (n: number): number => {
          const takenMs = 1000 + n * 1000 / 15
          const cameAt = Math.max(takenMs, n < 150 ? 0 : 16_000, cameMs + (n === 200 ? againMs : pieceMs))
          cameMs = n < 150 ? takenMs : cameAt
          return cameMs - takenMs
        }
        const frames = play({ fps: 15, seconds: 30, stampOf, delayOf }).slice(20)
        const offsMs = frames.map(frame => frame.atMs - frame.takenMs)
        const told = `stamps ${i}, pieces ${pieceMs} ms, again ${againMs} ms: ${Math.min(...offsMs)}, ${Math.max(...offsMs)} ms`
        t.ok(Math.min(...offsMs) > -250, told)
        if (i === 2) t.ok(Math.max(...offsMs) < 250, told) // stamps that say something lead back
      }
    }
  }
})

t.test('however often a line stalls, a frame is not dated long before it was taken', async () => {
  const stampings: readonly ((n: number) => number | null)[] =
    [() => null, () => 0, n => Math.floor(n / 2) * 2000 / 15, n => -n, n => n * 1000 / 15]
  const stall = fc.record({ afterMs: fc.integer({ min: 200, max: 6_000 }), lastsMs: fc.oneof(fc.nat(800), fc.nat(5_000)) })
  const weather = fc.array(stall, { minLength: 1, maxLength: 12 })
  fc.assert(fc.property(fc.nat(stampings.length - 1), weather, fc.double({ min: 0.02, max: 9, noNaN: true }), (kind, stalls, pieceMs) => {
    let from = 8_000, cameMs = 0
    const silent = stalls.map(({ afterMs, lastsMs }) => {
      const at = from
      from += afterMs
      return { at, to: at + lastsMs }
    })
    const delayOf = (n: number): number => {
      const takenMs = 1000 + n * 1000 / 15
      let at = Math.max(takenMs, cameMs + pieceMs)
      for (const each of silent) if (at >= each.at && at < each.to) at = each.to
      cameMs = at
      return at - takenMs
    }
    const frames = play({ fps: 15, seconds: 45, stampOf: stampings[kind]!, delayOf }).slice(20)
    return goesForward(frames) && frames.every(({ atMs, takenMs }) => atMs - takenMs > -500)
  }), runs)
})

t.test('a silence behind which nothing comes at once is none that a line made', async t => {
  const frames = play({ fps: 10, seconds: 20, stampOf: () => 0, delayOf: n => n < 100 ? 0 : 2_000 })
  t.ok(worstMs(frames, frame => frame.atMs - frame.arrivedMs) < 10)
})

t.test('what a camera kept before it was asked has the times of its stamps', async t => {
  const frames = play(
    { fps: 10, seconds: 20, stampOf: n => n * 100, delayOf: n => Math.max(0, 2500 - n * 100) }
  )
  t.ok(worstMs(frames, frame => frame.atMs - frame.takenMs) < 5)
})

t.test('a stamp rate that is not the clock\'s is learnt, and frames then come even', async t => {
  for (const told of [0.84, 1.2, 0.5, 25 / 21]) {
    const clock = new FrameClock(), frames = play(
      { fps: 8.4, seconds: 60, stampOf: n => n * told * 1000 / 8.4, delayOf: n => n % 3 * 15 }, clock
    )
    t.ok(Math.abs(clock.rate.value * told - 1) < 0.01, `${told}: ${clock.rate.value}`)
    const steps = frames.slice(-100).map(({ atMs }, i, all) => i === 0 ? 1000 / 8.4 : atMs - all[i - 1]!.atMs)
    t.ok(worstMs(frames.slice(-100), frame => frame.atMs - frame.takenMs) < 40, 'near their arrival')
    t.ok(steps.every(ms => Math.abs(ms - 1000 / 8.4) < 10), 'even')
  }
})

t.test('no rate is learnt from jumps, repeated stamps or a crystal', async () => {
  fc.assert(fc.property(anyFps, bends, fc.integer({ min: -300, max: 300 }), (fps, offsets, ppm) => {
    const jumps = new FrameClock(), pairs = new FrameClock(), drift = new FrameClock()
    play(
      {
        fps, seconds: 60,
        stampOf: n => n * 1000 / fps + offsets[Math.floor(n / (fps * 20)) % offsets.length]!,
      },
      jumps
    )
    play({ fps, seconds: 60, stampOf: n => Math.floor(n / 2) * 2000 / fps }, pairs)
    play({ fps, seconds: 60, stampOf: n => n * 1000 / fps * (1 + ppm / 1e6) }, drift)
    return jumps.rate.value === 1 && pairs.rate.value === 1 && drift.rate.value === 1
  }), { ...runs, numRuns: 60 })
})

t.test('a crystal that drifts is followed for hours, and the way through the network by 30 ms a minute', async t => {
  for (const ppm of [-200, 200]) {
    const frames = play({ fps: 2, seconds: 4 * 3600, stampOf: n => n * 500 * (1 + ppm / 1e6) })
    t.ok(worstMs(frames, frame => frame.atMs - frame.takenMs) < 60, `${ppm} ppm`)
  }
  const frames = play({ fps: 10, seconds: 300, stampOf: n => n * 100, delayOf: n => n > 600 ? 100 : 0 })
  t.ok(frames.every(({ atMs }, i) => i < 600 || atMs - frames[i - 600]!.atMs <= 60_000 + 31))
})

t.test('a clock of the camera that is set moves no frame by more than its arrival does', async t => {
  for (const jumpMs of [-3_600_000, -2500, -60, 60, 8000, 820_000_000_000]) {
    const frames = play({ fps: 15, seconds: 40, stampOf: n => n * 1000 / 15 + (n > 300 ? jumpMs : 0) })
    t.ok(worstMs(frames, frame => frame.atMs - frame.takenMs) <= MOST_LATE_MS, `${jumpMs} ms`)
  }
})
