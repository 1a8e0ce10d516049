import { FatalError } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Confirmation } from './confirmation.ts'
import type { HostClock } from './host-clock.ts'
import type { timeTables } from './tables.ts'

/** The recorder looks each second; its own transaction may wait for a checkpoint. */
const ANSWER_WITHIN_MS = 5_000
const POLL_MS = 200

/** What one person says; when and on which boot is added here. */
export type SentConfirmation = Pick<Confirmation, 'name' | 'reason' | 'login'>
/** `waiting`: for a second person, or for a recorder to be started. */
export interface ConfirmationOutcome {
  readonly outcome: 'counted' | 'waiting' | 'refused'
  readonly why: string
}

export interface SubmitConfirmationOptions {
  readonly tables: Pick<ReturnType<typeof timeTables>, 'addConfirmation' | 'outcomeOf'>
  readonly clock: Clock
  readonly hostClock: Pick<HostClock, 'bootId'>
}

/**
 * Writes down one person's confirmation that the wall clock is right, and waits some seconds for its outcome.
 * Throws FatalError when too many confirmations wait.
 */
export async function submitConfirmation(
  { tables, clock, hostClock }: SubmitConfirmationOptions, sent: SentConfirmation, signal?: AbortSignal,
): Promise<ConfirmationOutcome> {
  const at = { wallMs: clock.wallNow(), monoMs: clock.monoNow(), bootId: hostClock.bootId }
  const id = tables.addConfirmation({ ...sent, ...at })
  if (id === null) {
    const message = 'too many confirmations wait to be taken in, so this one was not recorded'
    throw new FatalError('CUSTOS_TIME_CONFIRM_BUSY', message, {
      remedy: 'Is the recorder running? Start it, wait five minutes, then let two people confirm again.',
    })
  }
  for (const until = clock.monoNow() + ANSWER_WITHIN_MS; clock.monoNow() < until && signal?.aborted !== true;) {
    const { outcome, why } = tables.outcomeOf(id) ?? { outcome: null, why: null }
    if (outcome !== null) return { outcome, why: why ?? '' }
    await clock.wait(POLL_MS, signal)
  }
  return { outcome: 'waiting', why: '' }
}
