import { epochMs, type EpochMs } from '../domain/index.ts'
import { isCatalogueFault, type Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { timeTables } from './tables.ts'
import { trustedAt } from './time-machine.ts'

/** How old what the recorder wrote down may be before it is read again. */
const READ_EACH_MS = 10_000

/**
 * Trusted time as the recorder wrote it down last, running on, for commands beside it. Before its first start
 * there is only the wall clock. After a boot, until the recorder has run, it stands still: nothing that is
 * counted ends too early.
 */
export function steadyTime(
  db: Db, clock: Clock, bootId: string,
): { readonly wallNow: () => EpochMs, readonly steadyNow: () => number } {
  const tables = timeTables(db)
  let saved = tables.load(), readMs: number = clock.monoNow()
  return {
    wallNow: () => clock.wallNow(),
    steadyNow(): number {
      const monoMs = clock.monoNow()
      if (monoMs - readMs >= READ_EACH_MS || saved === null) {
        // it runs on from what was read before
        try { saved = tables.load() } catch (error) {
          if (saved === null || !isCatalogueFault(error)) throw error
        }
        readMs = monoMs
      }
      if (saved === null) return clock.wallNow()
      return epochMs(Math.floor(saved.bootId === bootId ? trustedAt({ ...saved, slewMs: 0 }, monoMs) : saved.trustedMs))
    },
  }
}
