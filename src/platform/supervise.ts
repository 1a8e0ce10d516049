import type { Clock } from './clock.ts'

/** Waits before the next try; index 0 after a healthy run, then one step a failure in a row. The last one repeats. */
export type DelayLadder = readonly number[]

export interface SuperviseOptions<End> {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly delaysMs: (end: End) => DelayLadder
  /** One throw-away run. How it ended is a value. */
  readonly runOnce: (signal: AbortSignal) => Promise<End>
  /** What a run counts as that threw, which is a programming error: it is logged by this and tried again like any failure. Must not throw. */
  readonly crashed: (error: unknown) => End
  /** True when the run was good enough that the ladder starts over. */
  readonly wasHealthy: (end: End) => boolean
  /** Called after every run with the wait that follows. */
  readonly onEnd?: (end: End, delayMs: number) => void
  /** Ends the wait that follows early; null where nothing does. */
  readonly wake?: () => AbortSignal | null
}

/** Between half and one and a half of the nominal delay, so that a fleet that failed at one instant does not return at one instant. */
export const jittered = (delayMs: number, random: () => number): number => delayMs * (0.5 + random())

async function runOnce<End>({ runOnce: run, crashed, signal }: SuperviseOptions<End>): Promise<End> {
  try { return await run(signal) } catch (error) { return crashed(error) }
}

/** Runs for ever: run, wait, run again, until `signal` aborts. Owns no resource of its own. */
export async function supervise<End>(options: SuperviseOptions<End>): Promise<void> {
  const { clock, signal, random } = options
  let failuresInRow = 0
  while (!signal.aborted) {
    const end = await runOnce(options)
    if (signal.aborted) return
    failuresInRow = options.wasHealthy(end) ? 0 : failuresInRow + 1
    const ladder = options.delaysMs(end)
    const nominalMs = ladder[Math.min(failuresInRow, ladder.length - 1)] ?? 0
    const delayMs = jittered(nominalMs, random)
    options.onEnd?.(end, delayMs)
    const wake = options.wake?.() ?? null
    await clock.wait(delayMs, wake === null ? signal : AbortSignal.any([signal, wake]))
  }
}
