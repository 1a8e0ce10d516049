import { epochMs, monoMs, type EpochMs, type MonoMs } from '../../src/domain/index.ts'
import type { Clock } from '../../src/platform/clock.ts'
import type { EventQueue } from './event-queue.ts'
import type { Life } from './life.ts'

/** Where the machine's clocks stand against true time. */
export interface MachineClocks {
  /** Wall clock minus true time. */
  readonly wallOffsetMs: number
  /** True time at which running time was zero. */
  readonly bootedAt: number
}

/** The clocks as one process sees them. Its waits end with it. */
export class ProcessClock implements Clock {
  readonly #queue: EventQueue
  readonly #machine: MachineClocks
  readonly #life: Life
  constructor(queue: EventQueue, machine: MachineClocks, life: Life) {
    this.#queue = queue
    this.#machine = machine
    this.#life = life
  }

  wallNow(): EpochMs { return epochMs(this.#queue.now + this.#machine.wallOffsetMs) }
  monoNow(): MonoMs { return monoMs(this.#queue.now - this.#machine.bootedAt) }

  wait(durationMs: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#life.isGone) return promise
    if (signal?.aborted === true) return Promise.resolve()
    const finish = () => {
      event.cancel()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const event = this.#queue.after(Number.isFinite(durationMs) ? durationMs : 2 ** 40, finish, this.#life)
    signal?.addEventListener('abort', finish, { once: true })
    return promise
  }
}
