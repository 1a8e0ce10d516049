import { monitorEventLoopDelay } from 'node:perf_hooks'

const SAMPLE_MS = 100 // each sample wakes the process; delays that matter are longer
const WINDOW_MS = 1_000

/** The worst delay of the event loop in the last one to two seconds, however often it is asked for: whoever polls health hides nothing from the watchdog. */
export class LoopDelay implements Disposable {
  readonly #histogram = monitorEventLoopDelay({ resolution: SAMPLE_MS })
  #beganAt = performance.now()
  #beforeMs = 0

  constructor() { this.#histogram.enable() }

  worstMs(): number {
    const nowMs = Math.max(0, Math.round(this.#histogram.max / 1e6) - SAMPLE_MS)
    const worst = Math.max(nowMs, this.#beforeMs)
    if (performance.now() - this.#beganAt >= WINDOW_MS) {
      this.#beforeMs = nowMs
      this.#beganAt = performance.now()
      this.#histogram.reset()
    }
    return worst
  }

  [Symbol.dispose](): void { this.#histogram.disable() }
}
