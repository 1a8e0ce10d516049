import { hash as hashOnce } from 'node:crypto'
import { isoOf, type AuditActor, type AuditEvent, type EpochMs } from '../domain/index.ts'
import { canonicalText } from './canonical.ts'

/** What trusted time knew when an entry was written. `at` is null while it is unknown; `state` is its own word. */
export interface ClockState { readonly at: EpochMs | null, readonly state: string }

/** One line of the log. `detail` is the canonical JSON of the event's detail, as it was hashed. */
export interface AuditEntry extends Omit<AuditEvent, 'detail'> {
  /** From 1 without a hole. */
  readonly seq: number
  readonly at: EpochMs
  readonly trustedAt: EpochMs | null
  readonly clock: string
  readonly detail: string
  /** 32 bytes each. */
  readonly prevHash: Buffer
  readonly hash: Buffer
}

/** Stands before the first entry. */
export const ZERO_HASH = Buffer.alloc(32)

const textOrNull = (text: string | null): string => text === null ? 'null' : canonicalText(text)
const actorText = ({ kind, name, role, source }: AuditActor): string =>
  `{"kind":${canonicalText(kind)},"name":${canonicalText(name)},"role":${textOrNull(role)},"source":${textOrNull(source)}}`

/**
 * The canonical JSON (RFC 8785) of an entry, all but its own hash: what is hashed, signed through checkpoints and shown to a court.
 * Written out key by key in their order because it runs for every act; a test compares it with `canonicalJson`. `format` is 1 and rises with any change.
 */
export function entryText(entry: Omit<AuditEntry, 'hash'>): string {
  return `{"action":${canonicalText(entry.action)},"actor":${actorText(entry.actor)},"application":${textOrNull(entry.application)},"at":"${isoOf(entry.at)}",` +
    `"clock":${canonicalText(entry.clock)},"detail":${entry.detail},"format":1,"object":${textOrNull(entry.object)},"prev":"${entry.prevHash.toString('hex')}",` +
    `"result":${canonicalText(entry.result)},"seq":${entry.seq},"trustedAt":${entry.trustedAt === null ? 'null' : `"${isoOf(entry.trustedAt)}"`}}`
}

/** SHA-256 over a zero byte and the text in UTF-8: an RFC 6962 leaf hash. */
export const entryHash = (text: string): Buffer => hashOnce('sha256', `\0${text}`, 'buffer')
