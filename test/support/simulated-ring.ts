import { epochMs, monoMs, volumeId, type EpochMs, type RecordingMode } from '../../src/domain/index.ts'
import { decideSacrifice, FRESH_MEMORY, keepUntil, mayReuse, outlookOn, type FloorRule, type SacrificeLimits, type SacrificeMemory, type VolumeLoad } from '../../src/retention/index.ts'

export const DAY_MS = 86_400_000
/** Long enough that the wall time of a slot is far above the reconnecting that the shortest limits allow for. */
export const TICK_MS = 60_000
const SLOT_BYTES = 64 * 2 ** 20
const DISK = volumeId('disk1')
const START = epochMs(Date.UTC(2026, 10, 22))

export interface SimulatedStream { readonly priority: number, readonly hasLower: boolean, readonly overBudget: boolean, readonly rate: number, readonly lowerShare: number, readonly keyShare: number, readonly guess: number }
export interface Setting { readonly slots: number, readonly floorTicks: number, readonly streams: readonly SimulatedStream[] }

interface Slot { filled: number, newestAt: EpochMs | null }
export interface SimulatedRing { readonly slots: Slot[], readonly open: (number | null)[], readonly modes: RecordingMode[], readonly tried: Set<string>, memory: SacrificeMemory, tick: number }
export interface RingRun { readonly modesSeen: RecordingMode[][], readonly mostChanges: number, readonly lostTicks: number, readonly firstStopTick: number, readonly overwrittenInsideFloor: number }

const emptySlot = (): Slot => ({ filled: 0, newestAt: null })
export const ringOf = ({ slots, streams }: Setting): SimulatedRing => ({
  slots: Array.from({ length: slots }, emptySlot), open: streams.map(() => null), modes: streams.map(() => 'full'), tried: new Set(streams.map((_, index) => `${index} full`)), memory: FRESH_MEMORY, tick: 0,
})

/** Runs a ring on from where it is: each stream fills its open slot, takes the next as the guard allows, and every tick is asked what to give up. */
export function runRing(setting: Setting, ring: SimulatedRing, { ticks, sacrifice, addSlots = 0, untilFull = false }: { ticks: number, sacrifice: boolean, addSlots?: number, untilFull?: boolean }): RingRun {
  for (let i = 0; i < addSlots; i++) ring.slots.push(emptySlot())
  const floor: FloorRule = { floor: { kind: 'plain', durationMs: setting.floorTicks * TICK_MS }, timezone: 'UTC' }
  const modesSeen: RecordingMode[][] = []
  const changes = setting.streams.map(() => 0)
  let [lostTicks, firstStopTick, overwrittenInsideFloor] = [0, Infinity, 0]
  for (const until = ring.tick + ticks; ring.tick < until; ring.tick++) {
    const now = epochMs(START + ring.tick * TICK_MS)
    const lost = setting.streams.map((stream, index) => {
      const mode = ring.modes[index]!
      if (mode === 'stopped') return false
      ring.tried.add(`${index} ${mode}`)
      return !record(index, rateOf(stream, mode))
    })
    if (lost.includes(true)) { lostTicks++; firstStopTick = Math.min(firstStopTick, ring.tick) }
    if (sacrifice) step(now)
    modesSeen.push([...ring.modes])
    if (untilFull && ring.modes.every(mode => mode === 'full')) break

    function record(index: number, slotsATick: number): boolean {
      for (let left = slotsATick; left > 1e-9;) {
        const open = ring.open[index] === null ? null : ring.slots[ring.open[index]!]!
        if (open === null || open.filled >= 1) {
          if (!take(index)) return false
          continue
        }
        const part = Math.min(left, 1 - open.filled)
        open.filled += part
        open.newestAt = now
        left -= part
      }
      return true
    }

    function take(index: number): boolean {
      ring.open[index] = null
      let best: number | null = null
      for (let position = 0; position < ring.slots.length; position++) {
        if (ring.open.includes(position)) continue
        if (best === null || (ring.slots[position]!.newestAt ?? 0) < (ring.slots[best]!.newestAt ?? 0)) best = position
      }
      if (best === null || !mayReuse(candidateOf(ring.slots[best]!, floor), floor, now).allowed) return false
      const { newestAt } = ring.slots[best]!
      if (newestAt !== null && newestAt + setting.floorTicks * TICK_MS > now) overwrittenInsideFloor++ // said anew, without the guard
      ring.slots[best] = { filled: 0, newestAt: null }
      ring.open[index] = best
      return true
    }
  }
  return { modesSeen, mostChanges: Math.max(...changes), lostTicks, firstStopTick, overwrittenInsideFloor }

  function step(now: EpochMs): void {
    const limits: SacrificeLimits = { lowerBelowMs: 6 * TICK_MS, keyFramesBelowMs: 3 * TICK_MS, stopBelowMs: TICK_MS, stepEveryMs: TICK_MS, calmForMs: 3 * TICK_MS, margin: 0.1 }
    const bpsOf = (slotsATick: number): number => slotsATick * SLOT_BYTES * 8000 / TICK_MS
    const decision = decideSacrifice({
      at: monoMs(ring.tick * TICK_MS), now, limits, memory: ring.memory, outlook: outlookOn({ volumes: [loadOf(ring, floor)], floor, now }),
      streams: setting.streams.map((stream, index) => {
        const known = (mode: Exclude<RecordingMode, 'stopped'>) => bpsOf(rateOf(stream, mode) * (ring.tried.has(`${index} ${mode}`) ? 1 : stream.guess))
        return { key: `c${index}/main`, camera: `c${index}`, priority: stream.priority, mode: ring.modes[index]!, hasLower: stream.hasLower, overBudget: stream.overBudget, bps: { full: known('full'), lower: Math.min(known('full'), known('lower')), 'key-frames': Math.min(known('full'), known('key-frames')) } }
      }),
    })
    ring.memory = decision.memory
    for (const { key, to } of decision.changes) {
      const index = Number(/\d+/.exec(key)![0])
      ring.modes[index] = to
      ring.open[index] = null // other pictures begin a slot of their own
      changes[index] = changes[index]! + 1
    }
  }
}

const rateOf = (stream: SimulatedStream, mode: RecordingMode): number =>
  mode === 'full' ? stream.rate : mode === 'lower' ? stream.rate * stream.lowerShare : mode === 'key-frames' ? stream.rate * stream.keyShare : 0

const candidateOf = ({ newestAt }: Slot, floor: FloorRule) => ({ newestFrameAt: newestAt, keepUntil: newestAt === null ? null : keepUntil(floor, newestAt), held: false, leased: false })

function loadOf(ring: SimulatedRing, floor: FloorRule): VolumeLoad {
  const groups = new Map<EpochMs, number>()
  let free = 0
  for (const [position, { newestAt }] of ring.slots.entries()) {
    if (ring.open.includes(position)) continue
    if (newestAt === null) free++
    else groups.set(newestAt, (groups.get(newestAt) ?? 0) + 1)
  }
  const open = ring.open.filter(position => position !== null).length
  return {
    id: DISK, slotSizeBytes: SLOT_BYTES, slots: { total: ring.slots.length, free, open, quarantined: 0 }, holds: [],
    sealed: [...groups].map(([newestFrameAt, slots]) => ({ newestFrameAt, keepUntil: keepUntil(floor, newestFrameAt), slots })),
  }
}
