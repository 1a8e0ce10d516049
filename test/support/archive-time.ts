import type { ArchiveTime } from '../../src/archive/index.ts'
import type { EpochMs } from '../../src/domain/index.ts'

/** Both clocks agree, and always have. */
export const agreedTime = (now: () => EpochMs): ArchiveTime =>
  ({ now, nowForArchive: now, stamp: () => ({ timeline: '', at: now() }), standing: ({ at }) => at })
