import { epochMs, type EpochMs, type VolumeId } from '../domain/index.ts'
import { capacityOf, DAY_MS, plannedSpanMs, type Capacity } from './capacity.ts'
import { stopsAt } from './headroom.ts'
import { keepUntil, type FloorRule } from './keep-until.ts'

export interface StreamLoad {
  /** `camera/stream`. */
  readonly key: string
  /** At the present rate, measured or declared; null while neither is known. */
  readonly bitrateBps: number | null
  readonly oldestAt: EpochMs | null
}

/** Sealed footage of about one age that no hold keeps; under a calendar floor a day's footage is one group. */
export interface SealedGroup {
  /** Of the youngest in the group, as the guard takes it. */
  readonly newestFrameAt: EpochMs
  readonly keepUntil: EpochMs
  readonly slots: number
}

/** A volume that can be recorded to; others are no capacity. */
export interface VolumeLoad {
  readonly id: VolumeId
  readonly slotSizeBytes: number
  readonly slots: { readonly total: number, readonly free: number, readonly open: number, readonly quarantined: number }
  readonly sealed: readonly SealedGroup[]
  /** Sealed slots that holds keep, and until when if that is known. */
  readonly holds: readonly { readonly slots: number, readonly until: EpochMs | null }[]
}

export interface ForecastInput {
  readonly streams: readonly StreamLoad[]
  readonly volumes: readonly VolumeLoad[]
  readonly floor: FloorRule
  /** Trusted; null while time is in doubt: then no date can be told. */
  readonly now: EpochMs | null
}

/** When the oldest footage of a stream or volume is overwritten, holds aside. Null without footage or while it cannot be told. */
interface OldestForecast {
  readonly oldestAt: EpochMs | null
  /** From now on. */
  readonly daysLeft: number | null
  /** Its age by then. */
  readonly forecastDays: number | null
}
export interface StreamForecast extends OldestForecast { readonly key: string, /** Of all bytes written, 0 to 1. */ readonly share: number | null }
export interface VolumeForecast extends OldestForecast { readonly id: VolumeId, /** Of the whole recorder's footage, that this volume alone holds. */ readonly capacityDays: number | null }

export interface Forecast {
  /** How old footage gets before its slot is used again, at the present rate, holds counted. An upper bound while streams are `unknown`. Null when nothing is known. */
  readonly capacityDays: number | null
  /** capacityDays less what the floor needs. */
  readonly marginDays: number | null
  /** Null: cannot be told yet. */
  readonly fits: boolean | null
  /** Of volume space that the floor needs more than there is; 0 when it fits. */
  readonly lackingBytes: number | null
  /** When the free slots are used up and the oldest footage is next; with none free, now. */
  readonly wrapsAt: EpochMs | null
  readonly ageAtWrapDays: number | null
  /** When no slot can be had, because all are inside the floor or held; null when never, or when it cannot be told. */
  readonly stopsAt: EpochMs | null
  /** Streams whose rate is neither measured nor declared. */
  readonly unknown: readonly string[]
  readonly streams: readonly StreamForecast[]
  readonly volumes: readonly VolumeForecast[]
}

interface Queued { readonly volume: VolumeId, readonly newestFrameAt: EpochMs, readonly freeAt: EpochMs, readonly ms: number }

/** What will become of the ring when everything goes on as it does now. Pure; accurate to about one slot's time. */
export function forecast({ streams, volumes, floor, now }: ForecastInput): Forecast {
  const rates = streams.flatMap(({ bitrateBps }) => bitrateBps === null ? [] : [bitrateBps])
  const unknown = streams.flatMap(({ key, bitrateBps }) => bitrateBps === null ? [key] : [])
  const capacity = capacityOf(rates, volumes.map(({ id, slotSizeBytes, slots, holds }) => ({ id, slotSizeBytes, slots: slots.total - slots.quarantined - countOf(holds) })))
  const wholeBps = rates.reduce((sum, rate) => sum + rate, 0)
  const shareOf = (bitrateBps: number | null) => bitrateBps === null || wholeBps === 0 ? null : bitrateBps / wholeBps
  if (capacity === null) {
    return {
      capacityDays: null, marginDays: null, fits: unknown.length === 0 ? true : null, lackingBytes: unknown.length === 0 ? 0 : null, wrapsAt: null, ageAtWrapDays: null, stopsAt: null, unknown,
      streams: streams.map(({ key, oldestAt }) => ({ key, oldestAt, daysLeft: null, forecastDays: null, share: null })),
      volumes: volumes.map(({ id, sealed }) => ({ id, oldestAt: oldestOf(sealed), daysLeft: null, forecastDays: null, capacityDays: null })),
    }
  }
  const judged = judge(capacity, floor, unknown.length)
  const queue = now === null ? [] : queueOf(volumes, floor, capacity)
  const freeMs = freeMsOf(volumes, capacity, rates.length)
  const wrapsAt = now === null ? null : instant(now + Math.max(0, freeMs))
  const oldest = (oldestAt: EpochMs | null): OldestForecast => {
    if (oldestAt === null || now === null) return { oldestAt, daysLeft: null, forecastDays: null }
    const aheadMs = queue.reduce((sum, each) => each.newestFrameAt < oldestAt ? sum + each.ms : sum, 0)
    const leftMs = Math.max(0, freeMs + aheadMs, keepUntil(floor, oldestAt) - now)
    return { oldestAt, daysLeft: leftMs / DAY_MS, forecastDays: (now - oldestAt + leftMs) / DAY_MS }
  }
  const oldestQueued = queue.reduce<number | null>((oldest, each) => oldest === null || each.newestFrameAt < oldest ? each.newestFrameAt : oldest, null)
  return {
    ...judged, unknown, wrapsAt,
    ageAtWrapDays: wrapsAt === null ? null : (oldestQueued === null ? Math.max(0, capacity.capacityMs) : wrapsAt - oldestQueued) / DAY_MS,
    stopsAt: now === null ? null : stopsAt({
      now, floor, availableMs: freeMs + queue.reduce((sum, each) => each.freeAt <= now ? sum + each.ms : sum, 0),
      releases: [...queue.filter(each => each.freeAt > now).map(({ freeAt, ms }) => ({ at: freeAt, ms })), ...holdsEnding(volumes, capacity, now)],
    }),
    streams: streams.map(({ key, oldestAt, bitrateBps }) => ({ key, ...oldest(oldestAt), share: shareOf(bitrateBps) })),
    volumes: volumes.map(({ id, sealed }) => ({ id, ...oldest(oldestOf(sealed)), capacityDays: (capacity.volumes.find(each => each.id === id)?.capacityMs ?? 0) / DAY_MS })),
  }
}

export type Judged = Pick<Forecast, 'capacityDays' | 'marginDays' | 'fits' | 'lackingBytes'>

/** Whether the floor fits, as far as the known streams tell: with `unknown` ones it is certain only that it does not. */
export function judge(capacity: Capacity, floor: FloorRule, unknown: number): Judged {
  const marginMs = capacity.capacityMs - plannedSpanMs(floor)
  const fits = marginMs < 0 ? false : unknown > 0 ? null : true
  return {
    capacityDays: Math.max(0, capacity.capacityMs) / DAY_MS, marginDays: marginMs / DAY_MS, fits,
    lackingBytes: fits === null ? null : Math.max(0, Math.ceil(-marginMs * capacity.bytesPerMs)),
  }
}

/** Slots between two instants, spread evenly: for when only the oldest is known. At most 64 groups. */
export function evenlySealed({ slots, oldestAt, now, floor }: { slots: number, oldestAt: EpochMs | null, now: EpochMs, floor: FloorRule }): SealedGroup[] {
  if (oldestAt === null || slots <= 0) return []
  const groups = Math.min(64, slots)
  return Array.from({ length: groups }, (_, index) => {
    const newestFrameAt = epochMs(oldestAt + (now - oldestAt) * (index + 1) / groups)
    return { newestFrameAt, keepUntil: keepUntil(floor, newestFrameAt), slots: slots / groups }
  })
}

const countOf = (groups: readonly { readonly slots: number }[]): number => groups.reduce((sum, { slots }) => sum + slots, 0)
const oldestOf = (sealed: readonly SealedGroup[]): EpochMs | null => sealed.reduce<EpochMs | null>((oldest, { newestFrameAt }) => oldest === null || newestFrameAt < oldest ? newestFrameAt : oldest, null)
const slotMsOf = (capacity: Capacity, id: VolumeId): number => capacity.volumes.find(each => each.id === id)?.slotMs ?? capacity.slotMs
/** A forecast beyond the calendar is no forecast. */
const instant = (at: number): EpochMs | null => at < Date.UTC(9000, 0) ? epochMs(at) : null

/** Free slots, less those that streams without an open slot will take at once. */
function freeMsOf(volumes: readonly VolumeLoad[], capacity: Capacity, streams: number): number {
  const open = volumes.reduce((sum, { slots }) => sum + slots.open, 0)
  return volumes.reduce((sum, { id, slots }) => sum + slots.free * slotMsOf(capacity, id), 0) - Math.max(0, streams - open) * capacity.slotMs
}

function queueOf(volumes: readonly VolumeLoad[], floor: FloorRule, capacity: Capacity): Queued[] {
  return volumes.flatMap(({ id, sealed }) => sealed.map(({ newestFrameAt, keepUntil: promised, slots }) => ({
    volume: id, newestFrameAt, freeAt: Math.max(promised, keepUntil(floor, newestFrameAt)) as EpochMs, ms: slots * slotMsOf(capacity, id),
  })))
}

function holdsEnding(volumes: readonly VolumeLoad[], capacity: Capacity, now: EpochMs): { at: EpochMs, ms: number }[] {
  return volumes.flatMap(({ id, holds }) => holds.flatMap(({ slots, until }) => until === null ? [] : [{ at: until < now ? now : until, ms: slots * slotMsOf(capacity, id) }]))
}
