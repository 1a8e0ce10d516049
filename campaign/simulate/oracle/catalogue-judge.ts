import type { SimDisk } from '../disk.ts'
import type { CatalogueReader, SegmentFact, SlotFact } from './catalogue-reader.ts'
import type { DiskViews, SlotView, ViewedRecord } from './disk-view.ts'
import type { SentFragment } from './sent-footage.ts'
import { readIndex, treeRoot } from './slot-parser.ts'

/**
 * A volume that is in its place: what its identity file says, the disk it stands on, and whether the
 * recorder uses it.
 */
export interface VolumeInPlace { readonly id: string, readonly uuid: string, readonly disk: SimDisk, readonly isInUse: boolean }

/** What a recorder that dies may not have synced [G4]. */
const MAY_BE_UNSYNCED_MS = 2_000

interface Claim { readonly version: number, readonly key: string, readonly fragments: readonly SentFragment[] }
const keyOf = (row: SegmentFact | undefined): string => row === undefined ? 'none' : `${row.generation} ${row.sealed_at} ${row.is_quarantined} ${row.records}`

/**
 * Compares what the catalogue says with what somebody finds who walks the volumes without it. Only what
 * changed is compared again.
 */
export class CatalogueJudge {
  readonly #catalogue: CatalogueReader
  readonly #views: DiskViews
  readonly #claims = new Map<SlotView, Claim>()
  /** Whether the audit log says that what stands in the slot was let go, and it might be. */
  readonly #isLetGo: (view: SlotView) => boolean
  constructor(catalogue: CatalogueReader, views: DiskViews, isLetGo: (view: SlotView) => boolean) {
    this.#catalogue = catalogue
    this.#views = views
    this.#isLetGo = isLetGo
  }

  startOver(): void {
    for (const { fragments } of this.#claims.values()) for (const fragment of fragments) fragment.found--
    this.#claims.clear()
  }

  /** What does not fit, each in words. Counts up `found` of what can be found through the catalogue. */
  judge(volumes: readonly VolumeInPlace[]): string[] {
    const wrong: string[] = []
    const segments = new Map(this.#catalogue.segments().map(row => [`${row.volume_uuid}/${row.slot}`, row]))
    const slots = new Map(this.#catalogue.slots().map(row => [`${row.volume_uuid}/${row.slot}`, row]))
    for (const { uuid, disk, isInUse } of volumes) {
      for (const view of this.#views.viewsOf(disk)) {
        const key = `${uuid}/${view.slot}`
        const row = segments.get(key)
        segments.delete(key)
        const before = this.#claims.get(view)
        if (before?.version === view.version && before.key === keyOf(row)) continue
        for (const fragment of before?.fragments ?? []) fragment.found--
        const { fragments, fault } = claimOf(view, row, slots.get(key))
        for (const fragment of fragments) fragment.found++
        this.#claims.set(view, { version: view.version, key: keyOf(row), fragments })
        if (fault !== null && isInUse && !view.isSpoilt && !this.#isLetGo(view)) wrong.push(`${view.name}: ${fault}`)
      }
      for (const [key, row] of segments) if (isInUse && row.volume_uuid === uuid && (row.records ?? 0) > 0) wrong.push(`${key}: the catalogue has footage in a slot that was never written`)
    }
    return wrong
  }
}

/** Which fragments the row lets somebody find in the slot, and what is wrong about it. */
function claimOf(view: SlotView, row: SegmentFact | undefined, slot: SlotFact | undefined): { fragments: SentFragment[], fault: string | null } {
  const fragmentsOf = (count: number) => view.records.slice(0, count).flatMap(({ fragment }) => fragment === null ? [] : [fragment])
  const { header, records } = view
  if (row === undefined || header === null || row.generation !== header.generation) {
    const isPreparing = slot?.state === 'preparing' && slot.generation === (header?.generation ?? 0) + 1
    const lost = isPreparing ? [] : records.filter(({ fragment, isDurable }) => isDurable && fragment !== null && fragment.found === 0 && fragment.excuse === null)
    if (lost.length > 0) return { fragments: [], fault: `the catalogue has no row for ${lost.length} sound records (${lost[0]!.name})` }
    const claims = row !== undefined && (row.records ?? 0) > 0
    return { fragments: [], fault: claims ? `the catalogue has ${row.records} records of generation ${row.generation}, the volume ${header === null ? 'nothing' : `generation ${header.generation}`}` : null }
  }
  if (row.camera_uuid !== header.cameraUuid || row.start_at !== header.startAt) return { fragments: [], fault: 'row and header differ' }
  if (row.sealed_at === null) return { fragments: fragmentsOf(records.length), fault: null }
  const claimed = row.records ?? 0
  const fragments = fragmentsOf(claimed)
  if (claimed > records.length) return { fragments, fault: `the catalogue has ${claimed} records, the volume ${records.length}` }
  const spent = row.is_quarantined === 1 ? records : []
  const unclaimed = records.slice(claimed).filter(record => isOwed(record, spent))
  if (unclaimed.length > 0) return { fragments, fault: `the catalogue claims ${claimed} of ${records.length} records that are on the medium (${unclaimed[0]!.name})` }
  if (treeRoot(records.slice(0, claimed).map(({ sha256 }) => sha256)).toString('hex') !== row.merkle_root) return { fragments, fault: 'the root in the catalogue is not that of the records' }
  const endAt = Math.max(header.startAt, ...records.slice(0, claimed).map(({ startAt, durationMs }) => startAt + durationMs))
  if (endAt !== row.end_at) return { fragments, fault: `the catalogue ends it at ${row.end_at}, the records at ${endAt}` }
  return { fragments, fault: row.is_quarantined === 1 ? null : indexFault(view, row) }
}

/**
 * A record that the catalogue must claim. `spent`: those of a slot that failed. Where the sync failed with
 * which a recorder began in it, nobody knows what of the last two seconds is on the medium; it is told as a
 * gap.
 */
function isOwed(record: ViewedRecord, spent: readonly ViewedRecord[]): boolean {
  const { isDurable, fragment } = record
  if (!isDurable || fragment === null || fragment.excuse !== null || fragment.copies >= 2) return false
  if (spent.length === 0) return true
  const behindMs = spent.slice(spent.indexOf(record) + 1).reduce((sum, behind) => sum + behind.durationMs, 0)
  return behindMs >= MAY_BE_UNSYNCED_MS // the clock may have been set between them
}

function indexFault(view: SlotView, row: SegmentFact): string | null {
  const index = readIndex(view.bytes)
  if (index === null) return 'it is sealed in the catalogue and has no index'
  if (index.generation !== row.generation || index.records !== row.records || index.root.toString('hex') !== row.merkle_root || index.endAt !== row.end_at) return 'index and row differ'
  const isSame = index.sha256s.every((sha256, i) => view.records[i]?.sha256.equals(sha256) === true)
  return isSame ? null : 'the index lists other records than the slot holds'
}
