/** Bounds of an application; each far above any real one, so that only a mistake or an attack meets it. */
export const CASE_LIMITS = {
  scopeLines: 200,
  rangeMs: 400 * 86_400_000, // footage lives a month, an archived copy a year
  reasonChars: 2000,
  nameChars: 200,
  attachments: 50,
  attachmentBytes: 100 * 1024 * 1024,
  recusals: 50,
  rounds: 20, // completed and returned; whoever asks more often should file anew
  statements: 50,
  fields: 40,
  defaultFieldChars: 500,
} as const
/** How far before a granted range a key frame may lie that the approver let out with it; cameras send one at least every ten seconds. */
export const PRE_ROLL_MOST_MS = 15_000
