import { epochMs, monoMs, type EpochMs, type MonoMs } from '../domain/index.ts'

/** The only door to time. Tests pass their own. */
export interface Clock {
  wallNow(): EpochMs
  /** Running time of this boot: processes of one boot share it, and it stands still while the machine is off. */
  monoNow(): MonoMs
  /** Ends quietly when `signal` aborts; never throws. */
  wait(durationMs: number, signal?: AbortSignal): Promise<void>
}

const MAX_TIMER_MS = 2 ** 31 - 1 // longer delays make setTimeout fire at once

export const systemClock: Clock = {
  wallNow: () => epochMs(Date.now()),
  monoNow: () => monoMs(Number(process.hrtime.bigint()) / 1e6), // CLOCK_MONOTONIC itself; performance.now() begins anew with each process
  wait(durationMs, signal) {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (signal?.aborted) return Promise.resolve()
    const finish = () => { clearTimeout(timer); signal?.removeEventListener('abort', finish); resolve() }
    const timer = setTimeout(finish, Math.min(Math.max(durationMs, 0), MAX_TIMER_MS))
    signal?.addEventListener('abort', finish, { once: true })
    return promise
  },
}
