import { SYSTEM } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { AuditLog } from './audit-log.ts'
import { headNow, lastOutsideNote, storedHeads, type EvidenceCheckpoints } from './checkpoint-book.ts'
import {
  headOf, isSignedBy, originOf, parseCheckpoints, type Checkpoint, type LogHead, type WholeHead,
} from './checkpoint.ts'
import { BadSignatureAnswerError } from './errors.ts'
import type { SignedHead } from './other-logs.ts'
import { fingerprintOfPem } from './signing-key.ts'
import { checkpointTable, type StoredCheckpoint } from './tables/checkpoints.ts'
import { headTable } from './tables/heads.ts'

/** Who signs heads of this log: the recorder. Has to give up by itself when no answer comes. */
export interface HeadSigner { sign(head: WholeHead): Promise<SignedHead> }

export interface OfficeCheckpointsOptions {
  readonly db: Db
  readonly log: AuditLog
  readonly clock: Clock
  readonly signer: HeadSigner
}

/**
 * Checkpoints of a log whose key is elsewhere. One request at a time, so that heads are signed in the order in
 * which they were made; whoever comes meanwhile shares the next one.
 */
export class OfficeCheckpoints implements EvidenceCheckpoints {
  readonly table: ReturnType<typeof checkpointTable>
  readonly #options: OfficeCheckpointsOptions
  readonly #heads: ReturnType<typeof headTable>
  #running: Promise<StoredCheckpoint> | null = null
  #next: Promise<StoredCheckpoint> | null = null
  /** The recorder's note, as it came with the last signature. */
  #note: Checkpoint | null = null

  constructor(options: OfficeCheckpointsOptions) {
    this.#options = options
    this.table = checkpointTable(options.db)
    this.#heads = headTable(options.db)
  }

  /**
   * Over all entries of now. Rejects with OfficeLogRefusedError, BadSignatureAnswerError, AuditUnavailableError,
   * and what the signer rejects with; it may be asked again then.
   */
  signedNow(): Promise<StoredCheckpoint> {
    if (this.#running === null) return this.#begin()
    const begin = (): Promise<StoredCheckpoint> => {
      this.#next = null
      return this.#begin()
    }
    this.#next ??= this.#running.then(begin, begin)
    return this.#next
  }

  /** The recorder's note where it names this log, else the one that left before this log parted from it. */
  outside(): Checkpoint | null {
    const origin = this.#origin(), note = this.#note
    return note !== null && headOf(note, origin) !== null ? note : lastOutsideNote(this.table)
  }

  /** Also those whose answer was lost: the recorder may have named them. */
  earlier(): readonly LogHead[] {
    return [...storedHeads(this.table), ...this.#heads.asked()].toSorted((a, b) => a.size - b.size)
  }

  #begin(): Promise<StoredCheckpoint> {
    const running = this.#make().finally(() => { if (this.#running === running) this.#running = null })
    this.#running = running
    return running
  }

  async #make(): Promise<StoredCheckpoint> {
    const { log, clock, signer, db } = this.#options
    // A head that could be rolled back would be one that the recorder holds against this log.
    if (db.inTransaction) throw new TypeError('a head is signed while its entries are not committed')
    const head = log.transaction(() => {
      const now = headNow(log, this.table.logId())
      if (this.#heads.asked().at(-1)?.size !== now.size) this.#heads.insert(now, { at: clock.wallNow(), how: 'asked' })
      return now
    })
    const answer = await signer.sign(head), said = signedAnswer(head, answer)
    this.#note = parseCheckpoints(answer.outside ?? '')[0] ?? null
    return log.transaction(() => {
      const { size, root } = head, { at, keyFingerprint, body, signature } = said
      if (keyFingerprint !== null && answer.publicPem !== null) this.#keepKey(keyFingerprint, answer.publicPem)
      return this.table.insert({ size, root, at, reason: 'entries', day: null, keyFingerprint, body, signature })
    })
  }

  /** Checkpoints stay verifiable without the recorder. */
  #keepKey(fingerprint: string, publicPem: string): void {
    const { log, clock } = this.#options
    const last = this.table.keys().at(-1)
    if (last?.fingerprint === fingerprint) return
    const { seq } = log.append({
      action: 'audit-key.received', actor: SYSTEM, object: fingerprint, application: null, result: 'done',
      detail: { was: last?.fingerprint ?? null },
    })
    this.table.insertKey({ firstSeq: seq, fingerprint, publicPem, firstUsedAt: clock.wallNow() })
  }

  #origin(): string { return originOf(this.table.logId()) }
}

/** What the answer says, when it is a checkpoint of that head and its signature holds. */
function signedAnswer(head: WholeHead, { body, signature, publicPem }: SignedHead): Checkpoint & { readonly at: NonNullable<Checkpoint['at']> } {
  const said = parseCheckpoints(body)[0]
  if (said === undefined || said.body !== body || !isSame(said, head) || said.also.length > 0) throw new BadSignatureAnswerError()
  const { at, keyFingerprint } = said, signed = { ...said, signature }
  const isUnsigned = keyFingerprint === null && signature === null
  const isSigned = publicPem !== null && fingerprintOfPem(publicPem) === keyFingerprint && isSignedBy(signed, publicPem)
  if (at === null || !(isUnsigned || isSigned)) throw new BadSignatureAnswerError()
  return { ...signed, at }
}

const isSame = (a: LogHead, b: WholeHead): boolean =>
  a.origin === b.origin && a.size === b.size && a.root.equals(b.root) && a.lastHash?.equals(b.lastHash) === true
