import {
  cameraId, epochMs, generation, slotNumber, volumeUuid, type AuditSink, type TimeRange,
} from '../domain/index.ts'
import type { Ask, Handlers, SealedSegmentMessage } from '../link/index.ts'
import { withCatalogue, type Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { knowsAs } from './catalogue-mark.ts'
import { enterFaults } from './scrub-book.ts'
import type { SegmentFault } from './segment-check.ts'
import { markTable } from './tables/marks.ts'
import { scrubTable } from './tables/scrubs.ts'
import { sealedSegments, type SealedSegment } from './tables/sealed-segments.ts'
import { slotTable } from './tables/slots.ts'

/** A page of segments, as the link has it. */
const SEGMENTS_A_PAGE = 200

/** What `custos scrub` asks and tells: over the link or, without a recorder, on the state folder. */
export function scrubRequests({ catalogue, audit, clock }: {
  readonly catalogue: Catalogue, readonly audit: AuditSink, readonly clock: Clock
}) {
  const { db } = catalogue, segments = sealedSegments(db), scrubs = scrubTable(db)
  const tables = { slots: slotTable(db), marks: markTable(db) }
  const isKnown = ({ volume, startId }: Ask<'scrub.segments'>): boolean =>
    knowsAs(tables, volumeUuid(volume), startId === null ? { kind: 'none' } : { kind: 'start', startId })
  return {
    'scrub.segments': async asked => withCatalogue(() => {
      if (!isKnown(asked)) return { isKnown: false, segments: [], next: null }
      const { volume, from: first, camera, range } = asked
      const page = segments.page(volumeUuid(volume), {
        first, most: SEGMENTS_A_PAGE, camera: camera === null ? null : cameraId(camera),
        range: range === null ? null : rangeOf(range),
      })
      return { isKnown: true, segments: page.segments.map(messageOf), next: page.next }
    }),
    'scrub.finding': async ({ volume, slot, generation: of, faults }) => withCatalogue(() => {
      const key = { volumeUuid: volumeUuid(volume), slot: slotNumber(slot), generation: generation(of) }
      const segment = segments.find(key)
      if (segment === null) return { isStanding: false }
      const { isLive } = enterFaults({ catalogue, scrubs, audit, clock }, segment, faults.map(faultOf))
      return { isStanding: isLive }
    }),
  } as const satisfies Handlers
}

const rangeOf = ({ startAt, endAt }: { readonly startAt: number, readonly endAt: number }): TimeRange =>
  ({ startAt: epochMs(startAt), endAt: epochMs(endAt) })

/** TypeError for what no look brings. */
function faultOf({ fromAt, toAt, ...fault }: Ask<'scrub.finding'>['faults'][number]): SegmentFault {
  if (toAt < fromAt) throw new TypeError('a fault ends before it begins')
  return { ...fault, fromAt: epochMs(fromAt), toAt: epochMs(toAt) }
}

/** The volume is the one that was asked of. */
function messageOf({ volumeUuid: _, ...segment }: SealedSegment): SealedSegmentMessage {
  const { endAt, records, merkleRoot } = segment
  if (endAt === null || records === null || merkleRoot === null) throw new TypeError('it was not sealed')
  return { ...segment, endAt, records, merkleRoot }
}
