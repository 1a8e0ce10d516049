import { generation, slotNumber, volumeUuid, type MonoMs, type VolumeUuid } from '../domain/index.ts'
import { LEASE_LAPSE_MS, segmentKeyText, type Lease, type Leases, type SegmentKey, type SlotPlace } from '../footage/index.ts'
import { MOST_LEASES, type Asker, type Handlers } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'

export interface LeaseRequestsOptions {
  readonly leases: Leases
  /** Null while the volume is not in use. */
  readonly place: (volume: VolumeUuid) => SlotPlace | null
  /** Whether the catalogue has the segment, and it was not overwritten. */
  readonly isThere: (segment: SegmentKey) => boolean
  readonly clock: Clock
}

interface Held { readonly segment: SegmentKey, readonly lease: Lease, renewedMono: MonoMs }

/** The leases of one connection: they end with it. */
export function leaseRequests(
  { leases, place, isThere, clock }: LeaseRequestsOptions, asker: Pick<Asker, 'gone'>,
) {
  const held = new Map<number, Held>()
  const end = (number: number): void => {
    void held.get(number)?.lease[Symbol.asyncDispose]()
    held.delete(number)
  }
  const endLapsed = (): void => {
    const now = clock.monoNow()
    for (const [number, { renewedMono }] of held) if (now - renewedMono > LEASE_LAPSE_MS) end(number)
  }
  const endAll = (): void => { for (const number of [...held.keys()]) end(number) }
  asker.gone.addEventListener('abort', endAll, { once: true })
  return {
    'lease.take': async ({ lease: number, ...key }) => {
      const segment = {
        volumeUuid: volumeUuid(key.volumeUuid), slot: slotNumber(key.slot),
        generation: generation(key.generation),
      }
      const at = place(segment.volumeUuid)
      if (at === null) return { outcome: 'volume-away' }
      const before = held.get(number)?.segment
      if (before !== undefined && segmentKeyText(before) !== segmentKeyText(segment)) end(number)
      endLapsed()
      if (!held.has(number) && held.size >= MOST_LEASES) return { outcome: 'too-many' }
      // Before it is looked for: from now on the slot is not given away.
      const known = held.get(number)?.lease ?? leases.take(segment)
      known.renew()
      held.set(number, { segment, lease: known, renewedMono: clock.monoNow() })
      let isFound = false
      try { isFound = isThere(segment) } finally { if (!isFound) end(number) }
      if (!isFound) return { outcome: 'gone' }
      return { outcome: 'taken', folder: at.path, slotSizeBytes: at.identity.slotSizeBytes }
    },
    'lease.renew': async ({ leases: numbers }) => {
      const lapsed = numbers.filter(number => held.get(number)?.lease.renew() !== true)
      for (const number of lapsed) end(number)
      for (const number of numbers) {
        const each = held.get(number)
        if (each !== undefined) each.renewedMono = clock.monoNow()
      }
      return { lapsed }
    },
    'lease.end': async ({ lease }) => {
      end(lease)
      return {}
    },
  } as const satisfies Handlers
}
