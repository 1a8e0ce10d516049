import fc from 'fast-check'
import t from 'tap'
import { AGREED_MS, ALLOWANCE_MS, begin, confirm, MAX_SLEW, STAMP_LAG_MS, stateOf, step, trustedAt, type Reading, type SavedTime, type Step, type TimeState } from '../../src/trusted-time/time-machine.ts'

const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
const RUNS = { numRuns: 10_000, seed: SEED }
const START_MS = Date.parse('2026-11-22T08:00:00Z')
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

type Act =
  | { readonly kind: 'run', readonly ms: number, readonly driftPpm: number }
  | { readonly kind: 'step', readonly byMs: number }
  | { readonly kind: 'power-off', readonly offMs: number, readonly hardwareErrorMs: number, readonly hadSaved: boolean }
  | { readonly kind: 'restart', readonly downMs: number }
  | { readonly kind: 'sync', readonly is: boolean }
  | { readonly kind: 'truth' } // the wall clock is set right
  | { readonly kind: 'confirm' }
  | { readonly kind: 'frame' }

const span = (maxMs: number) => fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 3_600_000 }), fc.integer({ min: 0, max: maxMs }))
const jump = fc.oneof(fc.constantFrom(1_000, -1_000, 3_600_000, -3_600_000, 40 * DAY_MS, 3650 * DAY_MS, -START_MS), fc.integer({ min: -40 * DAY_MS, max: 40 * DAY_MS }), fc.integer({ min: -3000, max: 3000 }))
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('run'), ms: span(20 * DAY_MS), driftPpm: fc.oneof(fc.integer({ min: -100, max: 100 }), fc.integer({ min: -100_000, max: 100_000 })) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('step'), byMs: jump }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('power-off'), offMs: span(20 * DAY_MS), hardwareErrorMs: fc.oneof(fc.constant(0), jump), hadSaved: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart'), downMs: span(DAY_MS) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('sync'), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truth') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('confirm') }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('frame') }) },
)

interface Frame { readonly trueMs: number, trustedEndMs: number, ranAtMs: number, creditMs: number }

/** A world that knows the true time, and the machine in it. Throws when a promise is broken. */
class World {
  trueMs = START_MS
  wallMs: number
  monoMs = 1_000_000
  boot = 1
  isSynchronised = true
  saved: SavedTime
  state: TimeState
  /** Time the machine ran, believed and had confirmed, since the beginning. */
  ranMs = 0
  believedMs = 0
  confirmedMs = 0
  readonly beganTrustedMs: number
  readonly frames: Frame[] = []
  readonly powerOffsAtRanMs: number[] = []

  constructor() {
    this.wallMs = this.trueMs
    const first = begin(null, this.reading(), () => null)
    this.state = first.state
    this.saved = this.savedNow()
    this.beganTrustedMs = trustedAt(this.state, this.monoMs)
  }

  reading(): Reading { return { wallMs: this.wallMs, monoMs: this.monoMs, bootId: `boot-${this.boot}`, isSynchronised: this.isSynchronised } }
  savedNow(): SavedTime {
    const { slewMs: _, ...rest } = this.state
    return { ...rest, trustedMs: Math.floor(trustedAt(this.state, this.monoMs)), monoMs: Math.ceil(this.monoMs), wallMs: this.wallMs }
  }
  get trustedMs(): number { return trustedAt(this.state, this.monoMs) }

  take({ state, events, advance }: Step): void {
    for (const event of events) {
      if (event.kind === 'believed') this.believedMs += event.byMs
      if (event.kind === 'confirmed') this.confirmedMs += event.byMs
    }
    if (advance !== null) for (const frame of this.frames) if (frame.trustedEndMs >= Math.floor(advance.sinceMs)) frame.trustedEndMs += Math.ceil(advance.byMs)
    if (events.length > 0) {
      this.state = state
      this.saved = this.savedNow()
    }
    this.state = state
  }

  passed(ms: number): void {
    this.trueMs += ms
    this.monoMs += ms
    this.wallMs += ms
    this.ranMs += ms
  }

  do(act: Act): void {
    const before = this.trustedMs
    let mayGoBackMs = 0
    switch (act.kind) {
      case 'run': {
        // Looked at each second while it matters, coarser over long spans; written down each minute.
        const looks = Math.max(1, Math.min(40, Math.ceil(act.ms / 1000)))
        for (let i = 0; i < looks; i++) {
          this.passed(act.ms / looks)
          this.wallMs += act.ms / looks * act.driftPpm / 1e6
          const last = this.trustedMs
          this.take(step(this.state, this.reading()))
          if (this.trustedMs < last) throw new Error('trusted time went back')
          this.saved = this.savedNow()
        }
        break
      }
      case 'step': this.wallMs += act.byMs; break
      case 'truth': this.wallMs = this.trueMs; break
      case 'sync': this.isSynchronised = act.is; break
      case 'confirm': if (stateOf(this.state, this.wallMs - this.trustedMs) !== 'agreed' && this.wallMs > Date.parse('2026-01-01') && this.wallMs < Date.parse('2200-01-01')) this.take(confirm(this.state, this.reading())); break
      case 'frame': this.frames.push({ trueMs: this.trueMs, trustedEndMs: this.stamp(), ranAtMs: this.ranMs, creditMs: this.believedMs + this.confirmedMs }); break
      case 'restart':
        if (act.downMs % 2 === 0) this.saved = this.savedNow() // stopped as asked; else killed
        this.passed(act.downMs)
        this.take({ ...begin(this.saved, { ...this.reading(), isSynchronised: false }, () => { throw new Error('it was written down') }), advance: null })
        this.saved = this.savedNow()
        this.take(step(this.state, this.reading()))
        break
      case 'power-off':
        if (act.hadSaved) this.saved = this.savedNow()
        else mayGoBackMs = this.trustedMs - this.saved.trustedMs
        this.boot++
        this.powerOffsAtRanMs.push(this.ranMs)
        this.monoMs = 20_000
        this.trueMs += act.offMs
        this.wallMs += act.offMs + act.hardwareErrorMs
        this.take({ ...begin(this.saved, { ...this.reading(), isSynchronised: false }, () => { throw new Error('it was written down') }), advance: null })
        this.saved = this.savedNow()
        this.take(step(this.state, this.reading()))
        break
    }
    if (this.trustedMs < before - mayGoBackMs - 2 && !(act.kind === 'restart')) throw new Error(`trusted time went back by ${before - this.trustedMs} ms`)
    this.check()
  }

  /** As TrustedTime.trustedOf stamps a frame of now. */
  stamp(): number {
    const trustedMs = this.trustedMs
    return this.state.isKnown && Math.abs(this.wallMs - trustedMs) <= AGREED_MS && this.wallMs >= trustedMs - STAMP_LAG_MS ? Math.floor(this.wallMs) : Math.ceil(trustedMs)
  }

  check(): void {
    const agedMs = this.trustedMs - this.beganTrustedMs
    const boundMs = this.ranMs * (1 + MAX_SLEW) + this.believedMs + this.confirmedMs + 1
    if (agedMs > boundMs) throw new Error(`trusted time is ${agedMs - boundMs} ms ahead of what may count`)
    if (this.believedMs > ALLOWANCE_MS + this.ranMs + 1) throw new Error(`${this.believedMs} ms were believed`)
    for (const frame of this.frames) {
      const ranMs = this.ranMs - frame.ranAtMs
      const creditMs = this.believedMs + this.confirmedMs - frame.creditMs
      const ageMs = this.trustedMs - frame.trustedEndMs
      if (ageMs > ranMs * (1 + MAX_SLEW) + creditMs + AGREED_MS + 2) throw new Error(`a frame is ${ageMs - ranMs - creditMs} ms too old`)
    }
  }
}

const holds = (acts: readonly Act[]): void => {
  const world = new World()
  for (const each of acts) world.do(each)
}

t.test(`trusted time never runs ahead of running, believed and confirmed time, never goes back, and no frame is older by it (seed ${SEED}, ${RUNS.numRuns} sequences)`, { timeout: 120_000 }, t => {
  fc.assert(fc.property(fc.array(act, { minLength: 3, maxLength: 30 }), acts => { holds(acts) }), RUNS)
  t.pass('no counterexample')
  t.end()
})

t.test(`while a wall clock is right and synchronised, nothing is ever off by more than a power-off over the allowance (seed ${SEED}, ${RUNS.numRuns} sequences)`, t => {
  const honest = fc.oneof(
    fc.record({ kind: fc.constant('run'), ms: span(5 * DAY_MS), driftPpm: fc.constant(0) }),
    fc.record({ kind: fc.constant('restart'), downMs: span(DAY_MS) }),
    fc.record({ kind: fc.constant('power-off'), offMs: fc.integer({ min: 0, max: 3_600_000 }), hardwareErrorMs: fc.constant(0), hadSaved: fc.boolean() }),
    fc.record({ kind: fc.constant('frame') }))
  fc.assert(fc.property(fc.array(honest, { minLength: 3, maxLength: 30 }), acts => {
    const world = new World()
    for (const each of acts as readonly Act[]) world.do(each)
    if (Math.abs(world.trustedMs - world.trueMs) > AGREED_MS + 2) throw new Error(`off by ${world.trustedMs - world.trueMs} ms`)
    for (const frame of world.frames) {
      // What was recorded since trusted time was last written down cannot be told from what came after the power-off, and is kept that much longer.
      const isOfLastMinute = world.powerOffsAtRanMs.some(at => at >= frame.ranAtMs && at - frame.ranAtMs < 2 * MINUTE_MS)
      const keptLongerMs = (world.trueMs - frame.trueMs) - (world.trustedMs - frame.trustedEndMs)
      if (keptLongerMs < -AGREED_MS - 2 || keptLongerMs > (isOfLastMinute ? world.believedMs + AGREED_MS : AGREED_MS) + 2) throw new Error(`a frame is kept ${keptLongerMs} ms too long`)
    }
  }), RUNS)
  t.pass('no counterexample')
  t.end()
})

t.test('the first property sees what it is meant to see', t => {
  const world = new World()
  world.do({ kind: 'frame' })
  world.state = { ...world.state, trustedMs: world.state.trustedMs + 2_000 }
  t.throws(() => { world.check() }, /ahead of what may count/)
  const other = new World()
  other.frames.push({ trueMs: other.trueMs, trustedEndMs: other.trustedMs - 5_000, ranAtMs: 0, creditMs: 0 })
  t.throws(() => { other.check() }, /too old/)
  t.end()
})
