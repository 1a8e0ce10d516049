import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { watch } from 'chokidar'
import { noteEvent } from '../audit/index.ts'
import { diffCameras, formatProblems, loadConfig, type Config } from '../config/index.ts'
import { SYSTEM, type AuditEvent, type AuditSink, type AuditValue, type EpochMs } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { fitProblem, floorRuleText, type Fit } from '../retention/index.ts'

const SETTLE_MS = 300 // an editor writes a file in several steps

export interface ConfigReloadOptions {
  readonly audit: AuditSink
  readonly clock: Clock
  readonly log: Logger
  /** Whether the floor fits under a configuration that is to be taken over. */
  readonly decide: (config: Config) => Promise<Fit>
  readonly apply: (config: Config) => Promise<void>
}

/** Takes over a changed configuration while running; a bad one, or one that breaks the floor, changes nothing and shows in health. Every one is in the audit log. */
export class ConfigReload {
  readonly #options: ConfigReloadOptions
  #current: Config
  rejected: { rejectedAt: EpochMs, problems: number } | null = null

  constructor(config: Config, options: ConfigReloadOptions) {
    this.#current = config
    this.#options = options
  }

  /** The configuration in force. */
  get current(): Config { return this.#current }

  /** Applies the configuration of the start, whatever its fit: not recording would be worse, and health is critical. */
  async start(): Promise<void> {
    await this.#options.apply(this.#current)
    await this.#note('recorder.started', 'done', {})
    await this.#judgeFit(this.#current)
  }

  /** The event is a hint only: what counts is what the file says when it is read. */
  watch(): AsyncDisposable {
    const files = [this.#current.file, ...(this.#current.secrets === null ? [] : [this.#current.secrets.file])]
    const watcher = watch(files, { ignoreInitial: true, awaitWriteFinish: { stabilityThreshold: SETTLE_MS, pollInterval: 100 } })
    let reading: Promise<void> = Promise.resolve()
    watcher.on('all', () => { reading = reading.then(() => this.#read()) })
    watcher.on('error', error => { this.#options.log.warn({ err: error }, 'configuration cannot be watched') })
    return { [Symbol.asyncDispose]: async () => { await watcher.close(); await reading } }
  }

  async #read(): Promise<void> {
    const { log, apply } = this.#options
    const result = await loadConfig(this.#current.file)
    if (!result.ok) { await this.#refuse(result.problems.length, formatProblems(result.problems)); return }
    const next = result.config
    const unfit = await this.#judgeFit(next)
    if (unfit !== null) { await this.#refuse(1, unfit); return }
    const wasRejected = this.rejected !== null
    this.rejected = null
    const { added, removed, changed, needsRestart, takenOver } = diffCameras(this.#current, next)
    if (needsRestart.length > 0) log.warn({ sections: needsRestart }, 'changed sections take effect at the next start')
    const facts = { added: added.map(camera => camera.id), removed, changed: changed.map(({ after }) => after.id) }
    this.#current = next
    // An editor's second event for the same text, or a change of what nobody depends on.
    if (!wasRejected && [...added, ...removed, ...changed, ...needsRestart, ...takenOver].length === 0) return
    log.info(facts, 'configuration taken over')
    await this.#note('config.changed', 'done', { ...facts, needsRestart, takenOver })
    await apply(next)
  }

  async #refuse(problems: number, text: string): Promise<void> {
    this.rejected = { rejectedAt: this.#options.clock.wallNow(), problems }
    this.#options.log.error({ problems: text }, 'new configuration refused, the old one goes on')
    await this.#note('config.changed', 'refused', { problems })
  }

  /** The text of what is wrong, null when it fits or the office insists; insisting is on record. */
  async #judgeFit(config: Config): Promise<string | null> {
    const fit = await this.#options.decide(config)
    const problem = fitProblem(fit, config)
    if (problem === null) return null
    const { insist } = config.retention
    if (insist === null) return formatProblems([problem])
    await this.#note('config.insisted', 'done', { by: insist.by, reason: insist.reason, lackingBytes: fit.lackingBytes ?? 0 })
    return null
  }

  async #note(action: string, result: AuditEvent['result'], detail: Record<string, AuditValue>): Promise<void> {
    const { audit, log } = this.#options
    const { file, retention, site } = this.#current
    const sha256 = await readFile(file).then(bytes => createHash('sha256').update(bytes).digest('hex')).catch(() => null)
    noteEvent(audit, log, {
      action, actor: SYSTEM, object: null, application: null, result,
      detail: { ...detail, configSha256: sha256, floor: floorRuleText({ floor: retention.floor, timezone: site.timezone }) },
    })
  }
}
