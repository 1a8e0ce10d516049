import { setImmediate as turn } from 'node:timers/promises'
import { epochMs, monoMs, type EpochMs, type MonoMs } from '../../src/domain/index.ts'
import type { Clock } from '../../src/platform/clock.ts'

interface Wait { readonly dueMs: number, readonly isAlarm: boolean, readonly finish: () => void }

/** A test, as far as it runs something when it is over; what that throws fails it. */
export interface TestOwner { teardown(work: () => unknown): void }

const SETTLE_TURNS = 100_000

/** Time that moves only when the test says so. With `owner`, a wait that is still pending at teardown fails the test. */
export class VirtualClock implements Clock {
  #monoMs = 5_000
  #wallMs: number
  #waits: Wait[] = []

  constructor(start: string, owner?: TestOwner) {
    this.#wallMs = Date.parse(start)
    owner?.teardown(() => { if (this.pendingWaits > 0) throw new Error(`${this.pendingWaits} waits outlive their test`) })
  }

  wallNow(): EpochMs { return epochMs(this.#wallMs) }
  monoNow(): MonoMs { return monoMs(this.#monoMs) }
  get pendingWaits(): number { return this.#waits.reduce((n, wait) => wait.isAlarm ? n : n + 1, 0) }

  wait(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const wait: Wait = { dueMs: this.#monoMs + Math.max(0, durationMs), isAlarm: false, finish: () => {
      this.#waits = this.#waits.filter(other => other !== wait)
      signal?.removeEventListener('abort', wait.finish)
      resolve()
    } }
    signal?.addEventListener('abort', wait.finish, { once: true })
    this.#waits.push(wait)
    return promise
  }

  /** Resolves once so much time has passed. The test's own: nobody waits for it, so it is no pending wait. */
  alarm(afterMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const alarm: Wait = { dueMs: this.#monoMs + afterMs, isAlarm: true, finish: () => {
      this.#waits = this.#waits.filter(other => other !== alarm)
      resolve()
    } }
    this.#waits.push(alarm)
    return promise
  }

  /** Sets the wall clock, as a person or NTP does; running time goes on undisturbed. */
  stepWall(deltaMs: number): void { this.#wallMs += deltaMs }

  /** Lets the wall clock go `deltaMs` faster or slower over `durationMs` of running time, waking nobody. */
  drift(durationMs: number, deltaMs: number): void {
    this.#monoMs += durationMs
    this.#wallMs += durationMs + deltaMs
  }

  /** Moves on, waking every wait that falls due, in order, each at its own instant. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#monoMs + durationMs
    for (;;) {
      const next = this.#waits.filter(wait => wait.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0]
      const stepMs = Math.max(next?.dueMs ?? endMs, this.#monoMs) - this.#monoMs
      this.drift(stepMs, 0)
      if (next === undefined) return
      next.finish()
      await turn()
    }
  }

  /** Returns once so many waits are pending: every loop has done its work and sleeps again. */
  async settle(waits: number | (() => number)): Promise<void> {
    const wanted = () => typeof waits === 'number' ? waits : waits()
    for (let i = 0; i < SETTLE_TURNS; i++) {
      if (this.pendingWaits === wanted()) return
      await turn()
    }
    throw new Error(`${this.pendingWaits} waits are pending where ${wanted()} are wanted`)
  }
}
