import { watch, type FSWatcher } from 'chokidar'
import { noteEvent } from '../audit/index.ts'
import {
  diffCameras, fingerprintOf, formatProblems, keepConfig, loadConfig,
  type Config, type ConfigSource, type StartConfig,
} from '../config/index.ts'
import {
  isoOf, monoMs, SYSTEM, type AuditEvent, type AuditSink, type AuditValue, type EpochMs, type MonoMs,
} from '../domain/index.ts'
import type { ConfigRejection } from '../health/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { fitProblem, floorRuleText, type Fit } from '../retention/index.ts'
import type { FaultTeller, PartFaults } from '../platform/part-faults.ts'

const SETTLE_MS = 300 // an editor writes a file in several steps
/**
 * Watching is a hint only: it is lost on a full table of watches, and says nothing of a folder that is
 * mounted later.
 */
const LOOK_EVERY_MS = 10_000
const APPLY_AGAIN_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000] as const
const KEEP_AGAIN_MS = 60_000
/** A stream that leaves waits for its disk; longer than this, somebody should know. */
const APPLYING_LONG_MS = 60_000

export interface ConfigReloadOptions {
  readonly audit: AuditSink
  readonly clock: Clock
  readonly log: Logger
  readonly faults: PartFaults
  /** Whether the floor fits under a configuration that is to be taken over. */
  readonly decide: (config: Config) => Promise<Fit>
  /** Does all of it that can be done and throws when some could not; called again until it does not throw. */
  readonly apply: (config: Config) => Promise<void>
  /** Tests give their own. */
  readonly keep?: typeof keepConfig
  readonly watchFiles?: typeof watch
}

/** A configuration that is wanted and not applied in full yet. */
interface Unapplied {
  readonly config: Config
  readonly source: ConfigSource
  /** Says that it is in force, once it is. */
  readonly told: () => void
  readonly failures: number
  readonly dueMono: MonoMs
}

/**
 * Takes over a changed configuration while running; a bad one, or one that breaks the floor, changes nothing
 * and shows in health. What cannot be applied, or kept for the next start, is tried again. Every change is in
 * the audit log.
 */
export class ConfigReload {
  readonly #options: ConfigReloadOptions
  readonly #start: StartConfig
  readonly #watched = new Set<string>()
  readonly #notApplied: FaultTeller
  readonly #notKept: FaultTeller
  #current: Config
  #source: ConfigSource
  #inForceSince: EpochMs
  #rejected: Pick<ConfigRejection, 'rejectedAt' | 'problems' | 'fromLastGood'> | null = null
  #rejectedText: string | null = null
  #unapplied: Unapplied | null = null
  #applyingSince: MonoMs | null = null
  #keepDueMono: number | null = null
  /**
   * Of the files as they were last read; empty: to be read at the next look, for they may have changed since
   * the start.
   */
  #seen = ''
  #wake = new AbortController()
  #watcher: FSWatcher | null = null

  constructor(start: StartConfig, options: ConfigReloadOptions) {
    this.#start = start
    this.#options = options
    this.#current = start.config
    this.#source = start.source
    this.#inForceSince = start.rejected?.takenOverAt ?? options.clock.wallNow()
    for (const file of start.files) this.#watched.add(file)
    this.#notApplied = options.faults.teller('config-not-applied')
    this.#notKept = options.faults.teller('config-not-kept')
  }

  /** The configuration in force: the last one that was applied in full, or the one of the start. */
  get current(): Config { return this.#current }

  /** For health; also looks whether an application hangs. */
  view(): ConfigRejection | null {
    const { clock } = this.#options
    if (this.#applyingSince !== null && clock.monoNow() - this.#applyingSince > APPLYING_LONG_MS) {
      this.#notApplied.tell()
    }
    return this.#rejected && { ...this.#rejected, inForceSince: this.#inForceSince }
  }

  /**
   * Applies the configuration of the start, whatever its fit: not recording would be worse, and health is
   * critical. Never rejects: what could not be applied is tried again.
   */
  async start(): Promise<void> {
    const { rejected } = this.#start
    await this.#apply({ config: this.#current, source: this.#source, told: () => undefined, failures: 0 })
    if (rejected !== null) {
      this.#refuse(rejected.problems.length, formatProblems(rejected.problems),
        { sha256: rejected.sha256, fromLastGood: true })
    }
    this.#note('recorder.started', 'done', rejected === null ? {} : { lastGoodOf: isoOf(rejected.takenOverAt) })
    await this.#judgeFit(this.#current).catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'whether the floor fits cannot be told')
    })
  }

  /** The event is a hint only: what counts is what the file says when it is read. */
  watch(): AsyncDisposable {
    const { log, watchFiles = watch } = this.#options
    const stop = new AbortController()
    const unwatched = (error: unknown) => {
      log.warn({ err: error }, 'configuration cannot be watched; it is looked at every ten seconds')
    }
    try {
      this.#watcher = watchFiles([...this.#watched], { ignoreInitial: true })
      this.#watcher.on('all', () => { this.#wake.abort() })
      this.#watcher.on('error', unwatched)
    } catch (error) { unwatched(error) }
    const looking = this.#run(stop.signal)
    return { [Symbol.asyncDispose]: async () => {
      stop.abort()
      await this.#watcher?.close()
      await looking
    } }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    while (!signal.aborted) {
      await clock.wait(this.#restMs(), AbortSignal.any([signal, this.#wake.signal]))
      if (signal.aborted) return
      this.#wake = new AbortController()
      await this.#look(signal).catch((error: unknown) => {
        this.#seen = ''
        log.error({ err: error }, 'the configuration could not be looked at; it is tried again')
      })
    }
  }

  #restMs(): number {
    const now = this.#options.clock.monoNow()
    const dueMono = Math.min(this.#unapplied?.dueMono ?? Infinity, this.#keepDueMono ?? Infinity)
    return Math.max(0, Math.min(LOOK_EVERY_MS, dueMono - now))
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let found = await fingerprintOf(this.#watched)
    if (found !== this.#seen) {
      for (let before = ''; before !== found && !signal.aborted;) {
        before = found
        await clock.wait(SETTLE_MS, signal)
        found = await fingerprintOf(this.#watched)
      }
      if (signal.aborted) return
      this.#seen = found
      await this.#read()
      return
    }
    if (this.#unapplied !== null && clock.monoNow() >= this.#unapplied.dueMono) {
      await this.#apply(this.#unapplied)
    }
    if (this.#keepDueMono !== null && clock.monoNow() >= this.#keepDueMono) await this.#keep()
  }

  async #read(): Promise<void> {
    const { log } = this.#options
    const result = await loadConfig(this.#current.file)
    this.#watchAlso(result.files)
    if (!result.ok) {
      this.#refuse(result.problems.length, formatProblems(result.problems), { sha256: result.sha256 })
      return
    }
    const next = result.config
    const unfit = await this.#judgeFit(next)
    if (unfit !== null) { this.#refuse(1, unfit, { sha256: result.source.sha256 }); return }
    const wasRejected = this.#rejected !== null
    this.#rejected = null
    this.#rejectedText = null
    const { added, removed, changed, needsRestart, takenOver } = diffCameras(this.#current, next)
    if (needsRestart.length > 0) log.warn({ sections: needsRestart }, 'changed sections take effect at the next start')
    const facts = { added: added.map(camera => camera.id), removed, changed: changed.map(({ after }) => after.id) }
    const differs = [...added, ...removed, ...changed, ...needsRestart, ...takenOver].length > 0
    // an editor's second event, or a change of what nobody depends on
    if (!wasRejected && !differs && this.#unapplied === null) {
      this.#current = next
      this.#source = result.source
      await this.#keep()
      return
    }
    await this.#apply({
      config: next, source: result.source, failures: 0,
      told: () => {
        log.info(facts, 'configuration taken over')
        this.#note('config.changed', 'done', { ...facts, needsRestart, takenOver })
      },
    })
  }

  /**
   * Files that a configuration names are watched from its first reading on: its secrets may be what is wrong
   * with it.
   */
  #watchAlso(files: readonly string[]): void {
    const fresh = files.filter(file => !this.#watched.has(file))
    if (fresh.length === 0) return
    for (const file of fresh) this.#watched.add(file)
    this.#watcher?.add(fresh)
    this.#seen = '' // one of them may have changed before it was watched
  }

  /** In force once all of it is applied. A half that is applied stays, and the other half is tried again. */
  async #apply({ config, source, told, failures }: Omit<Unapplied, 'dueMono'>): Promise<void> {
    const { apply, clock, log } = this.#options
    this.#applyingSince = clock.monoNow()
    try {
      await apply(config)
    } catch (error) {
      const delayMs = APPLY_AGAIN_MS[Math.min(failures, APPLY_AGAIN_MS.length - 1)]!
      const dueMono = monoMs(clock.monoNow() + delayMs)
      this.#unapplied = { config, source, told, failures: failures + 1, dueMono }
      if (failures === 0) {
        log.error({ err: error }, 'the configuration could not be applied in full; it is tried again')
      }
      this.#notApplied.tell()
      return
    } finally { this.#applyingSince = null }
    if (failures > 0) log.info({ failures }, 'the configuration is applied in full')
    if (this.#current !== config) this.#inForceSince = clock.wallNow()
    this.#unapplied = null
    this.#current = config
    this.#source = source
    this.#notApplied.clear()
    told()
    await this.#keep()
  }

  /** For a start that finds no good file. Never rejects. */
  async #keep(): Promise<void> {
    const { clock, log, keep = keepConfig } = this.#options
    try {
      await keep({ config: this.#current, source: this.#source, now: clock.wallNow() })
      this.#keepDueMono = null
      this.#notKept.clear()
    } catch (error) {
      if (this.#keepDueMono === null) {
        log.error({ err: error }, 'no copy of the configuration can be kept; it is tried again')
      }
      this.#keepDueMono = clock.monoNow() + KEEP_AGAIN_MS
      this.#notKept.tell()
    }
  }

  /** `sha256`: of the file that is refused, null where it cannot be read. */
  #refuse(problems: number, text: string, facts: { readonly sha256: string | null, readonly fromLastGood?: true }): void {
    const { clock, log } = this.#options
    const isNew = text !== this.#rejectedText
    const fromLastGood = facts.fromLastGood ?? this.#rejected?.fromLastGood ?? false
    this.#rejected = { rejectedAt: this.#rejected?.rejectedAt ?? clock.wallNow(), problems, fromLastGood }
    this.#rejectedText = text
    if (!isNew) return
    const inForceSince = isoOf(this.#inForceSince)
    log.error({ problems: text, inForceSince }, 'the configuration file is refused; the one in force goes on')
    this.#note('config.changed', 'refused', { problems, refusedSha256: facts.sha256, fromLastGood, inForceSince })
  }

  /** The text of what is wrong, null when it fits or the office insists; insisting is on record. */
  async #judgeFit(config: Config): Promise<string | null> {
    const fit = await this.#options.decide(config)
    const problem = fitProblem(fit, config)
    if (problem === null) return null
    const { insist } = config.retention
    if (insist === null) return formatProblems([problem])
    this.#note('config.insisted', 'done',
      { by: insist.by, reason: insist.reason, lackingBytes: fit.lackingBytes ?? 0 })
    return null
  }

  #note(action: string, result: AuditEvent['result'], detail: Record<string, AuditValue>): void {
    const { audit, log } = this.#options
    const { retention, site } = this.#current
    noteEvent(audit, log, {
      action, actor: SYSTEM, object: null, application: null, result,
      detail: {
        ...detail, configSha256: this.#source.sha256,
        floor: floorRuleText({ floor: retention.floor, timezone: site.timezone }),
      },
    })
  }
}
