import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { parseCheckpoints, type Checkpoint } from '../checkpoint.ts'
import type { Parting } from '../parting.ts'

export type CheckpointReason = 'start' | 'stop' | 'day' | 'entries'
export type WitnessHow = 'syslog' | 'command' | 'print'

/** A checkpoint of the table; what its columns say beside the signed text. */
export interface StoredCheckpoint {
  readonly id: number
  readonly size: number
  readonly root: Buffer
  readonly at: EpochMs
  readonly reason: CheckpointReason
  /** Local day it stands for, `2026-11-22`; only with reason `day`. */
  readonly day: string | null
  readonly keyFingerprint: string | null
  readonly body: string
  readonly signature: Buffer | null
}

export interface Witnessed { readonly checkpointId: number, readonly size: number, readonly how: WitnessHow, readonly at: EpochMs, readonly keyFingerprint: string | null }
export interface KeyUse { readonly firstSeq: number, readonly fingerprint: string, readonly publicPem: string, readonly firstUsedAt: EpochMs }

interface Row { checkpoint_id: number, size: number, root: Buffer, at: number, reason: CheckpointReason, day: string | null, key_fingerprint: string | null, body: string, signature: Buffer | null }
const storedOf = (row: Row): StoredCheckpoint =>
  ({ id: row.checkpoint_id, size: row.size, root: row.root, at: epochMs(row.at), reason: row.reason, day: row.day, keyFingerprint: row.key_fingerprint, body: row.body, signature: row.signature })

/** What its signed text says; null when that is none of ours. */
export function signedTextOf(stored: Pick<StoredCheckpoint, 'body' | 'signature'>): Checkpoint | null {
  const [checkpoint] = parseCheckpoints(stored.body)
  return checkpoint === undefined || checkpoint.body !== stored.body ? null : { ...checkpoint, signature: stored.signature }
}

/** Checkpoints, the keys that signed them, and which of them left the machine. */
export function checkpointTable(db: Db) {
  const insert = db.prepare<(string | number | null | Buffer)[]>('INSERT INTO audit_checkpoint (size, root, at, reason, day, key_fingerprint, body, signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const newest = db.prepare<[], Row>('SELECT * FROM audit_checkpoint ORDER BY checkpoint_id DESC LIMIT 1')
  const newestDay = db.prepare<[], Row>("SELECT * FROM audit_checkpoint WHERE reason = 'day' ORDER BY checkpoint_id DESC LIMIT 1")
  const ofDay = db.prepare<[string], Row>('SELECT * FROM audit_checkpoint WHERE day = ? ORDER BY checkpoint_id DESC LIMIT 1')
  const ofSize = db.prepare<[number], Row>("SELECT * FROM audit_checkpoint WHERE size = ? ORDER BY reason = 'day' DESC, checkpoint_id DESC LIMIT 1")
  const bySize = db.prepare<[], Row>('SELECT * FROM audit_checkpoint ORDER BY size, checkpoint_id')
  const firstAt = db.prepare<[], number | null>('SELECT at FROM audit_checkpoint ORDER BY checkpoint_id LIMIT 1').pluck()
  const insertKey = db.prepare<[number, string, string, number]>('INSERT INTO audit_key VALUES (?, ?, ?, ?)')
  const keys = db.prepare<[], KeyUse>('SELECT first_seq AS firstSeq, fingerprint, public_pem AS publicPem, first_used_at AS firstUsedAt FROM audit_key ORDER BY first_seq')
  const witness = db.prepare<[number, WitnessHow, number, string | null, number]>('INSERT INTO audit_witness VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')
  const isWitnessed = db.prepare<[number, string], number>('SELECT 1 FROM audit_witness WHERE checkpoint_id = ? AND how = ?').pluck()
  const lastWitness = db.prepare<[], Witnessed>(`SELECT checkpoint_id AS checkpointId, size, how, audit_witness.at, key_fingerprint AS keyFingerprint
    FROM audit_witness JOIN audit_checkpoint USING (checkpoint_id) ORDER BY audit_seq DESC LIMIT 1`)
  const isKeyWitnessed = db.prepare<[string, number], number>('SELECT 1 FROM audit_witness JOIN audit_checkpoint USING (checkpoint_id) WHERE key_fingerprint = ? AND size >= ? LIMIT 1').pluck()
  const logId = db.prepare<[], string>('SELECT id FROM audit_log').pluck()
  const parting = db.prepare<[], { from: string | null, size: number | null }>(
    'SELECT parted_from AS "from", parted_size AS size FROM audit_log',
  )
  const orNull = (row: Row | undefined) => row === undefined ? null : storedOf(row)
  return {
    logId: (): string => logId.get() ?? '',
    /** Null for a log that began by itself. */
    parting(): Parting | null {
      const { from, size } = parting.get() ?? { from: null, size: null }
      return from === null || size === null ? null : { from, size }
    },
    insert({ size, root, at, reason, day, keyFingerprint, body, signature }: Omit<StoredCheckpoint, 'id'>): StoredCheckpoint {
      const { lastInsertRowid } = insert.run(size, root, at, reason, day, keyFingerprint, body, signature)
      return { id: Number(lastInsertRowid), size, root, at, reason, day, keyFingerprint, body, signature }
    },
    newest: () => orNull(newest.get()),
    newestDay: () => orNull(newestDay.get()),
    ofDay: (day: string) => orNull(ofDay.get(day)),
    ofSize: (size: number) => orNull(ofSize.get(size)),
    /** All of them, smallest first. A few thousand in ten years. */
    bySize: () => bySize.all().map(storedOf),
    firstAt: (): EpochMs | null => { const at = firstAt.get(); return at == null ? null : epochMs(at) },
    insertKey: ({ firstSeq, fingerprint, publicPem, firstUsedAt }: KeyUse): void => { insertKey.run(firstSeq, fingerprint, publicPem, firstUsedAt) },
    /** In the order they came into use. */
    keys: (): KeyUse[] => keys.all(),
    witness(checkpointId: number, how: WitnessHow, at: EpochMs, byName: string | null, auditSeq: number): void { witness.run(checkpointId, how, at, byName, auditSeq) },
    isWitnessed: (checkpointId: number, how: WitnessHow): boolean => isWitnessed.get(checkpointId, how) === 1,
    lastWitness: (): Witnessed | null => lastWitness.get() ?? null,
    /** Whether a checkpoint signed by that key, over entry `seq` and those before, left the machine. */
    isKeyWitnessed: (fingerprint: string, seq: number): boolean => isKeyWitnessed.get(fingerprint, seq) === 1,
  }
}
