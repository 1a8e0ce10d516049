import { witnessRequests, type CheckpointBook } from '../audit/index.ts'
import type { Handlers } from '../link/index.ts'
import { CatalogueFaultError, isCatalogueBusy, isCatalogueFault } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { holdRequests, type Storage } from '../storage/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import { Turns } from './turns.ts'

/** Another process has the catalogue for a moment, as a rule. */
const LOCKED_WITHIN_MS = 4_000
const LOOK_AGAIN_MS = 100
/** Each may be a commit: of a disk that lost everything thousands are told, and the loop is the cameras'. */
const FINDING_EVERY_MS = 20

export interface LinkRequestsOptions {
  readonly storage: Pick<Storage, 'holdDesk' | 'scrubRequests'>
  readonly trustedTime: Pick<TrustedTime, 'status' | 'submitConfirmation'>
  readonly checkpoints: CheckpointBook
  readonly clock: Clock
}

/** What the running recorder answers to commands. */
export function linkRequests({ storage, trustedTime, checkpoints, clock }: LinkRequestsOptions): Handlers {
  const witness = witnessRequests(checkpoints)
  const holds = holdRequests(storage.holdDesk)
  const scrub = storage.scrubRequests, findings = new Turns(FINDING_EVERY_MS, clock)
  const patiently = async <T>(answer: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    for (const until = clock.monoNow() + LOCKED_WITHIN_MS; ;) {
      try { return await answer() } catch (error) {
        const mayWait = isCatalogueBusy(error) && clock.monoNow() < until && !signal.aborted
        if (!mayWait) throw isCatalogueFault(error) ? new CatalogueFaultError(error) : error
      }
      await clock.wait(LOOK_AGAIN_MS, signal)
    }
  }
  return {
    'hold.cost': (body, signal) => patiently(() => holds['hold.cost'](body), signal),
    'hold.place': (body, signal) => patiently(() => holds['hold.place'](body), signal),
    'hold.end': (body, signal) => patiently(() => holds['hold.end'](body), signal),
    'hold.list': (body, signal) => patiently(() => holds['hold.list'](body), signal),
    'scrub.segments': (body, signal) => patiently(() => scrub['scrub.segments'](body), signal),
    'scrub.finding': (body, signal) =>
      findings.take(() => patiently(() => scrub['scrub.finding'](body), signal), signal),
    'audit.witnessed': (body, signal) => patiently(() => witness['audit.witnessed'](body), signal),
    'time.confirm': async (sent, signal) => {
      const { offsetMs } = trustedTime.status()
      return { ...await patiently(() => trustedTime.submitConfirmation(sent, signal), signal), offsetMs }
    },
  }
}
