import { monitorEventLoopDelay } from 'node:perf_hooks'

const SAMPLE_MS = 100 // each sample wakes the process; delays that matter are longer
const STEP_MS = 1_000
/** Steps that are remembered: long enough that watchdog and alarms, which look every few seconds, see each delay. */
const STEPS = 10

/** The largest of what was noted in the current step and the last `steps` whole ones. Pure. */
export class SlidingMaximum {
  readonly #steps: number[]
  #at = 0
  constructor(steps: number) { this.#steps = Array<number>(steps + 1).fill(0) }

  note(value: number): void { this.#steps[this.#at] = Math.max(this.#steps[this.#at]!, value) }
  /** The current step is over; the oldest is forgotten. */
  step(): void {
    this.#at = (this.#at + 1) % this.#steps.length
    this.#steps[this.#at] = 0
  }
  get(): number { return Math.max(...this.#steps) }
}

export interface LoopDelay extends Disposable {
  /** The longest time that the event loop stood still in the last ten seconds, in milliseconds. Looking changes nothing: each who asks learns the same. */
  worstMs(): number
}

/** Watches the event loop until it is disposed. */
export function watchLoopDelay(): LoopDelay {
  const delay = monitorEventLoopDelay({ resolution: SAMPLE_MS }), worst = new SlidingMaximum(STEPS)
  const take = () => {
    worst.note(delay.max)
    delay.reset()
  }
  delay.enable()
  const timer = setInterval(() => { take(); worst.step() }, STEP_MS)
  timer.unref()
  return {
    worstMs: () => {
      take()
      return Math.max(0, Math.round(worst.get() / 1e6) - SAMPLE_MS)
    },
    [Symbol.dispose]: () => { clearInterval(timer); delay.disable() },
  }
}
