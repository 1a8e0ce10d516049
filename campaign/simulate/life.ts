import type { EventOwner } from './event-queue.ts'

export type Death = 'kill' | 'power-cut'
/** At which of its calls a process dies, counted from its start, and on which side of it. */
export interface Doom { readonly atCall: number, readonly how: Death, readonly side: 'before' | 'after' }

/** Thrown where a process dies inside a call that cannot be left pending. */
export class DeathError extends Error {
  constructor() { super('this process is dead') }
}

/**
 * One process on the machine: the recorder, or a command beside it. Counts its calls to disks and
 * catalogue, for it may die at any.
 */
export class Life implements EventOwner {
  readonly name: string
  isGone = false
  isQuiet = false
  calls = 0
  doom: Doom | null = null
  readonly #onDeath: (how: Death, call: string) => void
  /** Calls that the kernel works on: at death each may or may not come to pass. */
  readonly inFlight = new Set<{ readonly apply: () => void }>()

  constructor(name: string, onDeath: (how: Death, call: string) => void) {
    this.name = name
    this.#onDeath = onDeath
    const { promise, resolve } = Promise.withResolvers<void>()
    this.gone = promise
    this.#leave = resolve
  }

  /** Somebody looks into the process from outside: what it is asked counts as none of its calls. */
  quietly<Result>(look: () => Result): Result {
    this.isQuiet = true
    try { return look() } finally { this.isQuiet = false }
  }

  /** True: the process died just before the call. */
  begins(call: string): boolean {
    this.calls++
    return this.#diesAt('before', call)
  }
  /** True: the call was carried out, and the process died before it learnt of it. */
  ended(call: string): boolean { return this.#diesAt('after', call) }

  #diesAt(side: Doom['side'], call: string): boolean {
    if (this.isGone) return true
    if (this.doom === null || this.doom.side !== side || this.calls < this.doom.atCall) return false
    this.die(this.doom.how, call)
    return true
  }

  /** Resolves when it is gone. */
  readonly gone: Promise<void>
  #leave!: () => void
  /** The world knows of it already. */
  leave(): void {
    this.isGone = true
    this.#leave()
  }

  die(how: Death, call: string): void {
    if (this.isGone) return
    this.leave()
    this.#onDeath(how, `${side(this.doom)}${call}`)
  }
}

const side = (doom: Doom | null): string => doom === null ? '' : `${doom.side} `
