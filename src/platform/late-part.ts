import type { Clock } from './clock.ts'
import type { Logger } from './logger.ts'
import type { FaultTeller, PartFault, PartFaultCode, PartFaults } from './part-faults.ts'

/** A port that is taken or a certificate that is renewed is free or there again within minutes. */
export const LATE_PART_RETRY_MS = 60_000

export interface LatePartOptions<Part extends AsyncDisposable> {
  readonly code: PartFaultCode
  /** Fill the placeholders of the reason. */
  readonly values?: PartFault['values']
  readonly open: () => Promise<Part>
  readonly faults: PartFaults
  readonly clock: Clock
  readonly log: Logger
}

/**
 * A part that recording does not need [G9]: one that cannot be opened is a reason of health, and is tried
 * again each minute.
 */
export class LatePart<Part extends AsyncDisposable> implements AsyncDisposable {
  readonly #options: LatePartOptions<Part>
  readonly #fault: FaultTeller
  readonly #stop = new AbortController()
  #part: Part | null = null
  #opening: Promise<void> = Promise.resolve()

  private constructor(options: LatePartOptions<Part>) {
    this.#options = options
    this.#fault = options.faults.teller(options.code)
  }

  /** Never rejects. Tried once on return. */
  static async open<Part extends AsyncDisposable>(options: LatePartOptions<Part>): Promise<LatePart<Part>> {
    const late = new LatePart(options)
    if (!await late.#try()) late.#opening = late.#retry()
    return late
  }

  get part(): Part | null { return this.#part }

  async #try(): Promise<boolean> {
    const { code, open, log } = this.#options
    try {
      this.#part = await open()
      this.#fault.clear()
      return true
    } catch (error) {
      log.error({ err: error, reason: code }, 'a part cannot be opened and is tried again; recording goes on')
      this.#fault.tell(this.#options.values)
      return false
    }
  }

  async #retry(): Promise<void> {
    const { clock } = this.#options, { signal } = this.#stop
    do await clock.wait(LATE_PART_RETRY_MS, signal)
    while (!signal.aborted && !await this.#try())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#opening
    await this.#part?.[Symbol.asyncDispose]()
    this.#part = null
  }
}
