/**
 * A request or an answer of RTSP 1.0; the start line is `DESCRIBE rtsp://… RTSP/1.0` or `RTSP/1.0 200 OK`.
 */
export interface RtspMessage {
  readonly start: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

/** A message, or an interleaved packet with its four bytes of head. */
export type RtspItem = { readonly kind: 'message', readonly message: RtspMessage }
  | { readonly kind: 'packet', readonly bytes: Buffer }

/** The other side sends what is beyond every bound. */
export class RtspFormatError extends Error {
  override readonly name = 'RtspFormatError'
}

export const DOLLAR = 0x24
/** Head of an interleaved packet: dollar, channel, length. */
export const PACKET_HEAD_BYTES = 4
/** Fixed head of an RTP packet (RFC 3550, 5.1). */
export const RTP_HEAD_BYTES = 12
/** Real ones stay under 2 KiB. */
export const MAX_HEAD_BYTES = 32 * 1024
/** The largest SDP seen is 8 KiB. */
const MAX_BODY_BYTES = 256 * 1024
const MAX_HEADERS = 100

export const headersOf = (message: RtspMessage, name: string): string[] =>
  message.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
export const headerOf = (message: RtspMessage, name: string): string | undefined =>
  headersOf(message, name)[0]

/** Of an answer; 0 for a request. */
export const statusOf = (message: RtspMessage): number =>
  Number(/^RTSP\/\d\.\d\s+(\d{3})/i.exec(message.start)?.[1] ?? 0)

/** Of a request. */
export function requestLineOf(message: RtspMessage): { readonly method: string, readonly uri: string } {
  const [method = '', uri = ''] = message.start.split(' ')
  return { method, uri }
}

export function bytesOf({ start, headers, body }: RtspMessage): Buffer {
  const lines = headers.filter(([name]) => name.toLowerCase() !== 'content-length').map(([name, value]) =>
    `${name}: ${value}`)
  if (body.length > 0) lines.push(`Content-Length: ${body.length}`)
  return Buffer.concat([Buffer.from(`${[start, ...lines].join('\r\n')}\r\n\r\n`, 'utf8'), body])
}

/** With these headers in place of any of the same names; an undefined value takes a header away. */
export function withHeaders(message: RtspMessage,
  changes: Readonly<Record<string, string | undefined>>): RtspMessage {
  const names = new Set(Object.keys(changes).map(name => name.toLowerCase()))
  const kept = message.headers.filter(([name]) => !names.has(name.toLowerCase()))
  const added = Object.entries(changes).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { ...message, headers: [...kept, ...added] }
}

/** Where a head ends in `bytes`: after an empty line, of either line end. -1 while it does not. */
export function headEnd(bytes: Buffer): number {
  const [crlf, lf] = [bytes.indexOf('\r\n\r\n'), bytes.indexOf('\n\n')]
  if (crlf < 0 && lf < 0) return -1
  return lf < 0 || (crlf >= 0 && crlf < lf) ? crlf + 4 : lf + 2
}

export function readHead(head: Buffer): { readonly start: string, readonly headers: RtspMessage['headers'] } {
  const [start = '', ...lines] = head.toString('utf8').split(/\r?\n/).filter(line => line !== '')
  if (lines.length > MAX_HEADERS) throw new RtspFormatError(`more than ${MAX_HEADERS} header lines`)
  const headers = lines.map(line => {
    const colon = line.indexOf(':')
    return colon < 0 ? [line.trim(), ''] as const
      : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const
  })
  return { start: start.trim(), headers }
}

/**
 * Takes bytes as they come and gives whole messages and packets. Bounded: what is kept never exceeds one head
 * and one body.
 */
export class RtspReader {
  #kept: Buffer = Buffer.alloc(0)

  push(bytes: Buffer): void { this.#kept = this.#kept.length === 0 ? Buffer.from(bytes)
    : Buffer.concat([this.#kept, bytes]) }

  /** The next whole item; null until more has come. Throws RtspFormatError. */
  next(): RtspItem | null {
    this.#skipNoise()
    if (this.#kept.length === 0) return null
    return this.#kept[0] === DOLLAR ? this.#packet() : this.#message()
  }

  /**
   * An answer whose body is shorter than it says: what there is, once no more comes. Null where no head is
   * whole.
   */
  cutShort(): RtspMessage | null {
    const end = this.#kept[0] === DOLLAR ? -1 : headEnd(this.#kept)
    if (end < 0) return null
    const body = this.#kept.subarray(end)
    try { return { ...readHead(this.#kept.subarray(0, end)), body } } catch (error) {
      if (error instanceof RtspFormatError) return null
      throw error
    } finally { this.#kept = Buffer.alloc(0) }
  }

  /** What came and was not taken. */
  get keptBytes(): number { return this.#kept.length }

  /** What came after the last item. */
  rest(): Buffer { return this.#take(this.#kept.length) }

  /** Before a message: line ends, and what a length that was too short left of the body before. */
  #skipNoise(): void {
    let at = 0
    while (at < this.#kept.length && !isItemStart(this.#kept, at)) at++
    if (at > 0) this.#kept = this.#kept.subarray(at)
  }

  #packet(): RtspItem | null {
    if (this.#kept.length < PACKET_HEAD_BYTES) return null
    const size = PACKET_HEAD_BYTES + this.#kept.readUInt16BE(2)
    return this.#kept.length < size ? null : { kind: 'packet', bytes: this.#take(size) }
  }

  #message(): RtspItem | null {
    const end = headEnd(this.#kept)
    if (end < 0) {
      if (this.#kept.length <= MAX_HEAD_BYTES) return null
      throw new RtspFormatError(`a head of more than ${MAX_HEAD_BYTES} bytes`)
    }
    const { start, headers } = readHead(this.#kept.subarray(0, end))
    const bodyBytes = Number(headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1] ?? 0) || 0
    if (bodyBytes < 0 || bodyBytes > MAX_BODY_BYTES) throw new RtspFormatError(`a body of ${bodyBytes} bytes`)
    if (this.#kept.length < end + bodyBytes) return null
    return { kind: 'message', message: { start, headers, body: this.#take(end + bodyBytes).subarray(end) } }
  }

  #take(size: number): Buffer {
    const taken = this.#kept.subarray(0, size)
    this.#kept = this.#kept.subarray(size)
    return taken
  }
}

/** A dollar sign or a capital letter; a message begins with a method or with `RTSP`. */
function isItemStart(bytes: Buffer, at: number): boolean {
  const first = bytes[at]!
  if (first === DOLLAR) return true
  return first >= 0x41 && first <= 0x5A && /^[A-Z_]*(?:[ /]|$)/.test(bytes.toString('latin1', at, at + 16))
}
