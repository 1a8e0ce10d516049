import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Credential } from '../../domain/index.ts'
import { cameraAddress, withAccount, type CameraAddress } from './camera-address.ts'
import { HiddenPassword } from './hidden-password.ts'
import { PicturePace } from './picture-pace.ts'
import type { RelayFault } from './relay-fault.ts'
import { RelaySession } from './relay-session.ts'
import { RtspAuth } from './rtsp-auth.ts'

/** ffmpeg sends its first request at once. */
const FIRST_REQUEST_MS = 5_000
const MAX_FIRST_BYTES = 8 * 1024
/** Of connections that have not named a path yet: whoever opens more of them loses the oldest. */
const MOST_UNKNOWN = 256
/** Between two fragments; the first ones tell enough. */
const MOST_LOSSES = 64
const PATH = /^[A-Z_]+ rtsp:\/\/127\.0\.0\.1:\d+\/([0-9a-f]{32})[/ ?]/

/** A way to a camera for one run of ffmpeg. Once disposed of, its path is worth nothing. */
export interface RelayTicket extends Disposable {
  /** For ffmpeg: on the loopback, good for one connection, without credential. */
  readonly url: string
  /** What went wrong on the way, where the relay knows; null before and otherwise. */
  fault(): RelayFault | null
  /** How many milliseconds ago data of pictures was lost on the way, of each time since the last call. */
  takeLossesAgoMs(): number[]
}

interface Open {
  readonly address: CameraAddress
  readonly auth: RtspAuth
  readonly hidden: HiddenPassword
  readonly pace: PicturePace
  fault: RelayFault | null
  readonly lossesAtMs: number[]
}

/**
 * Stands between ffmpeg and the cameras on the loopback. It speaks RTSP to a camera until it plays, so that
 * the password
 * stays in this process and goes to the configured host alone, and then passes the packets on.
 */
export class CameraRelay implements AsyncDisposable {
  readonly #server: Server
  readonly #port: number
  readonly #open = new Map<string, Open>()
  readonly #sockets = new Set<Socket>()
  /** Of these nothing is known yet, oldest first. */
  readonly #unknown = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
    server.on('connection', socket => { void this.#accept(socket) })
  }

  static async open(): Promise<CameraRelay> {
    const server = createServer({ noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.unref()
    return new CameraRelay(server)
  }

  /**
   * `pace`: of the camera's pictures, as learnt in earlier sessions. Throws RangeError when `url` is no RTSP
   * address: the configuration refuses such already.
   */
  ticket(url: string, credential: Credential | null, pace = new PicturePace()): RelayTicket {
    const address = cameraAddress(withAccount(url, credential))
    if (address === null) throw new RangeError('no RTSP address')
    const path = randomBytes(16).toString('hex')
    const open: Open = {
      address, auth: new RtspAuth(credential), hidden: new HiddenPassword(credential), pace,
      fault: null, lossesAtMs: [],
    }
    this.#open.set(path, open)
    return {
      url: this.#urlOf(path), fault: () => open.fault,
      takeLossesAgoMs: () => open.lossesAtMs.splice(0).map(atMs => performance.now() - atMs),
      [Symbol.dispose]: () => { this.#open.delete(path) },
    }
  }

  #urlOf(path: string): string { return `rtsp://127.0.0.1:${this.#port}/${path}` }

  async #accept(client: Socket): Promise<void> {
    this.#sockets.add(client)
    client.on('error', () => undefined).once('close', () => { this.#sockets.delete(client) })
    this.#unknown.add(client)
    if (this.#unknown.size > MOST_UNKNOWN) {
      const [oldest] = this.#unknown
      this.#unknown.delete(oldest!)
      oldest!.destroy()
    }
    const first = await firstRequest(client)
    this.#unknown.delete(client)
    const path = PATH.exec(first?.toString('latin1') ?? '')?.[1] ?? ''
    const open = this.#open.get(path)
    if (first === null || open === undefined) { client.destroy(); return }
    this.#open.delete(path)
    const { address, auth, hidden, pace } = open
    const session = new RelaySession({ client, localUrl: this.#urlOf(path), address, auth, hidden, pace,
      onFault: fault => { open.fault ??= fault },
      onLoss: () => { if (open.lossesAtMs.length < MOST_LOSSES) open.lossesAtMs.push(performance.now()) } })
    await session.run(first)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

/** What came first, at least to the end of its first line; null when nothing that can be one does. */
async function firstRequest(client: Socket): Promise<Buffer | null> {
  const { promise, resolve } = Promise.withResolvers<Buffer | null>()
  let got = Buffer.alloc(0)
  const timer = setTimeout(() => { resolve(null) }, FIRST_REQUEST_MS)
  const take = (chunk: Buffer): void => {
    got = Buffer.concat([got, chunk])
    if (got.includes('\n')) resolve(got)
    else if (got.length > MAX_FIRST_BYTES) resolve(null)
  }
  client.on('data', take).once('close', () => { resolve(null) })
  const first = await promise
  clearTimeout(timer)
  client.pause()
  client.off('data', take)
  return first
}
