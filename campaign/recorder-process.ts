import { spawn, type ChildProcess } from 'node:child_process'
import { openSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ROOT = path.join(import.meta.dirname, '..')
export const CUSTOS = path.join(ROOT, 'bin/custos')
const START_BOUND_MS = 30_000

export interface RecorderProcessOptions {
  readonly config: string
  readonly port: number
  readonly logFile: string
  /** `custos` of another checkout. */
  readonly program?: string
  /** Its stdout is a pipe that nobody reads. */
  readonly isUnread?: boolean
}

/** A `custos run` of its own; killed and started again at will. */
export class RecorderProcess implements AsyncDisposable {
  readonly #program: string
  readonly #config: string
  readonly #port: number
  readonly #log: number
  readonly #isUnread: boolean
  #child: ChildProcess | null = null

  constructor(options: RecorderProcessOptions) {
    this.#program = options.program ?? CUSTOS
    this.#config = options.config
    this.#port = options.port
    this.#log = openSync(options.logFile, 'a')
    this.#isUnread = options.isUnread ?? false
  }

  get pid(): number { return this.#child?.pid ?? 0 }
  get isRunning(): boolean { return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null }
  /** How it ended; null while it runs and before it was started. */
  get ended(): number | string | null { return this.#child?.exitCode ?? this.#child?.signalCode ?? null }

  /** Starts it and does not wait. `mark` (NAME=value) is in the environment of all its processes. */
  launch(mark = ''): void {
    const [name, value] = mark.split('=')
    this.#child = spawn(this.#program, ['run', '--config', this.#config], {
      stdio: ['ignore', this.#isUnread ? 'pipe' : this.#log, this.#log],
      env: { ...process.env, ...(value === undefined ? {} : { [name!]: value }) },
    })
    this.#child.on('error', () => undefined) // its program may be away: an end like any other
  }

  async start(): Promise<void> {
    this.launch()
    await this.untilUp()
  }

  /** Resolves once health answers. */
  async untilUp(): Promise<void> {
    const giveUpAt = performance.now() + START_BOUND_MS
    while (performance.now() < giveUpAt && this.isRunning) {
      if (await this.health() !== null) return
      await sleep(100)
    }
    throw new Error('the recorder did not start; see its log')
  }

  /** Wall time of the signal. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number> {
    const child = this.#child!
    const gone = new Promise<void>(resolve => { child.once('exit', () => { resolve() }) })
    const at = Date.now()
    child.kill(signal)
    await gone
    return at
  }

  /** Null while it does not answer. */
  async health(): Promise<Record<string, unknown> | null> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#port}/health`, { signal: AbortSignal.timeout(2000) })
      return answer.ok ? await answer.json() as Record<string, unknown> : null
    } catch { return null } // not up yet, or just killed
  }

  async [Symbol.asyncDispose](): Promise<void> { if (this.isRunning) await this.end('SIGKILL') }
}
