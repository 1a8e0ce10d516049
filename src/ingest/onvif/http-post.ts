import { connect, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { connectCameraTls } from '../../platform/camera-tls.ts'
import { HttpFormatError, MAX_HEAD_BYTES, readHttpAnswer, readHttpHead, type HttpAnswerText,
  type HttpHead } from './http-answer.ts'

export interface HttpTarget {
  readonly isTls: boolean
  readonly host: string
  readonly port: number
  readonly path: string
}

export interface RawAnswer extends HttpAnswerText {
  /** SHA-256 of the certificate, of TLS alone. */
  readonly fingerprint: string | null
}

/** Connected, and no whole answer in time. */
export class AnswerTimeout extends Error {
  override readonly name = 'AnswerTimeout'
}

/** The profile list of a 64-channel recorder is about 0.8 MB; nothing else comes near. */
export const MAX_ANSWER_BYTES = 2 * 1024 * 1024
/** With the TLS handshake, which takes an old camera a second. */
const CONNECT_MS = 5_000
/** The slowest camera seen took 2.5 s. */
const EXCHANGE_MS = 8_000
/** How long a body that is not what its length says may go on. */
const REST_MS = 1_000
const ENVELOPE_END = /<\/(?:[\w.-]+:)?Envelope\s*>/i
const ENVELOPE = /<(?:[\w.-]+:)?Envelope[\s>]/i
const TAIL_BYTES = 512
/** An envelope begins within, behind declarations, comments and the head of a part. */
const BEGIN_BYTES = 4096
/** Between two looks at what came. */
const LOOK_MS = 5

/**
 * One POST on a connection of its own. Where a SOAP answer ends is told by its envelope, for lengths do not
 * always fit.
 * `onConnected` tells a failure to connect from a later one. Throws HttpFormatError, the system's error, or
 * the signal's reason.
 */
export async function httpPost(target: HttpTarget,
  request: { readonly headers: Readonly<Record<string, string>>, readonly body: string },
  { signal, onConnected }: {
    readonly signal: AbortSignal, readonly onConnected: () => void }): Promise<RawAnswer> {
  const { isTls, host, port, path } = target
  signal.throwIfAborted()
  const socket = isTls ? connectCameraTls({ host, port }) : connect({ host, port })
  const { promise, resolve, reject } = Promise.withResolvers<Collected>()
  const stop = (): void => { reject(signal.reason as Error) }
  signal.addEventListener('abort', stop, { once: true })
  socket.once(isTls ? 'secureConnect' : 'connect', () => {
    onConnected()
    const body = Buffer.from(request.body, 'utf8')
    const lines = Object.entries({ ...request.headers, 'Content-Length': String(body.length),
      'Connection': 'close' }).map(([name, value]) => `${name}: ${value}`)
    socket.write(Buffer.concat(
      [Buffer.from(`POST ${path} HTTP/1.1\r\nHost: ${hostOf(target)}\r\n${lines.join('\r\n')}\r\n\r\n`,
        'utf8'), body]))
  })
  const connecting = setTimeout(() => { reject(new Error(`no connection in ${CONNECT_MS} ms`)) }, CONNECT_MS)
  socket.once(isTls ? 'secureConnect' : 'connect', () => { clearTimeout(connecting) })
  const answering = setTimeout(() => { reject(new AnswerTimeout()) }, EXCHANGE_MS)
  collect(socket, resolve, reject)
  try {
    const { bytes, head } = await promise
    const answer = readHttpAnswer(bytes, head)
    return { ...answer, fingerprint: isTls ? (socket as TLSSocket).getPeerCertificate().fingerprint256
      ?? null : null }
  } finally {
    clearTimeout(connecting)
    clearTimeout(answering)
    signal.removeEventListener('abort', stop)
    socket.destroy()
  }
}

/** As HTTP writes it: no zone, which means nothing to the device, and no usual port. */
function hostOf({ isTls, host, port }: HttpTarget): string {
  const name = host.includes(':') ? `[${host.replace(/%.*$/, '')}]` : host
  return port === (isTls ? 443 : 80) ? name : `${name}:${port}`
}

/** What came so far, in one piece that grows by doubling: a device may send it byte by byte. */
class GrowingBytes {
  #bytes = Buffer.allocUnsafe(4096)
  #length = 0

  push(chunk: Buffer): void {
    const length = this.#length + chunk.length
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#bytes.length))
      this.#bytes.copy(grown, 0, 0, this.#length)
      this.#bytes = grown
    }
    chunk.copy(this.#bytes, this.#length)
    this.#length = length
  }

  /** Valid until more is pushed. */
  get all(): Buffer { return this.#bytes.subarray(0, this.#length) }
}

/** All that came, and its head where it was read. */
interface Collected { readonly bytes: Buffer, readonly head: HttpHead | null }

/** Gathers bytes until the answer is whole by any sign. Looks at them at intervals, however they come. */
function collect(socket: Socket, resolve: (got: Collected) => void, reject: (error: Error) => void): void {
  const got = new GrowingBytes()
  let head: HttpHead | null = null
  let rest: NodeJS.Timeout | undefined, look: NodeJS.Timeout | undefined
  const stop = (): void => { clearTimeout(rest); clearTimeout(look) }
  const done = (): void => {
    stop()
    try { head ??= readHttpHead(got.all) } catch (error) { fail(error as Error); return }
    resolve({ bytes: got.all, head })
  }
  const fail = (error: Error): void => { stop(); reject(error); socket.destroy() }
  const lookAtAll = (): void => {
    look = undefined
    const { all } = got
    try { head ??= readHttpHead(all) } catch (error) { fail(error as Error); return }
    if (head === null) { if (all.length > MAX_HEAD_BYTES) fail(new HttpFormatError('no end of the head')); return }
    clearTimeout(rest)
    if (isWhole(all, head)) done()
    else if (all.length >= head.endAt + head.bodyBytes) rest = setTimeout(done, mayGoOn(all, head) ? REST_MS : 0)
  }
  socket.on('data', (chunk: Buffer) => {
    if (got.all.length + chunk.length > MAX_ANSWER_BYTES) {
      fail(new HttpFormatError(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`))
      return
    }
    got.push(chunk)
    look ??= setTimeout(lookAtAll, LOOK_MS)
  })
  socket.once('end', done)
  socket.once('error', error => { stop(); reject(error) })
  socket.once('close', () => { stop(); reject(new Error('closed without an answer')) })
}

function isWhole(all: Buffer, { isChunked, bodyBytes }: HttpHead): boolean {
  const tail = all.subarray(-TAIL_BYTES).toString('latin1')
  return bodyBytes === 0 || ENVELOPE_END.test(tail) || (isChunked && /\r?\n0\r?\n\r?\n$/.test(tail))
}

/** An envelope has begun and its length was too short. */
const mayGoOn = (all: Buffer, { endAt }: HttpHead): boolean =>
  ENVELOPE.test(all.toString('latin1', endAt, endAt + BEGIN_BYTES))
