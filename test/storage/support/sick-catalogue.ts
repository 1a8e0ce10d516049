import type { Test } from 'tap'
import { epochMs, RetryableError, type EpochMs } from '../../../src/domain/index.ts'
import { CatalogueFaultError, isCatalogueFault } from '../../../src/platform/catalogue.ts'
import type { FloorRule } from '../../../src/retention/index.ts'
import {
  CATALOGUE_FAULT_KINDS, type CatalogueFault, type CatalogueFaultKind,
} from '../../support/faulty-catalogue.ts'
import { RecorderRig } from '../../support/recorder-rig.ts'
import { judgeAll, judgeBlame, judgeCounts, untoldBy } from '../../support/rig-judge.ts'
import { ended, pass, wake } from '../../support/rig-time.ts'
import type { TestOwner } from '../../support/virtual-clock.ts'

const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 1000 }, timezone: 'Asia/Taipei' }
export const LONG = { dataBytes: 220_000 } // four of them fill a slot
const FRAGMENT_MS = 500
/** A lock and a full disk leave the catalogue readable: a recorder can start on it. */
const READABLE: readonly CatalogueFaultKind[] = ['busy', 'full', 'full-rolled-back', 'full-at-commit']

/** Records as ingest does: a run that storage refuses ends, and half a second later the next begins. */
export class Recording {
  readonly rig: RecorderRig
  /** What must not be, as it was noticed. */
  readonly wrong: string[] = []
  /** Starts of fragments that storage did not take. */
  readonly refused: EpochMs[] = []
  hasFailedToStart = false
  constructor(rig: RecorderRig) { this.rig = rig }

  async record(count: number, size: { readonly dataBytes: number } = LONG): Promise<void> {
    const { rig } = this
    for (let i = 0; i < count; i++) {
      const startAt = rig.run === null ? epochMs(Math.max(rig.nextAt, rig.clock.wallNow())) : rig.nextAt
      try { await ended(rig, 'an append', rig.append(1, size)) } catch (error) {
        this.refused.push(startAt)
        this.#ends('an append', error)
        if (rig.run !== null) this.#try('the end of a run', () => { rig.endRun('storage-failed') })
        rig.clock.drift(FRAGMENT_MS, 0)
      }
      await wake(rig)
    }
  }

  /** A camera that breaks off, does not answer, comes back and leaves out a picture. */
  async interrupt(size = LONG): Promise<void> {
    const { rig } = this
    this.#try('the end of a run', () => { rig.endRun('closed-by-camera') })
    this.#try('a try without footage', () => { rig.lane.noteNoFootage('unreachable') })
    rig.clock.drift(2_000, 0)
    await this.record(2, size)
    const startAt = rig.nextAt
    rig.clock.drift(300, 0)
    rig.nextAt = epochMs(rig.nextAt + 300)
    this.#try('a hole', () => { rig.lane.noteHole(startAt, rig.nextAt, 'no-frames') })
  }

  #try(what: string, work: () => void): void {
    try { work() } catch (error) { this.#ends(what, error) }
  }
  /** Ingest knows what to do with one kind of error; any other ends the process. */
  #ends(what: string, error: unknown): void {
    if (!(error instanceof RetryableError)) this.wrong.push(`${what} ends the recorder: ${String(error)}`)
  }

  /** Starts by `begin`; what fails is started again once the catalogue is well, as systemd would. */
  async start(begin: () => Promise<void>): Promise<void> {
    const { rig } = this
    try { await ended(rig, 'the start', begin()) } catch (error) {
      const isFault = error instanceof CatalogueFaultError || isCatalogueFault(error)
      this.wrong.push(...isFault ? [] : [`the start fails with ${String(error)}`])
      this.hasFailedToStart = true
      rig.catalogueFaults.heal()
      rig.freeze(rig.memory.afterKill())
      await rig.reopen()
    }
    await ended(rig, 'recovery', rig.lane.recover()).catch(() => undefined) // the next run asks for it again
  }

  async stop(): Promise<void> {
    const { rig } = this
    await ended(rig, 'the stop', rig.close()).catch((error: unknown) => {
      this.wrong.push(`the stop fails: ${String(error)}`)
    })
  }

  /** With nothing broken: all is taken, for as long as it lasts. */
  async goesOn(): Promise<void> {
    const before = this.refused.length
    await pass(this.rig, 2_000)
    await this.record(5)
    await pass(this.rig, 1_000)
    const refused = this.refused.length - before
    if (refused > 0) this.wrong.push(`${refused} of 5 fragments are refused though nothing is broken`)
  }

  untold(): string[] {
    return untoldBy(this.rig, this.refused).map(at => `a fragment of ${at} was refused, and no gap tells it`)
  }
}

/** A stretch of a recorder's life in which the catalogue is sick; `arm` makes it so. */
export interface Phase {
  readonly name: string
  /** So many uses of each statement are broken: one statement serves several steps of a slot's life. */
  readonly occurrences: number
  prepare(owner: TestOwner): Promise<Recording>
  act(recording: Recording, arm: () => void): Promise<void>
  /** The next process, whether the catalogue is well again or not. */
  next(rig: RecorderRig): Promise<void>
  /** The stretch ends with the process. */
  readonly isStop?: boolean
  /** A fragment may be refused though something failed only once. */
  readonly mayRefuse: boolean
}

/**
 * The ring has turned once: footage lies under everything that is written. Its catalogue has no log, which
 * every fork would have to read again.
 */
export async function turnedRing(owner: TestOwner): Promise<RecorderRig> {
  const rig = await RecorderRig.open(owner, { slots: 3, floor: SHORT })
  await rig.append(18, LONG)
  await rig.sync()
  rig.catalogue(db => db.pragma('wal_checkpoint(TRUNCATE)'))
  return rig
}

interface Case {
  readonly label: string
  readonly kind: CatalogueFaultKind
  readonly faults: readonly CatalogueFault[]
}

/** From a run in which nothing fails: each statement with each fault that it can meet. */
export async function learn(owner: TestOwner, phase: Phase): Promise<Case[]> {
  const recording = await phase.prepare(owner)
  const { catalogueFaults } = recording.rig
  await phase.act(recording, () => { catalogueFaults.forget() })
  const cases = new Map<string, { label: string, kind: CatalogueFaultKind, faults: CatalogueFault[] }>()
  for (const { label, source, occasions } of catalogueFaults.statements()) {
    for (const [kind, times] of occasions) {
      const one = cases.get(`${kind} ${label}`) ?? { label, kind, faults: [] }
      cases.set(`${kind} ${label}`, one)
      const several = Math.min(times, phase.occurrences)
      for (let i = 1; i <= several; i++) one.faults.push({ kind, at: source, occurrence: i })
    }
  }
  return [...cases.values()]
}

/** `outlives`: the catalogue is still sick when the next process starts on it. */
async function tryCase(
  owner: TestOwner, phase: Phase, fault: CatalogueFault, outlives: boolean,
): Promise<string[]> {
  const recording = await phase.prepare(owner)
  const { rig, wrong } = recording
  const { catalogueFaults: faults } = rig
  await phase.act(recording, () => { faults.break(fault) })
  if (!faults.hasBroken) return ['the statement was not reached']
  if (!outlives) faults.heal()
  if (outlives || phase.isStop === true) await recording.start(() => phase.next(rig))
  if (outlives) await recording.record(2)
  faults.heal()
  if (recording.hasFailedToStart && READABLE.includes(fault.kind)) wrong.push('the recorder does not start')
  // One slot is prepared ahead of need, so what fails once is done again before anybody waits for it.
  const mayRefuse = fault.lasts === true || phase.mayRefuse
  if (!mayRefuse && recording.refused.length > 0) wrong.push('a fragment was refused')
  await recording.goesOn()
  wrong.push(...judgeCounts(rig), ...judgeBlame(rig))
  await recording.stop()
  await rig.killAndReopen()
  await ended(rig, 'recovery', rig.lane.recover())
  await recording.goesOn()
  return [...wrong, ...await judgeAll(rig), ...outlives ? [] : recording.untold()]
}

/** Tests each statement of the phase with each fault of these kinds it can meet, and each at everything. */
export function testPhase(
  t: Test, phase: Phase, all: readonly Case[], kinds: readonly CatalogueFaultKind[] = CATALOGUE_FAULT_KINDS,
): void {
  const cases = all.filter(({ kind }) => kinds.includes(kind))
  t.test(`${phase.name}: its statements are known`, async t => {
    const labels = new Set(cases.map(({ label }) => label))
    t.ok(labels.size >= 5, [...labels].join(', '))
    const placeless = kinds.filter(kind => !cases.some(each => each.kind === kind))
    t.same(placeless, [], 'each kind of fault can happen')
  })
  for (const { label, kind, faults } of cases) {
    t.test(`${phase.name}: ${kind} at ${label}`, async t => {
      for (const fault of faults) {
        t.same(await tryCase(t, phase, fault, false), [], `once: ${JSON.stringify(fault)}`)
      }
      const lasting = { kind, at: label, lasts: true }
      t.same(await tryCase(t, phase, lasting, true), [], 'until after the next start')
    })
  }
  for (const kind of kinds) {
    for (const outlives of [false, true]) {
      const until = outlives ? ', until after the next start' : ''
      t.test(`${phase.name}: ${kind} at everything${until}`, async t => {
        t.same(await tryCase(t, phase, { kind, lasts: true }, outlives), [])
      })
    }
  }
}

/** What recording asks of the catalogue: slots that turn over, and a run that is interrupted. */
export function recordingPhase(base: RecorderRig): Phase {
  return {
    name: 'recording and turning over the ring',
    occurrences: 4,
    prepare: async owner => new Recording(await RecorderRig.fork(owner, base)),
    async act(recording, arm) {
      arm()
      await recording.record(5)
      await recording.interrupt()
      await recording.record(4)
    },
    next: rig => rig.killAndReopen(),
    mayRefuse: false,
  }
}
