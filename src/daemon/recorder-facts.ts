import type { AuditKeeper, AuditView } from '../audit/index.ts'
import type { OrderOfSacrifice } from '../capacity/index.ts'
import { streamKeyText, type CameraChange, type EpochMs } from '../domain/index.ts'
import type { CapacityReport, ClockView, RecorderFacts } from '../health/index.ts'
import type { Ingest } from '../ingest/index.ts'
import type { LastKnown } from '../platform/last-known.ts'
import { watchLoopDelay } from '../platform/loop-delay.ts'
import type { Scrubber, Storage } from '../storage/index.ts'
import type { TimeStatus, TrustedTime } from '../trusted-time/index.ts'
import type { ConfigReload } from './config-reload.ts'
import type { ToldFacts } from './office-told.ts'
import type { PartFault } from '../platform/part-faults.ts'

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
  readonly told: () => ToldFacts
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
  const { told, known, faults, cameraChanges, isStateDiskFull } = parts
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
    const { auditFailedSince, faults: officeFaults, ...ofOffice } = told()
    const status = storage.catalogueStatus()
    return {
      ...capacity.view(streams, volumes, stoppedByFloor),
      sacrifice: sacrifice.view(),
      catalogue: known.fault === null ? status : { ...status, state: 'failed', detail: known.fault },
      isStateDiskFull: isStateDiskFull(),
      scrub, rescues, cameraChanges: known.ask('camera changes', cameraChanges, []), ...ofOffice,
      process: { rssBytes: process.memoryUsage.rss(), eventLoopDelayMs: loopDelay.worstMs(), uptimeMs: Math.round(process.uptime() * 1000) },
      clock: clockView(trustedTime.status()),
      audit: bothLogs(auditKeeper.auditView(), auditFailedSince), witness: auditKeeper.witnessView(),
      configReload: reload.view(), faults: mergedFaults(faults(), officeFaults),
    }
  }
  return { read, source: loopDelay }
}

/** One of each reason: what both tell is told as the recorder tells it. */
const mergedFaults = (own: readonly PartFault[], office: readonly PartFault[]): readonly PartFault[] =>
  [...own, ...office.filter(({ code }) => own.every(fault => fault.code !== code))]

/** Acts of people cannot be written down where either log cannot be written. */
const bothLogs = (own: AuditView, officeFailedSince: EpochMs | null): AuditView =>
  own.state === 'failed' || officeFailedSince === null ? own
    : { ...own, state: 'failed', failedSince: officeFailedSince }

const clockView = ({ sync, ...status }: TimeStatus): ClockView =>
  ({ ...status, synchronised: sync.isSynchronised, source: sync.source, referenceOffsetMs: sync.referenceOffsetMs })
