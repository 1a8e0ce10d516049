import {
  epochMs, type CameraUuid, type EpochMs, type GapCause, type RunId, type StreamName, type TimeRange,
} from '../domain/index.ts'
import { type SegmentRow, without } from '../footage/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import { holesBetween } from './holes.ts'
import { runsIn } from './recovery.ts'
import type { RowQueue } from './row-queue.ts'
import type { IndexEntry } from '../slots/index.ts'
import { spansOf, type Span } from './slot-survey.ts'
import { CLOCK_BACK_MS, TRIVIAL_GAP_MS, type Among, type runTable } from './tables/runs.ts'
import type { segmentTable } from './tables/segments.ts'

/** The wall clock is written down once a minute: a recorder may have run so much longer. */
const NOTED_EVERY_MS = 60_000

export interface LaneStream { readonly cameraUuid: CameraUuid, readonly stream: StreamName }

export interface PastGapsOptions {
  readonly runs: ReturnType<typeof runTable>
  readonly segments: ReturnType<typeof segmentTable>
  readonly rows: RowQueue
  readonly trustedTime: TrustedTime
  readonly clock: Clock
  /** Runs with lower numbers are of recorders before. */
  readonly firstRunId: number
}

/** What the catalogue said of a stream before its slots were recovered. */
export interface KnownBefore {
  /** The gap that lasts. */
  readonly gap: { readonly startAt: EpochMs } | null
  /** Number of the newest run that has ended; 0 for none. */
  readonly newestEnded: number
  /** The segment that was entered last. */
  readonly last: SegmentRow | null
  /** Runs of recorders before this one. */
  readonly unended: readonly { readonly id: RunId, readonly startAt: EpochMs }[]
}

/** The last frame of a run. */
interface LastFrame { readonly endAt: EpochMs, readonly runId: number }

/** What was found of a stream in slots that were open. */
export interface FoundInSlots {
  readonly slots: readonly (readonly IndexEntry[])[]
  /** The segments that were looked at, by `segmentKey`. */
  readonly waiting: ReadonlySet<string>
  /** Those of which `slots` are. */
  readonly read: ReadonlySet<string>
  /** Of the slot to go on with: where its footage ends. */
  readonly openEndAt: EpochMs | null
}

/** Tells what recorders before this one lost [G7], from what the catalogue says and the slots hold. */
export class PastGaps {
  readonly #options: PastGapsOptions
  constructor(options: PastGapsOptions) { this.#options = options }

  /** Throws what the catalogue throws. */
  known(of: LaneStream): KnownBefore {
    const { runs, segments } = this.#options
    return {
      unended: this.unended(of), gap: runs.gapNow(of), newestEnded: runs.newestEnded(of),
      last: segments.lastOfStream(of.cameraUuid, of.stream),
    }
  }

  unended({ cameraUuid, stream }: LaneStream): KnownBefore['unended'] {
    const { runs, firstRunId } = this.#options
    return runs.unended().filter(run =>
      run.cameraUuid === cameraUuid && run.stream === stream && run.id < firstRunId)
  }

  /** Footage that is found late: a gap that was noted meanwhile begins behind it. */
  #cut(of: LaneStream, found: ReadonlyMap<RunId, TimeRange>): void {
    const { runs, rows } = this.#options
    for (const [id, range] of found) rows.write(() => { runs.cutGap(of, id, range) })
  }

  /** What is found of a stream that goes on: it is not told as lost, and what lies between it is. */
  found(of: LaneStream, found: FoundInSlots): void {
    const runs = runsIn(found.slots.flat())
    this.#cut(of, runs)
    this.#split(of, runs)
    this.#tellBetween(of, found.slots.flatMap(spansOf), found.waiting, this.#options.clock.wallNow())
  }

  /** The recorder of then was killed before the catalogue knew of the run that ended a gap. */
  #split(of: LaneStream, found: ReadonlyMap<RunId, TimeRange>): void {
    const { runs, rows, clock } = this.#options, now = clock.wallNow()
    for (const [id, range] of found) rows.write(() => { runs.splitGap(of, id, range, now) })
  }

  /**
   * Ends what the last recorder left unended: its runs, and the gap since. `firstKnownAt`: since when this
   * recorder knows something of the stream; null: nothing yet.
   */
  end(of: LaneStream, before: KnownBefore, found: FoundInSlots, firstKnownAt: EpochMs | null): void {
    const { runs, rows, clock } = this.#options, now = clock.wallNow()
    const { gap, newestEnded } = before, spans = runsIn(found.slots.flat())
    this.#cut(of, spans)
    const lastFrameEnd = this.#lastFrameEnd(before, spans, found)
    const ended = before.unended.map(run =>
      ({ ...run, endAt: spans.get(run.id)?.endAt ?? lastFrameEnd ?? run.startAt }))
    if (gap !== null && gap.startAt !== firstKnownAt && lastFrameEnd !== null) {
      // What had ended before the gap was noted lies before it, whatever the clock showed then.
      const since = [...spans].filter(([id]) => id > newestEnded).map(([, span]) => span)
      const newest = Math.max(newestEnded, ...spans.keys(), ...ended.map(({ id }) => id))
      this.#endGap(of, gap.startAt, [...since, ...ended], { endAt: lastFrameEnd, runId: newest })
    }
    const lastRunId = Math.max(0, ...spans.keys())
    for (const { id, startAt, endAt } of ended) {
      // Where the slot of a run cannot be read yet, its footage begins where the run began: the gap is cut
      // back to behind it once it can.
      const isPast = lastRunId >= id && lastFrameEnd !== null
      const lostFrom = isPast ? lastFrameEnd : epochMs(Math.max(startAt, lastFrameEnd ?? endAt))
      rows.write(() => {
        runs.end(id, endAt, 'recorder-killed')
        this.#tellKill(of, { endAt: lostFrom, runId: Math.max(id, lastRunId) }, now)
      })
    }
    // A run that began while the catalogue took no rows has none that is to be ended.
    if (lastRunId > newestEnded && lastFrameEnd !== null && !ended.some(({ id }) => id === lastRunId)) {
      rows.write(() => { this.#tellKill(of, { endAt: lastFrameEnd, runId: lastRunId }, now) })
    }
    this.#tellBetween(of, found.slots.flatMap(spansOf), found.waiting, now)
  }

  /** The same of a stream that this recorder has recorded since `knownAt`. */
  endLate(
    of: LaneStream, unended: KnownBefore['unended'], found: FoundInSlots,
    { knownAt, newestAt }: { readonly knownAt: EpochMs | null, readonly newestAt: EpochMs | null },
  ): void {
    const { runs, rows, clock } = this.#options, now = clock.wallNow(), spans = runsIn(found.slots.flat())
    for (const run of unended) {
      const endAt = epochMs(Math.max(run.startAt, spans.get(run.id)?.endAt ?? newestAt ?? run.startAt))
      rows.write(() => {
        runs.end(run.id, endAt, 'recorder-killed')
        const last = { endAt, runId: run.id }
        if (knownAt === null || isAhead(endAt, knownAt)) this.#tellKill(of, last, knownAt ?? now)
        else if (knownAt - endAt > TRIVIAL_GAP_MS) runs.addGap(of, endAt, knownAt, 'recorder-killed', now, this.#behind(run.id))
      })
    }
    this.found(of, found)
  }

  /**
   * Where the last footage of a stream ends: what was found last, or its last segment that is elsewhere:
   * sealed, away, or not to be read now. What was found of runs before the newest was recorded before,
   * whatever the clock showed then.
   */
  #lastFrameEnd(
    { last, newestEnded, unended }: KnownBefore, spans: ReadonlyMap<RunId, TimeRange>,
    { read, openEndAt }: FoundInSlots,
  ): EpochMs | null {
    const recoveredTo = endOfLastRun(spans) ?? openEndAt
    if (last === null || (recoveredTo !== null && read.has(segmentKey(last)))) return recoveredTo
    const lastEndAt = last.endAt ?? last.startAt
    const isPassed = Math.max(0, ...spans.keys()) < Math.max(newestEnded, ...unended.map(({ id }) => id))
    return recoveredTo === null || isPassed ? lastEndAt : epochMs(Math.max(lastEndAt, recoveredTo))
  }

  /**
   * Killed between the first fragment after a gap and the row that ends the gap, which the catalogue may have
   * taken late: the gap ended where its stream was recorded again, and another begins behind that.
   */
  #endGap(of: LaneStream, gapStartAt: EpochMs, found: readonly TimeRange[], last: LastFrame): void {
    const { runs, rows, clock } = this.#options
    const again = found.filter(({ startAt, endAt }) => gapStartAt < startAt && startAt < endAt)
      .map(({ startAt }) => startAt)
    if (again.length === 0) return
    const now = clock.wallNow()
    rows.write(() => {
      runs.closeGap(of, epochMs(Math.min(...again)), 0)
      runs.openGapBefore(of, last.endAt, 'recorder-killed', now, last.runId)
    })
  }

  /** Of a recorder before this one: runs that are not known yet may lie there. */
  #behind(afterRun: number): Among { return { afterRun, beforeRun: this.#options.firstRunId - 1 } }

  /**
   * Begins the gap of a kill. What was lost while the clock was ahead is told as far as the recorder of then
   * may have run: what was lost since, this one tells by the clock of now.
   */
  #tellKill(of: LaneStream, { endAt: lostFrom, runId }: LastFrame, now: EpochMs): void {
    const { runs, trustedTime } = this.#options
    if (isAhead(lostFrom, now)) {
      const ranTo = (trustedTime.wallBefore ?? lostFrom) + NOTED_EVERY_MS
      runs.addGap(of, lostFrom, epochMs(Math.max(lostFrom, ranTo)), 'recorder-killed', now, this.#behind(runId))
    } else runs.openGapBefore(of, lostFrom, 'recorder-killed', now, runId)
  }

  /**
   * Of what was recorded while the catalogue took no rows, nothing may be known of the time that was lost:
   * between runs, inside one, or with a slot that failed and whose run went on in another. `spans`: what was
   * found in the slots `waiting`; what others hold between two of them is told by their rows.
   */
  #tellBetween(of: LaneStream, spans: readonly Span[], waiting: ReadonlySet<string>, now: EpochMs): void {
    const { runs, rows } = this.#options, { holes, stepsBack } = holesBetween(spans, now)
    for (const { at, ...among } of stepsBack) rows.write(() => { runs.addStepBack(of, at, now, among) })
    for (const { isInRun, ...hole } of holes) {
      if (hole.endAt - hole.startAt <= TRIVIAL_GAP_MS) continue
      const cause = isInRun ? 'unknown' : 'recorder-killed'
      this.#addUntold(of, { ...hole, cause }, { spans, waiting }, now)
    }
  }

  /** Numbers of runs may stand twice where a catalogue came from a backup: what was found is not lost. */
  #addUntold(
    of: LaneStream,
    { cause, afterRun, beforeRun, ...range }: TimeRange & Among & { readonly cause: GapCause },
    { spans, waiting }: { readonly spans: readonly Span[], readonly waiting: ReadonlySet<string> },
    now: EpochMs,
  ): void {
    const { runs, segments, rows } = this.#options
    rows.write(() => {
      const others = segments.inRange(of.cameraUuid, of.stream, range)
        .filter(segment => !waiting.has(segmentKey(segment)))
        .map(segment => ({ startAt: segment.startAt, endAt: segment.endAt ?? segment.startAt }))
      const gone = segments.overwrittenIn(of.cameraUuid, of.stream, range)
      for (const untold of without(range, [...others, ...gone, ...spans], TRIVIAL_GAP_MS)) {
        runs.addUntoldGap(of, untold.startAt, untold.endAt, cause, now, { afterRun, beforeRun })
      }
    })
  }
}

export const segmentKey = ({ volumeUuid, slot, generation }: SegmentRow): string =>
  `${volumeUuid} ${slot} ${generation}`

/** A time that is still to come was of a clock that ran ahead and was set back since. */
const isAhead = (at: EpochMs, now: EpochMs): boolean => at > now + CLOCK_BACK_MS

/** Runs are numbered in their order. */
function endOfLastRun(runs: ReadonlyMap<RunId, TimeRange>): EpochMs | null {
  const last = [...runs].reduce<readonly [RunId, TimeRange] | null>(
    (newest, run) => newest === null || run[0] > newest[0] ? run : newest, null)
  return last?.[1].endAt ?? null
}
