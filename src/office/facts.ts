import type { Access } from '../access/index.ts'
import type { Archive } from '../archive/index.ts'
import type { Config } from '../config/index.ts'
import { epochMs, NO_GLASS, type ArchiveView, type GlassView } from '../domain/index.ts'
import type { LastKnown } from '../platform/last-known.ts'

export const glassReader = ({ breakGlass }: Access, known: LastKnown): () => GlassView => {
  const earliest = (rows: readonly { readonly openedAtMs: number }[]) => rows.length === 0 ? null : epochMs(Math.min(...rows.map(row => row.openedAtMs)))
  return () => known.ask('glass', () => {
    const { open, formsOwed } = breakGlass.view()
    const openedAt = earliest(open), owedSince = earliest(formsOwed)
    return { open: open.length, openedAt, owed: formsOwed.length, owedSince }
  }, NO_GLASS)
}

/** Of an archive that is configured and could not be opened at all. */
export const unopenedArchive = (configured: Config['archive']): ArchiveView | null => configured === null ? null : {
  state: 'failed', detail: '', items: 0, bytes: 0, quotaBytes: configured.quotaBytes, freeBytes: null, isFull: false, fullInDays: null, next: [], expiring: { count: 0, soonestAt: null }, overdue: 0,
  unsigned: { count: 0, since: null }, holdsToApprove: { count: 0, since: null }, lost: [], strays: 0,
}

/** Looked at every ten seconds, for it walks all items. */
export const archiveReader = (
  archive: Archive | null, configured: Config['archive'], known: LastKnown,
): () => ArchiveView | null => {
  let last = unopenedArchive(archive === null ? configured : null), dueMs = 0
  return () => {
    if (archive === null || process.uptime() * 1000 < dueMs) return last
    last = known.ask('archive', () => archive.view(), last)
    dueMs = process.uptime() * 1000 + 10_000
    return last
  }
}
