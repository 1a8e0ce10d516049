import { epochMs, type EpochMs } from '../domain/index.ts'
import type { FragmentWatcher, TimedFragment } from '../footage/index.ts'
import type { InitSegment } from '../media/index.ts'
import type { Piece } from './camera-reader.ts'
import { cutRecord } from './cut-record.ts'
import { Placement } from './placement.ts'

/** What of a stream's lane live view needs. `StreamLane` is one. */
export interface LiveLane { watch(watcher: FragmentWatcher): () => void }

/**
 * One stream's live fragments for all who watch it: made once, and off the path that records. Watches the lane only while somebody watches the feed.
 */
export class LiveFeed {
  readonly #lane: LiveLane
  readonly #viewers = new Set<(piece: Piece) => void>()
  #stop: (() => void) | null = null
  #placement: Placement | null = null
  #goesOn = false
  #runId = 0

  constructor(lane: LiveLane) { this.#lane = lane }

  /** Until the function returned is called. Begins with whatever comes next; a viewer waits for a key frame itself. */
  watch(viewer: (piece: Piece) => void): () => void {
    this.#viewers.add(viewer)
    this.#stop ??= this.#lane.watch((timed, init) => { setImmediate(() => { this.#take(timed, init) }) })
    return () => {
      this.#viewers.delete(viewer)
      if (this.#viewers.size > 0) return
      this.#stop?.()
      this.#stop = null
      this.#placement = null
      this.#goesOn = false
    }
  }

  #take({ fragment, startAt, runId }: TimedFragment, init: InitSegment): void {
    if (this.#viewers.size === 0) return
    const placement = this.#placement ??= new Placement(startAt)
    const { cuts, isOpenEnd } = cutRecord(
      {
        media: fragment.buffer.subarray(fragment.moofAt, fragment.endAt), init, startAt, roomTicks: Infinity,
        goesOn: this.#goesOn && runId === this.#runId,
      },
      () => 'inside'
    )
    this.#goesOn = isOpenEnd
    this.#runId = runId
    for (const cut of cuts) {
      const { startAt: from, endAt, lastAt, isPreRoll, beginsChain, startsWithKey, frames, durationMs } = cut
      const piece: Piece = {
        kind: 'piece', init, startAt: from, endAt, lastAt, isPreRoll, beginsChain, startsWithKey, frames, durationMs, ...placement.build(cut, `run ${runId}`),
      }
      for (const viewer of this.#viewers) viewer(piece)
    }
  }

  /** The next piece that begins with a key frame; null when none came in time. */
  async nextKey(signal: AbortSignal): Promise<{ readonly piece: Piece, readonly at: EpochMs } | null> {
    const { promise, resolve } = Promise.withResolvers<Piece | null>()
    const none = () => { resolve(null) }
    signal.addEventListener('abort', none, { once: true })
    const stop = this.watch(piece => { if (piece.startsWithKey) resolve(piece) })
    const piece = await promise
    stop()
    signal.removeEventListener('abort', none)
    return piece === null ? null : { piece, at: epochMs(piece.startAt) }
  }
}
