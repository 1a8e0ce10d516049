import { MOST_ADVANCES_TOLD, type Handlers } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import { AGREED_MS } from './time-machine.ts'
import type { TrustedTime } from './trusted-time.ts'

export interface TimeRequestsOptions {
  readonly trustedTime: Pick<TrustedTime, 'status' | 'nowForArchive' | 'steadyNow' | 'line'>
  /** Of the host clock that trusted time was opened with. */
  readonly bootId: string
  /** Recording is short of breath. */
  readonly isBusy: () => boolean
  readonly clock: Clock
}

/** How time stands with the recorder, as the office asks it. */
export function timeRequests({ trustedTime, bootId, isBusy, clock }: TimeRequestsOptions) {
  return {
    'recorder.time': async () => {
      const monoMs = clock.monoNow(), steadyMs = trustedTime.steadyNow()
      const archiveAt = trustedTime.nowForArchive(), { stamp, advances } = trustedTime.line()
      return {
        ...trustedTime.status(), bootId, monoMs, steadyMs, archiveAt, agreedMs: AGREED_MS, isBusy: isBusy(),
        stamp, advances: advances.slice(-MOST_ADVANCES_TOLD),
        hasEarlierAdvances: advances.length > MOST_ADVANCES_TOLD,
      }
    },
  } as const satisfies Handlers
}
