import { SYSTEM, type AuditActor, type AuditValue, type EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { AuditLog } from './audit-log.ts'
import { lastOutsideNote } from './checkpoint-book.ts'
import { checkpointBody, noteText, originOf, type WholeHead } from './checkpoint.ts'
import { OfficeLogRefusedError, type HeadMisfit } from './errors.ts'
import type { SigningKey } from './signing-key.ts'
import { checkpointTable } from './tables/checkpoints.ts'
import { headTable, type KnownHead, type RefusedHead } from './tables/heads.ts'

/** A checkpoint of another log, made and signed here. */
export interface SignedHead {
  /** As `checkpointBody` makes it, without other heads. */
  readonly body: string
  /** Null while no key can be used: the body says `key none` then. */
  readonly signature: Buffer | null
  readonly publicPem: string | null
  /** Note of the checkpoint of the signer's own log that left the machine last; null before the first. */
  readonly outside: string | null
}

export interface OtherLogsOptions {
  readonly db: Db
  readonly log: AuditLog
  readonly clock: Clock
  /** Null while its file cannot be used. */
  readonly key: () => SigningKey | null
}

export const OFFICE_LOG_KNOWN = 'audit.office-log-known', OFFICE_LOG_REFUSED = 'audit.office-log-refused'
export const OFFICE_LOG_ACCEPTED = 'audit.office-log-accepted'

/**
 * The office's log as the recorder knows it. Remembers its heads, signs them, and takes none that is not at or
 * behind the newest: a smaller one, another root over as many entries or another log means that somebody
 * restored or exchanged the office's database. From then on every head is refused until a person accepts the
 * newest: entries that are added to a restored log make it longer again, and no shorter log could be told [AUD-6].
 * Heads have to come in the order in which they were made.
 */
export class OtherLogs {
  readonly #options: OtherLogsOptions
  readonly #heads: ReturnType<typeof headTable>
  readonly #checkpoints: ReturnType<typeof checkpointTable>

  constructor(options: OtherLogsOptions) {
    this.#options = options
    this.#heads = headTable(options.db)
    this.#checkpoints = checkpointTable(options.db)
  }

  /** Newest head of each other log; what a checkpoint names. Empty while there is no other log. */
  newest(): readonly KnownHead[] {
    const newest = this.#heads.newest()
    return newest === null ? [] : [newest]
  }

  /** The head that waits for a person; null while all fit. */
  refused(): RefusedHead | null { return this.#heads.refused() }

  /**
   * Remembers the head durably, then signs it: killed in between, the same or a later head is signed when it is
   * asked for again. Rejects with OfficeLogRefusedError; with AuditUnavailableError while nothing can be written.
   */
  async sign(head: WholeHead): Promise<SignedHead> {
    const { key: keyNow, clock } = this.#options
    this.#take(head, 'signed')
    const key = keyNow()
    const body = checkpointBody({ ...head, at: clock.wallNow(), keyFingerprint: key?.fingerprint ?? null })
    const signature = key?.sign(body) ?? null
    return { body, signature, publicPem: key?.publicPem ?? null, outside: this.#outside() }
  }

  /** Remembers a head that needs no signature. Throws as `sign` rejects. */
  tell(head: WholeHead): void { this.#take(head, 'told') }

  /**
   * A person says that a head that does not fit is the office's log from now on; with an entry.
   * The caller bounds the reason.
   */
  accept(head: WholeHead, { actor, reason }: { readonly actor: AuditActor, readonly reason: string }): void {
    const { log, clock } = this.#options
    log.transaction(() => {
      const newest = this.#heads.newest()
      const was = newest === null ? null : { origin: newest.origin, size: newest.size, root: base64(newest) }
      const detail = { size: head.size, root: base64(head), was, reason }
      const { seq } = log.append({
        action: OFFICE_LOG_ACCEPTED, actor, object: head.origin, application: null, result: 'done', detail,
      })
      this.#heads.insert(head, { at: clock.wallNow(), how: 'accepted', auditSeq: seq })
      this.#heads.clearRefused()
    })
  }

  #take(head: WholeHead, how: 'signed' | 'told'): void {
    const why = this.#options.log.transaction(() => {
      const found = this.#misfitOf(head)
      if (found === null) this.#remember(head, how)
      else this.#refuse(head, found)
      return found
    })
    if (why !== null) throw new OfficeLogRefusedError(head, why)
  }

  #misfitOf({ origin, size, root, lastHash }: WholeHead): HeadMisfit | null {
    const newest = this.#heads.newest()
    if (origin !== (newest?.origin ?? origin) || origin === this.#ownOrigin()) return 'other-log'
    if (newest !== null) {
      if (size < newest.size) return 'shorter'
      if (size === newest.size && !(root.equals(newest.root) && lastHash.equals(newest.lastHash))) return 'rewritten'
    }
    return this.#heads.refused() === null ? null : 'not-accepted'
  }

  #remember(head: WholeHead, how: 'signed' | 'told'): void {
    const newest = this.#heads.newest(), at: EpochMs = this.#options.clock.wallNow()
    if (newest?.size === head.size) return
    const auditSeq = newest === null ? this.#append(OFFICE_LOG_KNOWN, 'done', head, {}) : null
    this.#heads.insert(head, { at, how, auditSeq })
  }

  #refuse(head: WholeHead, why: HeadMisfit): void {
    const known = this.#heads.refused(), since = known?.since ?? this.#options.clock.wallNow()
    const auditSeq = known?.auditSeq ?? this.#append(OFFICE_LOG_REFUSED, 'refused', head, { why })
    this.#heads.refuse(head, { since, auditSeq })
  }

  #append(action: string, result: 'done' | 'refused', head: WholeHead, more: Record<string, AuditValue>): number {
    const detail = { size: head.size, root: base64(head), ...more }
    return this.#options.log.append({ action, actor: SYSTEM, object: head.origin, application: null, result, detail }).seq
  }

  #ownOrigin(): string { return originOf(this.#checkpoints.logId()) }

  #outside(): string | null {
    const note = lastOutsideNote(this.#checkpoints)
    return note === null ? null : noteText(note)
  }
}

const base64 = ({ root }: WholeHead): string => root.toString('base64')
