import type { Config } from '../config/index.ts'
import { streamKeyText, type VolumeId } from '../domain/index.ts'
import { capacityOf, plannedSpanMs, type SlotSupply } from './capacity.ts'
import { judge } from './forecast.ts'

/** A configured volume; `size` null where it cannot be read now. */
export interface VolumeFact {
  readonly id: VolumeId
  readonly size: { readonly slotSizeBytes: number, /** Without quarantined and held ones. */ readonly slots: number } | null
}

/** What the fit check reads of a configuration. */
export type FitConfig = Pick<Config, 'site' | 'retention' | 'cameras'>

/** Whether a configuration can keep its floor. */
export interface Fit {
  /** `unknown`: undeclared streams or unread volumes decide it. */
  readonly verdict: 'fits' | 'does-not-fit' | 'unknown'
  /** Volume space the floor needs, for the streams whose rate is known. */
  readonly neededBytes: number
  /** Of the volumes that could be read. */
  readonly availableBytes: number
  /** How much more is needed; 0 unless it does not fit. */
  readonly lackingBytes: number
  /** What the space there is holds, at these rates; null without a known rate or volume. An upper bound while streams are undeclared. */
  readonly capacityDays: number | null
  readonly neededDays: number
  /** Keys of streams without a declared or measured rate. */
  readonly undeclared: readonly string[]
  /** Streams that were measured above what was declared, by more than a tenth. */
  readonly aboveDeclared: readonly string[]
  readonly unread: readonly VolumeId[]
}

const ABOVE = 1.1

/**
 * The fit check of a configuration: asked by check-config, at start and before a reload is taken over. A stream counts with the larger of what was declared and what was
 * measured: the budget is a promise about the worst day, and a camera that breaks it is believed. `measuredBps`: bits a second by `camera/stream`; what is not in it
 * has not been measured. Pure.
 */
export function fitOf({ site, retention, cameras }: FitConfig, volumes: readonly VolumeFact[], measuredBps: ReadonlyMap<string, number> = new Map()): Fit {
  const floor = { floor: retention.floor, timezone: site.timezone }
  const rates = cameras.flatMap(camera => camera.streams.map(({ name, declaredBps }) => {
    const key = streamKeyText({ cameraId: camera.id, stream: name })
    const measured = measuredBps.get(key) ?? null
    return { key, declaredBps, measured, rateBps: declaredBps === null && measured === null ? null : Math.max(declaredBps ?? 0, measured ?? 0) }
  }))
  const known = rates.flatMap(({ rateBps }) => rateBps === null ? [] : [rateBps])
  const undeclared = rates.flatMap(({ key, rateBps }) => rateBps === null ? [key] : [])
  const unread = volumes.flatMap(({ id, size }) => size === null ? [id] : [])
  const supply: SlotSupply[] = volumes.flatMap(({ id, size }) => size === null ? [] : [{ id, ...size }])
  const spanMs = plannedSpanMs(floor)
  const capacity = capacityOf(known, supply)
  const told = {
    neededDays: spanMs / 86_400_000, undeclared, unread, availableBytes: supply.reduce((sum, { slots, slotSizeBytes }) => sum + slots * slotSizeBytes, 0),
    aboveDeclared: rates.flatMap(({ key, declaredBps, measured }) => declaredBps !== null && measured !== null && measured > declaredBps * ABOVE ? [key] : []),
  }
  if (capacity === null) return { ...told, verdict: undeclared.length === 0 ? 'fits' : 'unknown', neededBytes: 0, lackingBytes: 0, capacityDays: null }
  const { fits, marginDays, capacityDays } = judge(capacity, floor, undeclared.length)
  const shortBytes = Math.ceil(-(marginDays ?? 0) * 86_400_000 * capacity.bytesPerMs)
  const verdict = fits === true ? 'fits' : fits === null || unread.length > 0 ? 'unknown' : 'does-not-fit'
  return {
    ...told, verdict, neededBytes: Math.max(0, told.availableBytes + shortBytes), lackingBytes: verdict === 'does-not-fit' ? Math.max(0, shortBytes) : 0,
    capacityDays: supply.length === 0 ? null : capacityDays,
  }
}
