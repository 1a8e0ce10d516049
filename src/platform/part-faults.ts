import type { EpochMs } from '../domain/index.ts'
import type { Clock } from './clock.ts'

/** A part that recording does not need, or needs only at the next start, and that does not work. */
export interface PartFault {
  readonly code: PartFaultCode
  readonly since: EpochMs
  /** Fills the placeholders of the reason. */
  readonly values?: Readonly<Record<string, string>>
}
export type PartFaultCode =
  | 'config-not-applied' | 'config-not-kept' | 'state-unlocked' | 'catalogue-unshared'
  | 'health-not-listening' | 'console-failed' | 'office-failed' | 'office-away' | 'upkeep-failed'

/** Told by one part; two parts may tell the same reason, and it stands as long as one of them does. */
export interface FaultTeller {
  /** It does not work; `values` fill the placeholders of the reason. */
  tell(values?: PartFault['values']): void
  clear(): void
}

/** Parts that do not work just now, for health, and since when. */
export class PartFaults {
  readonly #clock: Clock
  readonly #told = new Set<{ fault: PartFault | null }>()
  constructor(clock: Clock) { this.#clock = clock }

  teller(code: PartFaultCode): FaultTeller {
    const own: { fault: PartFault | null } = { fault: null }
    this.#told.add(own)
    return {
      tell: (values = {}) => {
        const since = own.fault?.since ?? this.#clock.wallNow()
        own.fault = { code, since, values }
      },
      clear: () => { own.fault = null },
    }
  }

  /** One of each reason, as who told it first. */
  all(): readonly PartFault[] {
    const faults = [...this.#told].flatMap(({ fault }) => fault === null ? [] : [fault])
      .sort((a, b) => a.since - b.since)
    return faults.filter((fault, index) => faults.findIndex(({ code }) => code === fault.code) === index)
  }
}
