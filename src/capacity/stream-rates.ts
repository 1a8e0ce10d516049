import type { RecordingMode } from '../domain/index.ts'
import { ByteBudget, type SacrificeStream } from '../retention/index.ts'

type Recorded = Exclude<RecordingMode, 'stopped'>
/** Of the full rate, until the mode was tried: a sub stream of a quarter of the picture, key frames each second or two. */
const EXPECTED_SHARE = { lower: 0.25, 'key-frames': 0.2 }

/** What one stream takes in each mode: measured where it was recorded so, else expected. */
export class StreamRates {
  readonly #meters: Record<Recorded, ByteBudget>
  readonly #declaredBps: number | null

  constructor(declaredBps: number | null, spanMs: number, knownFullBps: number | null) {
    this.#declaredBps = declaredBps
    this.#meters = { full: new ByteBudget(spanMs), lower: new ByteBudget(spanMs), 'key-frames': new ByteBudget(spanMs) }
    if (knownFullBps !== null) this.#meters.full.add(spanMs, knownFullBps)
  }

  add(mode: Recorded, durationMs: number, bitrateBps: number): void { this.#meters[mode].add(durationMs, bitrateBps) }

  get measuredFullBps(): number | null { return this.#meters.full.estimateBps }
  /** Only footage in full is judged: a stream that was stepped down stays what it was. */
  get overBudget(): boolean { return this.#meters.full.isOver(this.#declaredBps) }

  /** A stream that was never seen and declares nothing counts for nothing: no camera gives up anything for a guess. */
  bps(): SacrificeStream['bps'] {
    const { full: meter } = this.#meters
    const full = meter.averageBps ?? this.#declaredBps ?? meter.estimateBps ?? 0
    const expected = (mode: 'lower' | 'key-frames') => this.#meters[mode].averageBps ?? this.#meters[mode].estimateBps ?? full * EXPECTED_SHARE[mode]
    // A run that begins brings what the camera had stored up: key frames are a part of the full stream all the same.
    const keyFrames = expected('key-frames')
    return { full, lower: expected('lower'), 'key-frames': full > 0 ? Math.min(full, keyFrames) : keyFrames }
  }
}
