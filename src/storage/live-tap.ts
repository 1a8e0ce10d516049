import type { FragmentWatcher, TimedFragment } from '../footage/index.ts'
import type { InitSegment } from '../media/index.ts'

/** Hands what a stream records to who watches it live. While nobody does it costs a look at an empty set [G9]. */
export class LiveTap {
  readonly #watchers = new Set<FragmentWatcher>()

  /** Every fragment from now on; the function returned ends it. Idempotent. */
  watch(watcher: FragmentWatcher): () => void {
    this.#watchers.add(watcher)
    return () => { this.#watchers.delete(watcher) }
  }

  /** True: somebody may keep the fragment's buffer, so it must not be used again. A watcher that throws watches no more. */
  offer(timed: TimedFragment, init: InitSegment): boolean {
    if (this.#watchers.size === 0) return false
    for (const watcher of [...this.#watchers]) {
      try { watcher(timed, init) } catch { this.#watchers.delete(watcher) }
    }
    return true
  }
}
