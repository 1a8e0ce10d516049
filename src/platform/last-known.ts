import { CatalogueFaultError, isCatalogueBusy, isCatalogueFault } from './catalogue.ts'

/**
 * What the catalogue said last, by question: while it cannot be read, health tells that, and that it cannot
 * be read.
 */
export class LastKnown {
  readonly #answers = new Map<string, unknown>()
  #fault: string | null = null

  /** Begins a look; `fault` is of the questions since. */
  begin(): void { this.#fault = null }

  /**
   * Why a question since `begin` could not be answered anew; a lock that somebody holds for a moment is no
   * fault.
   */
  get fault(): string | null { return this.#fault }

  /**
   * What `ask` says; while it throws a fault of the catalogue, what it said last, or `atFirst` before it ever
   * did. Throws what is no such fault.
   */
  ask<Answer>(question: string, ask: () => Answer, atFirst: Answer): Answer {
    try {
      const answer = ask()
      this.#answers.set(question, answer)
      return answer
    } catch (error) {
      if (!isCatalogueFault(error) && !(error instanceof CatalogueFaultError)) throw error
      if (!isCatalogueBusy(error)) this.#fault ??= (error as Error).message
      return this.#answers.has(question) ? this.#answers.get(question) as Answer : atFirst
    }
  }
}
