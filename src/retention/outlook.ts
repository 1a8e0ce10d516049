import type { EpochMs } from '../domain/index.ts'
import { capacityOf } from './capacity.ts'
import { forecast, type VolumeLoad } from './forecast.ts'
import type { FloorRule } from './keep-until.ts'
import type { Outlook } from './sacrifice.ts'

/** Answers what the ring would do if streams were recorded at other rates; the same forecast that warns. `now` is trusted time. */
export function outlookOn(ring: { readonly volumes: readonly VolumeLoad[], readonly floor: FloorRule, readonly now: EpochMs }): (bitratesBps: readonly number[]) => Outlook {
  return bitratesBps => {
    const { stopsAt, fits } = forecast({ ...ring, streams: bitratesBps.map((bitrateBps, index) => ({ key: String(index), bitrateBps, oldestAt: null })) })
    const slots = ring.volumes.map(({ id, slotSizeBytes, slots: { total, quarantined }, holds }) =>
      ({ id, slotSizeBytes, slots: total - quarantined - holds.reduce((sum, hold) => sum + hold.slots, 0) }))
    return { stopsAt, fits: fits === true, slotMs: capacityOf(bitratesBps, slots)?.slotMs ?? Infinity }
  }
}
