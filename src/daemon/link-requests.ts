import type { Asker, Handlers } from '../link/index.ts'
import { CatalogueFaultError, isCatalogueBusy, isCatalogueFault } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { holdRequests, type Storage } from '../storage/index.ts'
import { timeRequests, type TrustedTime } from '../trusted-time/index.ts'

/** Another process has the catalogue for a moment, as a rule. */
const LOCKED_WITHIN_MS = 4_000
const LOOK_AGAIN_MS = 100

export interface LinkRequestsOptions {
  readonly storage: Pick<Storage, 'holdDesk'>
  readonly trustedTime: Pick<TrustedTime, 'status' | 'submitConfirmation'>
  readonly clock: Clock
}

export interface OfficeRequestsOptions extends LinkRequestsOptions {
  readonly storage: Pick<Storage, 'holdDesk' | 'officeRequests' | 'isBusy'>
  readonly trustedTime: Pick<TrustedTime, 'status' | 'submitConfirmation' | 'nowForArchive' | 'steadyNow'>
  /** Of the host clock that trusted time was opened with. */
  readonly bootId: string
}

/** What the running recorder answers to who asks: to the office more than to commands. */
export function requestsFor(options: OfficeRequestsOptions, asker: Asker): Handlers {
  const { storage } = options, forAll = linkRequests(options)
  if (asker.role !== 'office') return forAll
  return {
    ...forAll, ...toldFaults(storage.officeRequests(asker)),
    ...timeRequests({ ...options, isBusy: () => storage.isBusy }),
  }
}

/** The same; a fault of the catalogue is told as one. */
function toldFaults(handlers: Handlers): Handlers {
  type Answering = (body: unknown, signal: AbortSignal) => Promise<unknown>
  return Object.fromEntries(Object.entries(handlers as Record<string, Answering>).map(([name, answer]) => [
    name, async (body: unknown, signal: AbortSignal) => {
      try { return await answer(body, signal) } catch (error) {
        throw isCatalogueFault(error) ? new CatalogueFaultError(error) : error
      }
    },
  ]))
}

/** What the running recorder answers to commands. */
export function linkRequests({ storage, trustedTime, clock }: LinkRequestsOptions): Handlers {
  const holds = holdRequests(storage.holdDesk)
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
    'time.confirm': async (sent, signal) => {
      const { offsetMs } = trustedTime.status()
      return { ...await patiently(() => trustedTime.submitConfirmation(sent, signal), signal), offsetMs }
    },
  }
}
