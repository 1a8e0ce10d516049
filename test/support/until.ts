import { setTimeout as wait } from 'node:timers/promises'

/** A bound for failing only: a machine with other work takes many times as long as a quiet one. */
const BOUND_MS = 60_000
/** Then longer each time: the console answers a person so many times a second only. */
const FIRST_POLL_MS = 20, LONGEST_POLL_MS = 250

/** Waits in real time for what another process, a disk or a socket does; throws, naming it, when it does not come. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, boundMs = BOUND_MS): Promise<void> {
  const giveUpAt = performance.now() + boundMs
  for (let pollMs = FIRST_POLL_MS; !await isSo(); pollMs = Math.min(LONGEST_POLL_MS, pollMs * 1.1)) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${boundMs} ms: ${what}`)
    await wait(pollMs)
  }
}
