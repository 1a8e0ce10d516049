import type { StartConfig } from '../config/index.ts'
import { NO_GLASS, type EpochMs } from '../domain/index.ts'
import { floorViewOf, type RecorderFacts } from '../health/index.ts'
import { isStateDiskFull } from '../platform/state-disk.ts'

export interface ClosedRecorder {
  readonly start: StartConfig
  readonly since: EpochMs
  /** Why its catalogue cannot be opened, for the log. */
  readonly detail: string
}

/** What there is to tell of a recorder that cannot be opened: nothing is recorded, nothing overwritten. */
export function closedFacts({ start: { config, rejected }, since, detail }: ClosedRecorder): RecorderFacts {
  const floor = { floor: config.retention.floor, timezone: config.site.timezone }
  const insisted = config.retention.insist !== null
  return {
    streams: config.cameras.flatMap(({ id: cameraId, streams }) => streams.map(({ name: stream }) => ({
      cameraId, stream, state: 'waiting' as const, stateSince: since, lastFrameAt: null, lastFrameAgeMs: null,
      supervisorTickAgeMs: 0, bitrateBps: 0, fps: 0, restarts: 0, mode: 'full' as const, lastEndReason: null,
      cameraClockOffsetMs: null, channel: null, stampRate: 1, isSoundMissing: false, pictureWaitMs: 0,
      oldestFrameAt: null, openGapSince: null, openGapCause: null, forecastDays: null,
    }))),
    volumes: [],
    floor: floorViewOf({ floor, forecast: null, fit: null, insisted, now: null, ringStoppedByFloor: false }),
    sacrifice: { steps: [], headroomMs: null, overBudget: [] }, catalogue: { state: 'failed', detail },
    isStateDiskFull: isStateDiskFull(config.state.dir),
    scrub: { lastPassAt: null, progress: 0, rotten: [] }, rescues: { count: 0, newestAt: null },
    cameraChanges: [],
    glass: NO_GLASS, office: null, archive: null,
    process: {
      rssBytes: process.memoryUsage.rss(), eventLoopDelayMs: 0, uptimeMs: Math.round(process.uptime() * 1000),
    },
    clock: {
      state: 'unknown', offsetMs: 0, synchronised: null, source: 'none', referenceOffsetMs: null,
      trustedAt: null, waitingMs: 0, waitingFor: null,
    },
    audit: {
      state: 'failed', failedSince: since, entries: 0, reserve: 'checking', key: 'ok', isWhole: true,
      officeLogRefusedSince: null,
    },
    witness: { configured: config.witness !== null, lastAt: null, lastSize: null, overdueSince: null },
    configReload: rejected && {
      rejectedAt: since, problems: rejected.problems.length, fromLastGood: true,
      inForceSince: rejected.takenOverAt,
    },
    faults: [],
  }
}
