import { CustosError, type EpochMs } from '../domain/index.ts'
import { connectLink, type Answer, type Ask, type LinkPeer, type RequestName } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { AskGate } from './ask-gate.ts'
import { RecorderAwayError } from './errors.ts'

/** Before the next try; the last one repeats. */
export const RECONNECT_MS = [1_000, 2_000, 5_000, 10_000] as const
/** A connection that lasted so long was well: the next try comes after the first delay. */
const WELL_MS = 10_000

export interface RecorderConnectionOptions {
  /** The state folder of the recorder. */
  readonly folder: string
  readonly version: string
  readonly clock: Clock
  readonly log: Logger
}

/** No recorder is connected to. `since`: by the wall clock, of the end of the connection or the first try. */
export interface RecorderAway { readonly since: EpochMs, readonly why: string }

/** Begins what belongs to one connection; `signal` is aborted when that is over. */
export type ConnectedHook = (signal: AbortSignal) => void

/** The office's connection to the recorder: made again for ever, until it is disposed of. */
export class RecorderConnection implements AsyncDisposable {
  readonly #options: RecorderConnectionOptions
  readonly #hooks = new Set<ConnectedHook>()
  readonly #media = new Set<(payload: Buffer) => void>()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #link: { readonly peer: LinkPeer, readonly gate: AskGate, readonly over: AbortController } | null = null
  #away: RecorderAway | null

  private constructor(options: RecorderConnectionOptions) {
    this.#options = options
    this.#away = { since: options.clock.wallNow(), why: 'it was not tried yet' }
    this.#running = this.#run()
  }
  /** Returns at once, away. */
  static open(options: RecorderConnectionOptions): RecorderConnection {
    return new RecorderConnection(options)
  }

  /** Null while connected. */
  get away(): RecorderAway | null { return this.#away }

  /**
   * Rejects with RecorderAwayError at once while away; else as LinkPeer.ask: LinkClosedError or
   * LinkTimeoutError say that it has happened or not. Asked in order; who asks too much waits.
   */
  async ask<N extends RequestName>(name: N, body: Ask<N>): Promise<Answer<N>> {
    const link = this.#link
    if (link === null) throw new RecorderAwayError(this.#away?.why ?? 'it has just gone')
    return await link.gate.run(() => link.peer.ask(name, body))
  }

  /** Called at each connection, and now if there is one; the function returned ends it. */
  onConnected(hook: ConnectedHook): () => void {
    this.#hooks.add(hook)
    if (this.#link !== null) this.#begin(hook, this.#link.over.signal)
    return () => { this.#hooks.delete(hook) }
  }

  /** Every media frame; a listener that throws ends the connection. The function returned ends it. */
  onMedia(listener: (payload: Buffer) => void): () => void {
    this.#media.add(listener)
    return () => { this.#media.delete(listener) }
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options, { signal } = this.#stop
    const failures = new FailureLog({
      clock, log, failed: 'the recorder cannot be asked', recovered: 'the recorder is connected to',
    })
    for (let tries = 0; !signal.aborted; tries++) {
      const beganMono = clock.monoNow(), why = await this.#once(() => { failures.success() })
      this.#away = { since: this.#away?.since ?? clock.wallNow(), why }
      if (signal.aborted) return
      failures.failure({ why })
      if (clock.monoNow() - beganMono >= WELL_MS) tries = 0
      await clock.wait(RECONNECT_MS[Math.min(tries, RECONNECT_MS.length - 1)]!, signal)
    }
  }

  /** One connection, to its end: why there is none any more. Never rejects. */
  async #once(connected: () => void): Promise<string> {
    const { signal } = this.#stop
    try {
      await using peer = await connectLink({
        ...this.#options, role: 'office', signal,
        onMedia: payload => { for (const listener of this.#media) listener(payload) },
      })
      if (peer === null) return 'none listens'
      const over = new AbortController()
      this.#link = { peer, gate: new AskGate(this.#options.clock, over.signal), over }
      this.#away = null
      connected()
      for (const hook of this.#hooks) this.#begin(hook, over.signal)
      const stopped = () => { void peer[Symbol.asyncDispose]() }
      signal.addEventListener('abort', stopped, { once: true })
      if (signal.aborted) stopped()
      await peer.closed
      signal.removeEventListener('abort', stopped)
      this.#link = null
      over.abort()
      return 'the connection ended'
    } catch (error) {
      return error instanceof CustosError ? `${error.code}: ${error.message}` : String(error)
    }
  }

  #begin(hook: ConnectedHook, signal: AbortSignal): void {
    try { hook(signal) } catch (error) {
      this.#options.log.error({ err: error }, 'what begins with a connection to the recorder failed')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}
