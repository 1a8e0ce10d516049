import { cameraId, streamName, type CameraId, type StreamName } from '../domain/index.ts'
import type { FragmentWatcher, TimedFragment } from '../footage/index.ts'
import { liveFrameHead, MOST_MEDIA_BYTES, MOST_WATCHES, type Asker, type Handlers } from '../link/index.ts'
import type { InitSegment } from '../media/index.ts'

/** Of live media that one peer has not taken yet. */
export const MOST_LIVE_BYTES = 4 * 2 ** 20
/** Small fragments are many: who reads again takes so many at once. */
export const MOST_LIVE_FRAGMENTS = 500
/** Its head and the stream's parameters stand in the same frame. */
const MOST_FRAGMENT_BYTES = MOST_MEDIA_BYTES - 2 ** 20

export interface LiveRequestsOptions {
  /** Null: the stream is not being recorded. The function returned ends it. */
  readonly watch: (camera: CameraId, stream: StreamName, watcher: FragmentWatcher) => (() => void) | null
}

/** The streams that one connection watches, until it is over. */
export function liveRequests({ watch }: LiveRequestsOptions, asker: Asker) {
  const watches = new Map<number, () => void>()
  const end = (number: number): void => {
    watches.get(number)?.()
    watches.delete(number)
  }
  const endAll = (): void => { for (const number of [...watches.keys()]) end(number) }
  asker.gone.addEventListener('abort', endAll, { once: true })
  return {
    'live.watch': async ({ watch: number, camera, stream }) => {
      end(number)
      if (watches.size >= MOST_WATCHES) return { outcome: 'too-many' }
      const sender = new LiveSender(number, asker)
      const stop = watch(cameraId(camera), streamName(stream), (timed, init) => {
        setImmediate(() => { sender.offer(timed, init) }) // the recording goes on first
      })
      if (stop === null) return { outcome: 'not-recorded' }
      watches.set(number, () => { sender.stop(); stop() })
      return { outcome: 'watching' }
    },
    'live.stop': async ({ watch: number }) => {
      end(number)
      return {}
    },
  } as const satisfies Handlers
}

/** One stream's fragments for one peer: it never waits, and leaves out what the peer is too slow for. */
class LiveSender {
  readonly #watch: number
  readonly #asker: Pick<Asker, 'waiting' | 'sendMedia'>
  /** What the peer has of the stream's parameters. */
  #init: InitSegment | null = null
  #dropped = 0
  #isStopped = false

  constructor(watch: number, asker: Pick<Asker, 'waiting' | 'sendMedia'>) {
    this.#watch = watch
    this.#asker = asker
  }

  stop(): void { this.#isStopped = true }

  offer(timed: TimedFragment, init: InitSegment): void {
    if (this.#isStopped) return
    const { buffer, moofAt, endAt } = timed.fragment
    if (!this.#hasRoom(endAt - moofAt) || (this.#dropped > 0 && !timed.startsWithKey)) {
      this.#dropped++
      return
    }
    const isNew = init !== this.#init, head = this.#head(timed, isNew ? init : null)
    this.#asker.sendMedia([head, ...(isNew ? [init.ftyp, init.moov] : []), buffer.subarray(moofAt, endAt)])
    this.#init = init
    this.#dropped = 0
  }

  /** A fragment that is longer than what may wait goes alone. */
  #hasRoom(fragmentBytes: number): boolean {
    const { frames, bytes } = this.#asker.waiting()
    if (frames === 0) return fragmentBytes <= MOST_FRAGMENT_BYTES
    return frames < MOST_LIVE_FRAGMENTS && bytes + fragmentBytes <= MOST_LIVE_BYTES
  }

  #head(timed: TimedFragment, init: InitSegment | null): Buffer {
    const { runId, startAt, durationMs, startsWithKey, cameraClockOffsetMs, trackTimes, fragment } = timed
    return liveFrameHead({
      watch: this.#watch, run: runId, startAt, durationMs, isKey: startsWithKey, cameraClockOffsetMs,
      tracks: trackTimes.map(({ track: { trackId: id }, timescale, ticks }) =>
        ({ id, timescale, ticks: String(ticks) })),
      init: init === null ? null : { ftypBytes: init.ftyp.length, moovBytes: init.moov.length },
      moofBytes: fragment.moofBytes, dropped: this.#dropped,
    })
  }
}
