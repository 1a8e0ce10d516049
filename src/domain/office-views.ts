import type { EpochMs } from './time.ts'

/** Break-glass (R13): how many openings stand open, and for how many the form is owed. No names. */
export interface GlassView { readonly open: number, readonly openedAt: EpochMs | null, readonly owed: number, readonly owedSince: EpochMs | null }

/** The office's own procedure: counts and instants, never a name or a number of a case. */
export interface OfficeView {
  /** `none`: the office is closed; nothing is received, decided or opened anew. */
  readonly rules: 'in-force' | 'none'
  /** Of the folder of rule sets as it was last read; what was read before stays in force. */
  readonly ruleProblems: number
  /** Years of deadlines that nobody imported a calendar for. */
  readonly calendarMissing: readonly number[]
  readonly calendarProblems: number
  readonly book: {
    readonly lines: number
    /** Of the last reconciliation; `reconciledAt` null before the first. */
    readonly orphans: number
    readonly reconciledAt: EpochMs | null
    /** There are lines, and no night has compared them for two days. */
    readonly isReconcilingLate: boolean
    readonly unsigned: number
    readonly oldestUnsignedAt: EpochMs | null
    /** Whole days since that use. */
    readonly unsignedDays: number
    /** Months that ended and have no signed review. */
    readonly packsDue: number
  }
  readonly cases: { readonly overdue: number, readonly soon: number }
  readonly inbox: InboxView
  /** Footage of cases: not confirmed by the recorder for a minute; held by it and wanted by no case. */
  readonly holds: {
    readonly waiting: number
    readonly waitingSince: EpochMs | null
    readonly unknown: number
    readonly unknownSince: EpochMs | null
  }
}
export interface InboxView {
  /** `failed`: the folder cannot be read or written. */
  readonly state: 'off' | 'ok' | 'failed'
  readonly waiting: number
  /** Files in `rejected/`, until somebody takes them away. */
  readonly rejected: number
  readonly rejectedAt: EpochMs | null
}

/** How the archive stands, for health and the command line. Numbers of items only, no names. */
export interface ArchiveView {
  readonly state: 'ok' | 'missing' | 'not-mounted' | 'foreign' | 'damaged' | 'read-only' | 'key-file' | 'failed'
  /** For the log; may name files. */
  readonly detail: string
  readonly items: number
  readonly bytes: number
  readonly quotaBytes: number
  /** Of the volume; null while it is not there. */
  readonly freeBytes: number | null
  /** The last putting in was refused for room, and there is still none. */
  readonly isFull: boolean
  /** At the rate of the last 30 days; null when not within 400. */
  readonly fullInDays: number | null
  /** The next ends, soonest first. */
  readonly next: readonly { readonly itemNo: string, readonly destroysAt: EpochMs }[]
  /** Items within 30 local days of their end. */
  readonly expiring: { readonly count: number, readonly soonestAt: EpochMs | null }
  /** More than a day over their end and still there, e.g. while the clocks disagree. */
  readonly overdue: number
  readonly unsigned: { readonly count: number, readonly since: EpochMs | null }
  readonly holdsToApprove: { readonly count: number, readonly since: EpochMs | null }
  readonly lost: readonly { readonly itemNo: string, readonly since: EpochMs, readonly what: string }[]
  readonly strays: number
}

export const NO_GLASS: GlassView = { open: 0, openedAt: null, owed: 0, owedSince: null }

/** How the office stands, for health. */
export interface OfficeFacts {
  readonly glass: GlassView
  /** Null while it is not open. */
  readonly office: OfficeView | null
  /** Null where none is configured. */
  readonly archive: ArchiveView | null
  /** Since when the office's acts cannot be written down; null while they can. */
  readonly auditFailedSince: EpochMs | null
}
