import { setImmediate as turn } from 'node:timers/promises'
import { isoOf } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Hold, holdTable } from './tables/holds.ts'

export const factsOf = (hold: Hold) => ({
  camera: hold.cameraId, cameraUuid: hold.cameraUuid, stream: hold.stream, from: isoOf(hold.fromAt), to: isoOf(hold.toAt),
  authority: hold.authority, placedBy: hold.placedBy, placedAt: isoOf(hold.placedAt),
})

const HEAD = '{\n "format": 1,\n "holds": [', TAIL = ']\n}\n'
const textOf = (hold: Hold): string =>
  JSON.stringify({ id: hold.holdId, application: hold.application, ...factsOf(hold) }, null, 1).replace(/^/gm, '  ')

/** Joined anew when one of them changed; all others stand joined. Read in one turn of the loop. */
const HOLDS_A_PART = 500
type Holds = Pick<ReturnType<typeof holdTable>, 'inForce' | 'find' | 'page'>
class Part {
  readonly texts = new Map<string, string>()
  joined: string | null = null
}

/**
 * The text of all holds in force, as it stands on every volume. It is asked for at each change and each look at
 * a volume, and there may be tens of thousands: what did not change is neither read nor joined again.
 */
export class HoldList {
  readonly #holds: Holds
  readonly #version: () => unknown
  /** Changes when another connection wrote; undefined before the first look. */
  #seenVersion: unknown
  /** In the order of placing. */
  #parts: Part[] = []
  readonly #partOf = new Map<string, Part>()
  readonly #changed = new Set<string>()
  #whole: string | null = null

  constructor(db: Db, holds: Holds) {
    this.#holds = holds
    this.#version = () => db.pragma('data_version', { simple: true })
  }

  /** It was placed or ended, in a transaction that may be taken back. */
  changed(holdId: string): void { this.#changed.add(holdId) }

  /** Reads what another connection may have changed in many turns of the loop, so that `text` takes one. */
  async refresh(): Promise<void> {
    const version = this.#version(), texts: [string, string][] = []
    if (version === this.#seenVersion) return
    for (let after: number | null = 0; after !== null;) {
      const page = this.#holds.page({ after, withEnded: false, most: HOLDS_A_PART })
      for (const { hold } of page.holds) texts.push([hold.holdId, textOf(hold)])
      after = page.next
      await turn()
    }
    // What this connection changed meanwhile is looked at again; unless it was already, by `text`.
    if (this.#seenVersion !== version && this.#version() === version) this.#install(version, texts)
  }

  get text(): string {
    const version = this.#version()
    if (version !== this.#seenVersion) this.#read(version)
    for (const id of this.#changed) {
      const found = this.#holds.find(id)
      if (found?.ended === null) this.#put(id, textOf(found.hold))
      else this.#drop(id)
    }
    this.#changed.clear()
    return this.#whole ??= this.#join()
  }

  #read(version: unknown): void {
    this.#install(version, this.#holds.inForce().map(hold => [hold.holdId, textOf(hold)]))
    this.#changed.clear()
  }

  #install(version: unknown, texts: readonly (readonly [string, string])[]): void {
    this.#parts = []
    this.#partOf.clear()
    for (const [id, text] of texts) this.#put(id, text)
    this.#seenVersion = version
    this.#whole = null
  }

  #put(id: string, text: string): void {
    const part = this.#partOf.get(id) ?? this.#last()
    part.texts.set(id, text)
    part.joined = null
    this.#partOf.set(id, part)
    this.#whole = null
  }

  #drop(id: string): void {
    const part = this.#partOf.get(id)
    if (part === undefined) return
    part.texts.delete(id)
    part.joined = null
    this.#partOf.delete(id)
    this.#whole = null
  }

  #last(): Part {
    const last = this.#parts.at(-1)
    if (last !== undefined && last.texts.size < HOLDS_A_PART) return last
    const part = new Part()
    this.#parts.push(part)
    return part
  }

  #join(): string {
    this.#parts = this.#parts.filter(({ texts }) => texts.size > 0)
    if (this.#parts.length === 0) return HEAD + TAIL
    const joined = this.#parts.map(part => part.joined ??= [...part.texts.values()].join(',\n'))
    return `${HEAD}\n${joined.join(',\n')}\n ${TAIL}`
  }
}
