import { readFileSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { seededRandom } from '../test/support/seeded-random.ts'
import { auditVerify } from './crash.ts'
import { judgeCatalogue, judgeFrames, judgeVolumes, type Kill } from './crash-judge.ts'
import { allRecording, HealthWatch, type HealthTest, type SeenReason } from './health-watch.ts'
import { Site, type SiteOptions } from './site.ts'

/** One fault, one recorder's life with it, and what must be true of that life. */
export interface TrialPlan {
  readonly name: string
  readonly floorS: number
  /** What the trial stands on: disks first. What is put on `resources` goes after the recorder. */
  site(folder: string, resources: AsyncDisposableStack): Promise<Omit<SiteOptions, 'name' | 'floor'>>
  /** From the start of the recorder on; leaves it running. Returns what happened, in a few words. */
  act(trial: Trial): Promise<string>
  /** Frames that may be missing, if a gap tells of them. None when left out, but for those around a kill. */
  mayLose?(hole: Hole, trial: Trial): boolean
  /** Slots may be set aside: a call on them failed. */
  readonly mayQuarantine?: boolean
}
export interface Hole { readonly from: number, readonly to: number, readonly cause: string }

export interface TrialRow {
  readonly name: string
  readonly happened: string
  readonly sent: number
  readonly found: number
  readonly missing: number
  readonly longestHoleMs: number
  /** From the fault's beginning to the end of the last hole; null when no frame is missing. */
  readonly wentOnMs: number | null
  /** The same by health: to the last look at which a stream gave no frames; null when there was none. */
  readonly shownOnMs: number | null
  readonly health: string
  readonly problems: readonly string[]
  readonly tookMs: number
}

/** Before the fault: what was written and not synced yet may go with it. */
export const SYNCED_MS = 2_500
const RESTART_AFTER_MS = 1_000 // as the unit does
const UP_BOUND_MS = 30_000
const STOP_BOUND_MS = 20_000
const BACK_BOUND_MS = 30_000

/** The recorder under one fault. All that is not right is in `problems`. */
export class Trial {
  readonly site: Site
  readonly watch: HealthWatch
  readonly resources: AsyncDisposableStack
  readonly random: () => number
  readonly problems: string[] = []
  /** Ends of the recorder that the trial itself brought about. */
  readonly kills: Kill[] = []
  readonly verdicts: (() => void)[] = []
  readonly #ends: string[] = []
  startedAt = 0
  struckAt = 0
  mendedAt = 0

  constructor(site: Site, resources: AsyncDisposableStack, seed: number) {
    this.site = site
    this.watch = new HealthWatch(site.recorder)
    this.resources = resources
    this.random = seededRandom(seed)
  }

  /** Starts the recorder and waits until all its cameras are recorded. */
  async start(): Promise<void> {
    this.startedAt ||= Date.now()
    this.site.recorder.launch()
    await this.untilRecording(UP_BOUND_MS)
  }

  async untilRecording(boundMs: number): Promise<void> {
    const since = Date.now()
    if (!await this.lasting(boundMs, allRecording)) {
      const when = this.#sinceStrike(since), states = this.streamStates()
      this.problems.push(`${when}: not all cameras recorded within ${boundMs / 1000} s (${states})`)
    }
  }

  /**
   * Watches for so long, or until `isEnough`; true when it was. A recorder that ends by itself is a problem;
   * it is started again, as the unit would do.
   */
  async lasting(durationMs: number, isEnough?: HealthTest): Promise<boolean> {
    const endAt = Date.now() + durationMs
    while (Date.now() < endAt) {
      if (await this.watch.during(endAt - Date.now(), isEnough)) return true
      if (this.site.recorder.isRunning) continue
      this.#ends.push(`${this.#sinceStrike()} (${this.site.recorder.ended}): ${this.#lastWords()}`)
      await sleep(RESTART_AFTER_MS)
      this.site.recorder.launch()
    }
    return false
  }

  /** As health showed them last. */
  streamStates(): string {
    const shown = this.watch.last?.streams.map(({ camera, state, lastFrameAgeMs }) =>
      `${camera} ${state}, newest frame ${lastFrameAgeMs ?? '-'} ms old`)
    return shown?.join('; ') ?? 'no answer'
  }

  strike(): void { this.struckAt = Date.now() }
  mend(): void { this.mendedAt = Date.now() }
  /** Runs once all frames were fetched. */
  later(verdict: () => void): void { this.verdicts.push(verdict) }
  expect(isSo: boolean, problem: string): void { if (!isSo) this.problems.push(problem) }

  /** Ends the recorder and counts that as a kill: two seconds before it may be lost. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.kills.push({ at: await this.site.recorder.end(signal) })
  }

  /** Reasons that health gave between the fault's beginning and `toMs`, and not before. */
  newReasons(toMs = Infinity): SeenReason[] {
    const before = new Set(this.watch.reasons(0, this.struckAt).map(named))
    return this.watch.reasons(this.struckAt, toMs).filter(reason => !before.has(named(reason)))
  }

  /** Whether health gave such a reason between the fault's beginning and `graceMs` after its end. */
  expectTold(pattern: RegExp, what: string, graceMs = 0): void {
    const told = this.newReasons(this.mendedAt + graceMs).map(named)
    this.expect(told.some(each => pattern.test(each)),
      `health never told of ${what} while it lasted (new in it: ${told.join(', ') || 'nothing'})`)
  }

  /** All of them, with the seconds since the fault began. */
  toldReasons(): string {
    const seconds = (at: number) => ((at - this.struckAt) / 1000).toFixed(0)
    const span = ({ firstAt, lastAt }: SeenReason) => `${seconds(firstAt)}-${seconds(lastAt)} s`
    const told = this.newReasons().map(each => `${named(each)} (${span(each)})`)
    const silent = this.watch.looks.filter(({ at, health }) => at >= this.struckAt && health === null).length
    return [...told, ...silent === 0 ? [] : [`no answer to ${silent} looks`]].join(', ') || 'nothing new'
  }

  /** One row each, by SQL on the catalogue beside the recorder. */
  rows<Row>(sql: string, ...values: unknown[]): Row[] {
    const db = new Database(this.site.catalogueFile, { readonly: true })
    try { return db.prepare<unknown[], Row>(sql).all(...values) } finally { db.close() }
  }

  /** Of all of these the first is told: they repeat themselves. */
  noteEnds(): void {
    const [first] = this.#ends
    const times = this.#ends.length === 1 ? '' : ` ${this.#ends.length} times, first`
    if (first !== undefined) this.problems.unshift(`the recorder ended by itself${times} ${first}`)
  }

  /** Ends the recorder in good order; one that does not end is killed, which is a problem. */
  async stop(): Promise<void> {
    const { recorder } = this.site
    if (!recorder.isRunning) {
      this.problems.push('the recorder was not running at the end')
      return
    }
    await this.site.noteSent()
    const isGone = await Promise.race([recorder.end('SIGTERM').then(() => true), sleep(STOP_BOUND_MS, false)])
    if (isGone) return
    this.problems.push(`the recorder did not stop within ${STOP_BOUND_MS / 1000} s`)
    await recorder.end('SIGKILL')
  }

  /** What stands in the log beside its own lines, newest last: Node's words on an end that nobody caught. */
  #lastWords(): string {
    const lines = readFileSync(this.site.logFile, 'utf8').split('\n').slice(-60)
    const last = lines.findLast(line => /^\[?\w*Error\b|"level":"fatal"/.test(line))
    return (last ?? 'it said nothing').slice(0, 300)
  }

  #sinceStrike(at = Date.now()): string {
    if (this.struckAt === 0) return 'before the fault'
    return `${((at - this.struckAt) / 1000).toFixed(1)} s after the fault began`
  }
}

export const named = ({ code, subject }: SeenReason): string => subject === null ? code : `${code} ${subject}`

export async function runTrial(plan: TrialPlan, seed: number): Promise<TrialRow> {
  const folder = Site.folder('core')
  const since = performance.now()
  let row: TrialRow | null = null
  try {
    await using under = new AsyncDisposableStack()
    const options = await plan.site(folder, under)
    await using site = await Site.open(folder, { name: 'core', floor: `${plan.floorS}s`, ...options })
    await using above = new AsyncDisposableStack() // goes first: who waits for a frozen disk cannot be killed
    const trial = new Trial(site, above, seed)
    const happened = await plan.act(trial)
    await above.disposeAsync()
    trial.expect(await trial.lasting(BACK_BOUND_MS, allRecording), 'at the end not all cameras were recorded')
    await trial.stop()
    trial.noteEnds()
    await judge(plan, trial)
    const problems = [...new Set(trial.problems)]
    row = { ...figuresOf(trial), name: plan.name, happened, problems, tookMs: performance.now() - since }
    return row
  } finally {
    const isDone = row?.problems.length === 0 && process.env['CUSTOS_KEEP'] === undefined
    if (isDone) rmSync(folder, { recursive: true, force: true })
    else console.log(`kept: ${folder}`)
  }
}

async function judge({ floorS, mayLose, mayQuarantine = false }: TrialPlan, trial: Trial): Promise<void> {
  const { site, problems } = trial
  for (const camera of site.cameras) await site.fetch(camera, trial.startedAt, Date.now(), problems)
  const unseen = site.cameras.filter(({ ledger }) => ledger.frames === 0)
  problems.push(...unseen.map(({ id }) => `${id}: no frame was found`))
  for (const verdict of trial.verdicts) verdict()
  problems.push(
    ...judgeFrames(site, trial.kills, { isExplained: hole => mayLose?.(hole, trial) ?? false }).problems,
    ...judgeCatalogue(site, { floorMs: floorS * 1000, acknowledgedHolds: [], mayQuarantine }).problems,
    ...await judgeVolumes(site), ...await auditVerify(site),
  )
}

type Figures = Omit<TrialRow, 'name' | 'happened' | 'problems' | 'tookMs'>

function figuresOf(trial: Trial): Figures {
  const ledgers = trial.site.cameras.map(({ ledger }) => ledger)
  const holes = ledgers.flatMap(ledger => ledger.holes())
  const dark = trial.watch.looks.findLast(({ at, health }) => at > trial.struckAt && !allRecording(health))
  return {
    sent: ledgers.reduce((total, ledger) => total + ledger.sent, 0),
    found: ledgers.reduce((total, ledger) => total + ledger.frames, 0),
    missing: holes.reduce((total, hole) => total + hole.frames, 0),
    longestHoleMs: Math.max(0, ...holes.map(hole => hole.firstAfterMs - hole.lastBeforeMs)),
    wentOnMs: holes.length === 0 ? null : Math.max(...holes.map(hole => hole.firstAfterMs)) - trial.struckAt,
    shownOnMs: dark === undefined ? null : dark.at - trial.struckAt,
    health: trial.toldReasons(),
  }
}
