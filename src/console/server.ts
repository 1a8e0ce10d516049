import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { randomUUID } from 'node:crypto'
import type { RequestListener, Server } from 'node:http'
import { createServer as createHttps, type Server as TlsServer } from 'node:https'
import { hostname } from 'node:os'
import type { ConsoleTls } from '../config/index.ts'
import { isLoopback } from '../config/index.ts'
import type { Clock } from '../platform/clock.ts'
import { http } from '../platform/http.ts'
import type { Logger } from '../platform/logger.ts'
import { credentialsFor, type Credentials } from './certificate.ts'
import { ConsoleListenError, ConsoleTlsError } from './errors.ts'
import { OwnNames } from './hosts.ts'
import { mountRoutes, type Rates } from './mount.ts'
import type { ConsoleParts } from './parts.ts'
import type { Route } from './route.ts'
import { ROUTES } from './routes/index.ts'
import { mountViewerPage } from './viewer-page.ts'
import { ViewerSocket } from './viewer-socket.ts'

export interface ConsoleServerOptions {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly tls: ConsoleTls
  /** `keys/console.key` and `keys/console.crt` are in it with `tls: auto`. */
  readonly stateDir: string
  readonly parts: ConsoleParts
  readonly clock: Clock
  readonly log: Logger
  /** All of them unless told; later parts bring theirs. */
  readonly routes?: readonly Route[]
  readonly rates?: Rates
  /** For plugins that serve no declared route, such as files and websockets; runs before listening. */
  readonly extend?: (app: FastifyInstance) => Promise<void>
}

/** Bounds of the listener: an office's browsers stay far below; whoever meets them is a mistake or an attack. */
const MAX_CONNECTIONS = 512
const MAX_HEADER_BYTES = 16 * 1024
const BODY_BYTES = 256 * 1024
const HEADERS_TIMEOUT_MS = 10_000
/** A scan of 20 MiB over a slow line. */
const REQUEST_TIMEOUT_MS = 120_000
const KEEP_ALIVE_MS = 30_000
const MAX_REQUESTS_PER_SOCKET = 1000
/** Twice a day: a certificate is renewed, or one that was replaced on disk is taken. */
const LOOK_AGAIN_MS = 12 * 3_600_000

/** The API over HTTPS. Everything it does is done by the parts, for a person in a role. Closed by whoever opened it. */
export class ConsoleServer implements AsyncDisposable {
  readonly app: FastifyInstance
  readonly #options: ConsoleServerOptions
  readonly #server: Server | TlsServer
  readonly #stop = new AbortController()
  #credentials: Credentials | null
  readonly #players: ViewerSocket
  #names: OwnNames
  #loop: Promise<void> = Promise.resolve()

  private constructor(options: ConsoleServerOptions, credentials: Credentials | null) {
    this.#options = options
    this.#credentials = credentials
    this.#names = namesOf(options, credentials)
    const limits = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS, connectionsCheckingInterval: 5_000 }
    const made: (Server | TlsServer)[] = []
    this.app = Fastify({
      serverFactory: (handler: RequestListener) => {
        const server = credentials === null ? http.createServer(limits, handler) : createHttps({ ...limits, cert: credentials.cert, key: credentials.key, minVersion: 'TLSv1.2', handshakeTimeout: HEADERS_TIMEOUT_MS }, handler)
        made.push(server)
        return server as Server
      },
      loggerInstance: options.log.child({ cap: 'console' }, { level: 'warn' }) as FastifyBaseLogger, // its own lines of requests would hold URLs, and those hold names
      logController: new LogController({ disableRequestLogging: true }), genReqId: () => randomUUID(), requestIdHeader: false, trustProxy: false, bodyLimit: BODY_BYTES, routerOptions: { maxParamLength: 200 }, onProtoPoisoning: 'error', onConstructorPoisoning: 'error',
      forceCloseConnections: true, exposeHeadRoutes: false, return503OnClosing: true,
    })
    if (made[0] === undefined) throw new TypeError('fastify made no server')
    this.#server = made[0]
    this.#players = new ViewerSocket({ parts: options.parts, names: () => this.#names, isTls: credentials !== null, cookiesOf: header => this.app.parseCookie(header), clock: options.clock, log: options.log })
    this.#players.listen(this.#server as Server)
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET
  }

  /** Throws ConsoleTlsError, ConsoleListenError, OpensslError. */
  static async open(options: ConsoleServerOptions): Promise<ConsoleServer> {
    const { tls, host, stateDir, clock, log } = options
    if (tls === 'off' && !isLoopback(host)) throw new ConsoleTlsError(`without TLS the console listens on this machine alone, not on ${host}`)
    const credentials = await credentialsFor({ tls, stateDir, host, now: clock.wallNow() })
    const server = new ConsoleServer(options, credentials)
    try {
      await mountRoutes(server.app, { parts: options.parts, routes: options.routes ?? ROUTES, names: () => server.#names, isTls: credentials !== null, clock, log, ...(options.rates === undefined ? {} : { rates: options.rates }) })
      mountViewerPage(server.app)
      await options.extend?.(server.app)
      await server.app.listen({ host, port: options.port }).catch((error: NodeJS.ErrnoException) => { throw new ConsoleListenError(`${host}:${options.port}`, error) })
    } catch (error) { await server.app.close(); throw error }
    log.info({ host, port: server.port, tls: credentials !== null, fingerprint: credentials?.fingerprint ?? null, certificateEndsAt: credentials?.endsAt ?? null }, 'console listens')
    server.#loop = server.#watchCertificate()
    return server
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.#options.port
  }
  /** SHA-256 of the certificate, for a person to compare in the browser; null without TLS. */
  get fingerprint(): string | null { return this.#credentials?.fingerprint ?? null }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#loop
    this.#players[Symbol.dispose]()
    await this.app.close()
  }

  async #watchCertificate(): Promise<void> {
    const { clock, tls, stateDir, host, log } = this.#options
    while (this.#credentials !== null && !this.#stop.signal.aborted) {
      await clock.wait(LOOK_AGAIN_MS, this.#stop.signal)
      if (this.#stop.signal.aborted) return
      try {
        const next = await credentialsFor({ tls, stateDir, host, now: clock.wallNow() })
        if (next === null || next.fingerprint === this.#credentials.fingerprint) continue
        if ('setSecureContext' in this.#server) this.#server.setSecureContext({ cert: next.cert, key: next.key, minVersion: 'TLSv1.2' })
        this.#credentials = next
        this.#names = namesOf(this.#options, next)
        log.info({ fingerprint: next.fingerprint, certificateEndsAt: next.endsAt }, 'console certificate replaced')
      } catch (err) { log.error({ err }, 'console certificate not renewed; the present one goes on') }
    }
  }
}

const namesOf = ({ host }: ConsoleServerOptions, credentials: Credentials | null): OwnNames => new OwnNames([host, hostname(), ...(credentials?.names ?? [])])
