import { createHash } from 'node:crypto'
import { seededRandom } from '../../test/support/seeded-random.ts'

/** A stream of chance of its own, so that what one part draws changes nothing for another. */
export class Dice {
  readonly #random: () => number
  constructor(seed: number, label: string) {
    this.#random = seededRandom(createHash('sha256').update(`${seed}/${label}`).digest().readUInt32BE(0))
  }

  next = (): number => this.#random()
  chance(share: number): boolean { return this.#random() < share }
  /** In `[from, to)`. */
  between(from: number, to: number): number { return from + this.#random() * (to - from) }
  /** Whole, in `[from, to]`. */
  whole(from: number, to: number): number { return from + Math.floor(this.#random() * (to - from + 1)) }
  pick<Value>(values: readonly Value[]): Value { return values[Math.floor(this.#random() * values.length)]! }

  /** One of the names, as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as [Name, number][]
    let left = this.#random() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return entries.at(-1)![0]
  }
}
