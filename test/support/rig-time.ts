import { setImmediate as turn } from 'node:timers/promises'
import type { RecorderRig } from './recorder-rig.ts'

const STEP_MS = 100
const TURNS_A_STEP = 3 // of the event loop: whoever was woken goes to sleep again

/** Lets time pass without asking who waits for it: a disk may hang. */
export async function pass(rig: RecorderRig, durationMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += STEP_MS) {
    await rig.clock.advance(Math.min(STEP_MS, durationMs - passedMs))
    rig.time.tick() // as the recorder does each second
    for (let i = 0; i < TURNS_A_STEP; i++) await turn()
  }
}

/** Lets everybody go on whose time has come: `append` lets time pass without waking anybody. */
export async function wake(rig: RecorderRig): Promise<void> {
  await rig.clock.advance(0)
  for (let i = 0; i < TURNS_A_STEP; i++) await turn()
}

/** What became of some work. */
export type Outcome<Result> = { readonly kind: 'done', readonly result: Result }
  | { readonly kind: 'failed', readonly error: unknown } | { readonly kind: 'hangs' }

/** Lets time pass until the work has ended, `boundMs` at most. What hangs goes on; the test is to end it. */
export async function outcomeWithin<Result>(
  rig: RecorderRig, work: Promise<Result>, boundMs: number,
): Promise<Outcome<Result>> {
  const ends: Outcome<Result>[] = []
  const onFailed = (error: unknown) => { ends.push({ kind: 'failed', error }) }
  work.then(result => { ends.push({ kind: 'done', result }) }, onFailed)
  for (let i = 0; i < TURNS_A_STEP; i++) await turn()
  for (let ms = 0; ms < boundMs && ends.length === 0; ms += STEP_MS) await pass(rig, STEP_MS)
  return ends[0] ?? { kind: 'hangs' }
}

/** The result of work that must end within `boundMs`. Throws when it does not. */
export async function ended<Result>(
  rig: RecorderRig, what: string, work: Promise<Result>, boundMs = 60_000,
): Promise<Result> {
  const outcome = await outcomeWithin(rig, work, boundMs)
  if (outcome.kind === 'hangs') throw new Error(`${what} has not ended after ${boundMs / 1000} s`)
  if (outcome.kind === 'failed') throw outcome.error
  return outcome.result
}
