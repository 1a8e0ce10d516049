/** Failures of one source; `dueMs`: no attempt is looked at before. Steady or running time. */
interface Source { score: number, atMs: number, dueMs: number }

const FREE_FAILURES = 3
const FIRST_DELAY_MS = 1_000
const MAX_DELAY_MS = 60_000
/** One failure is forgotten a minute. */
const FORGET_MS = 60_000
const MAX_SOURCES = 4_096

/**
 * Slows a source down that fails often, whatever names it tries: 1 s after the fourth failure, doubling up to a minute. Success forgives nothing,
 * else one good account would be a pass for guessing at others. In memory: a restart forgets.
 */
export class SourceThrottle {
  readonly #sources = new Map<string, Source>()

  /** Milliseconds until the next attempt is looked at; 0 when it may be made now. */
  waitOf(source: string, nowMs: number): number { return Math.max(0, (this.#sources.get(source)?.dueMs ?? 0) - nowMs) }

  failed(source: string, nowMs: number): void {
    const before = this.#sources.get(source)
    const score = Math.max(0, (before?.score ?? 0) - Math.max(0, nowMs - (before?.atMs ?? nowMs)) / FORGET_MS) + 1
    const over = Math.ceil(score) - FREE_FAILURES
    const delayMs = over <= 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (over - 1))
    this.#sources.delete(source) // the one that failed last is forgotten last
    this.#sources.set(source, { score, atMs: nowMs, dueMs: nowMs + delayMs })
    if (this.#sources.size > MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value ?? source)
  }
}
