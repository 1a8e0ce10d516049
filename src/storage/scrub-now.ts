import { slotNumber, type AuditSink, type CameraId, type TimeRange, type VolumeId } from '../domain/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { VolumeFileSystem } from '../platform/file-system.ts'
import { agreesWith } from './catalogue-mark.ts'
import { enterFaults } from './scrub-book.ts'
import { checkSegment, SCRUB_BUFFER_BYTES, type CheckedSegment, type SegmentFault } from './segment-check.ts'
import { markTable } from './tables/marks.ts'
import { scrubTable } from './tables/scrubs.ts'
import { segmentTable } from './tables/segments.ts'
import { slotTable } from './tables/slots.ts'
import { checkVolume, type Volume } from './volume.ts'

/** Null means all. A range takes every segment that overlaps it. */
export interface ScrubFilter { readonly volume: VolumeId | null, readonly camera: CameraId | null, readonly range: TimeRange | null }
export interface ScrubFinding { readonly volume: VolumeId, readonly segment: CheckedSegment, readonly fault: SegmentFault }
export interface ScrubSummary { readonly segments: number, readonly bytes: number, readonly findings: number, readonly unread: readonly { readonly id: VolumeId, readonly detail: string }[] }

export interface ScrubNowOptions {
  readonly catalogue: Catalogue
  readonly audit: AuditSink
  readonly volumes: readonly { readonly id: VolumeId, readonly path: string }[]
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  readonly filter: ScrubFilter
  readonly onFinding: (finding: ScrubFinding) => void
}

/** Reads all that fits the filter again at full speed, beside a recorder or without one: a segment that is overwritten meanwhile is no finding. */
export async function scrubNow(options: ScrubNowOptions): Promise<ScrubSummary> {
  const { catalogue, audit, fs, clock, filter } = options
  const { db } = catalogue
  const scrubs = scrubTable(db), segments = segmentTable(db)
  const unread: { id: VolumeId, detail: string }[] = []
  let checked = 0, bytes = 0, findings = 0
  for (const { id, path } of options.volumes) {
    if (filter.volume !== null && filter.volume !== id) continue
    const check = await checkVolume(fs, path, id)
    if (check.kind === 'refused') { unread.push({ id, detail: check.detail }); continue }
    const { volume } = check
    if (!await agreesWith({ fs, volume, slots: slotTable(db), marks: markTable(db) })) { unread.push({ id, detail: 'this catalogue is not the one it was last used with; run `custos rebuild`' }); continue }
    const buffer = Buffer.allocUnsafeSlow(SCRUB_BUFFER_BYTES)
    for (const segment of sealedOf(segments, volume)) {
      if (!fits(segment, filter)) continue
      const faults = await checkSegment({ fs, volume, segment, buffer, pace: async size => { bytes += size; return true } })
      const { standing } = enterFaults({ catalogue, audit, clock, scrubs }, segment, faults ?? [])
      checked++
      findings += standing.length
      for (const fault of standing) options.onFinding({ volume: id, segment, fault })
    }
  }
  return { segments: checked, bytes, findings, unread }
}

function* sealedOf(segments: ReturnType<typeof segmentTable>, { identity: { uuid, slotCount } }: Volume): Generator<CheckedSegment> {
  for (let from = 0; from < slotCount;) {
    const segment = segments.sealedFrom(uuid, slotNumber(from), slotCount)
    if (segment === null) return
    yield segment
    from = segment.slot + 1
  }
}

const fits = (segment: CheckedSegment, { camera, range }: ScrubFilter): boolean => (camera === null || segment.cameraId === camera)
  && (range === null || (segment.startAt < range.endAt && (segment.endAt ?? segment.startAt) > range.startAt))
