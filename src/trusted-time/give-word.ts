import { FatalError } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { HostClock } from './host-clock.ts'
import type { timeTables } from './tables.ts'

/** The recorder looks each second; its own transaction may wait for a checkpoint. */
const ANSWER_WITHIN_MS = 5_000
const POLL_MS = 200

export interface Word { readonly name: string, readonly reason: string, readonly login: string }
/** `waiting`: for a second person, or for a recorder to be started. */
export interface WordOutcome { readonly outcome: 'counted' | 'waiting' | 'refused', readonly why: string }

export interface GiveWordOptions {
  readonly tables: Pick<ReturnType<typeof timeTables>, 'addConfirmation' | 'outcomeOf'>
  readonly clock: Clock
  readonly hostClock: Pick<HostClock, 'bootId'>
}

/**
 * Writes down one person's word that the wall clock is right, and waits some seconds for what becomes of it.
 * Throws FatalError when too many words wait.
 */
export async function giveWord({ tables, clock, hostClock }: GiveWordOptions, word: Word, signal?: AbortSignal): Promise<WordOutcome> {
  const id = tables.addConfirmation({ ...word, wallMs: clock.wallNow(), monoMs: clock.monoNow(), bootId: hostClock.bootId })
  if (id === null) {
    throw new FatalError('CUSTOS_TIME_CONFIRM_BUSY', 'too many confirmations wait to be taken in, so this one was not recorded', { remedy: 'Is the recorder running? Start it, wait five minutes, then let two people confirm again.' })
  }
  for (const until = clock.monoNow() + ANSWER_WITHIN_MS; clock.monoNow() < until && signal?.aborted !== true;) {
    const { outcome, why } = tables.outcomeOf(id) ?? { outcome: null, why: null }
    if (outcome !== null) return { outcome, why: why ?? '' }
    await clock.wait(POLL_MS, signal)
  }
  return { outcome: 'waiting', why: '' }
}
