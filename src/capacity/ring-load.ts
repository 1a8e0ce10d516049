import { epochMs, type EpochMs, type VolumeId, type VolumeUuid } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { keepUntilByQuarter, parseFloorRule, type SealedGroup, type VolumeLoad } from '../retention/index.ts'
import type { VolumeStatus } from '../storage/index.ts'

/** Footage of one volume and one rule is told in so many groups; the forecast is off by at most one of them. */
const GROUPS = 256
/** A million rows are counted without holding recording up: this many questions, then others have their turn. */
const QUESTIONS_AT_ONCE = 16

/** What the forecast must know of the volumes that can be recorded to, as the catalogue has it now. Reads only. */
export class RingLoad {
  readonly #volume
  readonly #nextRule
  readonly #nth
  readonly #rest
  readonly #count
  readonly #held

  constructor(db: Db) {
    const reusable = 'FROM segment INDEXED BY segment_reuse WHERE volume_uuid = ? AND sealed_at IS NOT NULL AND ended_at IS NULL AND hold_count = 0 AND is_quarantined = 0'
    this.#volume = db.prepare<[string], { uuid: string, slot_size_bytes: number }>('SELECT uuid, slot_size_bytes FROM volume WHERE id = ?')
    this.#nextRule = db.prepare<[string, string], { rule: string | null }>(`SELECT min(floor_rule) AS rule ${reusable} AND floor_rule > ?`)
    this.#nth = db.prepare<[string, string, number, number], { newest_at: number }>(`SELECT newest_at ${reusable} AND floor_rule = ? AND newest_at > ? ORDER BY newest_at LIMIT 1 OFFSET ?`)
    this.#rest = db.prepare<[string, string, number], { newest_at: number | null }>(`SELECT max(newest_at) AS newest_at ${reusable} AND floor_rule = ? AND newest_at > ?`)
    this.#count = db.prepare<[string, string, number, number], { n: number }>(`SELECT count(*) AS n ${reusable} AND floor_rule = ? AND newest_at > ? AND newest_at <= ?`)
    this.#held = db.prepare<[string], { n: number }>('SELECT count(*) AS n FROM segment INDEXED BY segment_held WHERE volume_uuid = ? AND hold_count > 0 AND ended_at IS NULL')
  }

  /** Of the volumes in use; others are no capacity. `status` holds the live counts of slots. */
  async read(status: readonly Pick<VolumeStatus, 'id' | 'state' | 'slots'>[]): Promise<VolumeLoad[]> {
    const loads: VolumeLoad[] = []
    // A rule that cannot be read promises nothing beyond the floor now, which the forecast adds by itself.
    const promised = keepUntilByQuarter(parseFloorRule)
    for (const { id, state, slots } of status) {
      const known = this.#volume.get(id)
      if (state !== 'ok' || known === undefined) continue
      const uuid = known.uuid as VolumeUuid
      const total = slots.free + slots.preparing + slots.open + slots.sealed + slots.quarantined
      loads.push({
        id: id satisfies VolumeId, slotSizeBytes: known.slot_size_bytes,
        slots: { total, free: slots.free, open: slots.open + slots.preparing, quarantined: slots.quarantined },
        sealed: await this.#groups(uuid, Math.max(1, Math.ceil(slots.sealed / GROUPS)), promised),
        holds: [{ slots: this.#held.get(uuid)?.n ?? 0, until: null }],
      })
    }
    return loads
  }

  async #groups(
    volume: VolumeUuid, size: number, promised: (rule: string, newestAt: EpochMs) => EpochMs,
  ): Promise<SealedGroup[]> {
    const groups: SealedGroup[] = []
    for (let rule = this.#nextRule.get(volume, '')?.rule ?? null; rule !== null; rule = this.#nextRule.get(volume, rule)?.rule ?? null) {
      for (let after = -1; ;) {
        const newest = this.#nth.get(volume, rule, after, size - 1)?.newest_at ?? this.#rest.get(volume, rule, after)?.newest_at ?? null
        if (newest === null) break
        const newestFrameAt = epochMs(newest)
        groups.push({ newestFrameAt, keepUntil: promised(rule, newestFrameAt), slots: this.#count.get(volume, rule, after, newest)!.n })
        after = newest
        if (groups.length % QUESTIONS_AT_ONCE === 0) await new Promise(resolve => { setImmediate(resolve) })
      }
    }
    return groups
  }
}
