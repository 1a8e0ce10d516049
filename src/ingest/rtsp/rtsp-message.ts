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
export const CR = 0x0d
export const LF = 0x0a
/** Head of an interleaved packet: dollar, channel, length. */
export const PACKET_HEAD_BYTES = 4
/** Fixed head of an RTP packet (RFC 3550, 5.1). */
export const RTP_HEAD_BYTES = 12
/** Real ones stay under 2 KiB. */
export const MAX_HEAD_BYTES = 32 * 1024
/** The largest SDP seen is 8 KiB. */
const MAX_BODY_BYTES = 256 * 1024
const MAX_HEADERS = 100
/** With those that continue a header. */
const MAX_LINES = 300
/** Of what ends a head, of either line end. */
export const HEAD_END_BYTES = 3

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
export function headEnd(bytes: Buffer, from = 0): number {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3
  }
  return -1
}

/** A line that begins with a blank continues the one before (RFC 2326, 4.1). Throws RtspFormatError. */
export function readHead(head: Buffer): { readonly start: string, readonly headers: RtspMessage['headers'] } {
  const all = head.toString('utf8').split(/\r?\n/, MAX_LINES + 1)
  const [start = '', ...rest] = all.filter(line => line !== '')
  const lines: string[] = []
  for (const line of rest) {
    if (/^[ \t]/.test(line) && lines.length > 0) lines.push(`${lines.pop()} ${line.trim()}`)
    else lines.push(line)
  }
  const isBeyond = lines.length > MAX_HEADERS || rest.length >= MAX_LINES
  if (isBeyond) throw new RtspFormatError(`more than ${MAX_HEADERS} header lines`)
  const headers = lines.map(line => {
    const colon = line.indexOf(':')
    return colon < 0 ? [line.trim(), ''] as const
      : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const
  })
  return { start: start.trim(), headers }
}

interface KeptHead {
  readonly read: ReturnType<typeof readHead>
  readonly bytes: number
  /** With the body. */
  readonly wholeBytes: number
}

/**
 * Takes bytes as they come and gives whole messages and packets. Bounded: what is kept never exceeds one head
 * and one body. An item stays as it is when more bytes come.
 */
export class RtspReader {
  /** What came and was not taken: the last bytes of those in use of `#room`. */
  #kept: Buffer = Buffer.alloc(0)
  /** Doubled when it is full, so that each byte is copied a few times, however few come at once. */
  #room: Buffer = Buffer.alloc(0)
  #usedBytes = 0
  /** In what is kept no head ends before here. */
  #endlessTo = 0
  /** Of the message that what is kept begins with, and how long the whole of it is. */
  #head: KeptHead | null = null

  push(bytes: Buffer): void {
    const { length } = this.#kept
    if (this.#usedBytes + bytes.length > this.#room.length) {
      const before = this.#kept
      this.#room = Buffer.allocUnsafeSlow(length === 0 ? bytes.length : 2 * (length + bytes.length))
      before.copy(this.#room)
      this.#usedBytes = length
    }
    bytes.copy(this.#room, this.#usedBytes)
    this.#usedBytes += bytes.length
    this.#kept = this.#room.subarray(this.#usedBytes - length - bytes.length, this.#usedBytes)
  }

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
    const kept = this.rest()
    try { return { ...readHead(kept.subarray(0, end)), body: kept.subarray(end) } } catch (error) {
      if (error instanceof RtspFormatError) return null
      throw error
    }
  }

  /** What came and was not taken. */
  get keptBytes(): number { return this.#kept.length }

  /** What came after the last item. */
  rest(): Buffer { return this.#take(this.#kept.length) }

  /** Before a message: line ends, and what a length that was too short left of the body before. */
  #skipNoise(): void {
    let at = 0
    while (at < this.#kept.length && !isItemStart(this.#kept, at)) at++
    if (at > 0) this.#take(at)
  }

  #packet(): RtspItem | null {
    if (this.#kept.length < PACKET_HEAD_BYTES) return null
    const size = PACKET_HEAD_BYTES + this.#kept.readUInt16BE(2)
    return this.#kept.length < size ? null : { kind: 'packet', bytes: this.#take(size) }
  }

  #message(): RtspItem | null {
    const head = this.#head ??= this.#readHead()
    if (head === null || this.#kept.length < head.wholeBytes) return null
    const body = this.#take(head.wholeBytes).subarray(head.bytes)
    return { kind: 'message', message: { ...head.read, body } }
  }

  #readHead(): KeptHead | null {
    const end = headEnd(this.#kept, Math.max(0, this.#endlessTo - HEAD_END_BYTES))
    this.#endlessTo = this.#kept.length
    if (end < 0 && this.#kept.length <= MAX_HEAD_BYTES) return null
    const isBeyond = end < 0 || end > MAX_HEAD_BYTES
    if (isBeyond) throw new RtspFormatError(`a head of more than ${MAX_HEAD_BYTES} bytes`)
    const read = readHead(this.#kept.subarray(0, end))
    const [, told = 0] = read.headers.find(([name]) => name.toLowerCase() === 'content-length') ?? []
    const bodyBytes = Number(told) || 0
    if (bodyBytes < 0 || bodyBytes > MAX_BODY_BYTES) throw new RtspFormatError(`a body of ${bodyBytes} bytes`)
    return { read, bytes: end, wholeBytes: end + bodyBytes }
  }

  #take(size: number): Buffer {
    const taken = this.#kept.subarray(0, size)
    this.#kept = this.#kept.subarray(size)
    this.#endlessTo = 0
    this.#head = null
    return taken
  }
}

const ITEM_START_BYTES = 16
const SLASH = 0x2f, BLANK = 0x20, UNDERLINE = 0x5f, CAPITAL_A = 0x41, CAPITAL_Z = 0x5a
export const isCapital = (byte: number): boolean => byte >= CAPITAL_A && byte <= CAPITAL_Z

/** A dollar sign or a capital letter; a message begins with a method or with `RTSP`. */
function isItemStart(bytes: Buffer, at: number): boolean {
  const first = bytes[at]!
  if (first === DOLLAR) return true
  if (!isCapital(first)) return false
  const end = Math.min(at + ITEM_START_BYTES, bytes.length)
  let i = at + 1
  while (i < end && (isCapital(bytes[i]!) || bytes[i] === UNDERLINE)) i++
  return i === end || bytes[i] === BLANK || bytes[i] === SLASH
}
