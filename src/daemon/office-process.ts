import { once } from 'node:events'
import { aborted } from '../platform/aborted.ts'
import { startChild, type Child } from '../platform/child-process.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { supervise } from '../platform/supervise.ts'
import type { FaultTeller } from '../platform/part-faults.ts'

/** Before it is started again. */
const START_AGAIN_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000] as const
/** One that ran so long was well. */
const HEALTHY_AFTER_MS = 60_000
/** From SIGTERM to SIGKILL. */
const STOP_WITHIN_MS = 10_000

export interface OfficeProcessOptions {
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Waited for before the first start: what is to have the processor before it. Never rejects. */
  readonly after?: (signal: AbortSignal) => Promise<void>
  /** Told while it does not run. */
  readonly fault: FaultTeller
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

type OfficeChild = Child<'pipe', 'inherit', 'inherit'>
interface End { readonly how: string, readonly lastedMs: number }

/**
 * The office as a child of the recorder, started again whenever it ends. It ends by itself when its standard
 * input does, which is when this process is gone. Nothing it does is waited for while recording goes on.
 */
export class OfficeProcess implements AsyncDisposable {
  readonly #options: OfficeProcessOptions
  readonly #stop = new AbortController()
  readonly #failures: FailureLog
  readonly #running: Promise<void>
  #starts = 0
  #pid: number | null = null

  private constructor(options: OfficeProcessOptions) {
    const { clock, log } = this.#options = options
    this.#failures = new FailureLog({ clock, log, failed: 'the office ended and is started again', recovered: 'the office runs' })
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    const { clock, random, after } = this.#options, { signal } = this.#stop
    await after?.(signal)
    await supervise<End>({
      clock, random, signal, delaysMs: () => START_AGAIN_MS,
      runOnce: signal => this.#runOnce(signal), crashed: error => ({ how: String(error), lastedMs: 0 }),
      wasHealthy: ({ lastedMs }) => lastedMs >= HEALTHY_AFTER_MS,
      onEnd: ({ how, lastedMs }, delayMs) => {
        this.#failures.failure({ how, lastedMs, startedAgainInMs: Math.round(delayMs) }, 'error')
      },
    })
  }
  /** Returns at once. */
  static start(options: OfficeProcessOptions): OfficeProcess { return new OfficeProcess(options) }

  /** Null while it does not run. */
  get pid(): number | null { return this.#pid }
  get starts(): number { return this.#starts }

  async #runOnce(signal: AbortSignal): Promise<End> {
    const { program, args, env, fault, clock, log } = this.#options, startedMs = clock.monoNow()
    const lastedMs = (): number => clock.monoNow() - startedMs
    let child: OfficeChild
    try { child = await startChild(program, args, { env, stdio: ['pipe', 'inherit', 'inherit'] }) } catch (error) {
      fault.tell()
      return { how: `it could not be started: ${(error as Error).message}`, lastedMs: 0 }
    }
    this.#starts++
    this.#pid = child.pid ?? null
    child.stdin.on('error', () => undefined) // it is gone
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
    const stopping = this.#endOn(signal, child, ended)
    fault.clear()
    log.info({ pid: this.#pid }, 'the office was started')
    const [code, killedBy] = await ended
    this.#pid = null
    await stopping
    if (!signal.aborted) fault.tell()
    return { how: killedBy ?? `exit code ${code}`, lastedMs: lastedMs() }
  }

  /** Asks it to end once `signal` aborts, and makes it. */
  async #endOn(signal: AbortSignal, child: OfficeChild, ended: Promise<unknown>): Promise<void> {
    const over = new AbortController()
    void ended.then(() => { over.abort() })
    await Promise.race([ended, aborted(signal)])
    if (over.signal.aborted || !signal.aborted) return
    child.kill('SIGTERM')
    await Promise.race([ended, this.#options.clock.wait(STOP_WITHIN_MS, over.signal)])
    if (!over.signal.aborted) child.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}
