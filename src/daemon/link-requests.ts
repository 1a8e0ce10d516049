import {
  logRequests, packageRequests, witnessRequests, type AuditKeeper, type AuditLog, type CheckpointBook,
  type RecorderCertificate,
} from '../audit/index.ts'
import type { Asker, Handlers } from '../link/index.ts'
import { CatalogueFaultError, isCatalogueBusy, isCatalogueFault } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { LoopShare } from '../platform/loop-share.ts'
import { holdRequests, type Storage } from '../storage/index.ts'
import { timeRequests, type TrustedTime } from '../trusted-time/index.ts'
import type { OfficeTold } from './office-told.ts'

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

export interface OfficeRequestsOptions extends Omit<LinkRequestsOptions, 'checkpoints'> {
  readonly storage: Pick<Storage, 'holdDesk' | 'scrubRequests' | 'officeRequests' | 'isBusy'>
  readonly trustedTime: Pick<TrustedTime, 'status' | 'submitConfirmation' | 'nowForArchive' | 'steadyNow' | 'line'>
  readonly auditKeeper: Pick<AuditKeeper, 'checkpoints' | 'otherLogs'>
  readonly audit: AuditLog
  /** Rejects while the key cannot be used. */
  readonly certificate: () => Promise<RecorderCertificate>
  readonly told: OfficeTold
  /** Of the host clock that trusted time was opened with. */
  readonly bootId: string
}

/** What the running recorder answers to who asks: to the office more than to commands. */
export function requestsFor(options: OfficeRequestsOptions): (asker: Asker) => Handlers {
  const { storage, auditKeeper: { checkpoints, otherLogs }, audit, certificate, told } = options
  const forAll = linkRequests({ ...options, checkpoints })
  const time = timeRequests({ ...options, isBusy: () => storage.isBusy })
  return asker => asker.role === 'office'
    ? {
        ...forAll, ...time, ...told.requests,
        ...toldFaults({
          ...storage.officeRequests(asker), ...logRequests(otherLogs), ...packageRequests({ log: audit, certificate }),
        }),
      }
    : forAll
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
export function linkRequests({ storage, trustedTime, checkpoints, clock }: LinkRequestsOptions): Handlers {
  const patiently = patientWith(clock), witness = witnessRequests(checkpoints)
  const scrub = storage.scrubRequests, findings = new LoopShare(clock, () => FINDING_EVERY_MS)
  return {
    ...holdHandlers(storage.holdDesk, patiently),
    'scrub.segments': (body, signal) => patiently(() => scrub['scrub.segments'](body), signal),
    'scrub.finding': (body, signal) =>
      findings.run(() => patiently(() => scrub['scrub.finding'](body), signal), signal),
    'audit.witnessed': (body, signal) => patiently(() => witness['audit.witnessed'](body), signal),
    'time.confirm': async (sent, signal) => {
      const { offsetMs } = trustedTime.status()
      return { ...await patiently(() => trustedTime.submitConfirmation(sent, signal), signal), offsetMs }
    },
  }
}
