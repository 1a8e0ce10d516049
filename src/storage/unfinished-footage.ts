import type { CameraUuid, EpochMs, MonoMs, StreamName } from '../domain/index.ts'
import type { SegmentRow } from '../footage/index.ts'
import type { StorageError } from '../platform/file-system.ts'
import { floorRuleText, type FloorRule } from '../retention/index.ts'
import type { FreeSlots } from './free-slots.ts'
import { PastGaps, segmentKey, type FoundInSlots, type LaneStream } from './past-gaps.ts'
import {
  adoptUnentered, recoverOpen, recoverPreparing, salvage, tellLostTail, type RecoveredPreparing,
  type RecoveryOptions,
} from './recovery.ts'
import type { OpenSlot } from './ring.ts'
import type { IndexEntry } from '../slots/index.ts'
import type { SlotRow } from './tables/slots.ts'
import type { Volume } from './volume.ts'

/**
 * A slot that was open at the last end and cannot be read is asked again so long: most disks that fail are
 * back.
 */
const UNREADABLE_MS = 3_600_000

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
  readonly #gaps: PastGaps

  constructor(options: UnfinishedOptions) {
    this.#options = options
    this.#gaps = new PastGaps(options)
  }

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
      this.#gaps.found({ cameraUuid, stream }, await this.#sealLate(key))
    }
  }

  async #sealLate(key: string): Promise<FoundInSlots> {
    const { open, ...found } = await this.#recoverSlots(key)
    if (open !== null) await this.#options.ring.seal(open)
    return found
  }

  /**
   * Ends the runs of the recorder before, and tells the time until this one knew something of the stream
   * [G7].
   * What is found of them later still moves the gap's beginning.
   */
  async #settleStream(key: string, of: Unrecovered): Promise<void> {
    const { segments, clock } = this.#options
    const unended = this.#gaps.unended(of), knownAt = of.lane.firstKnownAt
    const newestAt = segments.newestFrameBefore(of.cameraUuid, of.stream, knownAt ?? clock.wallNow())
    this.#gaps.endLate(of, unended, await this.#sealLate(key), { knownAt, newestAt })
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
   * slot are sealed. `firstKnownAt`: since when this recorder knows something of the stream; null: nothing
   * yet.
   */
  async #recoverStream(
    of: LaneStream, firstKnownAt: () => EpochMs | null,
  ): Promise<OpenSlot | null> {
    const { segments } = this.#options, { cameraUuid, stream } = of
    // Asked first: what fails here leaves the slots for the next round.
    const before = this.#gaps.known(of)
    const newestFrameAt = segments.newestFrameOfStream(cameraUuid, stream)
    const { open: newest, ...found } = await this.#recoverSlots(laneKey(cameraUuid, stream))
    this.#gaps.end(of, before, found, firstKnownAt())
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
   * Recovers the open slots of a stream that volumes brought. All but the newest are sealed; one that
   * cannot be read is left for the next round.
   */
  async #recoverSlots(key: string): Promise<{ readonly open: OpenSlot | null } & FoundInSlots> {
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
      read.add(segmentKey(each.segment))
      if (recovered.kind !== 'open') continue
      if (newest !== null) await this.#options.ring.seal(newest)
      newest = recovered.open
    }
    return {
      open: newest, slots, waiting: new Set(waiting.map(({ segment }) => segmentKey(segment))), read,
      openEndAt: newest?.writer.endAt ?? null,
    }
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
