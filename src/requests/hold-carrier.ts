import { CustosError, FatalError, type MonoMs } from '../domain/index.ts'
import { LinkClosedError, LinkTimeoutError, LinkVersionError } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { HoldsPort } from './holds-port.ts'
import type { caseHoldTable, CaseHold } from './tables/case-holds.ts'
import { NoAnswerError, within } from './within.ts'

/** Over the socket an answer is given up after 30 s; in the same process nothing else bounds it. */
export const ANSWER_WITHIN_MS = 35_000
/** What the recorder refused for good is asked for again so seldom: somebody may have repaired it. */
export const REFUSED_AGAIN_MS = 3_600_000
/** An end may come before the placing that it follows, where the answer to that was lost. */
export const DOUBT_MS = 60_000

/**
 * `away`: the recorder does not answer at all. `failed`: it did, or this side could not note what it said.
 * `error` is the office's own, for the caller to log.
 */
export type Outcome = { readonly kind: 'done' | 'failed' | 'away', readonly error: unknown }

const DONE: Outcome = { kind: 'done', error: null }
const AWAY = [LinkClosedError, LinkTimeoutError, LinkVersionError, NoAnswerError]
const ENDED = 'CUSTOS_HOLD_ENDED', UNKNOWN = 'CUSTOS_HOLD_UNKNOWN'
const codeOf = (error: unknown): string => error instanceof CustosError ? error.code : ''

export interface HoldCarrierOptions {
  readonly holds: ReturnType<typeof caseHoldTable>
  readonly port: HoldsPort
  readonly clock: Clock
  readonly log: Logger
}

/** Asks the recorder for what one row of the table wants, and notes what it said. */
export class HoldCarrier {
  readonly #options: HoldCarrierOptions
  /** When placing was asked for last, by this process. */
  readonly #placedAt = new Map<string, MonoMs>()
  /** When to ask again for what was refused. */
  readonly #againAt = new Map<string, MonoMs>()
  readonly #openedAt: MonoMs

  constructor(options: HoldCarrierOptions) { this.#options = options; this.#openedAt = options.clock.monoNow() }

  isDue({ holdId, trouble }: CaseHold): boolean {
    return trouble?.isRefused !== true || (this.#againAt.get(holdId) ?? 0) <= this.#options.clock.monoNow()
  }

  /** Never rejects. */
  async carryOut(hold: CaseHold): Promise<Outcome> {
    try {
      try {
        if (hold.state === 'wanted') await this.#place(hold)
        else await this.#end(hold)
      } catch (error) { return this.#failed(hold, error) }
      this.#againAt.delete(hold.holdId)
      return DONE
    } catch (error) { return { kind: 'failed', error } }
  }

  async #place({ holdId, camera, stream, from: fromAt, to: toAt, authority, application, wishedBy: by, cost }: CaseHold): Promise<void> {
    const { holds, port, clock, log } = this.#options
    const range = { camera: { uuid: camera }, stream, fromAt, toAt }
    if (cost === null) holds.costs(holdId, await this.#answer(port.cost(range)))
    if (!holds.asked(holdId)) return // it was let go meanwhile
    this.#placedAt.set(holdId, clock.monoNow())
    try {
      await this.#answer(port.place({ ...range, holdId, authority, application, by }))
      holds.isHeld(holdId, clock.wallNow())
    } catch (error) {
      if (codeOf(error) !== ENDED) throw error
      this.#endedElsewhere(holdId, (error as CustosError).message)
      log.warn({ holdId, application }, 'a hold of a case was ended at the recorder, by somebody else than its case')
    }
    this.#placedAt.delete(holdId)
  }

  #endedElsewhere(holdId: string, reason: string): void {
    const { holds, clock } = this.#options
    const at = clock.wallNow(), by = { kind: 'system', name: 'custos', role: null, source: null } as const
    holds.letGo(holdId, { by, at, reason })
    holds.isOver(holdId, at)
  }

  async #end({ holdId, letGo, heldAt }: CaseHold): Promise<void> {
    const { holds, port, clock } = this.#options
    try {
      await this.#answer(port.end({ holdId, by: letGo!.by, reason: letGo!.reason }))
    } catch (error) {
      const isNone = codeOf(error) === UNKNOWN
      if (!isNone && codeOf(error) !== ENDED) throw error
      const since = clock.monoNow() - (this.#placedAt.get(holdId) ?? this.#openedAt)
      if (isNone && heldAt === null && since < DOUBT_MS) throw error
    }
    holds.isOver(holdId, clock.wallNow())
    this.#placedAt.delete(holdId)
  }

  #answer<Result>(work: Promise<Result>): Promise<Result> {
    return within(this.#options.clock, ANSWER_WITHIN_MS, work)
  }

  #failed({ holdId, application, trouble, state }: CaseHold, error: unknown): Outcome {
    const { holds, clock, log } = this.#options
    const isAway = AWAY.some(kind => error instanceof kind), code = codeOf(error)
    const isRefused = !isAway && code !== UNKNOWN
      && (error instanceof FatalError || error instanceof TypeError)
    const { message } = error as Error
    holds.troubled(holdId, { code, text: message, isRefused })
    if (isRefused) this.#againAt.set(holdId, clock.monoNow() + REFUSED_AGAIN_MS as MonoMs)
    if (isRefused && trouble?.isRefused !== true) {
      log.error({ err: error, holdId, application, state }, 'the recorder refuses what a case wants held')
    } else if (!isAway && !(error instanceof CustosError)) return { kind: 'failed', error }
    return { kind: isAway ? 'away' : isRefused ? 'done' : 'failed', error: null }
  }
}
