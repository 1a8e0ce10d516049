import type { EpochMs, GapCause, RetentionFloor, RunEndReason, VolumeId } from '../domain/index.ts'
import type { StreamReport } from '../ingest/index.ts'

/** What one stream's supervisor tells, with what the catalogue knows of the stream. */
export interface StreamView extends StreamReport {
  readonly oldestFrameAt: EpochMs | null
  readonly openGapSince: EpochMs | null
  readonly openGapCause: GapCause | null
}

/** Counts of slots by state; `total` also counts states not named here. */
export interface SlotCounts {
  readonly total: number
  readonly free: number
  readonly open: number
  readonly sealed: number
  readonly held: number
  readonly quarantined: number
}

export interface VolumeView {
  readonly id: VolumeId
  /** Never: a path tells where footage lies to anyone who can open a loopback socket. */
  readonly path?: never
  readonly state: 'ok' | 'missing' | 'foreign' | 'read-only' | 'unsupported' | 'not-mounted' | 'damaged' | 'failed'
  /** For the log; may name files, so health does not pass it on. */
  readonly detail: string
  readonly slots: SlotCounts
  readonly oldestFrameAt: EpochMs | null
  /** `worst` covers about the last minute, so that the reason it raises ends by itself. */
  readonly syncMs: { readonly last: number, readonly worst: number }
  /** Failed writes, syncs and reads since the process began. */
  readonly errors: number
}

export interface FloorView {
  readonly required: RetentionFloor
  /** How old footage gets before its slot is reused, at the present rate; null while there is too little to tell. */
  readonly forecastDays: number | null
  readonly wrapsAt: EpochMs | null
  /** A stream found no slot that may be reused, because all are inside the floor or held. */
  readonly ringStoppedByFloor: boolean
}

export interface ProcessView {
  readonly rssBytes: number
  /** Worst delay of the event loop in about the last second. */
  readonly eventLoopDelayMs: number
  readonly uptimeMs: number
}

/** One consistent look at the recorder; a fresh object each time, never changed afterwards. */
export interface RecorderFacts {
  readonly streams: readonly StreamView[]
  readonly volumes: readonly VolumeView[]
  readonly floor: FloorView
  /** `detail` is for the log; health does not pass it on. */
  readonly catalogue: { readonly state: 'ok' | 'failed', readonly detail: string }
  readonly process: ProcessView
  /** The last configuration that was refused while running; null once one was accepted. */
  readonly configReload: { readonly rejectedAt: EpochMs, readonly problems: number } | null
}

/** Stopped on purpose: nobody expects pictures of it. */
const ASKED_ENDS: ReadonlySet<RunEndReason | null> = new Set([null, 'recorder-stopped', 'removed-from-config'])

/** Whether the office expects this stream to be recorded now. */
export const isWanted = (stream: StreamView): boolean =>
  stream.state !== 'stopped' || !ASKED_ENDS.has(stream.lastEndReason)
