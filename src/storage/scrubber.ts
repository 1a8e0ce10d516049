import { isoOf, slotNumber, type AuditSink, type EpochMs, type MonoMs, type VolumeUuid } from '../domain/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { VolumeFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import { enterFaults } from './scrub-book.ts'
import { checkSegment, SCRUB_BUFFER_BYTES, type CheckedSegment } from './segment-check.ts'
import { scrubTable, type RottenFootage, type ScrubPosition } from './tables/scrubs.ts'
import { segmentTable } from './tables/segments.ts'
import type { Volume } from './volume.ts'

export interface ScrubberOptions {
  readonly catalogue: Catalogue
  readonly audit: AuditSink
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Those in use, and whether each takes its writes in good time now. */
  readonly volumes: () => readonly { readonly volume: Volume, readonly isSlow: boolean }[]
}

/** `progress` is of the round under way, 0 to 1, over all volumes; `lastPassAt` the oldest of their last full rounds, null until each has had one. */
export interface ScrubStatus { readonly lastPassAt: EpochMs | null, readonly progress: number, readonly rotten: readonly RottenFootage[] }

const LEAST_BYTES_PER_S = 4 << 20 // (measured) 0.5-0.7 % of a core with slots of 64 MiB, and a fortieth of what a disk gives
const ROUND_MS = 30 * 86_400_000 // all that is kept is read once before it goes
const IDLE_MS = 60_000
const SLOW_WAIT_MS = 30_000
const SAVE_EVERY_MS = 60_000

/**
 * Reads sealed footage again, slowly and for ever, and says what rotted [G1: it changes nothing]. Each round of a volume begins at a slot chosen by chance, so that
 * restarts do not keep reading the same ones; where it is, is written down now and then. It takes no lease: a segment that is overwritten while it is read is no finding, and reading old
 * footage must never keep a slot from new footage [G9].
 */
export class Scrubber {
  readonly #options: ScrubberOptions
  readonly #scrubs: ReturnType<typeof scrubTable>
  readonly #segments: ReturnType<typeof segmentTable>
  readonly #at = new Map<VolumeUuid, ScrubPosition>()
  readonly #readBytes = new Map<VolumeUuid, number>()
  readonly #buffer = Buffer.allocUnsafeSlow(SCRUB_BUFFER_BYTES)
  #savedAt: MonoMs

  constructor(options: ScrubberOptions) {
    this.#options = options
    this.#scrubs = scrubTable(options.catalogue.db)
    this.#segments = segmentTable(options.catalogue.db)
    this.#savedAt = options.clock.monoNow()
  }

  status(): ScrubStatus {
    const volumes = this.#options.volumes().map(({ volume }) => ({ at: this.#positionOf(volume), slots: volume.identity.slotCount }))
    const ends = volumes.map(({ at }) => at.lastPassAt)
    const slots = volumes.reduce((sum, each) => sum + each.slots, 0)
    return {
      lastPassAt: ends.length === 0 || ends.includes(null) ? null : ends.reduce((oldest, end) => end! < oldest! ? end : oldest),
      progress: slots === 0 ? 0 : volumes.reduce((sum, { at }) => sum + at.doneSlots, 0) / slots, rotten: this.#scrubs.standing(),
    }
  }

  /** Until `signal` aborts. A failure is logged and the round goes on with the next segment. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    while (!signal.aborted) {
      const waitMs = await this.#next(signal).catch((error: unknown) => {
        log.error({ err: error }, 'scrubbing failed')
        return IDLE_MS
      })
      if (waitMs > 0) await clock.wait(waitMs, signal)
    }
    this.#save()
  }

  /** One segment, of the volume that had the least of its turn. Returns how long to rest. */
  async #next(signal: AbortSignal): Promise<number> {
    const { volumes, clock } = this.#options
    const inUse = volumes()
    const share = ({ identity: { uuid, slotCount, slotSizeBytes } }: Volume) => (this.#readBytes.get(uuid) ?? 0) / (slotCount * slotSizeBytes)
    const [turn] = inUse.filter(each => !each.isSlow).sort((a, b) => share(a.volume) - share(b.volume))
    if (turn === undefined) return inUse.length === 0 ? IDLE_MS : SLOW_WAIT_MS
    const { volume } = turn
    const { uuid, slotCount, slotSizeBytes } = volume.identity
    const at = this.#positionOf(volume)
    const segment = this.#segmentFrom(volume, at)
    if (segment === null) {
      this.#at.set(uuid, { firstSlot: slotNumber(Math.floor(this.#options.random() * slotCount)), doneSlots: 0, passBeganAt: clock.wallNow(), lastPassAt: clock.wallNow() })
      this.#readBytes.set(uuid, (this.#readBytes.get(uuid) ?? 0) + slotSizeBytes) // an empty one does not come first for ever
      this.#save()
      return inUse.length === 1 || share(volume) > 1 ? IDLE_MS : 1
    }
    await this.#check(volume, segment, signal)
    if (signal.aborted) return 0
    this.#at.set(uuid, { ...at, doneSlots: (segment.slot - at.firstSlot + slotCount) % slotCount + 1 })
    if (clock.monoNow() - this.#savedAt >= SAVE_EVERY_MS) this.#save()
    return 0
  }

  async #check(volume: Volume, segment: CheckedSegment, signal: AbortSignal): Promise<void> {
    const { fs, clock, log, catalogue, audit } = this.#options
    const faults = await checkSegment({
      fs, volume, segment, buffer: this.#buffer,
      pace: async bytes => {
        this.#readBytes.set(segment.volumeUuid, (this.#readBytes.get(segment.volumeUuid) ?? 0) + bytes)
        await clock.wait(bytes * 1000 / this.#bytesPerSecond(), signal)
        while (!signal.aborted && this.#isSlow(volume)) await clock.wait(SLOW_WAIT_MS, signal)
        return !signal.aborted
      },
    })
    if (faults === null) return
    const { fresh } = enterFaults({ catalogue, audit, clock, scrubs: this.#scrubs }, segment, faults)
    for (const fault of fresh) {
      log.error({ volume: volume.identity.id, slot: segment.slot, camera: segment.cameraId, stream: segment.stream, kind: fault.kind, from: isoOf(fault.fromAt), to: isoOf(fault.toAt) }, 'footage has rotted')
    }
  }

  #isSlow(volume: Volume): boolean { return this.#options.volumes().some(each => each.volume.identity.uuid === volume.identity.uuid && each.isSlow) }

  #bytesPerSecond(): number {
    const bytes = this.#options.volumes().reduce((sum, { volume: { identity } }) => sum + identity.slotCount * identity.slotSizeBytes, 0)
    return Math.max(LEAST_BYTES_PER_S, bytes * 1000 / ROUND_MS)
  }

  #positionOf(volume: Volume): ScrubPosition {
    const { uuid, slotCount } = volume.identity
    const known = this.#at.get(uuid) ?? this.#scrubs.position(uuid)
    const at = known !== null && known.firstSlot < slotCount && known.doneSlots <= slotCount ? known
      : { firstSlot: slotNumber(Math.floor(this.#options.random() * slotCount)), doneSlots: 0, passBeganAt: this.#options.clock.wallNow(), lastPassAt: null }
    this.#at.set(uuid, at)
    return at
  }

  /** The next sealed segment of the round; null at its end. */
  #segmentFrom(volume: Volume, { firstSlot, doneSlots }: ScrubPosition): CheckedSegment | null {
    const { uuid, slotCount } = volume.identity
    const from = firstSlot + doneSlots
    if (from < slotCount) {
      const found = this.#segments.sealedFrom(uuid, slotNumber(from), slotCount)
      if (found !== null) return found
    }
    return this.#segments.sealedFrom(uuid, slotNumber(Math.max(0, from - slotCount)), firstSlot)
  }

  #save(): void {
    this.#savedAt = this.#options.clock.monoNow()
    const inUse = new Set(this.#options.volumes().map(({ volume }) => volume.identity.uuid))
    for (const [uuid, at] of this.#at) if (inUse.has(uuid)) this.#scrubs.savePosition(uuid, at)
  }
}
