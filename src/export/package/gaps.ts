import { epochMs, isoOf, type EpochMs, type Gap, type TimeRange } from '../../domain/index.ts'
import { GAP_TEXTS, type PackageGapCause } from './gap-texts.ts'
import type { ManifestGap, ManifestVideo } from './manifest.ts'
import type { Taken } from './take-videos.ts'

interface Of { readonly cameraId: string, readonly cameraName: string, readonly stream: string }

const SEEN_MS = 200 // a shorter pause is the time between two pictures of a slow camera

/** What of a granted range has no picture, piece by piece, each with its cause. Pure. Catalogue gaps explain what they cover; the rest is told by what packing met. */
export function gapsOf({ range, taken, noted, of }: { readonly range: TimeRange, readonly taken: Taken, readonly noted: readonly Pick<Gap, 'startAt' | 'endAt' | 'cause'>[], readonly of: Of }): ManifestGap[] {
  const covered = taken.videos.flatMap(coveredBy)
  const gap = ({ startAt, endAt }: TimeRange, code: PackageGapCause): ManifestGap => ({ ...of, from: isoOf(startAt), to: isoOf(endAt), cause: { code, ...GAP_TEXTS[code] } })
  return without(range, covered, SEEN_MS).flatMap(hole => {
    const told: { readonly span: TimeRange, readonly code: PackageGapCause }[] = []
    const tell = (spans: readonly { readonly startAt: EpochMs, readonly endAt: EpochMs | null, readonly cause: PackageGapCause }[]) => {
      for (const { startAt, endAt, cause } of spans) {
        for (const span of without(hole, told.map(each => each.span), 1)) {
          const part = { startAt: epochMs(Math.max(startAt, span.startAt)), endAt: epochMs(Math.min(endAt ?? span.endAt, span.endAt)) }
          if (part.startAt < part.endAt) told.push({ span: part, code: cause })
        }
      }
    }
    tell(taken.unreadable)
    tell(noted.map(span => reaching(hole, span)))
    const isAtStart = hole.startAt === range.startAt && taken.videos.length > 0
    const isAtEnd = hole.endAt === range.endAt && taken.videos.length > 0 && hole.endAt - hole.startAt < 1000
    const rest: PackageGapCause = isAtEnd ? 'end-of-decodable' : isAtStart && hole.endAt - hole.startAt < LONGEST_GROUP_MS ? 'before-first-key-frame' : taken.hadFootage && taken.videos.length === 0 ? 'before-first-key-frame' : 'no-footage'
    tell([{ ...hole, cause: rest }])
    return told.toSorted((a, b) => a.span.startAt - b.span.startAt).map(({ span, code }) => gap(span, code))
  })
}

const LONGEST_GROUP_MS = 15_000

/** A noted gap begins and ends by the recorder's clock, a hole at pictures: what lies between them is no gap of its own. */
function reaching({ startAt, endAt }: TimeRange, noted: Pick<Gap, 'startAt' | 'endAt' | 'cause'>): Pick<Gap, 'startAt' | 'endAt' | 'cause'> {
  const notedEndAt = noted.endAt ?? endAt
  if (notedEndAt <= startAt || noted.startAt >= endAt) return noted
  return { cause: noted.cause, startAt: noted.startAt - startAt < SEEN_MS ? startAt : noted.startAt, endAt: endAt - notedEndAt < SEEN_MS ? endAt : notedEndAt }
}

function coveredBy({ records }: ManifestVideo): TimeRange[] {
  return records.map(({ at, durationMs }) => ({ startAt: epochMs(Date.parse(at)), endAt: epochMs(Date.parse(at) + durationMs) }))
}

/** The parts of `range` outside all `spans`, of at least `leastMs`, in order. */
export function without(range: TimeRange, spans: readonly TimeRange[], leastMs: number): TimeRange[] {
  const left: TimeRange[] = []
  let at: number = range.startAt
  for (const { startAt, endAt } of spans.toSorted((a, b) => a.startAt - b.startAt)) {
    if (endAt <= at || startAt >= range.endAt) continue
    if (startAt - at >= leastMs) left.push({ startAt: epochMs(at), endAt: startAt })
    at = Math.max(at, endAt)
  }
  if (range.endAt - at >= leastMs) left.push({ startAt: epochMs(at), endAt: range.endAt })
  return left
}
