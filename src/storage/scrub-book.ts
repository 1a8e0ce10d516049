import { isoOf, SYSTEM, type AuditSink } from '../domain/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { CheckedSegment, SegmentFault } from './segment-check.ts'
import type { scrubTable } from './tables/scrubs.ts'

/**
 * Writes down what a look at a segment brought, each fault once, with its audit entry; and that faults are gone when the segment reads well again.
 * Returns the faults that count: none when the segment was overwritten while it was read. Throws when it cannot be audited: then nothing is written down.
 */
export function enterFaults({ catalogue, scrubs, audit, clock }: { catalogue: Catalogue, scrubs: ReturnType<typeof scrubTable>, audit: AuditSink, clock: Clock }, segment: CheckedSegment, faults: readonly SegmentFault[]): { standing: readonly SegmentFault[], fresh: readonly SegmentFault[] } {
  if (faults.length === 0 && !scrubs.hasStanding(segment)) return { standing: [], fresh: [] } // nearly always
  return catalogue.db.transaction(() => {
    if (!scrubs.isLive(segment)) return { standing: [], fresh: [] } // the row ends before the first byte is zeroed, so what was read before is sound
    const now = clock.wallNow()
    const object = `${segment.volumeUuid}/${segment.slot}/${segment.generation}`
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
    return { standing: faults, fresh }
  }).immediate()
}
