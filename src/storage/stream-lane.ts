import { epochMs, type CameraId, type CameraUuid, type EpochMs, type GapCause, type InRunReason, type RunEndReason, type RunId, type StreamName } from '../domain/index.ts'
import type { FragmentWatcher, TimedFragment } from '../footage/index.ts'
import type { InitSegment } from '../media/index.ts'
import { StorageError } from '../platform/file-system.ts'
import { isCatalogueFault } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import { LiveTap } from './live-tap.ts'
import type { OpenSlot, Ring } from './ring.ts'
import type { RowQueue } from './row-queue.ts'
import type { RunIds } from './run-ids.ts'
import { CLOCK_BACK_MS, TRIVIAL_GAP_MS, type runTable } from './tables/runs.ts'

export interface StreamLaneOptions {
  readonly cameraId: CameraId
  readonly cameraUuid: CameraUuid
  readonly stream: StreamName
  readonly ring: Ring
  readonly runs: ReturnType<typeof runTable>
  readonly runIds: RunIds
  readonly rows: RowQueue
  readonly trustedTime: TrustedTime
  readonly clock: Clock
  readonly log: Logger
  /** The slot that was open when the recorder last ended, once it is recovered. */
  readonly recovered: () => Promise<OpenSlot | null>
  /** On return the volumes say that recording is ahead of the catalogue. Never throws. */
  readonly markUnentered: () => Promise<void>
}

/**
 * All that one stream writes: its runs one after another, the slots they fill, the gaps between. Lives as
 * long as the recorder.
 */
export class StreamLane {
  readonly #options: StreamLaneOptions
  #open: OpenSlot | null = null
  #isRecovered = false
  #recovering: Promise<void> | null = null
  #runId: RunId | null = null
  /** Of the run before. */
  #lastReason: RunEndReason | null = null
  /** Start of a run of which nothing is stored yet. */
  #gapEndsAt: EpochMs | null = null
  #init: InitSegment | null = null
  readonly #sealing = new Set<Promise<unknown>>()
  readonly #tap = new LiveTap()
  #appending: Promise<void> = Promise.resolve()
  #firstKnownAt: EpochMs | null = null
  /** When the gap that lasts was last heard of, by the wall clock of then. */
  #lostUntil: EpochMs | null
  /** Since the last frame a row was written that begins a gap. */
  #isGapBegun = false
  #lastGap: { startAt: EpochMs, cause: GapCause } | null = null

  constructor(options: StreamLaneOptions) {
    this.#options = options
    this.#lostUntil = options.trustedTime.wallBefore
  }

  get cameraId(): CameraId { return this.#options.cameraId }
  /** The slot that is being written, for the sync loop. */
  get openSlot(): OpenSlot | null { return this.#open }

  /**
   * Ready to append: the slot of the time before was recovered, or is left for later. Idempotent; never
   * throws.
   */
  recover(): Promise<void> {
    this.#recovering ??= (async () => {
      try { this.#open = await this.#options.recovered() } catch (error) {
        const { log, cameraId, stream } = this.#options
        log.error({ err: error, camera: cameraId, stream }, 'the last open slot could not be recovered; it is tried again, and recording goes on in another')
      }
      this.#isRecovered = true
    })()
    return this.#recovering
  }
  get isRecovered(): boolean { return this.#isRecovered }
  /** When the first run or gap of this process began; null before. */
  get firstKnownAt(): EpochMs | null { return this.#firstKnownAt }

  /**
   * A run begins with its first frame. Goes on in the open slot when a player would not notice. The gap
   * that lasted ends with the first fragment that is stored.
   */
  async beginRun(init: InitSegment, startAt: EpochMs): Promise<RunId> {
    const { runs, runIds, rows, cameraUuid, stream, markUnentered } = this.#options
    await this.recover()
    await this.#appending.catch(() => undefined) // a run that was given up may still be storing
    const goesOn = this.#open !== null && continues(this.#open, init, startAt, this.#lastReason)
    if (!goesOn) this.#sealInBackground()
    this.#init = init
    const runId = runIds.next()
    this.#firstKnownAt ??= startAt
    this.#runId = runId
    rows.write(() => { runs.begin(runId, { cameraUuid, stream }, init.video, startAt) })
    if (rows.isBehind) await markUnentered()
    this.#gapEndsAt = startAt
    return runId
  }

  /**
   * Appends to the open slot or to the next. A slot that fails is given up and the fragment written to
   * another one, once. One at a time: a second call waits for the first.
   * Throws RingFullError, NoVolumeError, SlotBudgetError, FragmentTooLargeError, CatalogueFaultError,
   * StorageError.
   */
  async append(timed: TimedFragment): Promise<void> {
    const appended = this.#appending.catch(() => undefined).then(() => this.#append(timed))
    this.#appending = appended
    await appended
  }

  async #append(timed: TimedFragment): Promise<void> {
    try { await this.#appendOnce(timed) }
    catch (error) {
      if (!(error instanceof StorageError)) throw error
      this.#sealInBackground()
      await this.#appendOnce(error.fault === 'hung' ? withOwnBuffer(timed) : timed)
    }
    if (this.#gapEndsAt === null) return
    const { runs, rows } = this.#options, endsAt = this.#gapEndsAt, lostUntil = this.#lostUntil
    this.#gapEndsAt = this.#lostUntil = null
    this.#isGapBegun = false
    rows.write(() => {
      runs.endGapAhead(this.#options, endsAt, lostUntil)
      runs.closeGap(this.#options, endsAt, TRIVIAL_GAP_MS)
    })
  }

  async #appendOnce(timed: TimedFragment): Promise<void> {
    // An empty slot that does not take it is kept: the next one would not either, and no stream may eat the
    // ring with fragments that fit nowhere.
    if (this.#open !== null && (this.#open.writer.failure !== null || (this.#open.writer.records > 0 && !this.#open.writer.takes(timed)))) this.#sealInBackground()
    this.#open ??= await this.#options.ring.open(this.#options, this.#init!, timed.startAt)
    const open = this.#open
    await open.writer.append(timed)
    open.newestAt = epochMs(Math.max(open.newestAt, this.#options.trustedTime.trustedOf(epochMs(timed.startAt + timed.durationMs))))
  }

  /** Live view: every fragment once it is appended, until the function returned is called. */
  watch(watcher: FragmentWatcher): () => void { return this.#tap.watch(watcher) }
  /** After `append`: false when nobody watches and the fragment's buffer may be used again. Never throws. */
  showLive(timed: TimedFragment): boolean { return this.#init !== null && this.#tap.offer(timed, this.#init) }

  /** The run is over and the gap begins: at the end of its last frame, for this reason. */
  endRun(reason: RunEndReason, endAt: EpochMs): void {
    const { runs, rows, cameraUuid, stream, clock } = this.#options
    const runId = this.#runId, now = clock.wallNow()
    this.#lastReason = reason
    if (runId === null) return
    this.#lostUntil = now
    this.#isGapBegun = true
    rows.write(() => {
      runs.end(runId, endAt, reason)
      runs.openGap({ cameraUuid, stream }, endAt, reason, now) // of a run without a stored frame: the gap before it goes on
    })
    this.#runId = null
    this.#gapEndsAt = null
  }

  /** A stream is about to be recorded: begins a gap unless one lasts already. */
  noteStarting(): void {
    const gap = this.gapNow()
    if (gap === null || gap.startAt > this.#options.clock.wallNow() + CLOCK_BACK_MS) this.noteNoFootage('starting')
  }

  /**
   * A try that brought no frame: begins a gap now unless one lasts already, and notes the cause. One that lasts
   * since before the clock was set back is two: each is told by the clock of its time.
   */
  noteNoFootage(cause: GapCause): void {
    const { runs, rows, cameraUuid, stream, clock } = this.#options
    const now = clock.wallNow(), lostUntil = this.#lostUntil
    this.#firstKnownAt ??= now
    this.#lostUntil = now
    const isRepeated = this.#isGapBegun && lostUntil !== null && now >= lostUntil
    this.#isGapBegun = true
    rows.write(() => {
      runs.endGapAhead({ cameraUuid, stream }, now, lostUntil)
      runs.openGap({ cameraUuid, stream }, now, cause, now)
    }, { isRepeated })
  }
  /** Lost time inside a run that goes on. */
  noteHole(startAt: EpochMs, endAt: EpochMs, cause: InRunReason): void {
    const { runs, rows, cameraUuid, stream, clock } = this.#options
    const now = clock.wallNow()
    rows.write(() => { runs.addGap({ cameraUuid, stream }, startAt, endAt, cause, now) })
  }
  /** As the catalogue has it; as last seen while it cannot be read. */
  gapNow(): { startAt: EpochMs, cause: GapCause } | null {
    try { this.#lastGap = this.#options.runs.gapNow(this.#options) } catch (error) { if (!isCatalogueFault(error)) throw error }
    return this.#lastGap
  }

  #sealInBackground(): void {
    const open = this.#open
    if (open === null) return
    this.#open = null
    const done: Promise<unknown> = this.#options.ring.seal(open)
      .catch((error: unknown) => { this.#options.log.error({ err: error, slot: open.row.slot }, 'sealing failed; recovery will repeat it') })
      .finally(() => { this.#sealing.delete(done) })
    this.#sealing.add(done)
  }

  /** Seals what is open and waits until everything is. */
  async close(): Promise<void> {
    if (this.#recovering !== null) await this.#recovering
    await this.#appending.catch(() => undefined)
    this.#sealInBackground()
    await Promise.all(this.#sealing)
  }
}

/** A camera may send again what it sent at the end of the session before: its last group of pictures. */
export const MOST_OVERLAP_MS = 15_000

/**
 * True when the new run can go on in the open slot: same parameter sets to the byte, and time moves
 * forward.
 */
function continues(
  { writer }: OpenSlot, init: InitSegment, startAt: EpochMs, lastReason: RunEndReason | null
): boolean {
  const overlapMs = lastReason === 'clock-stepped' || lastReason === null ? 0 : MOST_OVERLAP_MS
  return writer.failure === null && startAt >= writer.endAt - overlapMs
    && init.ftyp.equals(writer.init.ftyp) && init.moov.equals(writer.init.moov)
}

/**
 * A write that hangs still reads from the fragment's buffer; what is written elsewhere is labelled in a
 * copy.
 */
const withOwnBuffer = (timed: TimedFragment): TimedFragment => ({ ...timed, fragment: { ...timed.fragment, buffer: Buffer.from(timed.fragment.buffer) } })
