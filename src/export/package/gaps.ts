import { epochMs, isoOf, type TimeRange } from '../../domain/index.ts'
import { explainHole, isThinned, type NotedGap, SEEN_MS, without } from '../../footage/index.ts'
import { GAP_TEXTS, type PackageGapCause } from './gap-texts.ts'
import type { ManifestGap, ManifestVideo } from './manifest.ts'
import type { Taken } from './take-videos.ts'

interface Of { readonly cameraId: string, readonly cameraName: string, readonly stream: string }
interface Told extends TimeRange { readonly code: PackageGapCause }

const LONGEST_GROUP_MS = 15_000

/**
 * What of a granted range has no picture, or only those of its key frames (R20), piece by piece, each with its cause. Pure. What packing met comes first, then what the catalogue noted; the rest is told by where it stands.
 */
export function gapsOf({ range, taken, noted, of }: { readonly range: TimeRange, readonly taken: Taken, readonly noted: readonly NotedGap[], readonly of: Of }): ManifestGap[] {
  const holes = without(range, taken.videos.flatMap(coveredBy), SEEN_MS)
  const told = holes.flatMap(hole => {
    const unreadable: Told[] = taken.unreadable.flatMap(({ cause, ...span }) => overlap(span, hole).map(part => ({ ...part, code: cause })))
    const rest = causeOfRest(hole, range, taken)
    const explained = without(hole, unreadable, 1).flatMap(open => explainHole(open, noted))
    return [...unreadable, ...explained.flatMap(({ cause, ...span }) => cause === null ? restOf(span, rest, taken) : [{ ...span, code: cause }])]
  })
  const thinned = noted.filter(isThinned).flatMap(span => overlap({ ...span, endAt: span.endAt ?? range.endAt }, range)).flatMap(span => without(span, holes, 1)).map(span => ({ ...span, code: 'key-frames-only' as const }))
  return [...told, ...thinned].sort((a, b) => a.startAt - b.startAt).map(({ startAt, endAt, code }) => ({ ...of, from: isoOf(startAt), to: isoOf(endAt), cause: { code, ...GAP_TEXTS[code] } }))
}

/** A camera may send a key frame a minute: what stands before it was recorded. */
function restOf(span: TimeRange, code: PackageGapCause, { keyless }: Taken): Told[] {
  if (code !== 'no-footage' || keyless === undefined) return [{ ...span, code }]
  return [
    ...overlap(keyless, span).map(part => ({ ...part, code: 'before-first-key-frame' as const })),
    ...without(span, [keyless], SEEN_MS).map(part => ({ ...part, code })),
  ]
}

/** Of what nobody noted. */
function causeOfRest(hole: TimeRange, range: TimeRange, { videos, hadFootage }: Taken): PackageGapCause {
  if (videos.length === 0) return hadFootage ? 'before-first-key-frame' : 'no-footage'
  const lengthMs = hole.endAt - hole.startAt
  if (hole.endAt === range.endAt && lengthMs < 1000) return 'end-of-decodable'
  return hole.startAt === range.startAt && lengthMs < LONGEST_GROUP_MS ? 'before-first-key-frame' : 'no-footage'
}

function overlap(span: TimeRange, range: TimeRange): TimeRange[] {
  const part = { startAt: epochMs(Math.max(span.startAt, range.startAt)), endAt: epochMs(Math.min(span.endAt, range.endAt)) }
  return part.startAt < part.endAt ? [part] : []
}

function coveredBy({ records }: ManifestVideo): TimeRange[] {
  return records.map(({ at, durationMs }) => ({ startAt: epochMs(Date.parse(at)), endAt: epochMs(Date.parse(at) + durationMs) }))
}
