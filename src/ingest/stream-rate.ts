import type { MonoMs } from '../domain/index.ts'

const WINDOW_MS = 10_000

/** Bytes and frames of the last ten seconds. */
export class StreamRate {
  readonly #window: { at: MonoMs, bytes: number, frames: number, durationMs: number }[] = []

  add(at: MonoMs, bytes: number, frames: number, durationMs: number): void {
    this.#window.push({ at, bytes, frames, durationMs })
    while (this.#window[0]!.at < at - WINDOW_MS) this.#window.shift()
  }

  /** By media time, so that a burst does not look like a high rate. Zero once nothing came for the window. */
  at(now: MonoMs): { bitrateBps: number, fps: number } {
    const live = this.#window.filter(each => each.at >= now - WINDOW_MS)
    const durationMs = live.reduce((sum, each) => sum + each.durationMs, 0)
    if (durationMs === 0) return { bitrateBps: 0, fps: 0 }
    const sum = (pick: (each: typeof live[number]) => number) => live.reduce((total, each) => total + pick(each), 0)
    return { bitrateBps: Math.round(sum(each => each.bytes) * 8000 / durationMs), fps: Math.round(sum(each => each.frames) * 10_000 / durationMs) / 10 }
  }
}
