import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Access } from '../access/index.ts'
import type { Archive } from '../archive/index.ts'
import type { AuditKeeper } from '../audit/index.ts'
import type { OrderOfSacrifice } from '../capacity/index.ts'
import { epochMs } from '../domain/index.ts'
import type { CapacityReport, ClockView, OfficeView, RecorderFacts } from '../health/index.ts'
import type { Ingest } from '../ingest/index.ts'
import { isCatalogueFault } from '../platform/catalogue.ts'
import type { Scrubber, Storage } from '../storage/index.ts'
import type { TimeStatus, TrustedTime } from '../trusted-time/index.ts'
import type { ConfigReload } from './config-reload.ts'

const LOOP_SAMPLE_MS = 100 // each sample wakes the process; delays that matter are longer

export interface RecorderParts {
  readonly storage: Storage
  readonly scrubber: Scrubber
  readonly ingest: Ingest
  readonly sacrifice: OrderOfSacrifice
  readonly capacity: CapacityReport
  readonly reload: ConfigReload
  readonly trustedTime: TrustedTime
  readonly auditKeeper: AuditKeeper
  readonly access: Access
  readonly office: () => OfficeView
  /** Null where none is configured. */
  readonly archive: Archive | null
}

/** What health looks at: gathered from the parts each time it is asked for. */
export function recorderFacts({ storage, scrubber, ingest, sacrifice, capacity, reload, trustedTime, auditKeeper, access, archive, office }: RecorderParts): { readonly read: () => RecorderFacts, readonly source: Disposable } {
  const delay = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS })
  delay.enable()
  const glass = glassReader(access)
  const archived = archiveReader(archive)
  const read = (): RecorderFacts => {
    const eventLoopDelayMs = Math.max(0, Math.round(delay.max / 1e6) - LOOP_SAMPLE_MS)
    delay.reset()
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
      scrub: scrubber.status(), rescues: storage.rescues(), glass: glass(), archive: archived(), office: office(),
      process: { rssBytes: process.memoryUsage.rss(), eventLoopDelayMs, uptimeMs: Math.round(process.uptime() * 1000) },
      clock: clockView(trustedTime.status()),
      audit: auditKeeper.auditView(), witness: auditKeeper.witnessView(),
      configReload: reload.rejected,
    }
  }
  return { read, source: { [Symbol.dispose]: () => { delay.disable() } } }
}

const clockView = ({ sync, ...status }: TimeStatus): ClockView =>
  ({ ...status, synchronised: sync.isSynchronised, source: sync.source, referenceOffsetMs: sync.referenceOffsetMs })

/** While the catalogue cannot be read, as it was last seen: that it cannot is told elsewhere. */
const glassReader = ({ breakGlass }: Access): () => RecorderFacts['glass'] => {
  let last: RecorderFacts['glass'] = { open: 0, openedAt: null, owed: 0, owedSince: null }
  const earliest = (rows: readonly { readonly openedAtMs: number }[]) => rows.length === 0 ? null : epochMs(Math.min(...rows.map(row => row.openedAtMs)))
  return () => {
    try {
      const { open, formsOwed } = breakGlass.view()
      last = { open: open.length, openedAt: earliest(open), owed: formsOwed.length, owedSince: earliest(formsOwed) }
    } catch (error) { if (!isCatalogueFault(error)) throw error }
    return last
  }
}

/** Looked at every ten seconds, for it walks all items; as last seen while the catalogue cannot be read. */
const archiveReader = (archive: Archive | null): () => RecorderFacts['archive'] => {
  let last: RecorderFacts['archive'] = null, dueMs = 0
  return () => {
    if (archive === null || process.uptime() * 1000 < dueMs) return last
    try { last = archive.view() } catch (error) { if (!isCatalogueFault(error)) throw error }
    dueMs = process.uptime() * 1000 + 10_000
    return last
  }
}
