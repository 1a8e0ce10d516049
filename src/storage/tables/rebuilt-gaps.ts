import {
  epochMs, type CameraUuid, type EpochMs, type RunId, type StreamName, type TimeRange,
} from '../../domain/index.ts'
import { without } from '../../footage/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { holesBetween } from '../holes.ts'
import { HOLE_IN_RUN_MS, type Span } from '../slot-survey.ts'
import { CLOCK_BACK_MS, isOfOneTime, runTable, TRIVIAL_GAP_MS, type StreamRef } from './runs.ts'

/**
 * Brings the gaps into line with the footage that a rebuild found: what is found is not told as lost, and
 * what is missing between is told, cause unknown, as far as neither the catalogue's own gaps nor its segments
 * say more. Returns how many were added. In the caller's transaction.
 */
export function reconcileGaps(db: Db, now: EpochMs): number {
  endLasting(db, now)
  cutOut(db, now)
  return addBetween(db, now) + addSince(db, now)
}

/**
 * A gap that lasted begins behind what is found of the run before it, unless that is of a clock that was ahead and
 * was set back since; and ends with the first behind it.
 */
function endLasting(db: Db, now: EpochMs): void {
  const isAhead = (at: string): string => `${at} > ${now + CLOCK_BACK_MS}`
  db.exec(`UPDATE gap SET start_at = max(start_at, coalesce((SELECT max(end_at) FROM survey_span AS s
    WHERE s.camera_uuid = gap.camera_uuid AND s.stream = gap.stream AND s.run_id = gap.after_run
      AND (NOT ${isAhead('s.end_at')} OR ${isAhead('gap.start_at')})), start_at))
    WHERE end_at IS NULL`)
  const next = (column: string) => `(SELECT ${column} FROM survey_span AS s
    WHERE s.camera_uuid = gap.camera_uuid AND s.stream = gap.stream AND s.run_id > gap.after_run
    ORDER BY run_id, start_at LIMIT 1)`
  db.exec(`UPDATE gap SET end_at = max(start_at, ${next('start_at')}), before_run = ${next('run_id')}
    WHERE end_at IS NULL AND ${next('run_id')} IS NOT NULL`)
}

/**
 * What a gap tells as lost, because its volume was away or its catalogue did not know it, and is found now;
 * by the order of recording, for the clock may have shown the same twice. A gap over footage that was known
 * is one over a step of the clock.
 */
function cutOut(db: Db, now: EpochMs): void {
  const { ms: longestMs } = db.prepare<[], { ms: number }>(
    'SELECT coalesce(max(end_at - start_at), 0) AS ms FROM survey_span').get()!
  const overlaps = db.prepare<[number], {
    gap_id: number, gap_from: number, gap_to: number, start_at: number, end_at: number, run_id: number }>(
    `SELECT gap_id, gap.start_at AS gap_from, gap.end_at AS gap_to, s.start_at, s.end_at, s.run_id FROM gap
     JOIN survey_span AS s ON s.camera_uuid = gap.camera_uuid AND s.stream = gap.stream
       AND s.start_at < gap.end_at AND s.start_at > gap.start_at - ? AND s.end_at > gap.start_at
     JOIN survey_new USING (volume_uuid, slot)
     WHERE ${isOfOneTime('s.run_id')}
       AND NOT EXISTS (SELECT 1 FROM survey_span AS k
       WHERE k.camera_uuid = gap.camera_uuid AND k.stream = gap.stream AND k.start_at >= gap.start_at
         AND k.start_at < gap.end_at AND k.end_at <= gap.end_at
         AND NOT EXISTS (SELECT 1 FROM survey_new AS n
           WHERE n.volume_uuid = k.volume_uuid AND n.slot = k.slot))
     ORDER BY gap_id, s.start_at`)
  const cut = db.prepare<[number, number, number, number]>(
    'UPDATE gap SET start_at = ?, end_at = ?, after_run = ? WHERE gap_id = ?')
  const drop = db.prepare<[number]>('DELETE FROM gap WHERE gap_id = ?')
  const copy = db.prepare<[number, number, number, number, number]>(
    `INSERT INTO gap (camera_uuid, stream, start_at, end_at, cause, last_cause, noticed_at, after_run,
       before_run)
     SELECT camera_uuid, stream, ?, ?, cause, last_cause, ?, max(after_run, ?), before_run
     FROM gap WHERE gap_id = ?`)
  const runBefore = db.prepare<[number], { after_run: number }>('SELECT after_run FROM gap WHERE gap_id = ?')
  for (const [gapId, spans] of Map.groupBy(overlaps.all(longestMs + 1), row => row.gap_id)) {
    const { gap_from: from, gap_to: to } = spans[0]!
    const found = spans.map(span => range(span.start_at, span.end_at))
    const foundBefore = (at: EpochMs): number =>
      Math.max(0, ...spans.filter(span => span.end_at <= at).map(span => span.run_id))
    const [first, ...others] = without(range(from, to), found, TRIVIAL_GAP_MS)
    for (const { startAt, endAt } of others) copy.run(startAt, endAt, now, foundBefore(startAt), gapId)
    if (first === undefined) drop.run(gapId)
    else {
      const { after_run: after } = runBefore.get(gapId)!
      cut.run(first.startAt, first.endAt, Math.max(after, foundBefore(first.startAt)), gapId)
    }
  }
}

const range = (from: number, to: number): TimeRange => ({ startAt: epochMs(from), endAt: epochMs(to) })

/**
 * Between two pieces that are found. What was overwritten by the rule, or stands on a volume that was not
 * read, was recorded. A gap that lasts tells as far as the clock has come.
 */
function addBetween(db: Db, now: EpochMs): number {
  const runs = runTable(db)
  const streams = db.prepare<[], { camera_uuid: string, stream: string }>(
    'SELECT DISTINCT camera_uuid, stream FROM survey_span')
  const ranges = (from: string) => {
    const rows = db.prepare<[string, string], { start_at: number, end_at: number }>(
      `SELECT start_at, end_at FROM ${from} AND camera_uuid = ? AND stream = ?`)
    return ({ cameraUuid, stream }: StreamRef): TimeRange[] =>
      rows.all(cameraUuid, stream).map(row => range(row.start_at, row.end_at))
  }
  const recorded = ranges(`segment WHERE end_at IS NOT NULL AND (freed_kept_until IS NOT NULL
    OR (ended_at IS NULL AND volume_uuid NOT IN (SELECT uuid FROM survey_volume)))`)
  const told = ranges(`(SELECT camera_uuid, stream, start_at,
    coalesce(end_at, max(start_at, ${now})) AS end_at FROM gap) WHERE true`)
  const found = db.prepare<[string, string], { run_id: number, start_at: number, end_at: number }>(
    'SELECT run_id, start_at, end_at FROM survey_span WHERE camera_uuid = ? AND stream = ?')
  let added = 0
  for (const { camera_uuid: camera, stream } of streams.all()) {
    const of: StreamRef = { cameraUuid: camera as CameraUuid, stream: stream as StreamName }
    const spans = found.all(camera, stream)
      .map((row): Span => ({ runId: row.run_id as RunId, ...range(row.start_at, row.end_at) }))
    const there = new Overlapping([...recorded(of), ...spans]), toldGaps = new Overlapping(told(of))
    for (const hole of holesBetween(spans, now).holes.toSorted((a, b) => a.startAt - b.startAt)) {
      if (hole.endAt - hole.startAt <= (hole.isInRun ? HOLE_IN_RUN_MS : TRIVIAL_GAP_MS)) continue
      const untold = without(hole, there.of(hole), TRIVIAL_GAP_MS)
        .flatMap(lost => without(lost, toldGaps.of(hole), 1))
      for (const gap of untold) {
        runs.addGap(of, gap.startAt, gap.endAt, 'unknown', now, hole)
        toldGaps.add(gap)
        added++
      }
    }
  }
  return added
}

/** Finds the ranges that overlap others, which are asked for in the order in which they begin. */
class Overlapping {
  /** The last one begins first. */
  readonly #waiting: TimeRange[]
  #begun: TimeRange[] = []
  constructor(ranges: readonly TimeRange[]) {
    this.#waiting = ranges.toSorted((a, b) => b.startAt - a.startAt)
  }

  add(range: TimeRange): void { this.#begun.push(range) }

  of({ startAt, endAt }: TimeRange): TimeRange[] {
    while (this.#waiting.length > 0 && this.#waiting.at(-1)!.startAt < endAt) {
      this.#begun.push(this.#waiting.pop()!)
    }
    this.#begun = this.#begun.filter(each => each.endAt > startAt)
    return this.#begun.filter(each => each.startAt < endAt)
  }
}

/**
 * Behind the newest run, until now, or until its camera was retired: it was to be recorded until then. What is
 * found tells of it too, for a catalogue from a backup may have given its number to one that stored nothing. Runs
 * of a clock that was ahead, and is behind now, were recorded before: nothing is dated since the ones before
 * them.
 */
function addSince(db: Db, now: EpochMs): number {
  return db.prepare<[number, number, number, number]>(`
    WITH known AS (SELECT f.camera_uuid, f.stream, run_id, end_at
      FROM (SELECT DISTINCT camera_uuid, stream FROM survey_span) AS f
      JOIN run ON run_id = (SELECT run_id FROM run AS r
        WHERE r.camera_uuid = f.camera_uuid AND r.stream = f.stream
          AND r.end_at > r.start_at AND r.end_at <= ? ORDER BY run_id DESC LIMIT 1)),
    found AS (SELECT camera_uuid, stream, run_id, max(end_at) AS end_at FROM survey_span WHERE end_at <= ?
      GROUP BY camera_uuid, stream, run_id)
    INSERT INTO gap (camera_uuid, stream, start_at, end_at, cause, last_cause, noticed_at, after_run)
    SELECT camera_uuid, stream, newest, camera.retired_at, 'unknown', 'unknown', ?, run_id
    FROM (SELECT camera_uuid, stream, run_id, newest FROM (
      SELECT camera_uuid, stream, run_id, end_at AS newest,
        row_number() OVER (PARTITION BY camera_uuid, stream ORDER BY run_id DESC, end_at DESC) AS place
      FROM (SELECT * FROM known UNION ALL SELECT * FROM found)) WHERE place = 1) AS s
    JOIN camera ON camera.uuid = s.camera_uuid
      AND (camera.retired_at IS NULL OR camera.retired_at > newest + ?)
    WHERE NOT EXISTS (SELECT 1 FROM gap WHERE gap.camera_uuid = s.camera_uuid AND gap.stream = s.stream
        AND (gap.end_at IS NULL OR gap.end_at >= camera.retired_at))
      AND NOT EXISTS (SELECT 1 FROM run WHERE run.camera_uuid = s.camera_uuid AND run.stream = s.stream
        AND run.end_at IS NULL)`).run(now, now, now, TRIVIAL_GAP_MS).changes
}
