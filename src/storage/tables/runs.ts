import { runId, type CameraUuid, type EpochMs, type GapCause, type RunEndReason, type RunId, type StreamName, type TimeRange } from '../../domain/index.ts'
import { without } from '../../footage/index.ts'
import type { VideoTrack } from '../../media/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** Between runs this is rounding, not lost time: shorter than a frame at any rate that is recorded. */
export const TRIVIAL_GAP_MS = 10

/** Frames are dated by their arrival to well below this. */
export const CLOCK_BACK_MS = 5_000

/** Between which runs something lies in the order of recording. */
export interface Among { readonly afterRun: number, readonly beforeRun: number }
export interface StreamRef { readonly cameraUuid: CameraUuid, readonly stream: StreamName }

/** SQL: a run that stored a frame, or may have. */
const HAS_FRAMES = '(run.end_at IS NULL OR run.end_at > run.start_at)'
const OF_GAP = 'run.camera_uuid = gap.camera_uuid AND run.stream = gap.stream'

/** SQL: of a gap that does not say so, the first run behind it; null while it lasts. */
const RUN_BEHIND = `(SELECT run_id FROM run WHERE ${OF_GAP} AND run.run_id > gap.after_run AND ${HAS_FRAMES}
    AND run.start_at >= gap.end_at ORDER BY run_id LIMIT 1)`

/**
 * SQL: whether a run, by its number, lies in a gap by the order of recording too, and not only by a clock that
 * showed the same times twice. The run before the gap counts: what is found of it may reach into it.
 */
export const isOfOneTime = (runId: string): string =>
  `gap.after_run <= ${runId} AND coalesce(gap.before_run, ${RUN_BEHIND}, ${runId}) >= ${runId}`

/** SQL: the newest of some runs of one stream; 0 for none. By its index, whatever stands before it. */
const newestRun = (where: string): string =>
  `coalesce((SELECT run_id FROM run WHERE ${where} ORDER BY run_id DESC LIMIT 1), 0)`
const OF_STREAM = 'camera_uuid = ? AND stream = ?'
/** SQL: the newest run of a stream that stored a frame. */
const LAST_OF = newestRun(`${OF_STREAM} AND ${HAS_FRAMES}`)

/**
 * Tables `run` and `gap`: what was recorded without a break, and every span that was not, with its cause
 * [G7].
 */
export function runTable(db: Db) {
  const newest = db.prepare<[], { id: number | null }>('SELECT max(run_id) AS id FROM run')
  const insert = db.prepare<[number, string, string, string, number, number, number]>(
    'INSERT INTO run (run_id, camera_uuid, stream, codec, width_px, height_px, start_at) VALUES (?, ?, ?, ?, ?, ?, ?)')
  const adopt = db.prepare<[number, string, string, string, number, number, number, number]>(`INSERT INTO run (run_id, camera_uuid, stream, codec, width_px, height_px, start_at, end_at, end_reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'recorder-killed') ON CONFLICT (run_id) DO UPDATE SET start_at = min(start_at, excluded.start_at), end_at = max(end_at, excluded.end_at)
    WHERE end_reason = 'recorder-killed' AND camera_uuid = excluded.camera_uuid AND stream = excluded.stream`) // its records stand in several slots
  const overlapping = db.prepare<[string, string, number, number], { from: number, to: number | null }>(
    `SELECT start_at AS "from", end_at AS "to" FROM gap WHERE camera_uuid = ? AND stream = ? AND start_at < ?
     AND (end_at IS NULL OR end_at > ?) ORDER BY start_at`)
  const runAt = db.prepare<[string, string, number], { id: number, end_at: number | null }>(
    `SELECT run_id AS id, end_at FROM run WHERE camera_uuid = ? AND stream = ? AND start_at <= ?
     ORDER BY start_at DESC, run_id DESC LIMIT 1`)
  const newestEnded = db.prepare<[string, string], { id: number | null }>(
    'SELECT max(run_id) AS id FROM run WHERE camera_uuid = ? AND stream = ? AND end_at IS NOT NULL')
  const endedSince = db.prepare<[number, string, string, number], { run_id: number, start_at: number, end_at: number }>(
    `SELECT run_id, start_at, end_at FROM run WHERE run_id >= ? AND camera_uuid = ? AND stream = ? AND end_at > ?
     ORDER BY run_id`)
  const cutGap = db.prepare<[number, number, string, string, number, number, number, number, number]>(
    `UPDATE gap SET start_at = min(?, coalesce(end_at, ?)) WHERE camera_uuid = ? AND stream = ? AND start_at >= ?
     AND start_at < ? AND cause = 'recorder-killed' AND ${isOfOneTime('?')}`)
  const gapAround = db.prepare<[string, string, number, number, number, number, number, number, number], {
    gap_id: number, end_at: number | null, before_run: number | null }>(
    `SELECT gap_id, end_at, before_run FROM gap WHERE camera_uuid = ? AND stream = ? AND start_at < ?
     AND (end_at > ? OR (end_at IS NULL AND ? < ?)) AND ${isOfOneTime('?')} ORDER BY gap_id DESC LIMIT 1`)
  const beginsNear = db.prepare<[string, string, number, number], object>(
    'SELECT 1 FROM gap WHERE camera_uuid = ? AND stream = ? AND start_at BETWEEN ? AND ?')
  const endGap = db.prepare<[number, number, number]>('UPDATE gap SET end_at = ?, before_run = ? WHERE gap_id = ?')
  const end = db.prepare<[number, string, number]>('UPDATE run SET end_at = max(start_at, ?), end_reason = ? WHERE run_id = ? AND end_at IS NULL')
  const unended = db.prepare<[], { run_id: number, camera_uuid: string, stream: string, start_at: number }>('SELECT run_id, camera_uuid, stream, start_at FROM run WHERE end_at IS NULL')
  const openGap = db.prepare<[string, string, number, string, string, number, string, string]>(
    `INSERT INTO gap (camera_uuid, stream, start_at, cause, last_cause, noticed_at, after_run)
     VALUES (?, ?, ?, ?, ?, ?, ${LAST_OF})
     ON CONFLICT (camera_uuid, stream) WHERE end_at IS NULL DO UPDATE SET last_cause = excluded.last_cause`)
  const closeGap = db.prepare<[number, string, string]>(
    `UPDATE gap SET end_at = max(start_at, ?), before_run = ${newestRun(OF_GAP)}
     WHERE camera_uuid = ? AND stream = ? AND end_at IS NULL`)
  const endAhead = db.prepare<[number, string, string, number]>(
    `UPDATE gap SET end_at = max(start_at, ?), before_run = ${newestRun(OF_GAP)}
     WHERE camera_uuid = ? AND stream = ? AND end_at IS NULL AND start_at > ?`)
  const openGapBefore = db.prepare<[string, string, number, string, string, number, number]>(
    `INSERT INTO gap (camera_uuid, stream, start_at, cause, last_cause, noticed_at, after_run)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (camera_uuid, stream) WHERE end_at IS NULL DO UPDATE
     SET cause = iif(excluded.start_at < start_at, excluded.cause, cause),
       after_run = iif(excluded.start_at < start_at, excluded.after_run, after_run),
       start_at = min(start_at, excluded.start_at)`)
  // Both directions: when the clock was set back during an outage its end lies before its start, and it was
  // an outage all the same.
  const dropGap = db.prepare<[string, string, number, number]>('DELETE FROM gap WHERE camera_uuid = ? AND stream = ? AND end_at IS NULL AND abs(? - start_at) < ?')
  const closedGap = db.prepare<[string, string, number, number, string, string, number, number, number]>(
    `INSERT INTO gap (camera_uuid, stream, start_at, end_at, cause, last_cause, noticed_at, after_run, before_run)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const aroundNow = db.prepare<[string, string, string, string], Among>(
    `SELECT ${LAST_OF} AS afterRun, ${newestRun(OF_STREAM)} AS beforeRun`)
  const gapNow = db.prepare<[string, string], { start_at: number, cause: string, last_cause: string }>('SELECT start_at, cause, last_cause FROM gap WHERE camera_uuid = ? AND stream = ? AND end_at IS NULL')
  return {
    /** The highest number so far; 0 for none. */
    newest: (): number => newest.get()?.id ?? 0,
    begin(id: RunId, of: StreamRef, video: VideoTrack, startAt: EpochMs): void { insert.run(id, of.cameraUuid, of.stream, video.codec, video.widthPx, video.heightPx, startAt) },
    /**
     * A run that its records tell of and that may have no row: one that began while the catalogue took
     * none.
     */
    adopt(id: RunId, of: StreamRef, video: VideoTrack, { startAt, endAt }: TimeRange): void {
      adopt.run(id, of.cameraUuid, of.stream, video.codec, video.widthPx, video.heightPx, startAt, Math.max(startAt, endAt))
    },
    end(id: RunId, endAt: EpochMs, reason: RunEndReason): void { end.run(endAt, reason, id) },
    unended: () => unended.all().map(row => ({ id: runId(row.run_id), cameraUuid: row.camera_uuid as CameraUuid, stream: row.stream as StreamName, startAt: row.start_at as EpochMs })),
    /** Begins a gap, or notes why the one that lasts goes on. */
    openGap(of: StreamRef, startAt: EpochMs, cause: GapCause, noticedAt: EpochMs): void {
      openGap.run(of.cameraUuid, of.stream, startAt, cause, cause, noticedAt, of.cameraUuid, of.stream)
    },
    /**
     * Ends the gap that lasts at `lastAt`, if it began at a time that the clock has not reached any more: what is
     * lost from now on stands at other times. `lastAt`: as the clock showed before it was set back; null: not known.
     */
    endGapAhead(of: StreamRef, now: EpochMs, lastAt: EpochMs | null): void {
      endAhead.run(lastAt ?? 0, of.cameraUuid, of.stream, now + CLOCK_BACK_MS)
    },
    /**
     * Begins a gap that was learnt of late: one that was opened meanwhile is made to begin where this one
     * does. `afterRun`: the run before it.
     */
    openGapBefore(of: StreamRef, startAt: EpochMs, cause: GapCause, noticedAt: EpochMs, afterRun: number): void {
      openGapBefore.run(of.cameraUuid, of.stream, startAt, cause, cause, noticedAt, afterRun)
    },
    /** Ends the gap that lasts, if any; one shorter than `trivialMs` was no lost frame and goes. */
    closeGap(of: StreamRef, endAt: EpochMs, trivialMs: number): void {
      dropGap.run(of.cameraUuid, of.stream, endAt, trivialMs)
      closeGap.run(endAt, of.cameraUuid, of.stream)
    },
    /** `among`: the run before it, and the newest that may lie in it; the newest of the stream unless told. */
    addGap(
      of: StreamRef, startAt: EpochMs, endAt: EpochMs, cause: GapCause, noticedAt: EpochMs, among?: Among,
    ): void {
      const { cameraUuid, stream } = of
      const { afterRun, beforeRun } = among ?? aroundNow.get(cameraUuid, stream, cameraUuid, stream)!
      closedGap.run(of.cameraUuid, of.stream, startAt, endAt, cause, cause, noticedAt, afterRun, beforeRun)
    },
    /**
     * The clock was set back behind `at`, which nothing tells yet: what was lost beside the step has no length by
     * the clock.
     */
    addStepBack(of: StreamRef, at: EpochMs, noticedAt: EpochMs, among: Among): void {
      if (beginsNear.get(of.cameraUuid, of.stream, at - CLOCK_BACK_MS, at + CLOCK_BACK_MS) === undefined) {
        this.addGap(of, at, at, 'clock-stepped', noticedAt, among)
      }
    },
    /**
     * Lost time of which the catalogue may know nothing yet, or only of parts. The gap that lasts tells as far as
     * the clock has come: what lies ahead was lost before it was set back.
     */
    addUntoldGap(
      of: StreamRef, startAt: EpochMs, endAt: EpochMs, cause: GapCause, noticedAt: EpochMs, among: Among,
    ): void {
      const told = overlapping.all(of.cameraUuid, of.stream, endAt, startAt)
        .map(({ from, to }) => ({ startAt: from as EpochMs, endAt: (to ?? Math.max(from, noticedAt)) as EpochMs }))
      for (const untold of without({ startAt, endAt }, told, 1)) {
        this.addGap(of, untold.startAt, untold.endAt, cause, noticedAt, among)
      }
    },
    /** Of the runs of a stream that have ended the newest; 0 for none. */
    newestEnded: (of: StreamRef): number => newestEnded.get(of.cameraUuid, of.stream)?.id ?? 0,
    /** The run that was under way at an instant, as far as its end is known; null when none was. */
    runAt(of: StreamRef, at: EpochMs): RunId | null {
      const run = runAt.get(of.cameraUuid, of.stream, at)
      return run === undefined || (run.end_at !== null && run.end_at < at) ? null : runId(run.id)
    },
    /** The run `first` and those behind it, as far as they have ended, and ended later than `at`. */
    endedSince: (of: StreamRef, first: RunId, at: EpochMs): (TimeRange & { readonly id: RunId })[] =>
      endedSince.all(first, of.cameraUuid, of.stream, at)
        .map(row => ({ id: runId(row.run_id), startAt: row.start_at as EpochMs, endAt: row.end_at as EpochMs })),
    /** Footage of before a kill was read late: the gap that was noted since then begins behind it. */
    cutGap(of: StreamRef, id: RunId, { startAt, endAt }: TimeRange): void {
      cutGap.run(endAt, endAt, of.cameraUuid, of.stream, startAt, endAt, id, id, id)
    },
    /**
     * A run was found late, which began while a gap lasted and which the catalogue did not know when it ended
     * that gap: it ended where the run began, and another began behind it.
     */
    splitGap(of: StreamRef, id: RunId, { startAt, endAt }: TimeRange, now: EpochMs): void {
      const around = gapAround.get(of.cameraUuid, of.stream, startAt, endAt, endAt, now, id, id, id)
      if (around === undefined) return
      endGap.run(startAt, id, around.gap_id)
      if (around.end_at === null) this.openGapBefore(of, endAt, 'recorder-killed', now, id)
      else {
        const { beforeRun } = aroundNow.get(of.cameraUuid, of.stream, of.cameraUuid, of.stream)!
        const among = { afterRun: id, beforeRun: around.before_run ?? beforeRun }
        this.addGap(of, endAt, around.end_at as EpochMs, 'recorder-killed', now, among)
      }
    },
    gapNow(of: StreamRef): { startAt: EpochMs, cause: GapCause } | null {
      const row = gapNow.get(of.cameraUuid, of.stream)
      return row === undefined ? null : { startAt: row.start_at as EpochMs, cause: row.last_cause as GapCause }
    },
  }
}
