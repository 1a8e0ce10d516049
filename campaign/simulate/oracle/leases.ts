import type { SlotView } from './disk-view.ts'

/** A lease holds for so long after its reader was last heard of (design brief, section 3). */
const LAPSE_MS = 60_000
/** Nobody is blamed for the last moments of it. */
const MARGIN_MS = 5_000

/** Who reads which use of which slot, by the readers' own account. */
export class Leases {
  readonly #lastAsked = new Map<string, number>()
  readonly #reads = new Map<object, { readonly disk: object, readonly slot: number, readonly generation: number, at: number }>()

  /** Somebody is about to read it: it may be leased from now on. */
  asked(volumeUuid: string, slot: number, generation: number, now: number): void { this.#lastAsked.set(`${volumeUuid}/${slot}/${generation}`, now) }
  /** When somebody asked for it last. */
  lastAsked(key: string): number { return this.#lastAsked.get(key) ?? -Infinity }

  /** `reader` has just opened it, or read from it. */
  read(reader: object, disk: object, slot: number, generation: number, now: number): void { this.#reads.set(reader, { disk, slot, generation, at: now }) }
  ends(reader: object): void { this.#reads.delete(reader) }
  /** No reader survives the recorder. */
  endAll(): void { this.#reads.clear() }

  isRead({ disk, slot, header }: SlotView, now: number): boolean {
    for (const read of this.#reads.values()) {
      if (read.disk === disk && read.slot === slot && read.generation === header?.generation && now - read.at < LAPSE_MS - MARGIN_MS) return true
    }
    return false
  }
}
