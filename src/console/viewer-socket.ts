import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { serveViewing, type SocketLike } from '../viewing/index.ts'
import { answerOf } from './answer.ts'
import { cookieName } from './csrf.ts'
import { ConsoleRefusal, foreignPage, notHere } from './errors.ts'
import { requireOwnPage, type OwnNames } from './hosts.ts'
import type { ConsoleParts } from './parts.ts'
import { RateGate, sourceKey } from './rate-gate.ts'

export interface ViewerSocketOptions {
  readonly parts: Pick<ConsoleParts, 'access' | 'viewing'>
  readonly names: () => OwnNames
  readonly isTls: boolean
  /** Cookies of a header, as the rest of the console reads them. */
  readonly cookiesOf: (header: string) => Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly log: Logger
}

const PLACE = /^\/viewer\/screens\/([0-9a-f]{32})$/
/** Words of a player are a few dozen bytes. */
const MOST_MESSAGE_BYTES = 1024
/** More than there can be screens; one login has one screen, and what it left behind may still be closing. */
const MOST_SOCKETS = 64, MOST_SOCKETS_OF_SESSION = 4
/** A player that answers no ping until the next one is gone: nobody tells when a cable is pulled. */
const PING_EACH_MS = 15_000
const RATE = { burst: 30, perSecond: 2 }

/** The players' line to their screens: everything is looked at before the connection becomes a socket, and a stranger's never does. */
export class ViewerSocket implements Disposable {
  readonly #options: ViewerSocketOptions
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MOST_MESSAGE_BYTES, clientTracking: false, perMessageDeflate: false })
  readonly #held = new Map<WebSocket, string>()
  /** Of those, who answered since the last ping. */
  readonly #heard = new Set<WebSocket>()
  readonly #bySource = new RateGate(RATE)
  readonly #stop = new AbortController()
  #isPinging = false
  constructor(options: ViewerSocketOptions) { this.#options = options }

  get size(): number { return this.#held.size }

  /** Takes the upgrades of this server, all of them. */
  listen(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => { socket.destroy() })
      try { this.#take(request, socket, head) } catch (error) { this.#refuse(request, socket, error) }
    })
  }

  #take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { parts: { access, viewing }, names, isTls, cookiesOf, clock } = this.#options
    this.#bySource.pass(sourceKey(request.socket.remoteAddress ?? ''), clock.monoNow())
    const { host, origin, cookie = '' } = request.headers, fetchSite = request.headers['sec-fetch-site']
    requireOwnPage({ host, origin, fetchSite: Array.isArray(fetchSite) ? fetchSite[0] : fetchSite, isUnsafe: true, isTls }, names())
    // A socket carries no token of the page, so the Origin that every browser sends must be there.
    if (origin === undefined) throw foreignPage('請求來自其他網站。', 'a socket is opened by a page of this console, which has an Origin')
    const screenId = PLACE.exec(request.url ?? '')?.[1]
    if (screenId === undefined) throw notHere()
    const token = cookiesOf(cookie)[cookieName(isTls)] ?? ''
    const holder = access.sessions.look(token).hash.toString('hex')
    const own = [...this.#held.values()].filter(each => each === holder).length
    if (this.#stop.signal.aborted || this.#held.size >= MOST_SOCKETS || own >= MOST_SOCKETS_OF_SESSION) throw new ConsoleRefusal('CUSTOS_CONSOLE_TOO_MANY', 503, '連線數已達上限，請稍候。', 'too many screens are connected; wait a little')
    this.#sockets.handleUpgrade(request, socket, head, player => {
      this.#held.set(player, holder)
      this.#heard.add(player)
      player.on('pong', () => { this.#heard.add(player) })
      player.on('close', () => { this.#held.delete(player); this.#heard.delete(player) })
      player.on('error', () => { player.terminate() }) // a word beyond the bound, or a line that broke
      serveViewing({ screens: viewing.screens, sessions: access.sessions }, { token, screenId, socket: player as unknown as SocketLike })
    })
    if (!this.#isPinging) void this.#ping()
  }

  async #ping(): Promise<void> {
    const { signal } = this.#stop
    this.#isPinging = true
    while (!signal.aborted && this.#held.size > 0) {
      await this.#options.clock.wait(PING_EACH_MS, signal)
      for (const player of this.#held.keys()) {
        if (this.#heard.delete(player)) player.ping()
        else player.terminate()
      }
    }
    this.#isPinging = false
  }

  #refuse(request: IncomingMessage, socket: Duplex, error: unknown): void {
    const { status, body, isFault } = answerOf(error, '')
    if (isFault) this.#options.log.error({ err: error }, 'a player could not be connected')
    else this.#options.log.info({ method: request.method, route: '/viewer/screens/:screen', status, code: body.code }, 'console socket refused')
    socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\ncache-control: no-store\r\n\r\n`)
    socket.once('finish', () => { socket.destroy() })
  }

  /** Ends every line; the screens themselves are closed by who opened them. */
  [Symbol.dispose](): void {
    this.#stop.abort()
    for (const player of this.#held.keys()) player.terminate()
    this.#sockets.close()
  }
}
