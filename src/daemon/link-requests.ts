import type { Answer, Ask, Handlers } from '../link/index.ts'
import { CatalogueFaultError, isCatalogueBusy, isCatalogueFault } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { AskHolds } from '../requests/index.ts'
import { holdRequests, type Storage } from '../storage/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'

/** Another process has the catalogue for a moment, as a rule. */
const LOCKED_WITHIN_MS = 4_000
const LOOK_AGAIN_MS = 100

export interface LinkRequestsOptions {
  readonly storage: Pick<Storage, 'holdDesk'>
  readonly trustedTime: Pick<TrustedTime, 'status' | 'submitConfirmation'>
  readonly clock: Clock
}

type Patiently = <T>(answer: () => Promise<T>, signal: AbortSignal) => Promise<T>
/** Waits some seconds for a catalogue that is locked. */
const patientWith = (clock: Clock): Patiently =>
  async <T>(answer: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    for (const until = clock.monoNow() + LOCKED_WITHIN_MS; ;) {
      try { return await answer() } catch (error) {
        const mayWait = isCatalogueBusy(error) && clock.monoNow() < until && !signal.aborted
        if (!mayWait) throw isCatalogueFault(error) ? new CatalogueFaultError(error) : error
      }
      await clock.wait(LOOK_AGAIN_MS, signal)
    }
  }

function holdHandlers(desk: Storage['holdDesk'], patiently: Patiently) {
  const holds = holdRequests(desk)
  return {
    'hold.cost': (body, signal) => patiently(() => holds['hold.cost'](body), signal),
    'hold.place': (body, signal) => patiently(() => holds['hold.place'](body), signal),
    'hold.end': (body, signal) => patiently(() => holds['hold.end'](body), signal),
    'hold.list': (body, signal) => patiently(() => holds['hold.list'](body), signal),
  } as const satisfies Handlers
}

/** Asks for holds in the process that has them. */
export function ownHolds(desk: Storage['holdDesk'], clock: Clock): AskHolds {
  const { signal } = new AbortController()
  const handlers: { readonly [N in keyof ReturnType<typeof holdHandlers>]:
    (body: Ask<N>, signal: AbortSignal) => Promise<Answer<N>> } = holdHandlers(desk, patientWith(clock))
  return (name, body) => handlers[name](body, signal)
}

/** What the running recorder answers to commands. */
export function linkRequests({ storage, trustedTime, clock }: LinkRequestsOptions): Handlers {
  const patiently = patientWith(clock)
  return {
    ...holdHandlers(storage.holdDesk, patiently),
    'time.confirm': async (sent, signal) => {
      const { offsetMs } = trustedTime.status()
      return { ...await patiently(() => trustedTime.submitConfirmation(sent, signal), signal), offsetMs }
    },
  }
}
