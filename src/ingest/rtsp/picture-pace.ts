import { median } from '../median.ts'

/** A camera of one frame in five seconds is none that hangs, and neither is it one that is a little late. */
const MOST_SILENT_MS = 7_000
/** Between two pictures of a camera that sends something else meanwhile, as reports of a sender that runs. */
const MOST_WITHOUT_PICTURE_MS = 35_000
/** However seldom it sends. */
const MOST_PATIENCE_MS = 90_000
const PATIENCE_WAITS = 2.5
const WAITS_KEPT = 4
/** From here on a camera sends seldom. */
const SLOW_WAIT_MS = 2_000
/** Sessions in a row that ended in silence after fewer pictures: the next one is waited for longer, as a trial. */
const SILENT_SESSIONS = 2
const TRIED_AGAIN_AFTER_MS = 3_600_000

/**
 * How seldom a camera sends pictures, learnt over its sessions: how long it may be silent before its session
 * counts as hung. Running time.
 */
export class PicturePace {
  #waits: number[] = []
  #lastMs: number | null = null
  #firstMs: number | null = null
  /** The longest of the waits when they showed that the camera sends seldom. */
  #knownMs = 0
  #silentSessions = 0
  #isTrial = false
  #triedAtMs = -Infinity

  /** A session plays. */
  begin(nowMs: number): void {
    this.#waits = []
    this.#lastMs = this.#firstMs = null
    this.#isTrial = this.#knownMs === 0 && this.#silentSessions >= SILENT_SESSIONS
      && nowMs - this.#triedAtMs >= TRIED_AGAIN_AFTER_MS
    if (this.#isTrial) this.#triedAtMs = nowMs
  }

  /** A picture begins to come; not `isNew`: more of it, or nothing tells one from the next. */
  came(nowMs: number, isNew = true): void {
    if (this.#lastMs !== null && isNew) this.#waits = [...this.#waits.slice(1 - WAITS_KEPT), nowMs - this.#lastMs]
    this.#firstMs ??= nowMs
    this.#lastMs = nowMs
    if (this.#waits.length < WAITS_KEPT) return
    this.#silentSessions = 0
    this.#isTrial = false
    if (this.#waits.filter(waitMs => waitMs >= SLOW_WAIT_MS).length < WAITS_KEPT - 1) return // a line was held up
    this.#knownMs = Math.max(this.#knownMs, ...this.#waits)
  }

  /** The session was given up as silent. */
  gaveUp(): void {
    if (this.#waits.length < WAITS_KEPT) this.#silentSessions++
  }

  /** How long ago the first picture of the session came; null before. */
  sinceFirstMs(nowMs: number): number | null { return this.#firstMs === null ? null : nowMs - this.#firstMs }

  /** Null: none of the session has come. */
  sinceLastMs(nowMs: number): number | null { return this.#lastMs === null ? null : nowMs - this.#lastMs }

  /** Of the last ones of the session. */
  get usualWaitMs(): number { return median(this.#waits) ?? 0 }

  /** From one picture to the next, of late: the longest, the one under way among them. */
  waitMs(nowMs: number): number { return Math.max(0, ...this.#waits, nowMs - (this.#lastMs ?? nowMs)) }

  /** Without a byte of the camera. */
  get mostSilentMs(): number {
    return this.#isTrial ? MOST_PATIENCE_MS : Math.max(MOST_SILENT_MS, this.#patienceMs)
  }
  /** Without a picture, while it sends something else. */
  get mostWithoutPictureMs(): number {
    return this.#isTrial ? MOST_PATIENCE_MS : Math.max(MOST_WITHOUT_PICTURE_MS, this.#patienceMs)
  }
  get #patienceMs(): number { return Math.min(MOST_PATIENCE_MS, PATIENCE_WAITS * this.#knownMs) }
}
