import t from 'tap'
import { TrustedTime } from '../../src/trusted-time/trusted-time.ts'
import { START } from '../support/recorder-rig.ts'
import { VirtualClock, type TestOwner } from '../support/virtual-clock.ts'

const DAY_MS = 86_400_000
const open = (owner: TestOwner) => { const clock = new VirtualClock(START, owner); return { clock, time: new TrustedTime(clock) } }

t.test('it is the wall clock while that goes with running time', t => {
  const { clock, time } = open(t)
  t.equal(time.now(), clock.wallNow())
  for (let day = 0; day < 40; day++) {
    clock.drift(DAY_MS, 20) // a good crystal
    t.equal(time.now(), clock.wallNow())
  }
  t.end()
})

t.test('a clock that is slewed by at most 500 ppm is followed', t => {
  for (const ppm of [-490, 490]) {
    const { clock, time } = open(t)
    for (let hour = 0; hour < 48; hour++) clock.drift(3_600_000, 3600 * ppm / 1000)
    t.equal(time.now(), clock.wallNow())
  }
  t.end()
})

t.test('a clock that was set puts time in doubt, forward and backward, by a minute or by ten years', t => {
  for (const stepMs of [60_000, -60_000, 3650 * DAY_MS, -3650 * DAY_MS, 1_501, -1_501]) {
    const { clock, time } = open(t)
    clock.drift(1_000_000, 0)
    clock.stepWall(stepMs)
    t.equal(time.now(), null, `${stepMs} ms`)
  }
  t.end()
})

t.test('time is trusted again when the clock is set back right, not before', t => {
  const { clock, time } = open(t)
  clock.stepWall(DAY_MS)
  t.equal(time.now(), null)
  clock.drift(3_600_000, 0)
  t.equal(time.now(), null)
  clock.stepWall(-DAY_MS)
  t.equal(time.now(), clock.wallNow())
  t.end()
})

t.test('no number of small steps ages anything by more than 500 ppm and a second', t => {
  const { clock, time } = open(t)
  const startedAt = clock.wallNow()
  let aged = 0
  for (let minute = 0; minute < 600; minute++) {
    clock.drift(60_000, 900) // fifteen times the speed that is believed
    const now = time.now()
    if (now !== null) aged = now - startedAt
  }
  t.ok(aged <= 600 * 60_000 * (1 + 500e-6) + 1_000, `${aged} ms`)
  t.end()
})

t.test('running time that a sleeping machine did not count is not believed', t => {
  const { clock, time } = open(t)
  clock.stepWall(8 * 3_600_000) // the monotonic clock stood still meanwhile
  t.equal(time.now(), null)
  t.end()
})
