import { setTimeout as wait } from 'node:timers/promises'

/** A bound for failing only: a machine with other work takes many times as long as a quiet one. */
const BOUND_MS = 60_000
const POLL_MS = 20

/** Waits in real time for what another process, a disk or a socket does; throws, naming it, when it does not come. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, boundMs = BOUND_MS): Promise<void> {
  for (const giveUpAt = performance.now() + boundMs; !await isSo(); await wait(POLL_MS)) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${boundMs} ms: ${what}`)
  }
}
