import { epochMs, isoOf, type EpochMs } from '../domain/index.ts'
import { isCatalogueFault, type Catalogue } from '../platform/catalogue.ts'
import type { Logger } from '../platform/logger.ts'
import { keepUntilByQuarter, parseFloorRule, type FloorRule } from '../retention/index.ts'
import type { RowQueue } from './row-queue.ts'
import { footageMoveTable, type FootageMove } from './tables/footage-moves.ts'

/** Each takes some ten microseconds (measured). */
const ROWS_AT_ONCE = 2000

export interface FootageMovesOptions {
  readonly catalogue: Catalogue
  readonly rows: RowQueue
  readonly floor: FloorRule
  readonly log: Logger
  readonly rowsAtOnce?: number
}

/**
 * Moves sealed footage with trusted time when that goes forward at once [G1]: the first rows in the
 * transaction of the act, the rest in steps between which recording goes on, also after a restart. Until all
 * have moved, `latestOf` tells how far a segment may move yet.
 */
export class FootageMoves {
  readonly #options: FootageMovesOptions
  readonly #table
  readonly #keepUntilOf
  readonly #rowsAtOnce: number
  #pending: readonly FootageMove[]
  #working: Promise<void> | null = null
  readonly #stop = Promise.withResolvers<'stopped'>()
  #isStopped = false

  constructor(options: FootageMovesOptions) {
    this.#options = options
    this.#rowsAtOnce = options.rowsAtOnce ?? ROWS_AT_ONCE
    this.#table = footageMoveTable(options.catalogue.db)
    this.#keepUntilOf = keepUntilByQuarter(rule => parseFloorRule(rule) ?? options.floor)
    this.#pending = this.#table.pending()
    if (this.#pending.length > 0) this.#work()
  }

  /** In the transaction of the act. */
  add(since: EpochMs, byMs: number): void {
    this.#table.add(since, byMs)
    // Whatever comes of the transaction: it only keeps footage longer.
    this.#pending = [...this.#pending, { moveId: 0, since, byMs }]
    this.#table.step(this.#rowsAtOnce, this.#keepUntilOf)
    this.#work()
    this.#options.log.info({ since: isoOf(since), byMs }, 'footage of doubtful time moves with trusted time')
  }

  /** The latest instant that a segment's newest frame may stand at when all has moved. */
  latestOf(newestAt: EpochMs): EpochMs {
    return this.#pending.reduce((at, { since, byMs }) => at >= since ? epochMs(at + byMs) : at, newestAt)
  }

  /** Nothing more is begun; what is left goes on after the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stop.resolve('stopped')
    await this.#working
  }

  #work(): void {
    this.#working ??= this.#run()
      .finally(() => { this.#working = null })
      .then(() => { if (this.#pending.length > 0 && !this.#isStopped) this.#work() })
  }

  /** Whether the catalogue says that more is to be moved, or cannot say. */
  #isLeft(): boolean {
    try { this.#pending = this.#table.pending() } catch (error) {
      if (!isCatalogueFault(error)) throw error
    }
    return this.#pending.length > 0
  }

  /** Between the steps others have their turn. Rejects with what is no fault of the catalogue alone. */
  async #run(): Promise<void> {
    const { rows } = this.#options
    for (;;) {
      await new Promise(resolve => { setImmediate(resolve) }) // behind the transaction of the act
      if (this.#isStopped) return
      const stepped = Promise.withResolvers<'stepped'>()
      const done = (): void => { stepped.resolve('stepped') }
      rows.write(() => { this.#table.step(this.#rowsAtOnce, this.#keepUntilOf) }, { done })
      if (await Promise.race([stepped.promise, this.#stop.promise]) === 'stopped') return
      if (!this.#isLeft()) return
    }
  }
}
