import { NO_GLASS, type MonoMs, type OfficeFacts } from '../domain/index.ts'
import type { Handlers, OfficeFactsMessage } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { FaultTeller, PartFault } from '../platform/part-faults.ts'

/** What was told is believed for so long; an office that starts has as long. */
export const HEARD_WITHIN_MS = 30_000

export type ToldFacts = OfficeFacts & { readonly faults: readonly PartFault[] }

const NOTHING: ToldFacts = {
  auditFailedSince: null, glass: NO_GLASS, office: null, archive: null, faults: [],
}

/** How the office said that it stands. Silent for longer than it should be, it is told as last heard, and as away. */
export class OfficeTold {
  readonly #clock: Clock
  readonly #away: FaultTeller
  #facts = NOTHING
  #heardMono: MonoMs

  /** `away` is told while nothing is heard. */
  constructor(clock: Clock, away: FaultTeller) {
    this.#clock = clock
    this.#away = away
    this.#heardMono = clock.monoNow()
  }

  /** For the recorder's socket; the message was checked. */
  readonly requests = {
    'office.facts': async (message: OfficeFactsMessage) => {
      this.#facts = factsOf(message)
      this.#heardMono = this.#clock.monoNow()
      this.#away.clear()
      return {}
    },
  } as const satisfies Handlers

  facts(): ToldFacts {
    if (this.#clock.monoNow() - this.#heardMono > HEARD_WITHIN_MS) this.#away.tell()
    return this.#facts
  }
}

/** The same shape: numbers that were checked to be instants, and texts to be states and item numbers. */
const factsOf = (message: OfficeFactsMessage): ToldFacts => message as unknown as ToldFacts
