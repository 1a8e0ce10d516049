import { setImmediate as turn } from 'node:timers/promises'
import { epochMs, monoMs, type EpochMs, type MonoMs } from '../../../src/domain/index.ts'
import type { Clock } from '../../../src/platform/clock.ts'

interface Wait { readonly dueMs: number, readonly finish: () => void }

/** Time that moves when the test says so. */
export class ManualClock implements Clock {
  #monoMs = 1_000
  #wallMs: number
  #waits: Wait[] = []

  constructor(start = '2026-11-22T08:00:00.000Z') { this.#wallMs = Date.parse(start) }

  wallNow(): EpochMs { return epochMs(this.#wallMs) }
  monoNow(): MonoMs { return monoMs(this.#monoMs) }
  get pendingWaits(): number { return this.#waits.length }

  wait(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const wait: Wait = { dueMs: this.#monoMs + durationMs, finish: () => {
      this.#waits = this.#waits.filter(other => other !== wait)
      signal?.removeEventListener('abort', wait.finish)
      resolve()
    } }
    signal?.addEventListener('abort', wait.finish, { once: true })
    this.#waits.push(wait)
    return promise
  }

  /** Sets the wall clock, as a person or NTP does; running time goes on undisturbed. */
  stepWall(deltaMs: number): void { this.#wallMs += deltaMs }

  /** Moves on, waking every wait that falls due, in order, each at its own instant. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#monoMs + durationMs
    for (;;) {
      const next = this.#waits.filter(wait => wait.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0]
      this.#moveTo(Math.max(next?.dueMs ?? endMs, this.#monoMs))
      if (!next) break
      next.finish()
      await turn()
    }
  }

  /** Time that passes while something is at work, waking nobody. */
  lose(durationMs: number): void { this.#moveTo(this.#monoMs + durationMs) }

  #moveTo(monoMsNow: number): void {
    this.#wallMs += monoMsNow - this.#monoMs
    this.#monoMs = monoMsNow
  }
}
