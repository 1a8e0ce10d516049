import type {
  ArchiveView, CameraChange, CameraId, EpochMs, GapCause, GlassView, OfficeView, RetentionFloor, RunEndReason,
  StreamName, VolumeId,
} from '../domain/index.ts'
import type { SacrificeView } from '../capacity/index.ts'
import type { AuditView, WitnessView } from '../audit/index.ts'
import type { StreamReport } from '../ingest/index.ts'
import type { PartFault } from '../platform/part-faults.ts'

/** What one stream's supervisor tells, with what the catalogue knows of the stream. */
export interface StreamView extends StreamReport {
  readonly oldestFrameAt: EpochMs | null
  readonly openGapSince: EpochMs | null
  readonly openGapCause: GapCause | null
  /** How old its oldest footage will be when it is overwritten; null while that cannot be told. */
  readonly forecastDays: number | null
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
  /** Slots given to new footage after they held some, since the process began. */
  readonly reusedSlots: number
  /** As of a stream. */
  readonly forecastDays: number | null
}

export interface FloorView {
  readonly required: RetentionFloor
  /** How old footage gets before its slot is reused, at the present rate; null while there is too little to tell. */
  readonly forecastDays: number | null
  /** When the free slots are used up, so that the oldest footage is overwritten next; at or before now while the ring is wrapping. */
  readonly wrapsAt: EpochMs | null
  readonly ageAtWrapDays: number | null
  /** Whether the volumes can keep the floor, at the larger of declared and measured rates; null while that cannot be told. */
  readonly fits: boolean | null
  /** Of volume space, when it does not fit; else 0. */
  readonly lackingBytes: number | null
  /** The office insists on a configuration that does not fit (`retention.insist`). */
  readonly insisted: boolean
  /** When no slot may be reused any more, at the present rate; null when never. */
  readonly stopsAt: EpochMs | null
  readonly stopsInDays: number | null
  /** Zone in which dates are told; not passed on. */
  readonly timezone: string
  /** A stream found no slot that may be reused, because all are inside the floor or held. */
  readonly ringStoppedByFloor: boolean
}

export interface ProcessView {
  readonly rssBytes: number
  /** Worst delay of the event loop in about the last second. */
  readonly eventLoopDelayMs: number
  readonly uptimeMs: number
}

/** Wall clock against trusted time, the one that footage ages by. */
export interface ClockView {
  /** `unknown`: nothing is erased. `waiting`: time off is not counted yet. `disagrees`: the wall clock is off; footage ages by running time. */
  readonly state: 'agreed' | 'disagrees' | 'waiting' | 'unknown'
  /** Wall clock minus trusted time. */
  readonly offsetMs: number
  /** Null: no time service is there to tell. */
  readonly synchronised: boolean | null
  readonly source: 'chrony' | 'timesyncd' | 'none'
  /** Wall clock minus time server, where the service tells. */
  readonly referenceOffsetMs: number | null
  readonly trustedAt: EpochMs | null
  readonly waitingMs: number
  /** What would count the waiting time: the time service's word, or two people. */
  readonly waitingFor: 'sync' | 'people' | null
}

/** Footage that was read again and is not as it was sealed. */
export interface RottenView { readonly cameraId: CameraId, readonly stream: StreamName, readonly fromAt: EpochMs, readonly foundAt: EpochMs }

/** How the reading again of what is recorded goes. */
export interface ScrubView {
  /** When all that is kept had been read again; null before the first time. */
  readonly lastPassAt: EpochMs | null
  /** Of the round under way, 0 to 1. */
  readonly progress: number
  /** Newest first, a bounded number. */
  readonly rotten: readonly RottenView[]
}

/** A configuration file that was refused. */
export interface ConfigRejection {
  readonly rejectedAt: EpochMs
  readonly problems: number
  /** It was refused at the start: what is in force is the copy kept of the last good one. */
  readonly fromLastGood: boolean
  /** Since when the configuration in force is in force. */
  readonly inForceSince: EpochMs
}

/** One consistent look at the recorder; a fresh object each time, never changed afterwards. */
export interface RecorderFacts {
  readonly streams: readonly StreamView[]
  readonly volumes: readonly VolumeView[]
  readonly floor: FloorView
  /** What is recorded less of, so that the floor holds. */
  readonly sacrifice: SacrificeView
  /** `detail` is for the log; health does not pass it on. */
  readonly catalogue: { readonly state: 'ok' | 'failed', readonly detail: string }
  /** No space or no inode is left where the catalogue and the audit log are. */
  readonly isStateDiskFull: boolean
  readonly scrub: ScrubView
  /** Footage taken with `custos rescue`, past the book, as far as it was learnt of in the last week. */
  /** Of the last days. */
  readonly cameraChanges: readonly CameraChange[]
  readonly rescues: { readonly count: number, readonly newestAt: EpochMs | null }
  readonly glass: GlassView
  /** Null in the first seconds: cameras come first. */
  readonly office: OfficeView | null
  /** Null where none is configured. `detail` and what is said of lost items are for the log. */
  readonly archive: ArchiveView | null
  readonly process: ProcessView
  readonly clock: ClockView
  readonly audit: AuditView
  readonly witness: WitnessView
  /** The configuration file as it was last read, if it was refused; null once one was accepted. */
  readonly configReload: ConfigRejection | null
  readonly faults: readonly PartFault[]
}

/** Stopped on purpose: nobody expects pictures of it. */
const ASKED_ENDS: ReadonlySet<RunEndReason | null> = new Set([null, 'recorder-stopped', 'removed-from-config'])

/** Whether the office expects this stream to be recorded now. */
export const isWanted = (stream: StreamView): boolean =>
  stream.state !== 'stopped' || !ASKED_ENDS.has(stream.lastEndReason)
