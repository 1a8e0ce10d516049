import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync } from 'node:fs'
import path from 'node:path'

export type RecorderState =
  | { readonly kind: 'running', readonly pid: number }
  | { readonly kind: 'ended', readonly how: string, readonly asked: boolean, readonly restarts: boolean }

const CUSTOS = path.join(import.meta.dirname, '../bin/custos')
const STOP_TIMEOUT_MS = 15_000
const RESTART_AFTER_MS = 1_500 // long enough to be seen on the board

/** The recorder as a child process, started as an office would start it. Disposal asks it to stop and waits until it is gone. */
export class Recorder implements AsyncDisposable {
  readonly #configFile: string
  readonly #logFile: string
  readonly #closed = new AbortController()
  #child: ChildProcess | null = null
  #restarting: Promise<void> = Promise.resolve()
  state: RecorderState = { kind: 'ended', how: 'not started', asked: true, restarts: true }

  constructor(options: { readonly configFile: string, readonly logFile: string }) {
    this.#configFile = options.configFile
    this.#logFile = options.logFile
  }

  start(): void {
    if (this.#child !== null || this.#closed.signal.aborted) return
    const log = openSync(this.#logFile, 'a')
    // Told to stop even when the demo itself is killed.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', CUSTOS, 'run', '--config', this.#configFile], {
      stdio: ['ignore', log, log], env: { ...process.env, RUNTIME_DIRECTORY: path.dirname(this.#configFile) }, // its pipes go when the demo goes
    })
    closeSync(log)
    this.#child = child
    this.state = { kind: 'running', pid: child.pid ?? 0 }
    const ended = (how: string) => {
      if (this.#child !== child) return
      this.#child = null
      const asked = this.state.kind === 'ended' && this.state.asked
      this.state = { kind: 'ended', how, asked: asked || this.#closed.signal.aborted, restarts: this.state.kind === 'ended' && this.state.restarts }
    }
    child.once('error', error => { ended(error.message) })
    child.once('exit', (code, signal) => { ended(signal ?? `exit code ${code}`) })
  }

  /** As a power cut ends it: nothing is sealed. It comes back after a moment and recovers. */
  killAndRestart(): void {
    const child = this.#child
    if (child === null) return
    this.state = { kind: 'ended', how: 'SIGKILL', asked: true, restarts: true }
    child.kill('SIGKILL')
    this.#restarting = once(child, 'exit').then(() => new Promise<void>(resolve => {
      const timer = setTimeout(resolve, RESTART_AFTER_MS)
      this.#closed.signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
    })).then(() => { this.start() })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort()
    await this.#restarting
    const child = this.#child
    if (child === null) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => { child.kill('SIGKILL') }, STOP_TIMEOUT_MS)
    await gone
    clearTimeout(timer)
  }
}
