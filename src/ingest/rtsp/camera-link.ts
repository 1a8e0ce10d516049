import { connect, type Socket } from 'node:net'
import { connectCameraTls } from '../../platform/camera-tls.ts'
import type { CameraAddress } from './camera-address.ts'
import { answerToCamera } from './camera-request.ts'
import { RelayFault } from './relay-fault.ts'
import { bytesOf, headerOf, RtspFormatError, RtspReader, statusOf, type RtspMessage } from './rtsp-message.ts'

const CONNECT_MS = 5_000
/** The slowest camera seen took 2.5 s. */
const ANSWER_MS = 8_000
/** An answer that has begun and goes on no more: its length was wrong. */
const REST_MS = 1_500

const ROUTE_CODES = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ETIMEDOUT',
  'ENOTFOUND', 'EAI_AGAIN'])

/** What a camera may send before it plays: its answers, and some of its pictures. */
const MOST_BYTES = 4 << 20
/** Counted on top of their bytes, for what they cost is time: 32,000 packets or 250 messages. */
const PACKET_COST_BYTES = 128, MESSAGE_COST_BYTES = 16 << 10
/** Answers of the kind `100 Continue` to one request. */
const MOST_INTERIM = 8
/** An answer of another number is ours where none of the right number comes: some cameras do not count. */
const MISCOUNTED_MS = 4_000
/** What may wait for a camera that does not read. */
const MOST_UNSENT_BYTES = 64 << 10

/** One for all: what comes is copied before the next is read. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)

/** The camera closed the connection where an answer was due. */
export class LinkClosed extends Error {}

/** One connection to a camera while requests and answers go to and fro. */
export class CameraLink {
  readonly socket: Socket
  readonly isTls: boolean
  /** Whole packets that come between answers: some cameras send them before they answer PLAY. */
  onPackets: (bytes: Buffer) => void = () => undefined
  readonly #reader = new RtspReader()
  #waiting: PromiseWithResolvers<RtspMessage> | null = null
  /** Of the request that waits. */
  #cseq = ''
  #interim = 0
  /** An answer of another number. */
  #doubtful: RtspMessage | null = null
  #countsWrong = false
  #restTimer: NodeJS.Timeout | undefined
  #doubtTimer: NodeJS.Timeout | undefined
  #spentBytes = 0
  #fault: RelayFault | null = null
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

  /** Sends a request and gives its answer. Throws LinkClosed, RelayFault. */
  async request(message: RtspMessage): Promise<RtspMessage> {
    if (this.#fault !== null) throw this.#fault
    if (this.#isClosed) throw new LinkClosed()
    const waiting = this.#waiting = Promise.withResolvers<RtspMessage>()
    this.#cseq = headerOf(message, 'cseq') ?? ''
    this.#interim = 0
    const timer = setTimeout(
      () => { waiting.reject(new RelayFault('stalled', `no answer in ${ANSWER_MS / 1000} s`)) }, ANSWER_MS)
    this.socket.write(bytesOf(message))
    try { return await waiting.promise } finally {
      clearTimeout(timer)
      clearTimeout(this.#restTimer)
      clearTimeout(this.#doubtTimer)
      this.#doubtful = null
      this.#waiting = null
    }
  }

  /** What the camera sent. */
  take(bytes: Buffer): void {
    if (this.#fault !== null) return
    this.#reader.push(bytes)
    this.#spentBytes += bytes.length
    const packets: Buffer[] = []
    try {
      for (let item; this.#waiting !== null && this.#isWithinBounds()
        && (item = this.#reader.next()) !== null;) {
        this.#spentBytes += item.kind === 'packet' ? PACKET_COST_BYTES : MESSAGE_COST_BYTES
        if (item.kind === 'packet') packets.push(item.bytes)
        else this.#takeMessage(item.message)
      }
    } catch (error) {
      if (!(error instanceof RtspFormatError)) throw error
      this.#fail(error.message)
    }
    if (packets.length > 0) this.onPackets(Buffer.concat(packets))
    if (!this.#isWithinBounds()) this.#fail('the camera sends without end before it plays')
    clearTimeout(this.#restTimer)
    if (this.#waiting !== null) this.#restTimer = setTimeout(() => { this.#cutShort() }, REST_MS)
  }

  #isWithinBounds(): boolean { return this.#spentBytes <= MOST_BYTES }

  #takeMessage(message: RtspMessage): void {
    const status = statusOf(message), cseq = headerOf(message, 'cseq') ?? ''
    if (status === 0) this.#answerCamera(message)
    else if (status < 200) {
      if (++this.#interim > MOST_INTERIM) this.#fail('the camera puts off its answer without end')
    } else if (this.#countsWrong || !/^\d+$/.test(cseq) || Number(cseq) === Number(this.#cseq)) {
      this.#answer(message)
    }
    else if (this.#doubtful === null) {
      this.#doubtful = message
      this.#doubtTimer = setTimeout(() => { this.#countsWrong = true; this.#answer(message) }, MISCOUNTED_MS)
    }
  }

  #answerCamera(request: RtspMessage): void {
    const answer = answerToCamera(request)
    if (answer !== null) this.send(answer)
  }

  #answer(message: RtspMessage): void {
    this.#waiting?.resolve(message)
    this.#waiting = null
  }

  #fail(said: string): void {
    const fault = this.#fault ??= new RelayFault('bad-stream', said)
    this.#waiting?.reject(fault)
    this.#waiting = null
    this.close()
  }

  #cutShort(): void {
    const message = this.#reader.cutShort()
    if (message !== null) this.#takeMessage(message)
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cutShort()
    if (this.#doubtful !== null) this.#answer(this.#doubtful)
    this.#waiting?.reject(new LinkClosed())
  }

  /** What may be left out where the camera does not read. */
  send(bytes: Buffer | string): void {
    if (this.socket.writableLength < MOST_UNSENT_BYTES) this.socket.write(bytes)
  }

  /** Ends the time of requests: what came and was not taken. Nothing is read by Node from here on. */
  handOver(): Buffer {
    this.socket.pause()
    return this.#reader.rest()
  }

  /** It gives its answers numbers of its own. */
  get countsWrong(): boolean { return this.#countsWrong }
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
