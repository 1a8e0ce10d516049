import { generation, slotNumber, volumeUuid, type Generation, type SlotNumber, type VolumeId, type VolumeUuid } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

export type SlotState = 'free' | 'preparing' | 'open' | 'sealed' | 'quarantined'
export interface SlotRow { readonly volumeUuid: VolumeUuid, readonly slot: SlotNumber, readonly generation: Generation, readonly state: SlotState }
interface Raw { volume_uuid: string, slot: number, generation: number, state: SlotState }

const toRow = (raw: Raw): SlotRow => ({ volumeUuid: volumeUuid(raw.volume_uuid), slot: slotNumber(raw.slot), generation: generation(raw.generation), state: raw.state })

/** Tables `volume` and `slot`: what each slot file holds now. */
export function slotTable(db: Db) {
  const columns = 'volume_uuid, slot, generation, state'
  // Named, for the planner would walk all slots in order until one is free: 100 ms in a full ring of a million.
  const firstFree = db.prepare<[string], Raw>(`SELECT ${columns} FROM slot INDEXED BY slot_by_state WHERE volume_uuid = ? AND state = 'free' ORDER BY slot LIMIT 1`)
  const firstFrees = db.prepare<[string, number], Raw>(`SELECT ${columns} FROM slot WHERE volume_uuid = ? AND state = 'free' ORDER BY slot LIMIT ?`)
  const one = db.prepare<[string, number], Raw>(`SELECT ${columns} FROM slot WHERE volume_uuid = ? AND slot = ?`)
  const within = db.prepare<[string, number], { n: number }>('SELECT count(*) AS n FROM slot WHERE volume_uuid = ? AND slot < ?')
  const inState = db.prepare<[string, string], Raw>(`SELECT ${columns} FROM slot INDEXED BY slot_by_state WHERE volume_uuid = ? AND state = ? ORDER BY slot`)
  const counts = db.prepare<[string], { state: SlotState, n: number }>('SELECT state, count(*) AS n FROM slot WHERE volume_uuid = ? GROUP BY state')
  const volume = db.prepare<[string], { slot_count: number, slot_size_bytes: number }>('SELECT slot_count, slot_size_bytes FROM volume WHERE uuid = ?')
  const insertVolume = db.prepare<[string, string, number, number, number]>('INSERT INTO volume (uuid, id, slot_size_bytes, slot_count, first_seen_at) VALUES (?, ?, ?, ?, ?)')
  const renameFormer = db.prepare<[string, string]>("UPDATE volume SET id = id || '.' || substr(uuid, 1, 8) WHERE id = ? AND uuid <> ?")
  const insertSlot = db.prepare<[string, number]>(`INSERT INTO slot (volume_uuid, slot, generation, state) VALUES (?, ?, 0, 'free')`)
  const move = db.prepare<[number, string, string | null, string, number, number, string]>(
    'UPDATE slot SET generation = ?, state = ?, reason = ? WHERE volume_uuid = ? AND slot = ? AND generation = ? AND state = ?')
  return {
    firstFree(volumeUuidOf: VolumeUuid): SlotRow | null { const raw = firstFree.get(volumeUuidOf); return raw === undefined ? null : toRow(raw) },
    firstFrees: (volumeUuidOf: VolumeUuid, count: number): SlotRow[] => firstFrees.all(volumeUuidOf, count).map(toRow),
    get(volumeUuidOf: VolumeUuid, slot: SlotNumber): SlotRow | null { const raw = one.get(volumeUuidOf, slot); return raw === undefined ? null : toRow(raw) },
    /** How many of the first `slotCount` slots have a row. */
    countWithin: (volumeUuidOf: VolumeUuid, slotCount: number): number => within.get(volumeUuidOf, slotCount)?.n ?? 0,
    inState: (volumeUuidOf: VolumeUuid, state: SlotState): SlotRow[] => inState.all(volumeUuidOf, state).map(toRow),
    counts(volumeUuidOf: VolumeUuid): Record<SlotState, number> {
      const found = { free: 0, preparing: 0, open: 0, sealed: 0, quarantined: 0 }
      for (const row of counts.all(volumeUuidOf)) found[row.state] = row.n
      return found
    },
    knowsVolume: (uuid: VolumeUuid): boolean => volume.get(uuid) !== undefined,
    registerVolume: db.transaction((facts: { uuid: VolumeUuid, id: VolumeId, slotSizeBytes: number, slotCount: number, now: number }) => {
      renameFormer.run(facts.id, facts.uuid) // a disk that died and was replaced under its name
      insertVolume.run(facts.uuid, facts.id, facts.slotSizeBytes, facts.slotCount, facts.now)
      for (let slot = 0; slot < facts.slotCount; slot++) insertSlot.run(facts.uuid, slot)
    }),
    /** Compare and set. A mismatch is a programmer's mistake: two writers for one slot. */
    move(from: SlotRow, to: { generation: Generation, state: SlotState, reason?: string }): SlotRow {
      const { changes } = move.run(to.generation, to.state, to.reason ?? null, from.volumeUuid, from.slot, from.generation, from.state)
      if (changes !== 1) throw new TypeError(`slot ${from.slot} of ${from.volumeUuid} is not in generation ${from.generation}, state ${from.state}`)
      return { volumeUuid: from.volumeUuid, slot: from.slot, generation: to.generation, state: to.state }
    },
  }
}
