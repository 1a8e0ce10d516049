import type { SlotRow, slotTable } from './tables/slots.ts'
import type { Volume } from './volume.ts'

/**
 * So many free slots of a volume are known without the catalogue: hours of recording with slots of 64 MiB.
 */
const MOST_KNOWN = 4096

/**
 * Free slots of one volume as the catalogue durably has them, lowest first, so that recording can go on
 * while the catalogue takes no rows.
 * Who takes one takes the lowest: after a kill those that were used without a row stand at the head of the
 * catalogue's own list.
 */
export class FreeSlots {
  readonly #volume: Volume
  readonly #table: ReturnType<typeof slotTable>
  #known: SlotRow[] = []
  #hasMore = false

  constructor(volume: Volume, table: ReturnType<typeof slotTable>) {
    this.#volume = volume
    this.#table = table
  }

  /** Reads the list. Throws what the catalogue throws; the list known before stays. */
  load(): void {
    const rows = this.#table.firstFrees(this.#volume.identity.uuid, MOST_KNOWN)
    this.#known = rows
    this.#hasMore = rows.length === MOST_KNOWN
  }

  all(): readonly SlotRow[] { return [...this.#known] }
  get count(): number { return this.#known.length }

  /** The lowest one, which is no longer free then; null when none is known. */
  take(): SlotRow | null { return this.#known.shift() ?? null }

  /** A slot that the catalogue gave away, or calls free again. */
  remove(slot: SlotRow['slot']): void {
    const at = this.#known.findIndex(row => row.slot === slot)
    if (at >= 0) this.#known.splice(at, 1)
    if (this.#hasMore && this.#known.length < MOST_KNOWN / 2) this.load()
  }

  add(row: SlotRow): void {
    const at = this.#known.findIndex(known => known.slot >= row.slot)
    if (at >= 0 && this.#known[at]!.slot === row.slot) this.#known[at] = row
    else if (at >= 0) this.#known.splice(at, 0, row)
    else if (!this.#hasMore) this.#known.push(row)
    if (this.#known.length > MOST_KNOWN) { this.#known.pop(); this.#hasMore = true }
  }
}
