import type { StreamReport } from '../ingest/index.ts'
import { giveBackMemory } from '../platform/give-back-memory.ts'
import type { House, HouseFacts, HouseOptions } from './house.ts'
import { NO_GLASS, unopenedArchive } from './house-facts.ts'
import { LatePart } from './late-part.ts'
import type { FaultTeller } from './part-faults.ts'

export interface LaterHouseOptions extends HouseOptions { readonly streams: () => readonly Pick<StreamReport, 'state'>[] }

const LOOK_EACH_MS = 250
/** A camera that does not answer keeps nobody out for longer. */
const MOST_MS = 10_000
/** What runs once after opening has then run. */
const SETTLED_MS = 5_000

/** The code of it alone. */
export const loadHouse = () => import('./house.ts')

/**
 * Opens the house once every camera was heard of: loading its code takes a second of processor time, which
 * after a crash belongs to the cameras [G4, G9]. Until then health knows nothing of it. One that cannot be
 * opened leaves the recorder recording, says so, and is tried again each minute.
 */
export class LaterHouse implements AsyncDisposable {
  readonly #options: LaterHouseOptions
  readonly #stop = new AbortController()
  #opening: Promise<void> = Promise.resolve()
  #house: LatePart<House> | null = null
  #last: HouseFacts = { auditFailedSince: null, glass: NO_GLASS, archive: null, office: null }
  #isBlind = false
  readonly #blind: FaultTeller
  constructor(options: LaterHouseOptions) {
    this.#options = options
    this.#blind = options.faults.teller('office-failed')
  }

  open(): void { this.#opening = this.#open() }

  /** Never throws: nothing that serves people may blind health. */
  facts(): HouseFacts {
    const { config, log } = this.#options
    const house = this.#house?.part ?? null
    if (house === null) {
      const archive = this.#house === null ? null : unopenedArchive(config().archive)
      return { auditFailedSince: null, glass: NO_GLASS, archive, office: null }
    }
    try {
      this.#last = house.facts()
      this.#blind.clear()
      this.#isBlind = false
    } catch (error) {
      if (!this.#isBlind) {
        log.error({ err: error }, 'how accounts, applications and copies stand cannot be told')
      }
      this.#isBlind = true
      this.#blind.tell()
    }
    return this.#last
  }

  async #open(): Promise<void> {
    const { clock, streams } = this.#options, { signal } = this.#stop
    for (const until = clock.monoNow() + MOST_MS; clock.monoNow() < until && streams().some(({ state }) => state === 'connecting');) {
      await clock.wait(LOOK_EACH_MS, signal)
      if (signal.aborted) return
    }
    await loadHouse().catch(() => undefined) // told when it is opened
    if (signal.aborted) return
    const { faults, log } = this.#options
    const open = async (): Promise<House> => (await loadHouse()).openHouse(this.#options)
    this.#house = await LatePart.open({ code: 'office-failed', open, faults, clock, log })
    await clock.wait(SETTLED_MS, signal)
    if (!signal.aborted) giveBackMemory()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#opening
    await this.#house?.[Symbol.asyncDispose]()
  }
}
