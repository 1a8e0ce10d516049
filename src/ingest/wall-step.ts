import type { EpochMs, MonoMs } from '../domain/index.ts'

const MOST_STEP_MS = 500 // the wall clock against running time, from one fragment to the next

/** Notices when the wall clock is set. One that a time daemon slews moves along unnoticed. */
export class WallStep {
  #wallMinusMono: number | null = null

  /** Whether the wall clock was set since the call before. */
  observe(wall: EpochMs, mono: MonoMs): boolean {
    const before = this.#wallMinusMono
    this.#wallMinusMono = wall - mono
    return before !== null && Math.abs(wall - mono - before) > MOST_STEP_MS
  }
}
