import { watch, type FSWatcher } from 'chokidar'
import { fingerprintOf, loadConfig, loadStartConfig, type Config, type StartConfig } from '../config/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'

/** An editor writes a file in several steps. The recorder waits longer, so that the office knows what it takes over. */
const SETTLE_MS = 100
/** Watching is a hint only: it is lost on a full table of watches. */
const LOOK_EVERY_MS = 10_000

/**
 * The configuration as the office needs it, without a password of a camera: names and places of cameras change
 * while it runs. A file that is refused changes nothing; the recorder says so in health.
 */
export class LiveConfig implements AsyncDisposable {
  readonly #file: string
  readonly #clock: Clock
  readonly #log: Logger
  readonly #stop = new AbortController()
  readonly #watcher: FSWatcher
  readonly #looking: Promise<void>
  #files: readonly string[]
  #now: Config
  #seen = ''
  #wake = new AbortController()

  private constructor({ config, files }: StartConfig, clock: Clock, log: Logger) {
    this.#file = config.file
    this.#clock = clock
    this.#log = log
    this.#now = config
    this.#files = files
    this.#watcher = watch([...files], { ignoreInitial: true })
    this.#watcher.on('all', () => { this.#wake.abort() })
    this.#watcher.on('error', error => { log.warn({ err: error }, 'the configuration cannot be watched') })
    this.#looking = this.#look()
  }

  /** Null where there has never been a good one. */
  static async open(file: string, clock: Clock, log: Logger): Promise<LiveConfig | null> {
    const start = await loadStartConfig(file, { secrets: 'skip' })
    return start.config === null ? null : new LiveConfig(start, clock, log)
  }

  get now(): Config { return this.#now }

  async #look(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#clock.wait(LOOK_EVERY_MS, AbortSignal.any([signal, this.#wake.signal]))
      if (this.#wake.signal.aborted) await this.#clock.wait(SETTLE_MS, signal)
      if (signal.aborted) return
      this.#wake = new AbortController() // what changes from here on is looked at again
      try { await this.#read() } catch (error) {
        this.#log.warn({ err: error }, 'the configuration cannot be looked at')
      }
    }
  }

  async #read(): Promise<void> {
    const seen = await fingerprintOf(this.#files)
    if (seen === this.#seen) return
    this.#seen = seen
    const result = await loadConfig(this.#file, { secrets: 'skip' })
    this.#files = result.files
    if (result.ok) this.#now = result.config
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watcher.close()
    await this.#looking
  }
}
