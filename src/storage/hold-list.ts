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

/**
 * The text of all holds in force, as it stands on every volume. It is asked for at each change and each look at
 * a volume, and there may be tens of thousands: what did not change is not read again.
 */
export class HoldList {
  readonly #holds: Pick<ReturnType<typeof holdTable>, 'inForce' | 'find'>
  readonly #version: () => unknown
  /** Changes when another connection wrote. */
  #seenVersion: unknown
  /** By hold; null before the first look. */
  #texts: Map<string, string> | null = null
  readonly #changed = new Set<string>()
  #whole = ''

  constructor(db: Db, holds: Pick<ReturnType<typeof holdTable>, 'inForce' | 'find'>) {
    this.#holds = holds
    this.#version = () => db.pragma('data_version', { simple: true })
  }

  /** It was placed or ended, in a transaction that may be taken back. */
  changed(holdId: string): void { this.#changed.add(holdId) }

  get text(): string {
    const texts = this.#current()
    if (this.#changed.size > 0) {
      for (const id of this.#changed) {
        const found = this.#holds.find(id)
        if (found?.ended === null) texts.set(id, textOf(found.hold))
        else texts.delete(id)
      }
      this.#changed.clear()
      this.#whole = ''
    }
    if (this.#whole === '') this.#whole = texts.size === 0 ? HEAD + TAIL : `${HEAD}\n${[...texts.values()].join(',\n')}\n ${TAIL}`
    return this.#whole
  }

  #current(): Map<string, string> {
    const version = this.#version()
    if (this.#texts !== null && version === this.#seenVersion) return this.#texts
    this.#texts = new Map(this.#holds.inForce().map(hold => [hold.holdId, textOf(hold)]))
    this.#seenVersion = version
    this.#changed.clear()
    this.#whole = ''
    return this.#texts
  }
}
