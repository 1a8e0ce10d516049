import type { Access } from '../access/index.ts'
import type { Archive, ArchiveView } from '../archive/index.ts'
import type { Config } from '../config/index.ts'
import { epochMs } from '../domain/index.ts'
import type { RecorderFacts } from '../health/index.ts'
import { isCatalogueFault } from '../platform/catalogue.ts'

export const NO_GLASS: RecorderFacts['glass'] = { open: 0, openedAt: null, owed: 0, owedSince: null }

/** While the catalogue cannot be read, as it was last seen: that it cannot is told elsewhere. */
export const glassReader = ({ breakGlass }: Access): () => RecorderFacts['glass'] => {
  let last = NO_GLASS
  const earliest = (rows: readonly { readonly openedAtMs: number }[]) => rows.length === 0 ? null : epochMs(Math.min(...rows.map(row => row.openedAtMs)))
  return () => {
    try {
      const { open, formsOwed } = breakGlass.view()
      last = { open: open.length, openedAt: earliest(open), owed: formsOwed.length, owedSince: earliest(formsOwed) }
    } catch (error) { if (!isCatalogueFault(error)) throw error }
    return last
  }
}

/** Of an archive that is configured and could not be opened at all. */
export const unopenedArchive = (configured: Config['archive']): ArchiveView | null => configured === null ? null : {
  state: 'failed', detail: '', items: 0, bytes: 0, quotaBytes: configured.quotaBytes, freeBytes: null, isFull: false, fullInDays: null, next: [], expiring: { count: 0, soonestAt: null }, overdue: 0,
  unsigned: { count: 0, since: null }, holdsToApprove: { count: 0, since: null }, lost: [], strays: 0,
}

/** Looked at every ten seconds, for it walks all items; as last seen while the catalogue cannot be read. */
export const archiveReader = (archive: Archive | null, configured: Config['archive']): () => RecorderFacts['archive'] => {
  let last = unopenedArchive(archive === null ? configured : null), dueMs = 0
  return () => {
    if (archive === null || process.uptime() * 1000 < dueMs) return last
    try { last = archive.view() } catch (error) { if (!isCatalogueFault(error)) throw error }
    dueMs = process.uptime() * 1000 + 10_000
    return last
  }
}
