import { setImmediate as turn } from 'node:timers/promises'
import type { AuditBook } from '../access/index.ts'
import { epochMs, isoOf, SYSTEM } from '../domain/index.ts'
import type { Answer, HoldMessage } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { ANSWER_WITHIN_MS } from './hold-carrier.ts'
import type { HoldsPort } from './holds-port.ts'
import type { caseHoldTable } from './tables/case-holds.ts'
import type { unknownHoldTable } from './tables/unknown-holds.ts'
import { within } from './within.ts'

const ROWS_A_TURN = 1_000

export interface HoldReconcilerOptions {
  readonly holds: ReturnType<typeof caseHoldTable>
  readonly unknown: ReturnType<typeof unknownHoldTable>
  readonly port: HoldsPort
  readonly audit: AuditBook
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Compares what cases want with what the recorder holds for applications: one of the two may come from a
 * backup. It only notes what is to be done; holds without an application are the recorder's own.
 */
export class HoldReconciler {
  readonly #options: HoldReconcilerOptions
  constructor(options: HoldReconcilerOptions) { this.#options = options }

  /** Whether anything is to be done now. Rejects as the port does, having noted what it saw. */
  async reconcile(): Promise<boolean> {
    const { port, holds, unknown, clock, log } = this.#options
    const lost = await this.#heldHere(), gone = new Set(unknown.standing())
    let isChanged = false, noticed = 0
    for (let after: number | null = 0; after !== null;) {
      const page: Answer<'hold.list'> = await within(clock, ANSWER_WITHIN_MS, port.list({ withEnded: false, after }))
      const strangers: HoldMessage[] = []
      for (const hold of page.holds) {
        if (hold.application === null) continue
        lost.delete(hold.holdId)
        gone.delete(hold.holdId)
        const row = holds.get(hold.holdId)
        if (row === null) strangers.push(hold)
        else if (row.state === 'ended') { holds.endingAgain(hold.holdId, clock.wallNow()); isChanged = true }
      }
      noticed += this.#notice(strangers)
      after = page.next
      await turn()
    }
    for (const holdId of lost) holds.wantedAgain(holdId, clock.wallNow())
    for (const holdId of gone) unknown.isGone(holdId, clock.wallNow())
    if (lost.size > 0) log.warn({ holds: lost.size }, 'holds of cases are not held by the recorder, and are placed again')
    if (noticed > 0) {
      log.error({ holds: noticed }, 'the recorder holds footage for applications, and no case here wanted it; it stays held')
    }
    return isChanged || lost.size > 0
  }

  async #heldHere(): Promise<Set<string>> {
    const ids = new Set<string>()
    for (let after: number | undefined = 0; after !== undefined;) {
      const rows = this.#options.holds.held(after, ROWS_A_TURN)
      for (const { holdId } of rows) ids.add(holdId)
      after = rows.length < ROWS_A_TURN ? undefined : rows.at(-1)?.place
      await turn()
    }
    return ids
  }

  /** How many of them were never noticed before: each has one entry. */
  #notice(strangers: readonly HoldMessage[]): number {
    if (strangers.length === 0) return 0
    const { audit, clock, unknown } = this.#options, at = clock.wallNow()
    return audit.transaction(() => strangers.filter(hold => {
      const isNew = unknown.notice(hold.holdId, hold.application!, at)
      if (isNew) audit.append({ action: 'hold.unknown', actor: SYSTEM, object: hold.holdId, application: hold.application, result: 'done', detail: factsOf(hold) })
      return isNew
    }).length)
  }
}

const iso = (at: number): string => isoOf(epochMs(at))
const factsOf = ({ cameraId, cameraUuid, fromAt, toAt, authority, placedBy, placedAt }: HoldMessage) => ({
  camera: cameraId, cameraUuid, from: iso(fromAt), to: iso(toAt), authority, placedBy, placedAt: iso(placedAt),
})
