const DAY_MS = 86_400_000

/** Bounds of the inbox; a real request has some 5 KB, and an office gets a few a day. */
export const INBOX_LIMITS = {
  fileBytes: 256 * 1024,
  filesAPass: 100,
  /** Names that are looked at in one pass; a folder with more is somebody's mistake and is worked off in parts. */
  namesAPass: 2000,
  rejectedCounted: 1000,
  /** A file counts as written once its size and time stand still for this long, and as broken off after the longer one. */
  settledMs: 2_000,
  brokenOffMs: 60_000,
  /** A message that comes later than this is stale: what it says of people may not hold any more. */
  messageAgeMs: 7 * DAY_MS,
  /** Decisions before this are older than any deadline. */
  decisionAgeMs: 120 * DAY_MS,
  /** How far another machine's clock may be ahead. */
  clockAheadMs: 5 * 60_000,
  keyYearsMs: 3 * 366 * DAY_MS,
  keys: 200,
  steps: 12,
} as const
