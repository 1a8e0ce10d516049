import type { SoundSegment } from '../media/index.ts'
import type { SoundTreatment } from './ffmpeg-arguments.ts'

/** Pictures that end so soon after a session of the sound began may have been ended by it: some cameras have room for one. */
const SUSPECT_MS = 15_000
/** Pictures that end sooner without any sound end of something else. */
const STEADY_MS = 60_000
/** Between two tries where the sound's session ends the pictures'. */
const RESTS_MS = [60_000, 600_000, 3_600_000, 86_400_000]
/** A sound of another kind begins a run of the pictures: at most one in so long. */
const KIND_STANDS_MS = 600_000

/**
 * What is known of a camera's sound. Outlives its sessions, so that the next one's first record has a place
 * for it, and so that what a session of the sound does to the pictures is not done again and again. Times are
 * of the running clock, in milliseconds.
 */
export class CameraSound {
  treatment: SoundTreatment = 'copy'
  readonly onMissing: (said: string) => void
  readonly onSound: () => void
  #segment: SoundSegment | null = null
  #kindSinceMs = -Infinity
  /** When the newest session of this run of pictures began; null without one. */
  #beganAtMs: number | null = null
  #restsUntilMs = -Infinity
  /** How often in a row the pictures' session ended with the beginning of one of the sound. */
  #ended = 0

  /**
   * `onMissing`: a session ended without sound, with ffmpeg's last words, which may hold secrets. `onSound`:
   * one brought some.
   */
  constructor({ onMissing, onSound }: Pick<CameraSound, 'onMissing' | 'onSound'>) {
    this.onMissing = onMissing
    this.onSound = onSound
  }

  /** As it came last; null before. */
  get segment(): SoundSegment | null { return this.#segment }

  /** False: it is of another kind than the one before, which came a short time ago; its sound is not to be recorded. */
  takeSegment(segment: SoundSegment, nowMs: number): boolean {
    if (this.#segment?.moov.equals(segment.moov) !== true) {
      if (nowMs - this.#kindSinceMs < KIND_STANDS_MS) return false
      this.#kindSinceMs = nowMs
    }
    this.#segment = segment
    return true
  }

  /** Until a session may begin. */
  restMs(nowMs: number): number { return Math.max(0, this.#restsUntilMs - nowMs) }

  sessionBegins(nowMs: number): void {
    if (this.#beganAtMs !== null && nowMs - this.#beganAtMs >= SUSPECT_MS) this.#ended = 0
    this.#beganAtMs = nowMs
  }

  /** `ranMs`: how long there were pictures in their session. */
  picturesEnd(ranMs: number, nowMs: number): void {
    const besideMs = this.#beganAtMs === null ? null : nowMs - this.#beganAtMs
    this.#beganAtMs = null
    if (besideMs !== null && besideMs < SUSPECT_MS) {
      const restMs = RESTS_MS[Math.min(this.#ended++, RESTS_MS.length - 1)]!
      this.#restsUntilMs = nowMs + restMs
      this.onMissing(`the pictures ended with the session of the sound, which is tried again in ${restMs / 1000} s`)
    } else if (besideMs !== null || ranMs < STEADY_MS) { // they stood it, or end without it too
      this.#ended = 0
      this.#restsUntilMs = -Infinity
    }
  }
}
