import { connect, type Socket } from 'node:net'
import { connectCameraTls } from '../../platform/camera-tls.ts'
import type { CameraAddress } from './camera-address.ts'
import { RelayFault } from './relay-fault.ts'
import { bytesOf, RtspReader, statusOf, type RtspMessage } from './rtsp-message.ts'

const CONNECT_MS = 5_000
/** The slowest camera seen took 2.5 s. */
const ANSWER_MS = 8_000
/** An answer that has begun and goes on no more: its length was wrong. */
const REST_MS = 1_500

const ROUTE_CODES = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ETIMEDOUT',
  'ENOTFOUND', 'EAI_AGAIN'])

/** What a camera may send while nothing was asked: some of its pictures. */
const MOST_UNASKED_BYTES = 4 << 20

/** One for all: what comes is copied before the next is read. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)

/** The camera closed the connection where an answer was due. */
export class LinkClosed extends Error {}

/** One connection to a camera while requests and answers go to and fro. */
export class CameraLink {
  readonly socket: Socket
  readonly isTls: boolean
  /** Packets that come between answers: some cameras send them before they answer PLAY. */
  onPacket: (bytes: Buffer) => void = () => undefined
  readonly #reader = new RtspReader()
  #waiting: PromiseWithResolvers<RtspMessage> | null = null
  #restTimer: NodeJS.Timeout | undefined
  #isClosed = false

  private constructor(socket: Socket, isTls: boolean) {
    this.socket = socket
    this.isTls = isTls
    socket.on('error', () => { this.#close() }).on('end', () => { this.#close() }).on('close',
      () => { this.#close() })
  }

  /** Throws RelayFault when there is no connection. */
  static async open({ host, port, isTls }: CameraAddress): Promise<CameraLink> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    let link: CameraLink | null = null
    const take = (bytes: Buffer): void => { link?.take(bytes) }
    const onread = { buffer: readBuffer, callback: (length: number) => {
      take(readBuffer.subarray(0, length)); return true } }
    const socket = isTls ? connectCameraTls({ host, port }).on('data', take) : connect({ host, port, onread })
    socket.once(isTls ? 'secureConnect' : 'connect', () => { resolve(undefined) })
    const timer = setTimeout(
      () => { reject(new RelayFault('unreachable', `no connection in ${CONNECT_MS / 1000} s`)) }, CONNECT_MS)
    socket.once('error', error => { reject(faultOf(error)) })
    try { await promise } catch (error) { socket.destroy(); throw error } finally { clearTimeout(timer) }
    socket.setNoDelay(true)
    return link = new CameraLink(socket, isTls)
  }

  /** Sends a request and gives its answer. Throws LinkClosed, RelayFault, RtspFormatError. */
  async request(message: RtspMessage): Promise<RtspMessage> {
    if (this.#isClosed) throw new LinkClosed()
    const waiting = this.#waiting = Promise.withResolvers<RtspMessage>()
    const timer = setTimeout(
      () => { waiting.reject(new RelayFault('stalled', `no answer in ${ANSWER_MS / 1000} s`)) }, ANSWER_MS)
    this.socket.write(bytesOf(message))
    try { return await waiting.promise } finally {
      clearTimeout(timer)
      clearTimeout(this.#restTimer)
      this.#waiting = null
    }
  }

  /** What the camera sent. */
  take(bytes: Buffer): void {
    this.#reader.push(bytes)
    if (this.#waiting === null && this.#reader.keptBytes > MOST_UNASKED_BYTES) { this.close(); return }
    try {
      for (let item; this.#waiting !== null && (item = this.#reader.next()) !== null;) {
        if (item.kind === 'packet') this.onPacket(Buffer.from(item.bytes))
        else if (statusOf(item.message) > 0) this.#answer(item.message)
      }
    } catch (error) { this.#waiting?.reject(error as Error) }
    clearTimeout(this.#restTimer)
    if (this.#waiting !== null) this.#restTimer = setTimeout(() => { this.#cutShort() }, REST_MS)
  }

  #answer(message: RtspMessage): void {
    this.#waiting?.resolve(message)
    this.#waiting = null
  }

  #cutShort(): void {
    const message = this.#reader.cutShort()
    if (message !== null) this.#answer(message)
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cutShort()
    this.#waiting?.reject(new LinkClosed())
  }

  /** Ends the time of requests: what came and was not taken. Nothing is read by Node from here on. */
  handOver(): Buffer {
    this.socket.pause()
    return this.#reader.rest()
  }

  get isClosed(): boolean { return this.#isClosed }
  close(): void { this.socket.destroy() }
}

function faultOf(error: Error): RelayFault {
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return new RelayFault('refused',
    'the camera refuses the connection')
  return new RelayFault('unreachable', ROUTE_CODES.has(code) ? `no way to the camera (${code})`
    : 'no connection to the camera')
}
