import { createHash } from 'node:crypto'
import type { MonoMs } from '../domain/index.ts'
import { badRequest } from './errors.ts'

interface Kept { readonly mark: string, readonly answer: Promise<unknown>, readonly atMs: MonoMs }
/** Long enough for a browser or program to try again after a lost answer; one-time passwords are among the answers. */
const KEPT_MS = 5 * 60_000
/** An office makes a few changes a minute. */
const MOST_KEPT = 512

/** Answers of changes that no part remembers by itself, by session, route and Idempotency-Key. In memory: after a restart the state of things refuses a second time, or a doubled note tells of it. */
export class ReplayMemory {
  readonly #kept = new Map<string, Kept>()

  /** What `act` answers, or answered when the same came before; two at once share one. Refusals are judged anew. Throws ConsoleRefusal when the key came with something else. */
  once({ place, body, now }: { readonly place: readonly string[], readonly body: unknown, readonly now: MonoMs }, act: () => Promise<unknown>): Promise<unknown> {
    for (const [name, { atMs }] of this.#kept) { // in order of age
      if (now - atMs < KEPT_MS && this.#kept.size <= MOST_KEPT) break
      this.#kept.delete(name)
    }
    const name = JSON.stringify(place), mark = createHash('sha256').update(JSON.stringify(body ?? null)).digest('hex')
    const known = this.#kept.get(name)
    if (known !== undefined) {
      if (known.mark !== mark) throw badRequest('這個請求識別碼已用於另一項請求，本次未執行。', 'this Idempotency-Key belongs to another request; nothing was done', [], 409)
      return known.answer
    }
    const answer = act()
    this.#kept.set(name, { mark, answer, atMs: now })
    answer.catch(() => { this.#kept.delete(name) })
    return answer
  }
}
