import type { StreamReport } from '../ingest/index.ts'
import { giveBackMemory } from '../platform/give-back-memory.ts'
import type { House, HouseFacts, HouseOptions } from './house.ts'
import { NO_GLASS, unopenedArchive } from './house-facts.ts'

export interface LaterHouseOptions extends HouseOptions { readonly streams: () => readonly Pick<StreamReport, 'state'>[] }

const LOOK_EACH_MS = 250
/** A camera that does not answer keeps nobody out for longer. */
const MOST_MS = 10_000
/** What runs once after opening has then run. */
const SETTLED_MS = 5_000

/** The code of it alone. */
export const loadHouse = () => import('./house.ts')

/**
 * Opens the house once every camera was heard of: loading its code takes a second of processor time, which after a crash belongs to the cameras [G4, G9].
 * Until then health knows nothing of it. One that cannot be opened leaves the recorder recording, and says so.
 */
export class LaterHouse implements AsyncDisposable {
  readonly #options: LaterHouseOptions
  readonly #stop = new AbortController()
  #opening: Promise<void> = Promise.resolve()
  #house: House | null = null
  #isBroken = false
  constructor(options: LaterHouseOptions) { this.#options = options }

  open(): void {
    this.#opening = this.#open().catch((error: unknown) => {
      this.#isBroken = true
      this.#options.log.error({ err: error }, 'accounts, applications and copies cannot be served; recording goes on')
    })
  }

  facts(): HouseFacts {
    if (this.#house !== null) return this.#house.facts()
    return { glass: NO_GLASS, archive: this.#isBroken ? unopenedArchive(this.#options.config().archive) : null, office: this.#isBroken ? CLOSED : null }
  }

  async #open(): Promise<void> {
    const { clock, streams } = this.#options, { signal } = this.#stop
    for (const until = clock.monoNow() + MOST_MS; clock.monoNow() < until && streams().some(({ state }) => state === 'connecting');) {
      await clock.wait(LOOK_EACH_MS, signal)
      if (signal.aborted) return
    }
    const { openHouse } = await loadHouse()
    if (signal.aborted) return
    this.#house = await openHouse(this.#options)
    await clock.wait(SETTLED_MS, signal)
    if (!signal.aborted) giveBackMemory()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#opening
    await this.#house?.[Symbol.asyncDispose]()
  }
}

const CLOSED: HouseFacts['office'] = {
  rules: 'none', ruleProblems: 0, calendarMissing: [], calendarProblems: 0, cases: { overdue: 0, soon: 0 }, inbox: { state: 'failed', waiting: 0, rejected: 0, rejectedAt: null },
  book: { lines: 0, orphans: 0, reconciledAt: null, isReconcilingLate: false, unsigned: 0, oldestUnsignedAt: null, unsignedDays: 0, packsDue: 0 },
}
