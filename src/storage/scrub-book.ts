import { isoOf, SYSTEM, type AuditSink } from '../domain/index.ts'
import { segmentKeyText } from '../footage/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { CheckedSegment, SegmentFault } from './segment-check.ts'
import type { scrubTable } from './tables/scrubs.ts'

/**
 * Writes down what a look at a segment brought, each fault once, with its audit entry; and that faults are gone when the segment reads well again.
 * `fresh` are those that were not known. Not `isLive`: the segment was overwritten while it was read, and nothing counts. Throws when it cannot be audited: then nothing is written down.
 */
export function enterFaults({ catalogue, scrubs, audit, clock }: { catalogue: Catalogue, scrubs: ReturnType<typeof scrubTable>, audit: AuditSink, clock: Clock }, segment: CheckedSegment, faults: readonly SegmentFault[]): { readonly isLive: boolean, readonly fresh: readonly SegmentFault[] } {
  if (faults.length === 0 && !scrubs.hasStanding(segment)) return { isLive: true, fresh: [] } // nearly always
  return catalogue.db.transaction(() => {
    if (!scrubs.isLive(segment)) return { isLive: false, fresh: [] } // the row ends before the first byte is zeroed, so what was read before is sound
    const now = clock.wallNow()
    const object = segmentKeyText(segment)
    const about = { camera: segment.cameraId, cameraUuid: segment.cameraUuid, stream: segment.stream }
    const fresh = faults.filter(fault => scrubs.insert(segment, fault, now))
    for (const fault of fresh) {
      audit.append({
        action: 'segment.rotted', actor: SYSTEM, object, application: null, result: 'done',
        detail: { ...about, kind: fault.kind, from: isoOf(fault.fromAt), to: isoOf(fault.toAt), firstRecord: fault.firstRecord, records: fault.records, root: segment.merkleRoot },
      })
    }
    const cleared = scrubs.clearOthers(segment, faults, now)
    if (cleared > 0) audit.append({ action: 'segment.reads-again', actor: SYSTEM, object, application: null, result: 'done', detail: { ...about, findings: cleared } })
    return { isLive: true, fresh }
  }).immediate()
}
