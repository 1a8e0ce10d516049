import type { MonoMs } from '../domain/index.ts'
import {
  LEASE_LAPSE_MS, SegmentGoneError, VolumeAwayError, type Lease, type SegmentKey, type SlotPlace,
} from '../footage/index.ts'
import { MOST_LEASES, type Answer } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { ConnectedLoop } from './connected-loop.ts'
import { ReadersFullError } from './errors.ts'
import type { RecorderConnection } from './recorder-connection.ts'

export const RENEW_EVERY_MS = 20_000

export interface LinkedLeasesOptions {
  readonly connection: Pick<RecorderConnection, 'ask' | 'onConnected'>
  readonly clock: Clock
  readonly log: Logger
}

interface Held {
  readonly number: number
  readonly segment: SegmentKey
  /** Of the connection that has it; null while it is asked for. */
  on: AbortSignal | null
  /** When what was granted last was asked: the recorder counts from later. */
  renewedMono: MonoMs
  isLapsed: boolean
}

/**
 * Leases of the recorder: all renewed by one message each 20 s, taken again at another connection. One that
 * was not renewed for 60 s is none any more, whatever the recorder says later.
 */
export class LinkedLeases implements AsyncDisposable {
  readonly #options: LinkedLeasesOptions
  readonly #held = new Map<number, Held>()
  readonly #failures: FailureLog
  readonly #renewing: ConnectedLoop
  #on: AbortSignal | null = null
  #lastNumber = 0

  constructor(options: LinkedLeasesOptions) {
    this.#options = options
    const { connection, clock, log } = options
    this.#failures = new FailureLog({
      clock, log, failed: 'leases of footage cannot be renewed', recovered: 'leases of footage are renewed',
    })
    this.#renewing = new ConnectedLoop(connection, signal => this.#renew(signal))
  }

  get held(): number { return this.#held.size }

  /**
   * The lease is the caller's to dispose of. Rejects with SegmentGoneError, VolumeAwayError,
   * ReadersFullError, or what asking rejects with.
   */
  async take(key: SegmentKey): Promise<{ readonly lease: Lease, readonly place: SlotPlace }> {
    if (this.#held.size >= MOST_LEASES) throw new ReadersFullError(MOST_LEASES)
    const { clock } = this.#options, { volumeUuid, slot, generation } = key, on = this.#on
    const held: Held = {
      number: ++this.#lastNumber, segment: { volumeUuid, slot, generation }, on: null, isLapsed: false,
      renewedMono: clock.monoNow(),
    }
    this.#held.set(held.number, held)
    try {
      const place = placeOf(await this.#ask(held))
      held.on = on
      return { lease: this.#leaseOf(held), place }
    } catch (error) {
      this.#end(held) // it may have been granted
      throw error
    }
  }

  #leaseOf(held: Held): Lease {
    return {
      renew: () => {
        held.isLapsed ||= this.#options.clock.monoNow() - held.renewedMono > LEASE_LAPSE_MS
        return !held.isLapsed
      },
      [Symbol.asyncDispose]: async () => { this.#end(held) },
    }
  }

  async #ask({ number, segment }: Held): Promise<Answer<'lease.take'>> {
    return await this.#options.connection.ask('lease.take', { lease: number, ...segment })
  }

  /** Does not wait for the recorder: what it is not told lapses there. */
  #end(held: Held): void {
    held.isLapsed = true
    if (!this.#held.delete(held.number)) return
    if (held.on !== null && held.on.aborted) return
    this.#options.connection.ask('lease.end', { lease: held.number }).catch(() => undefined)
  }

  /** As long as one connection lasts. Never rejects. */
  async #renew(on: AbortSignal): Promise<void> {
    const { clock } = this.#options
    this.#on = on
    while (!on.aborted) {
      try {
        await this.#takeAgain(on)
        await this.#renewAll(on)
        this.#failures.success()
      } catch (error) { if (!on.aborted) this.#failures.failure({ err: error }) }
      await clock.wait(RENEW_EVERY_MS, on)
    }
  }

  /** What another connection had. */
  async #takeAgain(on: AbortSignal): Promise<void> {
    const { clock, connection } = this.#options
    for (const held of [...this.#held.values()]) {
      const askedMono = clock.monoNow()
      held.isLapsed ||= askedMono - held.renewedMono > LEASE_LAPSE_MS
      if (held.on === null || held.on === on || held.isLapsed) continue
      const { outcome } = await this.#ask(held)
      held.on = on
      if (!this.#held.has(held.number)) await connection.ask('lease.end', { lease: held.number })
      else if (outcome === 'taken') held.renewedMono = askedMono
      else held.isLapsed = true
    }
  }

  async #renewAll(on: AbortSignal): Promise<void> {
    const { connection, clock } = this.#options
    const askedMono = clock.monoNow()
    const all = [...this.#held.values()].filter(held => held.on === on && !held.isLapsed)
    if (all.length === 0) return
    const { lapsed } = await connection.ask('lease.renew', { leases: all.map(({ number }) => number) })
    for (const held of all) {
      if (lapsed.includes(held.number)) held.isLapsed = true
      else if (askedMono - held.renewedMono <= LEASE_LAPSE_MS) held.renewedMono = askedMono
    }
  }

  /** Those who read go on until their leases lapse. */
  async [Symbol.asyncDispose](): Promise<void> { await this.#renewing[Symbol.asyncDispose]() }
}

function placeOf(answer: Answer<'lease.take'>): SlotPlace {
  switch (answer.outcome) {
    case 'taken': return { path: answer.folder, identity: { slotSizeBytes: answer.slotSizeBytes } }
    case 'gone': throw new SegmentGoneError('it was overwritten, or never was there')
    case 'volume-away': throw new VolumeAwayError()
    case 'too-many': throw new ReadersFullError(MOST_LEASES)
  }
}
