import { epochMs, type EpochMs } from '../../../domain/index.ts'
import type { Db } from '../../../platform/catalogue.ts'
import type { CopyIntent, CopyJob, CopyState, CopyTarget, RemovalReason } from '../job.ts'

interface Row {
  copy_id: string, package_id: string, application: string, count: number, intent: CopyIntent, target_kind: CopyTarget['kind'], target_path: string | null, reason: string
  asked_by: string, asked_name: string, asked_role: string, asked_at: number, asked_seq: number, state: CopyState, done_bytes: number, total_bytes: number | null, error_code: string | null, error_text: string | null
  witness_by: string | null, witness_name: string | null, witness_role: string | null, handed_to: string | null, manifest_sha256: string | null, archive_item: string | null, ended_at: number | null, is_published: number
  removed_at: number | null, removed_why: RemovalReason | null
}
const jobOf = (row: Row): CopyJob => ({
  copyId: row.copy_id, packageId: row.package_id, application: row.application, count: row.count, intent: row.intent,
  target: row.target_kind === 'here' || row.target_path === null ? { kind: 'here' } : { kind: row.target_kind, path: row.target_path }, reason: row.reason,
  asked: { person: row.asked_by, name: row.asked_name, role: row.asked_role, at: epochMs(row.asked_at), seq: row.asked_seq }, state: row.state, doneBytes: row.done_bytes, totalBytes: row.total_bytes,
  error: row.error_code === null ? null : { code: row.error_code, text: row.error_text ?? '' },
  witness: row.witness_by === null ? null : { person: row.witness_by, name: row.witness_name ?? '', role: row.witness_role ?? '' }, handedTo: row.handed_to, manifestSha256: row.manifest_sha256,
  archiveItem: row.archive_item, endedAt: row.ended_at === null ? null : epochMs(row.ended_at), isPublished: row.is_published === 1,
  removed: row.removed_at === null || row.removed_why === null ? null : { at: epochMs(row.removed_at), why: row.removed_why },
})

export type NewJob = Pick<CopyJob, 'copyId' | 'packageId' | 'application' | 'count' | 'intent' | 'target' | 'reason' | 'asked'>
export interface JobChange {
  readonly error?: CopyJob['error'], readonly witness?: CopyJob['witness'], readonly handedTo?: string | null, readonly manifestSha256?: string | null, readonly archiveItem?: string | null, readonly endedAt?: EpochMs | null, readonly totalBytes?: number | null
}

/** Applications of which a copy went out, as the copies' own rows tell (R44). */
export const releasedApplications = (db: Db): string[] => db.prepare<[], string>("SELECT DISTINCT application FROM copy_job WHERE state = 'released' AND application IS NOT NULL ORDER BY application").pluck().all()

/** Of a package that was removed from here: what says so is its entry in the audit log, so that it is said once or not at all. Found by its application, after the entry that asked for it. */
const REMOVAL = `copy_job.target_kind = 'here' AND copy_job.state = 'released' AND gone.application = copy_job.application AND gone.seq > copy_job.asked_seq AND gone.action = 'copy.removed' AND gone.object = copy_job.copy_id AND gone.result = 'done'`
const JOBS = `SELECT copy_job.*, gone.at AS removed_at, gone.detail ->> '$.why' AS removed_why FROM copy_job LEFT JOIN audit_entry AS gone ON ${REMOVAL}`

/** Table `copy_job`. Moves are compare-and-set: whoever comes late finds another state and is told. */
export function jobTable(db: Db) {
  const insert = db.prepare<(string | number | null)[]>(`INSERT INTO copy_job (copy_id, package_id, application, count, intent, target_kind, target_path, reason, asked_by, asked_name, asked_role, asked_at, asked_seq, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued')`)
  const get = db.prepare<[string], Row>(`${JOBS} WHERE copy_id = ?`)
  const waiting = db.prepare<[], Row>(`${JOBS} WHERE ended_at IS NULL ORDER BY asked_at, copy_job.rowid`)
  const ofApplication = db.prepare<[string], Row>(`${JOBS} WHERE copy_job.application = ? ORDER BY count`)
  const newest = db.prepare<[number], Row>(`${JOBS} ORDER BY asked_at DESC, copy_job.rowid DESC LIMIT ?`)
  const unpublished = db.prepare<[], Row>(`${JOBS} WHERE state = 'released' AND is_published = 0`)
  const onceOffered = db.prepare<[], Row>(`${JOBS} WHERE target_path IS NOT NULL AND witness_by IS NOT NULL AND state IN ('ready', 'failed', 'cancelled')`)
  const releasedHere = db.prepare<[], string>("SELECT copy_id FROM copy_job WHERE state = 'released' AND target_kind = 'here' ORDER BY ended_at").pluck()
  const removed = new Set<string>() // no entry goes away, so each is looked for until it is found
  const lastCount = db.prepare<[string], number | null>('SELECT max(count) FROM copy_job WHERE application = ?').pluck()
  const decisions = db.prepare<[string], number>("SELECT count(DISTINCT application) FROM copy_job WHERE intent = 'decision' AND application LIKE ?").pluck()
  const progress = db.prepare<[number, string]>('UPDATE copy_job SET done_bytes = ? WHERE copy_id = ? AND ended_at IS NULL')
  const published = db.prepare<[string]>("UPDATE copy_job SET is_published = 1 WHERE copy_id = ? AND state = 'released'")
  const move = db.prepare<(string | number | null)[]>(`UPDATE copy_job SET state = ?, done_bytes = iif(? IN ('queued', 'reading', 'packing'), 0, done_bytes), error_code = ?, error_text = ?, witness_by = ?, witness_name = ?, witness_role = ?, handed_to = ?, manifest_sha256 = ?,
    archive_item = ?, total_bytes = ?, ended_at = ? WHERE copy_id = ? AND state = ?`)
  const found = (copyId: string): CopyJob | null => { const row = get.get(copyId); return row === undefined ? null : jobOf(row) }
  return {
    insert({ copyId, packageId, application, count, intent, target, reason, asked }: NewJob): void {
      insert.run(copyId, packageId, application, count, intent, target.kind, target.kind === 'here' ? null : target.path, reason, asked.person, asked.name, asked.role, asked.at, asked.seq)
    },
    get: found,
    /** Not ended, oldest first. */
    waiting: (): CopyJob[] => waiting.all().map(jobOf),
    ofApplication: (application: string): CopyJob[] => ofApplication.all(application).map(jobOf),
    newest: (limit: number): CopyJob[] => newest.all(limit).map(jobOf),
    unpublished: (): CopyJob[] => unpublished.all().map(jobOf),
    /** A release of it was begun, and is neither under way nor done. */
    onceOffered: (): CopyJob[] => onceOffered.all().map(jobOf),
    /** Released to be fetched, and not removed; the first that was released first. */
    here: (): CopyJob[] => releasedHere.all().filter(copyId => !removed.has(copyId)).map(found).filter(job => job !== null).filter(job => {
      if (job.removed !== null) removed.add(job.copyId)
      return job.removed === null
    }),
    lastCount: (application: string): number => lastCount.get(application) ?? 0,
    decisions: (like: string): number => decisions.get(like) ?? 0,
    progress(copyId: string, bytes: number): void { progress.run(bytes, copyId) },
    published(copyId: string): void { published.run(copyId) },
    /** Whether it was still in the state of `job`. What `change` leaves out stays. */
    move(job: CopyJob, state: CopyState, change: JobChange = {}): boolean {
      const { error, witness, handedTo, manifestSha256, archiveItem, endedAt, totalBytes } = { ...job, error: null, ...change }
      return move.run(state, state, error?.code ?? null, error?.text ?? null, witness?.person ?? null, witness?.name ?? null, witness?.role ?? null, handedTo, manifestSha256, archiveItem, totalBytes, endedAt, job.copyId, job.state).changes === 1
    },
  }
}
