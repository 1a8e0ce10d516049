import type { AuditKeeper } from '../audit/index.ts'
import type { OrderOfSacrifice } from '../capacity/index.ts'
import { streamKeyText, type CameraChange } from '../domain/index.ts'
import type { CapacityReport, ClockView, PartFault, RecorderFacts } from '../health/index.ts'
import type { Ingest } from '../ingest/index.ts'
import type { LastKnown } from '../platform/last-known.ts'
import { watchLoopDelay } from '../platform/loop-delay.ts'
import type { Scrubber, Storage } from '../storage/index.ts'
import type { TimeStatus, TrustedTime } from '../trusted-time/index.ts'
import type { ConfigReload } from './config-reload.ts'
import type { HouseFacts } from './house.ts'

export interface RecorderParts {
  readonly storage: Storage
  readonly isStateDiskFull: () => boolean
  /** Null while it cannot be opened. */
  readonly scrubber: () => Scrubber | null
  readonly ingest: Ingest
  readonly cameraChanges: () => readonly CameraChange[]
  readonly sacrifice: OrderOfSacrifice
  readonly capacity: CapacityReport
  readonly reload: ConfigReload
  readonly trustedTime: TrustedTime
  readonly auditKeeper: AuditKeeper
  readonly house: () => HouseFacts
  readonly known: LastKnown
  readonly faults: () => readonly PartFault[]
}

const NOT_SCRUBBED: RecorderFacts['scrub'] = { lastPassAt: null, progress: 0, rotten: [] }

/**
 * What health looks at: gathered from the parts each time it is asked for. While the catalogue cannot be read
 * it is told as it was last known, and that it cannot be read: a recorder that records must not look dead to
 * its watchdog.
 */
export function recorderFacts(
  parts: RecorderParts,
): { readonly read: () => RecorderFacts, readonly source: Disposable } {
  const { storage, scrubber, ingest, sacrifice, capacity, reload, trustedTime, auditKeeper } = parts
  const { house, known, faults, cameraChanges, isStateDiskFull } = parts
  const loopDelay = watchLoopDelay()
  const read = (): RecorderFacts => {
    known.begin()
    const streams = ingest.report().map(report => {
      const { cameraId, stream } = report, key = streamKeyText(report)
      const gap = known.ask(`gap ${key}`, () => storage.gapNow(cameraId, stream), null)
      const oldestFrameAt = known.ask(`oldest ${key}`, () => storage.oldestFrameAt(cameraId, stream), null)
      const openGapSince = gap?.startAt ?? null, openGapCause = gap?.cause ?? null
      return { ...report, oldestFrameAt, openGapSince, openGapCause }
    })
    const volumes = known.ask('volumes', () => storage.volumeStatus(), [])
      .map(({ slots, heldSlots, lastSyncMs, worstSyncMs, ...status }) => ({
      ...status,
      slots: {
        total: slots.free + slots.preparing + slots.open + slots.sealed + slots.quarantined, free: slots.free,
        open: slots.open + slots.preparing, sealed: slots.sealed, held: heldSlots, quarantined: slots.quarantined,
      },
      syncMs: { last: lastSyncMs, worst: worstSyncMs },
    }))
    const stoppedByFloor = streams.some(({ state, lastEndReason }) =>
      state !== 'recording' && lastEndReason === 'storage-full')
    const scrub = known.ask('scrub', () => scrubber()?.status() ?? NOT_SCRUBBED, NOT_SCRUBBED)
    const rescues = known.ask('rescues', () => storage.rescues(), { count: 0, newestAt: null })
    const ofHouse = house()
    const status = storage.catalogueStatus()
    return {
      ...capacity.view(streams, volumes, stoppedByFloor),
      sacrifice: sacrifice.view(),
      catalogue: known.fault === null ? status : { ...status, state: 'failed', detail: known.fault },
      isStateDiskFull: isStateDiskFull(),
      scrub, rescues, cameraChanges: known.ask('camera changes', cameraChanges, []), ...ofHouse,
      process: { rssBytes: process.memoryUsage.rss(), eventLoopDelayMs: loopDelay.worstMs(), uptimeMs: Math.round(process.uptime() * 1000) },
      clock: clockView(trustedTime.status()),
      audit: auditKeeper.auditView(), witness: auditKeeper.witnessView(),
      configReload: reload.view(), faults: faults(),
    }
  }
  return { read, source: loopDelay }
}

const clockView = ({ sync, ...status }: TimeStatus): ClockView =>
  ({ ...status, synchronised: sync.isSynchronised, source: sync.source, referenceOffsetMs: sync.referenceOffsetMs })
