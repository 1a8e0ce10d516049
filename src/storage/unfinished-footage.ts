import {
  epochMs, type CameraUuid, type EpochMs, type GapCause, type MonoMs, type RunId, type StreamName, type TimeRange,
} from '../domain/index.ts'
import type { StorageError } from '../platform/file-system.ts'
import { floorRuleText, type FloorRule } from '../retention/index.ts'
import type { FreeSlots } from './free-slots.ts'
import { without } from './gap-finder.ts'
import {
  adoptUnentered, recoverOpen, recoverPreparing, runsIn, salvage, tellLostTail, type RecoveredPreparing,
  type RecoveryOptions,
} from './recovery.ts'
import type { OpenSlot } from './ring.ts'
import type { IndexEntry } from './slot-format.ts'
import { spansOf, type Span } from './slot-survey.ts'
import { MOST_OVERLAP_MS } from './stream-lane.ts'
import { CLOCK_BACK_MS, TRIVIAL_GAP_MS } from './tables/runs.ts'
import type { SegmentRow } from './tables/segments.ts'
import type { SlotRow } from './tables/slots.ts'
import type { Volume } from './volume.ts'

/**
 * A slot that was open at the last end and cannot be read is asked again so long: most disks that fail are
 * back.
 */
const UNREADABLE_MS = 3_600_000

/** The wall clock is written down once a minute: a recorder may have run so much longer. */
const NOTED_EVERY_MS = 60_000

export interface LaneStream { readonly cameraUuid: CameraUuid, readonly stream: StreamName }
/** What this recorder has of a stream. */
export interface KnownLane {
  /** Its last end was looked up. */
  readonly isRecovered: boolean
  /** When this recorder first knew something of the stream. */
  readonly firstKnownAt: EpochMs | null
}
/** Its camera may leave the configuration before its last end is looked up: the lane says what was since. */
interface Unrecovered extends LaneStream { readonly lane: KnownLane }
/** A slot that was open when the recorder last ended. */
interface Unsealed {
  readonly volume: Volume
  readonly segment: SegmentRow
  readonly since: MonoMs
  /** The log says that it cannot be read. */
  isTold: boolean
}

/** A slot that was being prepared when the recorder last ended, and what the disk said when it was asked. */
interface Unread {
  readonly volume: Volume
  readonly row: SlotRow
  readonly error: StorageError
  readonly since: MonoMs
}

export interface UnfinishedOptions extends RecoveryOptions {
  readonly lanes: ReadonlyMap<string, KnownLane>
  /** Lower numbers are those of recorders before this one. */
  readonly firstRunId: number
  /** In force now. */
  readonly floor: FloorRule
}

/**
 * What the recorder before left unfinished: slots that were open or being prepared, and runs without an end.
 * It is ended when its stream is first asked for, or later: when a volume comes back, the disk or the
 * catalogue can be read again, or its camera is recorded no more [G7].
 */
export class UnfinishedFootage {
  readonly #options: UnfinishedOptions
  /** By stream. */
  readonly #unsealed = new Map<string, Unsealed[]>()
  #unread: Unread[] = []
  /** Streams whose last end could not be looked up: the catalogue could not be read. */
  readonly #unrecovered = new Map<string, Unrecovered>()
  /** The configuration was applied: a stream that has no lane is recorded no more. */
  #areLanesKnown = false

  constructor(options: UnfinishedOptions) { this.#options = options }

  /**
   * Before the first slot of a volume is given away: what stands open there. `unenteredAmong`: of these slots
   * some may have footage that the catalogue does not know of.
   */
  async admit(volume: Volume, unenteredAmong: FreeSlots | null): Promise<void> {
    const { segments, slots } = this.#options, { uuid } = volume.identity
    const preparing = slots.inState(uuid, 'preparing')
    const { settled, unread } = await recoverPreparing(this.#options, volume, preparing)
    this.#unread = this.#unread.filter(each => each.volume !== volume)
    this.#noteUnread(volume, unread, this.#options.clock.monoNow())
    const isElse = new Set<number>([...settled, ...unread.map(({ row }) => row.slot)])
    const unsealed = segments.unsealed(uuid).filter(({ slot }) => !isElse.has(slot))
    if (unenteredAmong !== null) unsealed.push(...await adoptUnentered(this.#options, volume, unenteredAmong))
    for (const segment of unsealed) this.#noteUnsealed(volume, segment)
  }

  #noteUnsealed(volume: Volume, segment: SegmentRow): void {
    const key = laneKey(segment.cameraUuid, segment.stream)
    const waiting = this.#unsealed.get(key) ?? []
    waiting.push({ volume, segment, since: this.#options.clock.monoNow(), isTold: false })
    this.#unsealed.set(key, waiting)
  }

  #noteUnread(volume: Volume, unread: RecoveredPreparing['unread'], since: MonoMs): void {
    for (const { row, error } of unread) {
      this.#options.log.warn({ err: error, volume: volume.identity.id, slot: row.slot },
        'a slot that was being prepared cannot be read; it is tried again')
      this.#unread.push({ volume, row, error, since })
    }
  }

  /** Slots that were being prepared, and that the disk did not give at the start: they may hold footage. */
  async recoverUnread(volume: Volume): Promise<void> {
    for (const waiting of this.#unread.filter(each => each.volume === volume)) {
      const { row, since, error } = waiting
      // Asked first: what fails here leaves the slot for the next look.
      const unsealed = this.#options.segments.unsealed(volume.identity.uuid)
      const segment = unsealed.find(({ slot }) => slot === row.slot)
      const isOver = this.#options.clock.monoNow() - since > UNREADABLE_MS
      if (isOver) this.#options.ring.giveUp(volume, row, row, error)
      else {
        const { settled, unread } = await recoverPreparing(this.#options, volume, [row])
        for (const each of unread) this.#unread.push({ volume, ...each, since })
        const isOpen = settled.size === 0 && unread.length === 0
        if (isOpen && segment !== undefined) this.#noteUnsealed(volume, segment)
      }
      this.#unread = this.#unread.filter(each => each !== waiting)
    }
  }

  /**
   * What was open when the last recorder ended, and whose streams went on elsewhere, or are recorded no more:
   * of a volume that came back, or that could not be read at the start; or the catalogue could not. It is
   * history now.
   */
  settle(): Promise<void> {
    const settled = this.#settling.then(() => this.#settleStreams()) // each volume's look asks for it
    this.#settling = settled.catch(() => undefined)
    return settled
  }
  #settling: Promise<void> = Promise.resolve()

  async #settleStreams(): Promise<void> {
    for (const [key, of] of [...this.#unrecovered]) {
      await this.#settleStream(key, of)
      this.#unrecovered.delete(key)
    }
    for (const [key, [first]] of [...this.#unsealed]) {
      const isHistory = this.#options.lanes.get(key)?.isRecovered ?? this.#areLanesKnown
      if (first === undefined || !isHistory) continue
      const { cameraUuid, stream } = first.segment
      const found = await this.#sealLate(key)
      this.#cutGaps({ cameraUuid, stream }, found.values())
      this.#splitGaps({ cameraUuid, stream }, found)
    }
  }

  /** Footage that is found late: a gap that was noted meanwhile begins behind it. */
  #cutGaps(of: LaneStream, ranges: Iterable<TimeRange>): void {
    for (const range of ranges) this.#options.rows.write(() => { this.#options.runs.cutGap(of, range) })
  }

  /** The recorder of then was killed before the catalogue knew of the run that ended a gap. */
  #splitGaps(of: LaneStream, found: ReadonlyMap<RunId, TimeRange>): void {
    const { runs, rows, clock } = this.#options, now = clock.wallNow()
    for (const [id, range] of found) rows.write(() => { runs.splitGap(of, id, range, now) })
  }

  /** Returns the runs that were found. */
  async #sealLate(key: string): Promise<ReadonlyMap<RunId, TimeRange>> {
    const { open, slots } = await this.#recoverSlots(key)
    if (open !== null) await this.#options.ring.seal(open)
    return runsIn(slots.flat())
  }

  /**
   * Ends the runs of the recorder before, and tells the time until this one knew something of the stream [G7].
   * What is found of them later still moves the gap's beginning.
   */
  async #settleStream(key: string, of: Unrecovered): Promise<void> {
    const { runs, segments } = this.#options
    const now = this.#options.clock.wallNow()
    const unended = this.#unendedOf(of)
    const knownAt = of.lane.firstKnownAt
    const newestAt = segments.newestFrameBefore(of.cameraUuid, of.stream, knownAt ?? now)
    const found = await this.#sealLate(key)
    for (const run of unended) {
      const endAt = epochMs(Math.max(run.startAt, found.get(run.id)?.endAt ?? newestAt ?? run.startAt))
      this.#options.rows.write(() => {
        runs.end(run.id, endAt, 'recorder-killed')
        if (knownAt === null || isAhead(endAt, knownAt)) this.#tellKill(of, endAt, knownAt ?? now)
        else if (knownAt - endAt > TRIVIAL_GAP_MS) runs.addGap(of, endAt, knownAt, 'recorder-killed', now)
      })
    }
  }

  /** Runs of recorders before this one. */
  #unendedOf({ cameraUuid, stream }: LaneStream) {
    return this.#options.runs.unended().filter(run =>
      run.cameraUuid === cameraUuid && run.stream === stream && run.id < this.#options.firstRunId)
  }

  /** Throws what `lane` has to try again: its stream goes on meanwhile, and is settled later. */
  async recoverLane(of: LaneStream, lane: () => KnownLane): Promise<OpenSlot | null> {
    try { return await this.#recoverStream(of, () => lane().firstKnownAt) } catch (error) {
      this.#unrecovered.set(laneKey(of.cameraUuid, of.stream), { ...of, lane: lane() })
      throw error
    }
  }

  /**
   * Ends what the last recorder left unended: its slots, its runs, and the gap since. All but the newest
   * slot are sealed. `firstKnownAt`: since when this recorder knows something of the stream; null: nothing yet.
   */
  async #recoverStream(
    of: LaneStream, firstKnownAt: () => EpochMs | null,
  ): Promise<OpenSlot | null> {
    const { runs, segments } = this.#options
    const now = this.#options.clock.wallNow(), { cameraUuid, stream } = of
    // Asked first: what fails here leaves the slots for the next round.
    const unended = this.#unendedOf(of)
    const gap = runs.gapNow(of), newestEnded = runs.newestEnded(of)
    const newestFrameAt = segments.newestFrameOfStream(cameraUuid, stream)
    const last = segments.lastOfStream(cameraUuid, stream)
    const found = await this.#recoverSlots(laneKey(cameraUuid, stream))
    const { open: newest, slots } = found, spans = runsIn(slots.flat())
    this.#cutGaps(of, spans.values())
    const recoveredTo = endOfLastRun(spans) ?? newest?.writer.endAt ?? null
    const isLastRead = last === null || found.read.has(keyOf(last))
    const lastFrameEnd = isLastRead && recoveredTo !== null ? recoveredTo : this.#lastEndOf(last, recoveredTo)
    const ended = unended.map(run =>
      ({ ...run, endAt: spans.get(run.id)?.endAt ?? lastFrameEnd ?? run.startAt }))
    const isOwnGap = gap !== null && gap.startAt === firstKnownAt()
    if (gap !== null && !isOwnGap && lastFrameEnd !== null) {
      // What had ended before the gap was noted lies before it, whatever the clock showed then.
      const since = [...spans].filter(([id]) => id > newestEnded).map(([, span]) => span)
      this.#endGap(of, gap.startAt, [...since, ...ended], lastFrameEnd)
    }
    const lastRunId = Math.max(0, ...spans.keys())
    for (const { endAt, ...run } of ended) {
      // Where the slot of a run cannot be read yet, its footage begins where the run began: the gap is cut back
      // to behind it once it can.
      const isPast = lastRunId >= run.id && lastFrameEnd !== null
      const lostFrom = isPast ? lastFrameEnd : epochMs(Math.max(run.startAt, lastFrameEnd ?? endAt))
      this.#options.rows.write(() => {
        runs.end(run.id, endAt, 'recorder-killed')
        this.#tellKill(of, lostFrom, now)
      })
    }
    // A run that began while the catalogue took no rows has none that is to be ended.
    if (lastRunId > newestEnded && lastFrameEnd !== null && !ended.some(run => run.id === lastRunId)) {
      this.#options.rows.write(() => { this.#tellKill(of, lastFrameEnd, now) })
    }
    this.#noteUntoldGaps(of, slots.flatMap(spansOf), found.waiting, now)
    // It was left for later once, and its stream went on elsewhere: a segment must not reach over another.
    // Nor does one go on under another floor than that in its header [G1].
    const isPassed = newest !== null && newestFrameAt !== null && newestFrameAt > newest.writer.endAt
    if (newest !== null && (isPassed || floorRuleText(newest.floor) !== floorRuleText(this.#options.floor))) {
      await this.#options.ring.seal(newest)
      return null
    }
    return newest
  }

  /**
   * Killed between the first fragment after a gap and the row that ends the gap, which the catalogue may have
   * taken late: the gap ended where its stream was recorded again, and another begins behind that.
   */
  #endGap(of: LaneStream, gapStartAt: EpochMs, found: readonly TimeRange[], lastFrameEnd: EpochMs): void {
    const { runs, rows, clock } = this.#options
    const again = found.filter(({ startAt, endAt }) => gapStartAt < startAt && startAt < endAt)
      .map(({ startAt }) => startAt)
    if (again.length === 0) return
    const now = clock.wallNow()
    rows.write(() => {
      runs.closeGap(of, epochMs(Math.min(...again)), 0)
      runs.openGapBefore(of, lastFrameEnd, 'recorder-killed', now)
    })
  }

  /**
   * Where the footage of a stream ends whose last segment is elsewhere: sealed, away, or not to be read now. A
   * time that the recorder before had not reached was shown by a clock that ran ahead, and was set back since.
   */
  #lastEndOf(last: SegmentRow | null, recoveredTo: EpochMs | null): EpochMs | null {
    if (last === null) return recoveredTo
    const lastEndAt = last.endAt ?? last.startAt, { wallBefore } = this.#options.trustedTime
    const isOfClockAhead = recoveredTo !== null && wallBefore !== null
      && recoveredTo > wallBefore + NOTED_EVERY_MS
    return recoveredTo === null || isOfClockAhead ? lastEndAt : epochMs(Math.max(lastEndAt, recoveredTo))
  }

  /**
   * Begins the gap of a kill. What was lost while the clock was ahead is told as far as the recorder of then may
   * have run: what was lost since, this one tells by the clock of now.
   */
  #tellKill(of: LaneStream, lostFrom: EpochMs, now: EpochMs): void {
    const { runs, trustedTime } = this.#options
    if (isAhead(lostFrom, now)) {
      const ranTo = (trustedTime.wallBefore ?? lostFrom) + NOTED_EVERY_MS
      runs.addGap(of, lostFrom, epochMs(Math.max(lostFrom, ranTo)), 'recorder-killed', now)
    } else runs.openGapBefore(of, lostFrom, 'recorder-killed', now)
  }

  /**
   * Of what was recorded while the catalogue took no rows, nothing may be known of the time that was lost:
   * between runs, inside one, or with a slot that failed and whose run went on in another [G7]. `spans`: what was
   * found in the slots `recovered`; what others hold between two of them is told by their rows.
   */
  #noteUntoldGaps(
    of: LaneStream, spans: readonly Span[], recovered: ReadonlySet<string>, now: EpochMs,
  ): void {
    const ordered = spans.toSorted((a, b) => a.runId - b.runId || a.startAt - b.startAt)
    let last: Span | null = null
    for (const span of ordered) {
      if (last !== null && last.endAt - span.startAt > MOST_OVERLAP_MS) {
        const { endAt } = last
        this.#options.rows.write(() => { this.#options.runs.addStepBack(of, endAt, now) })
      } else if (last !== null && span.startAt - last.endAt > TRIVIAL_GAP_MS) {
        this.#addUntoldGap(of, { startAt: last.endAt, endAt: span.startAt },
          last.runId === span.runId ? 'unknown' : 'recorder-killed', recovered, now)
      }
      const goesOn: boolean = last !== null && Math.abs(last.endAt - span.startAt) <= MOST_OVERLAP_MS
      last = goesOn && last!.endAt > span.endAt ? { ...span, endAt: last!.endAt } : span
    }
  }

  #addUntoldGap(
    of: LaneStream, range: TimeRange, cause: GapCause, recovered: ReadonlySet<string>, now: EpochMs,
  ): void {
    const { runs, segments, rows } = this.#options
    rows.write(() => {
      const others = segments.inRange(of.cameraUuid, of.stream, range)
        .filter(segment => !recovered.has(keyOf(segment)))
        .map(segment => ({ startAt: segment.startAt, endAt: segment.endAt ?? segment.startAt }))
      for (const untold of without(range, others, TRIVIAL_GAP_MS)) {
        runs.addUntoldGap(of, untold.startAt, untold.endAt, cause, now)
      }
    })
  }

  /**
   * Recovers the open slots of a stream that volumes brought. All but the newest are sealed; one that
   * cannot be read is left for the next round. `waiting`: the segments that were looked at; `read`: those of
   * which `slots` are.
   */
  async #recoverSlots(key: string): Promise<{
    open: OpenSlot | null, slots: (readonly IndexEntry[])[]
    waiting: ReadonlySet<string>, read: ReadonlySet<string> }> {
    const waiting = (this.#unsealed.get(key) ?? []).sort((a, b) => a.segment.startAt - b.segment.startAt)
    this.#unsealed.delete(key)
    let newest: OpenSlot | null = null
    const slots: (readonly IndexEntry[])[] = [], read = new Set<string>()
    for (const each of waiting) {
      const recovered = await recoverOpen(this.#options, each.volume, each.segment)
      const entries = recovered.kind === 'unreadable'
        ? await this.#leaveForLater(key, each, recovered.error) : recovered.entries
      if (entries === null) continue
      tellLostTail(this.#options, each.segment, entries)
      slots.push(entries)
      read.add(keyOf(each.segment))
      if (recovered.kind !== 'open') continue
      if (newest !== null) await this.#options.ring.seal(newest)
      newest = recovered.open
    }
    return { open: newest, slots, waiting: new Set(waiting.map(({ segment }) => keyOf(segment))), read }
  }

  /** Null: it is tried again. */
  async #leaveForLater(
    key: string, unsealed: Unsealed, error: StorageError,
  ): Promise<readonly IndexEntry[] | null> {
    const { volume, segment, since } = unsealed, { clock, log } = this.#options
    if (clock.monoNow() - since > UNREADABLE_MS) {
      return await salvage(this.#options, volume, segment, error)
    }
    if (!unsealed.isTold) {
      log.warn({ err: error, volume: volume.identity.id, slot: segment.slot },
        'a slot that was open cannot be read; it is tried again')
    }
    unsealed.isTold = true
    this.#unsealed.set(key, [...this.#unsealed.get(key) ?? [], unsealed])
    return null
  }

  /**
   * What the recorder before left of streams that have no lane now: slots, or only a run, where the volume of
   * its slot is away [G7].
   */
  async recoverLeft(): Promise<void> {
    const unsealed = [...this.#unsealed.values()].flat().map(({ segment }) => segment)
    const unended = this.#options.runs.unended().filter(({ id }) => id < this.#options.firstRunId)
    const left = new Map([...unsealed, ...unended].map(({ cameraUuid, stream }) =>
      [laneKey(cameraUuid, stream), { cameraUuid, stream }] as const))
    for (const [key, { cameraUuid, stream }] of left) {
      if (this.#options.lanes.has(key) || this.#unrecovered.has(key)) continue
      const open = await this.#recoverStream({ cameraUuid, stream }, () => null)
      if (open !== null) await this.#options.ring.seal(open)
    }
    this.#areLanesKnown = true
  }
}

export const laneKey = (cameraUuid: CameraUuid, stream: StreamName): string => `${cameraUuid}/${stream}`
/** A time that is still to come was of a clock that ran ahead and was set back since. */
const isAhead = (at: EpochMs, now: EpochMs): boolean => at > now + CLOCK_BACK_MS
const keyOf = ({ volumeUuid, slot, generation }: SegmentRow): string =>
  `${volumeUuid} ${slot} ${generation}`
/** Runs are numbered in their order. */
const endOfLastRun = (runs: ReadonlyMap<RunId, TimeRange>): EpochMs | null =>
  [...runs].reduce<readonly [RunId, TimeRange] | null>((last, run) => last === null || run[0] > last[0] ? run : last, null)
    ?.[1].endAt ?? null
