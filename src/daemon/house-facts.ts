import type { Access } from '../access/index.ts'
import type { Archive } from '../archive/index.ts'
import { epochMs } from '../domain/index.ts'
import type { RecorderFacts } from '../health/index.ts'
import { isCatalogueFault } from '../platform/catalogue.ts'

/** While the catalogue cannot be read, as it was last seen: that it cannot is told elsewhere. */
export const glassReader = ({ breakGlass }: Access): () => RecorderFacts['glass'] => {
  let last: RecorderFacts['glass'] = { open: 0, openedAt: null, owed: 0, owedSince: null }
  const earliest = (rows: readonly { readonly openedAtMs: number }[]) => rows.length === 0 ? null : epochMs(Math.min(...rows.map(row => row.openedAtMs)))
  return () => {
    try {
      const { open, formsOwed } = breakGlass.view()
      last = { open: open.length, openedAt: earliest(open), owed: formsOwed.length, owedSince: earliest(formsOwed) }
    } catch (error) { if (!isCatalogueFault(error)) throw error }
    return last
  }
}

/** Looked at every ten seconds, for it walks all items; as last seen while the catalogue cannot be read. */
export const archiveReader = (archive: Archive | null): () => RecorderFacts['archive'] => {
  let last: RecorderFacts['archive'] = null, dueMs = 0
  return () => {
    if (archive === null || process.uptime() * 1000 < dueMs) return last
    try { last = archive.view() } catch (error) { if (!isCatalogueFault(error)) throw error }
    dueMs = process.uptime() * 1000 + 10_000
    return last
  }
}
