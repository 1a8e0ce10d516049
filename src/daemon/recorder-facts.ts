import type { AuditKeeper } from '../audit/index.ts'
import type { OrderOfSacrifice } from '../capacity/index.ts'
import type { CapacityReport, ClockView, RecorderFacts } from '../health/index.ts'
import type { Ingest } from '../ingest/index.ts'
import { watchLoopDelay } from '../platform/loop-delay.ts'
import type { Scrubber, Storage } from '../storage/index.ts'
import type { TimeStatus, TrustedTime } from '../trusted-time/index.ts'
import type { ConfigReload } from './config-reload.ts'
import type { HouseFacts } from './house.ts'

export interface RecorderParts {
  readonly storage: Storage
  readonly scrubber: Scrubber
  readonly ingest: Ingest
  readonly sacrifice: OrderOfSacrifice
  readonly capacity: CapacityReport
  readonly reload: ConfigReload
  readonly trustedTime: TrustedTime
  readonly auditKeeper: AuditKeeper
  readonly house: () => HouseFacts
}

/** What health looks at: gathered from the parts each time it is asked for. */
export function recorderFacts({ storage, scrubber, ingest, sacrifice, capacity, reload, trustedTime, auditKeeper, house }: RecorderParts): { readonly read: () => RecorderFacts, readonly source: Disposable } {
  const loopDelay = watchLoopDelay()
  const read = (): RecorderFacts => {
    const streams = ingest.report().map(report => {
      const gap = storage.gapNow(report.cameraId, report.stream)
      return { ...report, oldestFrameAt: storage.oldestFrameAt(report.cameraId, report.stream), openGapSince: gap?.startAt ?? null, openGapCause: gap?.cause ?? null }
    })
    const volumes = storage.volumeStatus().map(({ slots, heldSlots, lastSyncMs, worstSyncMs, ...status }) => ({
      ...status,
      slots: { total: slots.free + slots.preparing + slots.open + slots.sealed + slots.quarantined, free: slots.free, open: slots.open + slots.preparing, sealed: slots.sealed, held: heldSlots, quarantined: slots.quarantined },
      syncMs: { last: lastSyncMs, worst: worstSyncMs },
    }))
    return {
      ...capacity.view(streams, volumes, streams.some(stream => stream.state !== 'recording' && stream.lastEndReason === 'storage-full')),
      sacrifice: sacrifice.view(),
      catalogue: storage.catalogueStatus(),
      scrub: scrubber.status(), rescues: storage.rescues(), ...house(),
      process: { rssBytes: process.memoryUsage.rss(), eventLoopDelayMs: loopDelay.worstMs(), uptimeMs: Math.round(process.uptime() * 1000) },
      clock: clockView(trustedTime.status()),
      audit: auditKeeper.auditView(), witness: auditKeeper.witnessView(),
      configReload: reload.rejected,
    }
  }
  return { read, source: loopDelay }
}

const clockView = ({ sync, ...status }: TimeStatus): ClockView =>
  ({ ...status, synchronised: sync.isSynchronised, source: sync.source, referenceOffsetMs: sync.referenceOffsetMs })
