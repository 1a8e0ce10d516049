import { createPublicKey, verify } from 'node:crypto'
import { epochMs, isoOf, type EpochMs } from '../domain/index.ts'

/** How far a log reaches: it has `size` entries, and these hashes stand over them. */
export interface LogHead {
  /** `custos/` and the id of the log. */
  readonly origin: string
  readonly size: number
  /** RFC 6962 root over the entries, 32 bytes. */
  readonly root: Buffer
  /** Hash of the last entry, 32 bytes; zeros for an empty log. Null where a person typed a line without it. */
  readonly lastHash: Buffer | null
}
/** A head with all of its hashes, as programs make it. */
export interface WholeHead extends LogHead { readonly lastHash: Buffer }

/** What a checkpoint says: the head of its log, and the heads of other logs that its signer knew then. */
export interface CheckpointFacts extends LogHead {
  /** Null where a person typed only the three lines. */
  readonly at: EpochMs | null
  /** SHA-256 of the public key that signs, or null when none could. */
  readonly keyFingerprint: string | null
  /** None in checkpoints of before, and where there is no other log; one an origin, `MOST_ALSO` at most. */
  readonly also: readonly LogHead[]
}

/** The office's log is one; a line of a syslog stays below 1,024 bytes with four. */
export const MOST_ALSO = 4

/** A checkpoint as it left the machine. `body` is what was signed. */
export interface Checkpoint extends CheckpointFacts {
  readonly body: string
  /** ECDSA P-256 with SHA-256, DER. */
  readonly signature: Buffer | null
}

export const originOf = (logId: string): string => `custos/${logId}`

export interface BodyFacts extends WholeHead {
  readonly at: EpochMs
  readonly keyFingerprint: string | null
  readonly also?: readonly WholeHead[]
}

/**
 * C2SP tlog-checkpoint: origin, size, root; then our own lines. Ends with a newline. Throws RangeError for
 * more than `MOST_ALSO` other heads, for two of one origin and for one of the checkpoint's own.
 */
export function checkpointBody({ origin, size, root, at, lastHash, keyFingerprint, also = [] }: BodyFacts): string {
  if (!areOthers(origin, also)) throw new RangeError('a checkpoint names the head of each of four other logs at most')
  const rootText = root.toString('base64'), lastText = lastHash.toString('hex')
  const own = [
    origin, String(size), rootText, `time ${isoOf(at)}`, `last ${lastText}`, `key ${keyFingerprint ?? 'none'}`,
  ]
  return `${[...own, ...also.map(alsoLine)].join('\n')}\n`
}

const alsoLine = ({ origin, size, root, lastHash }: WholeHead): string =>
  `also ${origin} ${size} ${root.toString('base64')} ${lastHash.toString('hex')}`

const areOthers = (origin: string, also: readonly LogHead[]): boolean =>
  also.length <= MOST_ALSO && new Set([origin, ...also.map(head => head.origin)]).size === also.length + 1

/** What a checkpoint says of the log `origin`: as its own, or as another's. Null when it says nothing of it. */
export function headOf(checkpoint: CheckpointFacts, origin: string): LogHead | null {
  if (checkpoint.origin === origin) return checkpoint
  return checkpoint.also.find(head => head.origin === origin) ?? null
}

/** The lines of a body that say how far each log reaches: all that a person has to type from a page. */
export function headLines(body: string): string[] {
  const lines = body.trimEnd().split('\n')
  return [...lines.slice(0, 3), ...lines.slice(3).filter(line => line.startsWith('also '))]
}

const KEY_ID_BYTES = 4

/** A signed note (C2SP): body, blank line, and a line of key id (first 4 bytes of the fingerprint) and signature in base64. */
export function noteText({ origin, body, signature, keyFingerprint }: Checkpoint): string {
  if (signature === null || keyFingerprint === null) return body
  return `${body}\n— ${origin} ${Buffer.concat([Buffer.from(keyFingerprint, 'hex').subarray(0, KEY_ID_BYTES), signature]).toString('base64')}\n`
}

const LINE_MARK = 'custos-checkpoint: '

/** The same in one line, for a syslog. About 350 characters, and 160 for each other log that it names. */
export const lineText = ({ body, signature }: Checkpoint): string =>
  `${LINE_MARK}${[...body.trimEnd().split('\n'), ...(signature === null ? [] : [`sig ${signature.toString('base64')}`])].join(' | ')}`

const ORIGIN = /^custos\/[0-9a-f]{16}$/
const BASE64 = '[A-Za-z0-9+/]+={0,2}'
const SIGNATURE_LINE = new RegExp(`^[^\\w\\s]+ custos/[0-9a-f]{16} (${BASE64})$`)
const SIZE = '0|[1-9]\\d{0,14}'
/** A person who types it may leave the last hash out. */
const ALSO_LINE = new RegExp(`^also (custos/[0-9a-f]{16}) (${SIZE}) (${BASE64})(?: ([0-9a-f]{64}))?$`)
const OWN_LINES = { at: /^time (\S+)$/, last: /^last ([0-9a-f]{64})$/, key: /^key ([0-9a-f]{64}|none)$/, sig: new RegExp(`^sig (${BASE64})$`) }
const MAX_SIGNATURE_BYTES = 80 // DER of two 256-bit numbers takes 72 at most

function instantOf(text: string): EpochMs | null {
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? null : epochMs(ms)
}

function rootOf(text: string): Buffer | null {
  const root = Buffer.from(text, 'base64')
  return root.length === 32 && root.toString('base64') === text ? root : null
}

function alsoOf(line: string): LogHead | null {
  const [, origin = '', size = '', rootText = '', lastText] = ALSO_LINE.exec(line) ?? []
  const root = rootOf(rootText)
  if (root === null) return null
  return { origin, size: Number(size), root, lastHash: lastText === undefined ? null : Buffer.from(lastText, 'hex') }
}

interface OwnLines {
  at: EpochMs | null
  lastHash: Buffer | null
  keyFingerprint: string | null
  signature: Buffer | null
  readonly also: LogHead[]
}

/** Takes one of our lines of the body; false for what is none. */
function takeOwnLine(found: OwnLines, line: string): boolean {
  const [at, last, key] = [OWN_LINES.at, OWN_LINES.last, OWN_LINES.key].map(form => form.exec(line)?.[1])
  const also = alsoOf(line)
  if (at !== undefined) found.at = instantOf(at)
  else if (last !== undefined) found.lastHash = Buffer.from(last, 'hex')
  else if (key !== undefined) found.keyFingerprint = key === 'none' ? null : key
  else if (also !== null) found.also.push(also)
  else return false
  return true
}

/** One checkpoint out of its lines, from the origin on; null when they make none. */
function checkpointOf(lines: readonly string[]): Checkpoint | null {
  const [origin = '', sizeText = '', rootText = '', ...rest] = lines
  const root = rootOf(rootText)
  if (!ORIGIN.test(origin) || !/^(0|[1-9]\d{0,14})$/.test(sizeText) || root === null) return null
  const body = [origin, sizeText, rootText]
  const found: OwnLines = { at: null, lastHash: null, keyFingerprint: null, signature: null, also: [] }
  for (const line of rest) {
    const [sig, note] = [OWN_LINES.sig.exec(line)?.[1], SIGNATURE_LINE.exec(line)?.[1]]
    if (sig !== undefined) found.signature = Buffer.from(sig, 'base64')
    else if (note !== undefined) found.signature = Buffer.from(note, 'base64').subarray(KEY_ID_BYTES)
    else if (line === '') continue
    else if (found.signature !== null || !takeOwnLine(found, line)) break // whatever follows in the file
    else body.push(line)
  }
  if (found.signature !== null && found.signature.length > MAX_SIGNATURE_BYTES) return null
  if (!areOthers(origin, found.also)) return null
  return { origin, size: Number(sizeText), root, ...found, body: `${body.join('\n')}\n` }
}

/** Lines of a whole note with all that it may hold, and a blank line more that mail may add. */
const MOST_LINES = 9 + MOST_ALSO + 3

/**
 * Every checkpoint in a text that came back: a note, a saved mail, lines of a syslog, or the three lines typed from a page. In the order of the text.
 * Line ends and blanks around lines do not matter, for mail changes both.
 */
export function parseCheckpoints(text: string): Checkpoint[] {
  const lines = text.split(/\r\n|\r|\n/).map(line => line.trim())
  return lines.flatMap((line, index) => {
    const marked = line.indexOf(LINE_MARK)
    const checkpoint = marked >= 0 ? checkpointOf(line.slice(marked + LINE_MARK.length).split(' | ')) : ORIGIN.test(line) ? checkpointOf(lines.slice(index, index + MOST_LINES)) : null
    return checkpoint === null ? [] : [checkpoint]
  })
}

/** Whether `publicPem` signed it. */
export function isSignedBy({ body, signature }: Checkpoint, publicPem: string): boolean {
  if (signature === null) return false
  try { return verify('sha256', Buffer.from(body), createPublicKey(publicPem), signature) } catch { return false } // what is no signature or no key
}
