import { SYSTEM, type AuditActor, type EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { AuditLog } from './audit-log.ts'
import { checkpointBody, originOf, type Checkpoint, type LogHead, type WholeHead } from './checkpoint.ts'
import { ZERO_HASH } from './entry.ts'
import { openSigningKey, type SigningKey } from './signing-key.ts'
import { checkpointTable, signedTextOf, type CheckpointReason, type StoredCheckpoint, type WitnessHow } from './tables/checkpoints.ts'

export interface CheckpointBookOptions {
  readonly db: Db
  readonly log: AuditLog
  readonly clock: Clock
  /** Heads of other logs that each checkpoint names; `MOST_ALSO` at most. */
  readonly others?: () => readonly WholeHead[]
}

/** Checkpoints of one log as evidence needs them, whoever signs. */
export interface EvidenceCheckpoints {
  readonly table: ReturnType<typeof checkpointTable>
  /** Over all entries of now. Rejects where it cannot be made; one without a signature says that no key can be used. */
  signedNow(): Promise<StoredCheckpoint>
  /** The note that left the machine last, of this log or naming its head; null before the first. */
  outside(): Checkpoint | null
  /** Heads of this log that may stand outside, smallest first. */
  earlier(): readonly LogHead[]
}

/** The head of a log over all its entries of now. To be called in a transaction. */
export function headNow(log: AuditLog, logId: string): WholeHead {
  const size = log.size()
  return { origin: originOf(logId), size, root: log.tree.root(size), lastHash: log.get(size)?.hash ?? ZERO_HASH }
}

/** The note that left the machine last, as this log's own rows have it. */
export function lastOutsideNote(table: ReturnType<typeof checkpointTable>): Checkpoint | null {
  const size = table.lastWitness()?.size ?? null
  const stored = size === null ? null : table.ofSize(size)
  return stored === null ? null : signedTextOf(stored)
}

export const storedHeads = (table: ReturnType<typeof checkpointTable>): LogHead[] =>
  table.bySize().flatMap(stored => signedTextOf(stored) ?? [])

/** `replaced`: no checkpoint of the new key has left the machine yet, so nobody outside can know it. */
export type KeyState = 'ok' | 'replaced' | 'unusable'

/** Makes checkpoints, keeps them, and keeps which of them left the machine. Writes in transactions of its own. */
export class CheckpointBook implements EvidenceCheckpoints {
  readonly #log: AuditLog
  readonly #clock: Clock
  readonly #others: () => readonly WholeHead[]
  readonly table: ReturnType<typeof checkpointTable>
  #key: SigningKey | null = null

  constructor({ db, log, clock, others = () => [] }: CheckpointBookOptions) {
    this.#log = log
    this.#clock = clock
    this.#others = others
    this.table = checkpointTable(db)
  }

  /** Takes the key into use, with an entry when it is another one than last time. Throws what the files or the log throw; checkpoints go unsigned then. */
  openKey(stateDir: string): void {
    const { key, origin, exposedMode } = openSigningKey(stateDir, this.#clock.wallNow())
    const last = this.table.keys().at(-1)
    const append = (action: string, detail: Record<string, string>) =>
      this.#log.append({ action, actor: SYSTEM, object: key.fingerprint, application: null, result: 'done', detail })
    this.#log.transaction(() => {
      if (exposedMode !== null) append('audit-key.exposed', { mode: exposedMode.toString(8).padStart(4, '0') })
      if (last?.fingerprint === key.fingerprint) return
      const { seq } = last === undefined ? append('audit-key.created', {}) : append('audit-key.replaced', { was: last.fingerprint, because: origin === 'found' ? 'other-key' : origin })
      this.table.insertKey({ firstSeq: seq, fingerprint: key.fingerprint, publicPem: key.publicPem, firstUsedAt: this.#clock.wallNow() })
    })
    this.#key = key
  }

  /** What checkpoints and packages are signed with; null while its file cannot be used. */
  get key(): SigningKey | null { return this.#key }
  keyState(): KeyState {
    if (this.#key === null) return 'unusable'
    const keys = this.table.keys(), last = keys.at(-1)
    return keys.length < 2 || last === undefined || this.table.isKeyWitnessed(last.fingerprint, last.firstSeq) ? 'ok' : 'replaced'
  }

  /** A checkpoint over all entries of now. */
  make(reason: CheckpointReason, day: string | null = null): StoredCheckpoint {
    return this.#log.transaction(() => {
      const head = headNow(this.#log, this.table.logId()), { size, root } = head
      const at = this.#clock.wallNow(), key = this.#key, keyFingerprint = key?.fingerprint ?? null
      const body = checkpointBody({ ...head, at, keyFingerprint, also: this.#others() })
      return this.table.insert({ size, root, at, reason, day, keyFingerprint, body, signature: key?.sign(body) ?? null })
    })
  }

  async signedNow(): Promise<StoredCheckpoint> { return this.make('entries') }
  outside(): Checkpoint | null { return lastOutsideNote(this.table) }
  earlier(): readonly LogHead[] { return storedHeads(this.table) }

  /** Entries since the newest checkpoint; all of them when there is none, or when another key signs since. */
  entriesSince(): number {
    const newest = this.table.newest()
    return newest === null || newest.keyFingerprint !== (this.#key?.fingerprint ?? null) ? Number.POSITIVE_INFINITY : this.#log.size() - newest.size
  }

  /** Notes that a checkpoint is outside now, with an audit entry. Once for each way; again changes nothing. */
  witnessed(checkpoint: StoredCheckpoint, how: WitnessHow, by: { readonly actor: AuditActor, readonly name: string | null } = { actor: SYSTEM, name: null }): void {
    this.#log.transaction(() => {
      if (this.table.isWitnessed(checkpoint.id, how)) return
      const { seq } = this.#log.append({
        action: 'checkpoint.witnessed', actor: by.actor, object: String(checkpoint.size), application: null, result: 'done',
        detail: { how, root: checkpoint.root.toString('base64'), ...(by.name === null ? {} : { by: by.name }) },
      })
      this.table.witness(checkpoint.id, how, this.#clock.wallNow(), by.name, seq)
    })
  }

  /** When a checkpoint last left, or when there was first one that could have. Null before that. */
  lastOutside(): { readonly at: EpochMs | null, readonly size: number | null, readonly since: EpochMs | null } {
    const last = this.table.lastWitness()
    return { at: last?.at ?? null, size: last?.size ?? null, since: last?.at ?? this.table.firstAt() }
  }
}
