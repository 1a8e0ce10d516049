import { hexDigit } from '../hex-digit.ts'

/**
 * An answer as it came: header names in lower case, the body decoded from its transfer, of any charset read
 * as UTF-8.
 */
export interface HttpAnswerText {
  readonly status: number
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly text: string
}

export interface HttpHead extends Omit<HttpAnswerText, 'text'> {
  /** Where the body begins. */
  readonly endAt: number
  readonly isChunked: boolean
  /** As it says; Infinity where it does not. */
  readonly bodyBytes: number
}

/** Not HTTP, or beyond a bound. The message holds nothing of what came. */
export class HttpFormatError extends Error {
  override readonly name = 'HttpFormatError'
}

const notHttp = (): HttpFormatError => new HttpFormatError('the answer is not HTTP')

export const MAX_HEAD_BYTES = 64 * 1024
/** Cameras send ten to twenty. */
const MAX_HEADER_LINES = 200
/** Of `100 Continue` and the like, before the answer. */
const MOST_INTERIM = 4
/** The least bytes that tell what is no HTTP. */
const BEGIN_BYTES = 16
/** A device that writes each element by itself sends some 30,000 for the longest list. */
const MAX_CHUNKS = 100_000
/** Of the line before a chunk, with what stands behind its size. */
const MAX_SIZE_LINE_BYTES = 64
/** Devices end their lines as they like, and some leave the reason out. */
const STATUS_LINE = /^HTTP\/\d\.\d\s+(\d{3})\b/i

/** Of the answer proper; null while it is not whole. Throws HttpFormatError where none begins. */
export function readHttpHead(bytes: Buffer): HttpHead | null {
  let from = 0
  for (let interim = 0; interim <= MOST_INTERIM; interim++) {
    const head = headAt(bytes, from)
    if (head === null || head.status >= 200) return head
    if (head.status < 100 || head.status === 101) break // 101: from here on it speaks something else
    from = head.endAt
  }
  throw notHttp()
}

function headAt(bytes: Buffer, from: number): HttpHead | null {
  const text = bytes.toString('latin1', from, MAX_HEAD_BYTES)
  if (text.length >= BEGIN_BYTES && !/^HTTP\//i.test(text)) throw notHttp()
  const end = /\r?\n\r?\n/.exec(text)
  if (end === null) return null
  const [start = '', ...lines] = text.slice(0, end.index).split(/\r?\n/, MAX_HEADER_LINES + 2)
  if (lines.length > MAX_HEADER_LINES) throw new HttpFormatError(`more than ${MAX_HEADER_LINES} header lines`)
  const headers = headersOf(lines), length = headers.get('content-length')?.[0]
  return {
    status: Number(STATUS_LINE.exec(start)?.[1] ?? 0), headers, endAt: from + end.index + end[0].length,
    isChunked: /chunked/i.test(headers.get('transfer-encoding')?.join() ?? ''),
    bodyBytes: length !== undefined && /^\d{1,9}$/.test(length) ? Number(length) : Infinity,
  }
}

/** A line that begins with a blank goes on with the value before it. */
function headersOf(lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, string[]>()
  let last: string[] | null = null
  for (const line of lines) {
    if (/^[ \t]/.test(line) && last !== null) { last.push(`${last.pop()!} ${line.trim()}`); continue }
    const colon = line.indexOf(':')
    last = null
    if (colon <= 0) continue
    const name = line.slice(0, colon).trim().toLowerCase()
    last = headers.get(name) ?? []
    last.push(line.slice(colon + 1).trim())
    headers.set(name, last)
  }
  return headers
}

/** Throws HttpFormatError where the head is not whole, or the body in pieces beyond the bound. */
export function readHttpAnswer(bytes: Buffer, head: HttpHead | null): HttpAnswerText {
  if (head === null) throw notHttp()
  const body = bytes.subarray(head.endAt)
  const text = (head.isChunked ? unchunked(body) : body).toString('utf8')
  return { status: head.status, headers: head.headers, text }
}

const LF = 0x0a
const isBlank = (byte: number | undefined): boolean =>
  byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d)

/** As far as the chunks can be read. */
function unchunked(body: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(body.length)
  let length = 0
  for (let at = 0, chunks = 0; ; chunks++) {
    if (chunks > MAX_CHUNKS) throw new HttpFormatError(`more than ${MAX_CHUNKS} chunks`)
    let size = 0, digits = 0
    const lineEnd = Math.min(body.length, at + MAX_SIZE_LINE_BYTES)
    while (at < lineEnd && isBlank(body[at])) at++
    for (let digit; at < lineEnd && digits < 8 && (digit = hexDigit(body[at])) >= 0; at++, digits++) {
      size = size * 16 + digit
    }
    while (at < lineEnd && body[at] !== LF) at++
    if (digits === 0 || size === 0 || at >= lineEnd) break
    const from = at + 1
    at = Math.min(body.length, from + size)
    // A copy of few bytes costs more by a call than by hand.
    if (at - from < 64) for (let i = from; i < at; i++) whole[length++] = body[i]!
    else length += body.copy(whole, length, from, at)
  }
  return whole.subarray(0, length)
}
