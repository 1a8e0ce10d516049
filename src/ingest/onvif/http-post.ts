import { connect, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { connectCameraTls } from '../../platform/camera-tls.ts'

export interface HttpTarget {
  readonly isTls: boolean
  readonly host: string
  readonly port: number
  readonly path: string
}

/**
 * An answer as it came: header names in lower case, the body decoded from its transfer, of any charset read
 * as UTF-8.
 */
export interface RawAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly text: string
  /** SHA-256 of the certificate, of TLS alone. */
  readonly fingerprint: string | null
}

/** Not HTTP, or beyond a bound. The message holds nothing of what came. */
export class HttpFormatError extends Error {
  override readonly name = 'HttpFormatError'
}

/** Connected, and no whole answer in time. */
export class AnswerTimeout extends Error {
  override readonly name = 'AnswerTimeout'
}

const MAX_HEAD_BYTES = 64 * 1024
/** The profile list of a 64-channel recorder is about 0.8 MB; nothing else comes near. */
export const MAX_ANSWER_BYTES = 2 * 1024 * 1024
/** With the TLS handshake, which takes an old camera a second. */
const CONNECT_MS = 5_000
/** The slowest camera seen took 2.5 s. */
const EXCHANGE_MS = 8_000
/** How long a body that is not what its length says may go on. */
const REST_MS = 1_000
/** Devices end their lines as they like, and some leave the reason out. */
const STATUS_LINE = /^HTTP\/\d\.\d\s+(\d{3})\b/i
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
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
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
    const answer = readAnswer(await promise)
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

/** Gathers bytes until the answer is whole by any sign. Looks at them at intervals, however they come. */
function collect(socket: Socket, resolve: (bytes: Buffer) => void, reject: (error: Error) => void): void {
  const got = new GrowingBytes()
  let head: Head | null = null
  let rest: NodeJS.Timeout | undefined, look: NodeJS.Timeout | undefined
  const stop = (): void => { clearTimeout(rest); clearTimeout(look) }
  const done = (): void => { stop(); resolve(Buffer.from(got.all)) }
  const fail = (error: Error): void => { stop(); reject(error); socket.destroy() }
  const lookAtAll = (): void => {
    look = undefined
    const { all } = got
    try { head ??= readHead(all) } catch (error) { fail(error as Error); return }
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

function isWhole(all: Buffer, { isChunked, bodyBytes }: Head): boolean {
  const tail = all.subarray(-TAIL_BYTES).toString('latin1')
  return bodyBytes === 0 || ENVELOPE_END.test(tail) || (isChunked && /\r?\n0\r?\n\r?\n$/.test(tail))
}

/** An envelope has begun and its length was too short. */
const mayGoOn = (all: Buffer, { endAt }: Head): boolean =>
  ENVELOPE.test(all.toString('latin1', endAt, endAt + BEGIN_BYTES))

interface Head {
  readonly status: number
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly endAt: number
  readonly isChunked: boolean
  /** As it says; Infinity where it does not. */
  readonly bodyBytes: number
}

/** Null while it is not whole. Throws HttpFormatError where no head begins. */
function readHead(bytes: Buffer): Head | null {
  const text = bytes.toString('latin1', 0, MAX_HEAD_BYTES)
  if (text.length >= 16 && !/^HTTP\//i.test(text)) throw new HttpFormatError('the answer is not HTTP')
  const end = /\r?\n\r?\n/.exec(text)
  if (end === null) return null
  const [start = '', ...lines] = text.slice(0, end.index).split(/\r?\n/)
  const status = Number(STATUS_LINE.exec(start)?.[1] ?? 0)
  if (status < 200) throw new HttpFormatError('the answer is not HTTP')
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon).trim().toLowerCase()
    headers.set(name, [...headers.get(name) ?? [], line.slice(colon + 1).trim()])
  }
  const length = headers.get('content-length')?.[0]
  return {
    status, headers, endAt: end.index + end[0].length,
      isChunked: /chunked/i.test(headers.get('transfer-encoding')?.join() ?? ''),
    bodyBytes: length !== undefined && /^\d{1,9}$/.test(length) ? Number(length) : Infinity,
  }
}

function readAnswer(bytes: Buffer): Omit<RawAnswer, 'fingerprint'> {
  const head = readHead(bytes)
  if (head === null) throw new HttpFormatError('the answer is not HTTP')
  const body = bytes.subarray(head.endAt)
  const text = (head.isChunked ? unchunked(body) : body).toString('utf8')
  return { status: head.status, headers: head.headers, text }
}

/** As far as the chunks can be read. */
function unchunked(body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length;) {
    const [line, size] = /^\s*([0-9a-f]{1,8})[^\n]*\n/i.exec(body.toString('latin1', at, at + 64)) ?? []
    if (line === undefined || size === undefined) break
    const length = Number.parseInt(size, 16)
    if (length === 0) break
    parts.push(body.subarray(at + line.length, at + line.length + length))
    at += line.length + length
  }
  return Buffer.concat(parts)
}
