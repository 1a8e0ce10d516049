import { createPublicKey, verify } from 'node:crypto'
import { epochMs, isoOf, type EpochMs } from '../domain/index.ts'

/** What a checkpoint says: the log `origin` had `size` entries, and these hashes stood over them. */
export interface CheckpointFacts {
  /** `custos/` and the id of the log. */
  readonly origin: string
  readonly size: number
  /** RFC 6962 root over the entries, 32 bytes. */
  readonly root: Buffer
  /** Null where a person typed only the three lines. */
  readonly at: EpochMs | null
  /** Hash of the last entry, 32 bytes; zeros for an empty log. */
  readonly lastHash: Buffer | null
  /** SHA-256 of the public key that signs, or null when none could. */
  readonly keyFingerprint: string | null
}

/** A checkpoint as it left the machine. `body` is what was signed. */
export interface Checkpoint extends CheckpointFacts {
  readonly body: string
  /** ECDSA P-256 with SHA-256, DER. */
  readonly signature: Buffer | null
}

export const originOf = (logId: string): string => `custos/${logId}`

/** C2SP tlog-checkpoint: origin, size, root; then our own lines. Ends with a newline. */
export function checkpointBody({ origin, size, root, at, lastHash, keyFingerprint }: CheckpointFacts & { readonly at: EpochMs, readonly lastHash: Buffer }): string {
  return `${origin}\n${size}\n${root.toString('base64')}\ntime ${isoOf(at)}\nlast ${lastHash.toString('hex')}\nkey ${keyFingerprint ?? 'none'}\n`
}

const KEY_ID_BYTES = 4

/** A signed note (C2SP): body, blank line, and a line of key id (first 4 bytes of the fingerprint) and signature in base64. */
export function noteText({ origin, body, signature, keyFingerprint }: Checkpoint): string {
  if (signature === null || keyFingerprint === null) return body
  return `${body}\n— ${origin} ${Buffer.concat([Buffer.from(keyFingerprint, 'hex').subarray(0, KEY_ID_BYTES), signature]).toString('base64')}\n`
}

const LINE_MARK = 'custos-checkpoint: '

/** The same in one line, for a syslog. About 350 characters. */
export const lineText = ({ body, signature }: Checkpoint): string =>
  `${LINE_MARK}${[...body.trimEnd().split('\n'), ...(signature === null ? [] : [`sig ${signature.toString('base64')}`])].join(' | ')}`

const ORIGIN = /^custos\/[0-9a-f]{16}$/
const BASE64 = '[A-Za-z0-9+/]+={0,2}'
const SIGNATURE_LINE = new RegExp(`^[^\\w\\s]+ custos/[0-9a-f]{16} (${BASE64})$`)
const OWN_LINES = { at: /^time (\S+)$/, last: /^last ([0-9a-f]{64})$/, key: /^key ([0-9a-f]{64}|none)$/, sig: new RegExp(`^sig (${BASE64})$`) }
const MAX_SIGNATURE_BYTES = 80 // DER of two 256-bit numbers takes 72 at most

function instantOf(text: string): EpochMs | null {
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? null : epochMs(ms)
}

/** One checkpoint out of its lines, from the origin on; null when they make none. */
function checkpointOf(lines: readonly string[]): Checkpoint | null {
  const [origin = '', sizeText = '', rootText = '', ...rest] = lines
  const root = Buffer.from(rootText, 'base64')
  if (!ORIGIN.test(origin) || !/^(0|[1-9]\d{0,14})$/.test(sizeText) || root.length !== 32 || root.toString('base64') !== rootText) return null
  const body = [origin, sizeText, rootText]
  const found: { at: EpochMs | null, lastHash: Buffer | null, keyFingerprint: string | null, signature: Buffer | null } = { at: null, lastHash: null, keyFingerprint: null, signature: null }
  for (const line of rest) {
    const [at, last, key, sig, note] = [OWN_LINES.at.exec(line)?.[1], OWN_LINES.last.exec(line)?.[1], OWN_LINES.key.exec(line)?.[1], OWN_LINES.sig.exec(line)?.[1], SIGNATURE_LINE.exec(line)?.[1]]
    if (sig !== undefined) found.signature = Buffer.from(sig, 'base64')
    else if (note !== undefined) found.signature = Buffer.from(note, 'base64').subarray(KEY_ID_BYTES)
    else if (line === '') continue
    else if (found.signature !== null) break // whatever follows in the file
    else {
      if (at !== undefined) found.at = instantOf(at)
      else if (last !== undefined) found.lastHash = Buffer.from(last, 'hex')
      else if (key !== undefined) found.keyFingerprint = key === 'none' ? null : key
      else break
      body.push(line)
    }
  }
  if (found.signature !== null && found.signature.length > MAX_SIGNATURE_BYTES) return null
  return { origin, size: Number(sizeText), root, ...found, body: `${body.join('\n')}\n` }
}

/**
 * Every checkpoint in a text that came back: a note, a saved mail, lines of a syslog, or the three lines typed from a page. In the order of the text.
 * Line ends and blanks around lines do not matter, for mail changes both.
 */
export function parseCheckpoints(text: string): Checkpoint[] {
  const lines = text.split(/\r\n|\r|\n/).map(line => line.trim())
  return lines.flatMap((line, index) => {
    const marked = line.indexOf(LINE_MARK)
    const checkpoint = marked >= 0 ? checkpointOf(line.slice(marked + LINE_MARK.length).split(' | ')) : ORIGIN.test(line) ? checkpointOf(lines.slice(index, index + 12)) : null
    return checkpoint === null ? [] : [checkpoint]
  })
}

/** Whether `publicPem` signed it. */
export function isSignedBy({ body, signature }: Checkpoint, publicPem: string): boolean {
  if (signature === null) return false
  try { return verify('sha256', Buffer.from(body), createPublicKey(publicPem), signature) } catch { return false } // what is no signature or no key
}
