import type { VolumeInPlace } from './catalogue-judge.ts'
import type { CatalogueReader } from './catalogue-reader.ts'
import type { HeldFootage } from './held-footage.ts'
import type { SentFootage } from './sent-footage.ts'
import { holdsOn } from './volume-files.ts'

/** What the recorder says of itself, beside what is so. */
export interface CalmState {
  /** Each volume whose disk is sound and mounted, and known to the catalogue: the recorder's word on it. */
  readonly volumes: readonly { readonly id: string, readonly state: string, readonly detail: string, readonly slots: Readonly<Record<string, number>> }[]
  /**
   * Streams that can be reached and were sent to long enough, and since when something of them must have
   * been stored.
   */
  readonly streams: readonly { readonly key: string, readonly since: number, readonly isRefused: boolean }[]
  /** Streams of the configuration that the recorder has had time to begin with. */
  readonly configured: readonly { readonly key: string, readonly device: number, readonly since: number }[]
  /** Streams that are connected, and since when. */
  readonly recording: readonly { readonly camera: string, readonly stream: string, readonly device: number, readonly connectedAt: number }[]
  /** Streams for which the ring had no slot. */
  readonly refusedByRing: readonly string[]
  /** Wall clock and trusted time have agreed, and the wall clock has been right, for a day. */
  readonly hasAgreed: boolean
  /** By volume and slot, whether its disk had any fault since the slot was taken into use. */
  readonly hadFault: (volumeUuid: string) => boolean
}

interface Facts {
  readonly now: number
  readonly holds: HeldFootage
  readonly catalogue: CatalogueReader
  readonly footage: SentFootage
  readonly volumes: readonly VolumeInPlace[]
}
interface Fault { readonly guarantee: string, readonly what: string }

/**
 * What does not fit between the recorder's word, the catalogue and the world, when nothing has been wrong
 * for a minute.
 */
export function faultsOfState(state: CalmState, facts: Facts): Fault[] {
  return [...volumeFaults(state, facts), ...streamFaults(state, facts), ...holdFaults(facts)]
}

function volumeFaults({ volumes, hadFault }: CalmState, { catalogue, volumes: inUse }: Facts): Fault[] {
  const faults: Fault[] = []
  const slots = catalogue.slots()
  for (const { id, state, detail, slots: told } of volumes) {
    if (state !== 'ok') faults.push({ guarantee: 'V1', what: `${id} has been sound for a minute and is ${state}: ${detail}` })
    const uuid = inUse.find(volume => volume.id === id && volume.isInUse)?.uuid
    if (uuid === undefined) continue
    const counted: Record<string, number> = {}
    for (const slot of slots) if (slot.volume_uuid === uuid) counted[slot.state] = (counted[slot.state] ?? 0) + 1
    const names = new Set([...Object.keys(told), ...Object.keys(counted)])
    const differs = [...names].filter(name => (told[name] ?? 0) !== (counted[name] ?? 0))
    if (differs.length > 0) faults.push({ guarantee: 'counts', what: `${id}: ${differs.map(name => `${told[name] ?? 0} ${name} are told, ${counted[name] ?? 0} there`).join(', ')}` })
    const quarantined = slots.find(slot => slot.volume_uuid === uuid && slot.state === 'quarantined')
    if (quarantined !== undefined && !hadFault(uuid)) faults.push({ guarantee: 'quarantine', what: `slot ${quarantined.slot} of ${id} is out of use, and its disk never failed: ${quarantined.reason}` })
  }
  return faults
}

function streamFaults({ streams }: CalmState, { footage, now }: Facts): Fault[] {
  const faults: Fault[] = []
  for (const { key, since, isRefused } of streams) {
    if (isRefused) continue
    const isStored = [...footage.after(key, since)].some(fragment => fragment.ackedAt !== null)
    if (!isStored) faults.push({ guarantee: 'G4', what: `${key}: nothing was stored for ${Math.round((now - since) / 1000)} s, though nothing is wrong` })
  }
  return faults
}

function holdFaults({ holds, catalogue, volumes }: Facts): Fault[] {
  const faults: Fault[] = []
  const rows = new Map(catalogue.holds().map(row => [row.hold_id, row]))
  for (const hold of holds.inForce) {
    const row = rows.get(hold.id)
    if (row === undefined || row.ended_at !== null) faults.push({ guarantee: 'G2', what: `hold ${hold.id} was acknowledged, and the catalogue ${row === undefined ? 'does not know it' : 'has ended it'}` })
    for (const { id, disk, isInUse } of volumes) if (isInUse && !holdsOn(disk).has(hold.id)) faults.push({ guarantee: 'G2', what: `hold ${hold.id} is not in the file of ${id}` })
  }
  return faults
}
