import type { CameraId, CameraUuid, EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { UNREAD } from '../slot-survey.ts'
import type { VolumeIdentity } from '../volume.ts'
import { reconcileGaps } from './rebuilt-gaps.ts'
import { slotTable } from './slots.ts'
import { INDEX_LOST, UNSEALED, type CameraTrace } from './survey.ts'

/** What the catalogue said and the volumes do not. Each is a kind, how many, and a few of them by name. */
export interface Contradiction { readonly kind: string, readonly count: number, readonly examples: readonly string[] }
export interface ReconciledCounts { readonly added: number, readonly corrected: number, readonly ended: number, readonly revived: number, readonly gaps: number, readonly runs: number }

interface CameraNames {
  readonly cameras: readonly CameraTrace[]
  readonly retire: ReadonlyMap<CameraUuid, EpochMs>
  readonly activate: readonly CameraUuid[]
  readonly replaced: ReadonlyMap<CameraUuid, CameraUuid>
}

const MAX_EXAMPLES = 10

/**
 * Brings the catalogue into line with what `surveyTables` holds; the volumes are right wherever both speak
 * of the same thing. In the caller's transaction.
 * Rows of volumes that were not read stay as they are, and so does what no volume can know: causes,
 * history, ended holds.
 */
export function reconcile(db: Db, options: CameraNames & { volumes: readonly VolumeIdentity[], now: EpochMs }): { counts: ReconciledCounts, contradictions: Contradiction[] } {
  const { now } = options
  const contradictions: Contradiction[] = []
  const tell = (kind: string, sql: string): void => {
    const rows = db.prepare<[], { name: string }>(sql).all()
    if (rows.length > 0) contradictions.push({ kind, count: rows.length, examples: rows.slice(0, MAX_EXAMPLES).map(row => row.name) })
  }
  const change = (sql: string, ...values: (string | number)[]): number => db.prepare<(string | number)[]>(sql).run(...values).changes

  change(`INSERT INTO survey_new SELECT volume_uuid, slot, coalesce((SELECT records FROM segment
      WHERE segment.volume_uuid = s.volume_uuid AND segment.slot = s.slot AND segment.generation = s.generation
        AND sealed_at IS NOT NULL AND ended_at IS NULL), 0)
    FROM survey_slot AS s WHERE kind IN ('footage', 'failed')`)
  volumes(db, options.volumes, now)
  cameras(db, options, now)

  // A slot that was being made ready when the recorder ended is left to recovery, which zeroes it: the
  // guard had let its old footage go [INV-2].
  const isPreparing = `EXISTS (SELECT 1 FROM slot WHERE slot.volume_uuid = survey_slot.volume_uuid AND slot.slot = survey_slot.slot AND slot.state = 'preparing'
    AND (kind = 'blank' OR (kind = 'footage' AND (survey_slot.generation = slot.generation - 1 OR (survey_slot.generation = slot.generation AND records = 0)))))`
  change(`DELETE FROM survey_span WHERE EXISTS (SELECT 1 FROM survey_slot WHERE survey_slot.volume_uuid = survey_span.volume_uuid AND survey_slot.slot = survey_span.slot AND ${isPreparing})`)
  change(`DELETE FROM survey_slot WHERE ${isPreparing}`)
  // An image of the volume from before the slot was sealed. Its records are right; whether there were more
  // of them, which rotted with the seal, nobody can tell, so the slot is left as it is. One out of use may
  // never have been sealed on the disk: its image is told by what it lacks. Of a row that has ended, for an
  // older image came before, the same holds: it is revived below.
  change(`UPDATE survey_slot AS s SET kind = iif(records = 0, 'behind', 'failed'), why = ?
    WHERE kind = 'footage' AND is_sealed = 0 AND EXISTS (SELECT 1 FROM segment WHERE segment.volume_uuid = s.volume_uuid
      AND segment.slot = s.slot AND segment.generation = s.generation
      AND segment.sealed_at IS NOT NULL AND segment.records >= s.records + segment.is_quarantined)`, UNSEALED)
  // Where the catalogue has its row, it knows better than to give such a slot up; without it the slot is
  // left alone, for recovery would clear what is behind the first bad record.
  change(`UPDATE survey_slot AS s SET kind = 'footage', why = NULL WHERE kind = 'failed' AND why = ? AND EXISTS (SELECT 1 FROM segment WHERE segment.volume_uuid = s.volume_uuid AND segment.slot = s.slot
    AND segment.generation = s.generation AND segment.ended_at IS NULL)`, INDEX_LOST)
  // The catalogue, not the disk, was wrong about these: the ring met footage there that its catalogue did
  // not know. Others could not be read by the rebuild before, and are read now.
  change(`UPDATE slot SET state = 'free', reason = NULL
    WHERE state = 'quarantined' AND (reason LIKE 'prepare look: other %' OR reason LIKE 'rebuild: ${UNREAD}%')
    AND EXISTS (SELECT 1 FROM survey_slot AS s
      WHERE s.volume_uuid = slot.volume_uuid AND s.slot = slot.slot AND s.kind IN ('footage', 'blank'))`)

  // The catalogue has given the slot to later generations than the disk shows: the next one must not be
  // called like one that was.
  change(`UPDATE survey_slot AS s SET kind = 'behind', why = 'it holds an older generation than the catalogue gave it' WHERE kind IN ('footage', 'failed') AND EXISTS (SELECT 1 FROM slot
    WHERE slot.volume_uuid = s.volume_uuid AND slot.slot = s.slot AND slot.generation > s.generation)`)

  const name = `(SELECT id FROM volume WHERE uuid = segment.volume_uuid) || '/' || segment.slot || '/' || segment.generation`
  const here = 'JOIN survey_slot AS s ON s.volume_uuid = segment.volume_uuid AND s.slot = segment.slot'
  tell('newer-than-volume', `SELECT ${name} AS name FROM segment ${here} WHERE ended_at IS NULL AND s.kind = 'behind'`)
  tell('gone-from-slot', `SELECT ${name} AS name FROM segment ${here} WHERE ended_at IS NULL AND sealed_at IS NOT NULL AND s.kind = 'blank'`)
  const ended = change(`UPDATE segment SET ended_at = coalesce((SELECT start_at FROM survey_slot AS s WHERE s.volume_uuid = segment.volume_uuid AND s.slot = segment.slot AND s.generation > segment.generation), ?)
    WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM survey_slot AS s WHERE s.volume_uuid = segment.volume_uuid AND s.slot = segment.slot
      AND (s.kind IN ('blank', 'behind') OR (s.kind IN ('footage', 'failed') AND s.generation <> segment.generation) OR (s.kind = 'damaged' AND segment.sealed_at IS NULL)))`, now)

  const same = 's.volume_uuid = segment.volume_uuid AND s.slot = segment.slot AND s.generation = segment.generation'
  const sameFootage = `SELECT ${name} AS name FROM segment JOIN survey_slot AS s ON ${same} WHERE s.kind IN ('footage', 'failed')`
  tell('still-on-disk', `${sameFootage} AND ended_at IS NOT NULL AND s.records > 0`)
  const differs = '(segment.camera_uuid <> s.camera_uuid OR segment.stream <> s.stream OR segment.start_at <> s.start_at OR segment.floor_rule <> s.floor_rule)'
  tell('other-header', `${sameFootage} AND ${differs}`)
  tell('unsealed-in-slot', `${sameFootage} AND s.kind = 'failed' AND s.why = '${UNSEALED}'`)
  tell('other-root', `${sameFootage} AND s.is_sealed = 1 AND segment.sealed_at IS NOT NULL AND segment.merkle_root <> s.merkle_root`)
  tell('index-lost', `${sameFootage} AND s.is_sealed = 0 AND s.kind = 'footage' AND segment.sealed_at IS NOT NULL AND segment.is_quarantined = 0 AND ended_at IS NULL`)
  const revived = change(`UPDATE segment SET ended_at = NULL, freed_trusted_at = NULL, freed_kept_until = NULL, freed_floor_rule = NULL
    WHERE ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM survey_slot AS s WHERE ${same} AND s.kind IN ('footage', 'failed') AND s.records > 0)`)
  let corrected = change(`UPDATE segment SET camera_uuid = s.camera_uuid, stream = s.stream, start_at = s.start_at, floor_rule = s.floor_rule,
    end_at = CASE WHEN segment.end_at IS NULL THEN NULL ELSE max(segment.end_at, s.start_at) END
    FROM survey_slot AS s WHERE ${same} AND s.kind IN ('footage', 'failed') AND ${differs}`)
  // A slot that stays out of use has a segment only as a matter of record: nothing may take it for one to
  // go on with.
  const isOut = `(s.kind = 'failed' OR EXISTS (SELECT 1 FROM slot WHERE slot.volume_uuid = s.volume_uuid
    AND slot.slot = s.slot AND slot.state = 'quarantined' AND slot.generation = s.generation))`
  // Sealed on disk, and the catalogue does not know or says otherwise. What the catalogue sealed itself
  // stays: it knows trusted time better.
  corrected += change(`UPDATE segment SET end_at = s.end_at, newest_at = max(s.newest_at, coalesce(segment.newest_at, 0)), keep_until = max(s.keep_until, coalesce(segment.keep_until, 0)),
    records = s.records, used_bytes = s.used_bytes, merkle_root = s.merkle_root, sealed_at = coalesce(segment.sealed_at, s.end_at)
    FROM survey_slot AS s WHERE ${same} AND segment.ended_at IS NULL AND (s.is_sealed = 1 OR ${isOut})
      AND (segment.sealed_at IS NULL
      OR s.why = '${UNSEALED}' OR (s.is_sealed = 1 AND segment.merkle_root <> s.merkle_root))`)
  change(`UPDATE segment SET keep_until = s.keep_until, newest_at = max(segment.newest_at, s.newest_at)
    FROM survey_slot AS s WHERE ${same} AND segment.ended_at IS NULL AND segment.keep_until < s.keep_until
    AND s.is_sealed = 1`)

  const added = change(`INSERT INTO segment (volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule, end_at, newest_at, keep_until, records, used_bytes, merkle_root, sealed_at)
    SELECT volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule, iif(is_done, end_at, NULL), iif(is_done, newest_at, NULL), iif(is_done, keep_until, NULL), iif(is_done, records, NULL),
      iif(is_done, used_bytes, NULL), iif(is_done, merkle_root, NULL), iif(is_done, end_at, NULL)
    FROM (SELECT s.*, (s.is_sealed = 1 OR ${isOut}) AS is_done FROM survey_slot AS s WHERE s.kind IN ('footage', 'failed')) AS s
    WHERE NOT (is_done AND records = 0) AND NOT EXISTS (SELECT 1 FROM segment WHERE ${same})
    ORDER BY (SELECT max(run_id) FROM survey_span WHERE survey_span.volume_uuid = s.volume_uuid
      AND survey_span.slot = s.slot), start_at`) // in the order of recording, as the ring enters them

  slots(db)
  const unbounded = 1_000_000_000 // records of a slot that is still open
  change(`DELETE FROM survey_new WHERE known_records >= coalesce((SELECT coalesce(records, ${unbounded}) FROM segment
    WHERE segment.volume_uuid = survey_new.volume_uuid AND segment.slot = survey_new.slot AND ended_at IS NULL), 0)`)
  const runs = runsOf(db, tell)
  return { counts: { added, corrected, ended, revived, runs, gaps: reconcileGaps(db, now) }, contradictions }
}

function volumes(db: Db, identities: readonly VolumeIdentity[], now: EpochMs): void {
  const slots = slotTable(db)
  const resize = db.prepare<[number, number, string, number, number]>('UPDATE volume SET slot_size_bytes = ?, slot_count = ? WHERE uuid = ? AND (slot_size_bytes <> ? OR slot_count <> ?)')
  const known = db.prepare<[string], { slot: number }>('SELECT slot FROM slot WHERE volume_uuid = ?')
  const insertSlot = db.prepare<[string, number]>("INSERT INTO slot (volume_uuid, slot, generation, state) VALUES (?, ?, 0, 'free')")
  for (const { uuid, id, slotSizeBytes, slotCount } of identities) {
    if (!slots.knowsVolume(uuid)) { slots.registerVolume({ uuid, id, slotSizeBytes, slotCount, now }); continue }
    resize.run(slotSizeBytes, slotCount, uuid, slotSizeBytes, slotCount)
    const have = new Set(known.all(uuid).map(row => row.slot))
    for (let slot = 0; slot < slotCount; slot++) if (!have.has(slot)) insertSlot.run(uuid, slot)
  }
}

function cameras(db: Db, { cameras: traces, retire, activate, replaced }: CameraNames, now: EpochMs): void {
  const insert = db.prepare<[string, CameraId, number, number]>('INSERT INTO camera (uuid, id, first_recorded_at, retired_at) VALUES (?, ?, ?, ?)')
  const earlier = db.prepare<[number, string]>('UPDATE camera SET first_recorded_at = min(first_recorded_at, ?) WHERE uuid = ?')
  for (const { uuid, id, known, firstAt, newestAt } of traces) {
    if (known === null) insert.run(uuid, id, firstAt ?? now, newestAt ?? now)
    else if (firstAt !== null) earlier.run(firstAt, uuid)
  }
  const setRetired = db.prepare<[number | null, string]>('UPDATE camera SET retired_at = ? WHERE uuid = ?')
  for (const [uuid, at] of retire) setRetired.run(at, uuid)
  for (const uuid of activate) setRetired.run(null, uuid)
  // Runs without a frame, with numbers that the footage has; and gaps that the one since the last frame
  // covers.
  for (const [minted, uuid] of replaced) {
    db.prepare<[string]>('DELETE FROM run WHERE camera_uuid = ?').run(minted)
    db.prepare<[string]>('DELETE FROM gap WHERE camera_uuid = ?').run(minted)
    db.prepare<[string, string]>('UPDATE hold SET camera_uuid = ? WHERE camera_uuid = ?').run(uuid, minted)
  }
}

function slots(db: Db): void {
  const sealed = `EXISTS (SELECT 1 FROM segment WHERE segment.volume_uuid = s.volume_uuid AND segment.slot = s.slot AND segment.generation = s.generation AND segment.ended_at IS NULL AND segment.sealed_at IS NOT NULL)`
  db.exec(`UPDATE slot SET generation = s.generation, state = iif(${sealed}, 'sealed', 'open'), reason = NULL FROM survey_slot AS s
    WHERE s.volume_uuid = slot.volume_uuid AND s.slot = slot.slot AND s.kind = 'footage' AND NOT (slot.state = 'quarantined' AND slot.generation = s.generation)`)
  db.exec(`UPDATE slot SET generation = max(slot.generation, coalesce(s.generation, 0)), state = 'quarantined', reason = coalesce(slot.reason, 'rebuild: ' || s.why) FROM survey_slot AS s
    WHERE s.volume_uuid = slot.volume_uuid AND s.slot = slot.slot AND s.kind IN ('damaged', 'failed', 'behind')`)
  db.exec(`UPDATE slot SET state = 'free', reason = NULL FROM survey_slot AS s WHERE s.volume_uuid = slot.volume_uuid AND s.slot = slot.slot AND s.kind = 'blank' AND slot.state <> 'quarantined'`)
  db.exec(`UPDATE segment SET is_quarantined = (SELECT state = 'quarantined' FROM slot WHERE slot.volume_uuid = segment.volume_uuid AND slot.slot = segment.slot)
    WHERE ended_at IS NULL AND volume_uuid IN (SELECT uuid FROM survey_volume)`)
  db.exec(`UPDATE segment SET hold_count = (SELECT count(*) FROM hold WHERE hold.ended_at IS NULL AND hold.camera_uuid = segment.camera_uuid
      AND (hold.stream IS NULL OR hold.stream = segment.stream) AND hold.from_at < segment.end_at AND hold.to_at > segment.start_at)
    WHERE ended_at IS NULL AND sealed_at IS NOT NULL AND EXISTS (SELECT 1 FROM hold WHERE hold.camera_uuid = segment.camera_uuid)`)
}

/**
 * Runs by the number in each record. Where a run began before the oldest record that is left, or why it
 * ended, no volume knows.
 */
function runsOf(db: Db, tell: (kind: string, sql: string) => void): number {
  const found = 'SELECT run_id, camera_uuid, stream, codec, width_px, height_px, min(start_at) AS start_at, max(end_at) AS end_at FROM survey_span GROUP BY run_id, camera_uuid, stream'
  tell('run-number-twice', `SELECT found.run_id AS name FROM (${found}) AS found JOIN run USING (run_id) WHERE found.camera_uuid <> run.camera_uuid OR found.stream <> run.stream
    UNION SELECT run_id FROM (${found}) GROUP BY run_id HAVING count(*) > 1`)
  const { changes } = db.prepare(`INSERT INTO run (run_id, camera_uuid, stream, codec, width_px, height_px, start_at, end_at, end_reason)
    SELECT run_id, camera_uuid, stream, codec, width_px, height_px, start_at, max(start_at, end_at), 'unknown' FROM (${found}) WHERE true ON CONFLICT (run_id) DO NOTHING`).run()
  // What an earlier rebuild knew of a run was what the volumes of that day held of it.
  db.exec(`UPDATE run SET start_at = min(run.start_at, f.start_at), end_at = max(run.end_at, f.end_at) FROM (${found}) AS f
    WHERE f.run_id = run.run_id AND f.camera_uuid = run.camera_uuid AND f.stream = run.stream AND run.end_reason = 'unknown'`)
  // The run that was going on in a slot that is still open, or is away: recovery ends it, and knows that the
  // recorder was killed.
  db.exec(`UPDATE run SET end_reason = 'unknown', end_at = max(start_at, coalesce((SELECT max(end_at) FROM survey_span AS s WHERE s.run_id = run.run_id AND s.camera_uuid = run.camera_uuid AND s.stream = run.stream), start_at))
    WHERE end_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM segment WHERE segment.camera_uuid = run.camera_uuid
        AND segment.stream = run.stream AND sealed_at IS NULL AND ended_at IS NULL
        AND volume_uuid NOT IN (SELECT uuid FROM survey_volume))
      AND NOT EXISTS (SELECT 1 FROM survey_span AS s JOIN survey_slot USING (volume_uuid, slot) WHERE s.run_id = run.run_id AND s.camera_uuid = run.camera_uuid AND s.stream = run.stream
      AND kind = 'footage' AND is_sealed = 0)`)
  return changes
}
