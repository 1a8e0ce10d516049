import { chmodSync, closeSync, constants, openSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { LinkPeer, type Handlers, type HandlersFor, type LinkRole } from './peer.ts'
import { LINK_FILE } from './socket-path.ts'

/** Connections at one time; one more is closed at once. */
export const MOST_PEERS = 16
const LISTEN_AGAIN_MS = [1_000, 2_000, 5_000, 10_000, 30_000] as const

export interface LinkServerOptions {
  /** The caller has it for itself: a socket that stands there is a dead one's. */
  readonly folder: string
  readonly version: string
  readonly handlers: Handlers | HandlersFor
  readonly takesRoles: readonly LinkRole[]
  readonly clock: Clock
  readonly log: Logger
}

/**
 * The recorder's end of the link. Whoever may write to the socket file may ask. Where it cannot listen,
 * recording goes on and it is tried again.
 */
export class LinkServer implements AsyncDisposable {
  readonly #options: LinkServerOptions
  readonly #peers = new Set<LinkPeer>()
  readonly #stop = new AbortController()
  readonly #trying: Promise<void>
  #server: Server | null = null
  #folder: number | null = null

  private constructor(options: LinkServerOptions) {
    this.#options = options
    this.#trying = this.#try()
  }
  /** Returns at once. */
  static open(options: LinkServerOptions): LinkServer { return new LinkServer(options) }

  get isListening(): boolean { return this.#server !== null }
  get peers(): number { return this.#peers.size }

  async #try(): Promise<void> {
    const { clock, log } = this.#options, { signal } = this.#stop
    const failures = new FailureLog({ clock, log, failed: 'the link cannot be opened', recovered: 'the link is open' })
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        this.#server = await this.#listen()
        failures.success()
        return
      } catch (error) { failures.failure({ err: error }, 'error') }
      await clock.wait(LISTEN_AGAIN_MS[Math.min(tries, LISTEN_AGAIN_MS.length - 1)]!, signal)
    }
  }

  /** A path through the open folder is short enough for the kernel, which takes 107 bytes. */
  async #listen(): Promise<Server> {
    const { folder } = this.#options
    this.#folder ??= openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
    const file = path.join('/proc/self/fd', String(this.#folder), LINK_FILE)
    rmSync(file, { force: true })
    const server = createServer({ allowHalfOpen: false }, socket => { this.#accept(socket) })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(file, () => { server.off('error', reject); resolve() })
    })
    server.on('error', error => { this.#options.log.error({ err: error }, 'the link failed') })
    chmodSync(file, 0o660)
    return server
  }

  #accept(socket: Socket): void {
    const { handlers, takesRoles, version, clock, log } = this.#options
    if (this.#peers.size >= MOST_PEERS || this.#stop.signal.aborted) {
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    const peer = new LinkPeer({
      socket, own: { role: 'recorder', version }, takesRoles, takesFrames: ['json'],
      handlers: typeof handlers === 'function' ? handlers : () => handlers, clock, log,
    })
    this.#peers.add(peer)
    void peer.closed.then(() => { this.#peers.delete(peer) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#trying
    const server = this.#server, closed = server === null ? null : new Promise<void>(resolve => { server.close(() => { resolve() }) })
    await Promise.all([...this.#peers].map(peer => peer[Symbol.asyncDispose]()))
    await closed
    if (this.#folder !== null) closeSync(this.#folder)
  }
}
