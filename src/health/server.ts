import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { CustosError, FatalError, RetryableError, type MonoMs } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { http } from '../platform/http.ts'
import type { Logger } from '../platform/logger.ts'
import { ClientFeed } from './client-feed.ts'
import { HealthState, type Assessment } from './health-state.ts'
import { isFromThisMachine, isLoopbackAddress, urlHost } from './loopback.ts'
import { snapshotOf } from './snapshot.ts'
import type { RecorderFacts } from './views.ts'
import type { PartFault } from '../platform/part-faults.ts'

export const MAX_SOCKETS = 32
/** Fewer than sockets: `custos status` gets its answer however many boards are open. */
export const MAX_CLIENTS = 24
/** A client has nothing to say; a close frame fits. */
const MAX_PAYLOAD_BYTES = 1024
/** A flood of GETs costs the recorder ten looks a second, no more (G9). */
const SAME_LOOK_MS = 100
const REQUEST_TIMEOUT_MS = 5_000
/** In beats: while no client listens, a look at everything so often, for the log and for what is told over time. Whoever asks gets a look of its own. */
const IDLE_BEATS = 5
/** A predecessor or another program may still have the port. */
const LISTEN_AGAIN_MS = [1_000, 2_000, 5_000, 10_000, 30_000] as const

export interface HealthServerOptions {
  /** Loopback only. */
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly facts: () => RecorderFacts
  readonly clock: Clock
  readonly log: Logger
  /** Between heartbeats; 1000 unless told. */
  readonly intervalMs?: number
}

/** What was refused or dropped since the start, for metrics. */
export interface HealthServerCounts {
  readonly clients: number
  readonly droppedClients: number
  readonly refusedRequests: number
  readonly refusedSockets: number
}

/** Health over loopback HTTP and websocket: read-only, bounded in every direction. Closed by whoever opened it. */
export class HealthServer implements AsyncDisposable {
  readonly #options: HealthServerOptions
  readonly #http: Server
  readonly #ws = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD_BYTES, perMessageDeflate: false, clientTracking: false })
  readonly #state: HealthState
  readonly #feeds = new Set<ClientFeed>()
  readonly #stop = new AbortController()
  #loop: Promise<void> = Promise.resolve()
  #notListening: PartFault | null = null
  #latest: { readonly assessment: Assessment, readonly mono: MonoMs } | null = null
  #blindTicks = 0
  #idleBeats = 0
  #droppedClients = 0
  #refusedRequests = 0
  #refusedSockets = 0

  private constructor(options: HealthServerOptions) {
    this.#options = options
    this.#state = new HealthState(options.clock)
    this.#http = http.createServer({ maxHeaderSize: 8 * 1024, headersTimeout: REQUEST_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: REQUEST_TIMEOUT_MS }, (request, response) => this.#answer(request, response))
    this.#http.maxConnections = MAX_SOCKETS
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#http.on('drop', () => { this.#refusedSockets++ })
  }

  /**
   * Never rejects: where it may not listen, or cannot, the verdict is still to be had from `assess`, with
   * that as a critical reason; a port that is taken is tried again.
   */
  static async open(options: HealthServerOptions): Promise<HealthServer> {
    const server = new HealthServer(options)
    const mayTryAgain = await server.#tryToListen(0)
    server.#loop = Promise.all([server.#run(), mayTryAgain ? server.#listenInTheEnd() : undefined])
      .then(() => undefined)
    return server
  }

  get port(): number {
    const address = this.#http.address()
    return typeof address === 'object' && address ? address.port : this.#options.port
  }

  get counts(): HealthServerCounts {
    return { clients: this.#feeds.size, droppedClients: this.#droppedClients, refusedRequests: this.#refusedRequests, refusedSockets: this.#refusedSockets }
  }

  /** The verdict as of now; looks that follow each other closely share one. Throws what `facts` throws. */
  assess(): Assessment {
    const now = this.#options.clock.monoNow()
    if (this.#latest && now - this.#latest.mono < SAME_LOOK_MS) return this.#latest.assessment
    return this.#look()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort()
      for (const feed of this.#feeds) feed.close()
      const closed = Promise.withResolvers<void>()
      this.#http.close(() => closed.resolve())
      this.#http.closeAllConnections()
      this.#loop = Promise.all([this.#loop, closed.promise]).then(() => undefined)
    }
    await this.#loop
  }

  #look(): Assessment {
    const mono = this.#options.clock.monoNow()
    const facts = this.#options.facts(), fault = this.#notListening
    const all = fault === null ? facts : { ...facts, faults: [...facts.faults, fault] }
    const assessment = this.#state.assess(all)
    const before = this.#latest?.assessment
    this.#latest = { assessment, mono }
    if (assessment.level !== (before?.level ?? 'healthy')) {
      const reasons = assessment.reasons.map(({ code, subject }) => subject === null ? code : `${code} ${subject}`)
      this.#options.log.info({ from: before?.level ?? null, to: assessment.level, reasons }, 'health level changed')
    }
    return assessment
  }

  async #run(): Promise<void> {
    const { clock, intervalMs = 1_000 } = this.#options
    let dueMono: number = clock.monoNow()
    while (!this.#stop.signal.aborted) {
      // Counted from the last due time, so that beats do not drift; beats missed by a busy loop are not made up for.
      const nowMono = clock.monoNow()
      dueMono = dueMono + intervalMs < nowMono ? nowMono + intervalMs : dueMono + intervalMs
      await clock.wait(dueMono - nowMono, this.#stop.signal)
      if (this.#stop.signal.aborted || (this.#feeds.size === 0 && ++this.#idleBeats < IDLE_BEATS)) continue
      this.#idleBeats = 0
      this.#tick()
    }
  }

  #tick(): void {
    let assessment: Assessment
    try { assessment = this.#look() } catch (err) {
      // Clients see the heartbeat stop, which is the truth; recording must not end for it (G9).
      if (this.#blindTicks++ === 0) this.#options.log.error({ err }, 'health cannot see the recorder')
      return
    }
    if (this.#blindTicks > 0) this.#options.log.info({ ticks: this.#blindTicks }, 'health sees the recorder again')
    this.#blindTicks = 0
    for (const feed of this.#feeds) feed.tick(assessment)
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const reply = (status: number, body: object, headers: Record<string, string> = {}) => {
      if (status >= 400) this.#refusedRequests++
      const text = JSON.stringify(body)
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text),
        'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers }).end(text)
    }
    if (!isFromThisMachine(request.headers)) return reply(403, { error: 'health answers programs on this machine only' })
    if (request.method !== 'GET') return reply(405, { error: 'health is read-only: use GET' }, { allow: 'GET' })
    if (pathOf(request) !== '/health') return reply(404, { error: 'not here: GET /health' })
    try { reply(200, snapshotOf(this.assess(), 1)) } catch (err) {
      this.#options.log.error({ err }, 'health snapshot failed')
      reply(503, { error: 'the recorder does not tell its state; see the log' })
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const refuse = (status: string) => {
      this.#refusedRequests++
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
    }
    if (this.#stop.signal.aborted) return refuse('503 Service Unavailable')
    if (!isFromThisMachine(request.headers)) return refuse('403 Forbidden')
    if (pathOf(request) !== '/health') return refuse('404 Not Found')
    if (this.#feeds.size >= MAX_CLIENTS) return refuse('503 Service Unavailable')
    let first: Assessment
    try { first = this.assess() } catch { return refuse('503 Service Unavailable') } // the tick logs it
    this.#ws.handleUpgrade(request, socket, head, client => {
      const feed = new ClientFeed({ socket: client, first, onDropped: why => {
        this.#droppedClients++
        this.#options.log.warn({ why, dropped: this.#droppedClients }, 'health client dropped')
      } })
      this.#feeds.add(feed)
      client.on('close', () => this.#feeds.delete(feed))
    })
  }

  /** Whether another try may help. */
  async #tryToListen(failures: number): Promise<boolean> {
    const { host, port, clock, log } = this.#options
    try { await this.#listen() } catch (error) {
      if (!(error instanceof CustosError)) throw error
      if (failures === 0) log.error({ err: error }, 'health cannot be offered; recording goes on')
      const values = { address: `${urlHost(host)}:${port}` }
      this.#notListening ??= { code: 'health-not-listening', since: clock.wallNow(), values }
      return error instanceof RetryableError
    }
    if (this.#notListening !== null) log.info({ failures }, 'health is offered again')
    this.#notListening = null
    return false
  }

  async #listenInTheEnd(): Promise<void> {
    const { clock } = this.#options, { signal } = this.#stop
    for (let failures = 1; ; failures++) {
      await clock.wait(LISTEN_AGAIN_MS[Math.min(failures, LISTEN_AGAIN_MS.length) - 1]!, signal)
      if (signal.aborted || !await this.#tryToListen(failures)) return
    }
  }

  async #listen(): Promise<void> {
    const { host, port, log } = this.#options
    if (!isLoopbackAddress(host)) {
      throw new FatalError('CUSTOS_HEALTH_NOT_LOOPBACK', `health must not listen on ${host}: it asks for no password`,
        { remedy: 'set listen.host to 127.0.0.1; reach it from elsewhere through the console or an SSH tunnel' })
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const refused = (cause: NodeJS.ErrnoException) => reject(cause.code === 'EADDRINUSE'
      ? new RetryableError('CUSTOS_HEALTH_PORT_IN_USE', `another program listens on ${urlHost(host)}:${port}`,
        { remedy: 'stop the other program (ss -ltnp shows which), or set another listen.port', cause })
      : new RetryableError('CUSTOS_HEALTH_LISTEN_FAILED', `cannot listen on ${urlHost(host)}:${port}`,
        { remedy: 'set listen.host to 127.0.0.1 and listen.port to a free port above 1023', cause }))
    this.#http.once('error', refused)
    try {
      this.#http.listen(port, host, () => {
        this.#http.off('error', refused)
        this.#http.on('error', err => log.warn({ err }, 'health listener failed'))
        resolve()
      })
    } catch (error) { // a port that is none is a throw
      this.#http.off('error', refused)
      refused(error as NodeJS.ErrnoException)
    }
    await promise
  }
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '').split('?', 1)[0] ?? ''
