import type { EpochMs, MonoMs, RecordingMode, RetentionFloor } from '../domain/index.ts'
import { plannedSpanMs } from './capacity.ts'

/** A stream as the order of sacrifice sees it. */
export interface SacrificeStream {
  /** `camera/stream`. */
  readonly key: string
  readonly camera: string
  /** 1 (most important) to 9. */
  readonly priority: number
  readonly mode: RecordingMode
  readonly hasLower: boolean
  /** Its measured rate is above what the office declared. */
  readonly overBudget: boolean
  /** Measured where it was tried, else expected. Bits a second of the stream as recorded. */
  readonly bps: Readonly<Record<Exclude<RecordingMode, 'stopped'>, number>>
}

/** What the forecast says of the ring when these streams are recorded at these rates. */
export interface Outlook {
  /** When no slot can be had; null when never. */
  readonly stopsAt: EpochMs | null
  /** Whether the floor fits in the long run, whatever the ring holds now. */
  readonly fits: boolean
  /** How long one slot lasts when these streams share it. */
  readonly slotMs: number
}

export interface SacrificeLimits {
  /** Below so much time until the ring stops, steps 3, 4 and 5 may be taken. */
  readonly lowerBelowMs: number
  readonly keyFramesBelowMs: number
  readonly stopBelowMs: number
  /** What a step does to the forecast is seen after this; not before, the next one. */
  readonly stepEveryMs: number
  /** So long the forecast must have held for the better modes before they are taken. */
  readonly calmForMs: number
  /** The better modes must fit with this much more than their rate: a step back that has to be taken again helps nobody. */
  readonly margin: number
}

/** What the decision remembers from one look to the next. Survives no restart: the wait for calm begins anew, which is the safe side. */
export interface SacrificeMemory {
  readonly changedAt: MonoMs | null
  readonly raisedAt: MonoMs | null
  readonly calmSince: MonoMs | null
  /** How often a step had to be taken again soon after it was taken back: each doubles the wait for calm. */
  readonly relapses: number
}

export interface SacrificeInput {
  readonly at: MonoMs
  /** Trusted. While time is in doubt no decision is asked for: nothing may be reused then, and no mode would change that. */
  readonly now: EpochMs
  readonly streams: readonly SacrificeStream[]
  readonly outlook: (bitratesBps: readonly number[]) => Outlook
  readonly limits: SacrificeLimits
  readonly memory: SacrificeMemory
}

export type SacrificeReason =
  | 'ring-would-stop'  // step 3 or 4: the ring would stop within the limit
  | 'over-budget'      // the same, and this stream is first because it takes more than it declared
  | 'ring-stops'       // step 5
  | 'floor-fits-again' // taken back
  | 'profile-gone'     // the lower profile left the configuration

export interface ModeChange { readonly key: string, readonly from: RecordingMode, readonly to: RecordingMode, readonly reason: SacrificeReason }
export interface SacrificeDecision {
  readonly changes: readonly ModeChange[]
  /** Until the ring stops with the modes as they were; null: never. */
  readonly headroomMs: number | null
  readonly memory: SacrificeMemory
}

export const FRESH_MEMORY: SacrificeMemory = { changedAt: null, raisedAt: null, calmSince: null, relapses: 0 }
const HOUR_MS = 3_600_000
const MONTH_MS = 32 * 24 * HOUR_MS
const MAX_RELAPSES = 6
/** A relapse is a step taken again before the wait for calm has passed so many times. */
const RELAPSE_WITHIN_CALMS = 8
/** Slots a stream that the ring must still have at each step: a short floor has no hours to count. */
const SLOTS_LEFT = { lower: 3, keyFrames: 2, stop: 1 }

/** For a month 48, 12 and 2 hours; shorter floors in proportion, as far as reconnecting to a camera allows. */
export function sacrificeLimits(floor: RetentionFloor): SacrificeLimits {
  const share = Math.min(1, plannedSpanMs({ floor, timezone: 'UTC' }) / MONTH_MS)
  return {
    lowerBelowMs: 48 * HOUR_MS * share, keyFramesBelowMs: 12 * HOUR_MS * share, stopBelowMs: 2 * HOUR_MS * share,
    stepEveryMs: Math.max(5_000, HOUR_MS / 6 * share), calmForMs: Math.max(6_000, 6 * HOUR_MS * share), margin: 0.1, // reconnecting and measuring take some seconds, however short the floor
  }
}

const RANK: Readonly<Record<RecordingMode, number>> = { full: 0, lower: 1, 'key-frames': 2, stopped: 3 }
/** True when `a` records less of a stream than `b`. */
export const isWorse = (a: RecordingMode, b: RecordingMode): boolean => RANK[a] > RANK[b]

/**
 * The office's order when the floor meets a full ring: which streams record less from now on, or more again. Deterministic; never touches footage.
 * Down: as few streams as make the ring last for good, first by their lower profile, then by key frames only, then by stopping cameras; within a step those above
 * their declared rate first, then the least important. The most important camera is never stopped here: only the ring itself can.
 * Up: the reverse, once the forecast has held for the better modes, with a margin, long enough.
 */
export function decideSacrifice(input: SacrificeInput): SacrificeDecision {
  const { at, now, streams, limits, memory } = input
  const plan = new Plan(streams)
  const gone = streams.filter(stream => stream.mode === 'lower' && !stream.hasLower)
  if (gone.length > 0) {
    for (const stream of gone) plan.set(stream, 'full', 'profile-gone')
    return { changes: plan.changes(), headroomMs: null, memory: { ...memory, changedAt: null, calmSince: null } } // judged anew at the next look
  }
  const present = input.outlook(plan.rates(0))
  const headroomMs = present.stopsAt === null ? null : Math.max(0, present.stopsAt - now)
  const waited = memory.changedAt === null || at - memory.changedAt >= limits.stepEveryMs
  if (headroomMs !== null && waited) stepDown(input, plan, headroomMs, present)
  if (plan.changes().length > 0) {
    const relapsed = memory.raisedAt !== null && at - memory.raisedAt < calmNeededMs(limits, memory) * RELAPSE_WITHIN_CALMS
    return { changes: plan.changes(), headroomMs, memory: { changedAt: at, raisedAt: null, calmSince: null, relapses: relapsed ? Math.min(MAX_RELAPSES, memory.relapses + 1) : memory.relapses } }
  }
  return stepUp(input, plan, headroomMs)
}

const calmNeededMs = (limits: SacrificeLimits, memory: SacrificeMemory): number => limits.calmForMs * 2 ** memory.relapses

function stepDown({ streams, outlook, limits, now }: SacrificeInput, plan: Plan, headroomMs: number, present: Outlook): void {
  const perStream = (slots: number) => slots * present.slotMs * plan.rates(0).length
  const steps: readonly (readonly [number, RecordingMode, (stream: SacrificeStream) => boolean])[] = [
    [Math.max(limits.lowerBelowMs, perStream(SLOTS_LEFT.lower)), 'lower', stream => lowerHelps(stream) && plan.modeOf(stream) === 'full'],
    [Math.max(limits.keyFramesBelowMs, perStream(SLOTS_LEFT.keyFrames)), 'key-frames', stream => isWorse('key-frames', plan.modeOf(stream))],
    [Math.max(limits.stopBelowMs, perStream(SLOTS_LEFT.stop)), 'stopped', stream => plan.modeOf(stream) !== 'stopped' && plan.othersRecord(stream)],
  ]
  // Where a stop cannot be avoided any more, cameras are not stopped in vain: then what fits in the long run is enough.
  const canBeAvoided = outlook(plan.least()).stopsAt === null
  const lasts = ({ stopsAt, fits }: Outlook) => canBeAvoided ? stopsAt === null : fits
  let seen = present
  let leftMs = headroomMs
  for (const [belowMs, mode, isCandidate] of steps) {
    if (headroomMs >= belowMs || leftMs >= belowMs) return
    for (const stream of inOrder(streams)) {
      if (lasts(seen)) return
      if (!isCandidate(stream)) continue
      plan.set(stream, mode, mode === 'stopped' ? 'ring-stops' : stream.overBudget ? 'over-budget' : 'ring-would-stop')
      seen = outlook(plan.rates(0))
    }
    if (lasts(seen)) return
    leftMs = seen.stopsAt === null ? Infinity : seen.stopsAt - now
  }
}

function stepUp({ at, streams, outlook, limits, memory }: SacrificeInput, plan: Plan, headroomMs: number | null): SacrificeDecision {
  const holds = () => {
    const seen = outlook(plan.rates(limits.margin))
    return seen.stopsAt === null && seen.fits
  }
  const steps: readonly (readonly [RecordingMode, (stream: SacrificeStream) => RecordingMode])[] = [
    ['stopped', () => 'key-frames'], ['key-frames', stream => lowerHelps(stream) ? 'lower' : 'full'], ['lower', () => 'full'],
  ]
  let blocked = false
  for (const [from, toOf] of steps) {
    for (const stream of [...inOrder(streams)].reverse()) {
      if (blocked || plan.modeOf(stream) !== from) continue
      plan.set(stream, toOf(stream), 'floor-fits-again')
      if (holds()) continue
      plan.set(stream, from, 'floor-fits-again')
      blocked = true // none less important may pass it, and none that gave up less
    }
  }
  const wanted = plan.changes()
  const needMs = calmNeededMs(limits, memory)
  if (wanted.length === 0) {
    const hasLasted = memory.raisedAt !== null && headroomMs === null && at - memory.raisedAt >= needMs * RELAPSE_WITHIN_CALMS
    return { changes: [], headroomMs, memory: { ...memory, calmSince: null, ...(hasLasted ? { raisedAt: null, relapses: 0 } : {}) } }
  }
  const calmSince = memory.calmSince ?? at
  const isCalm = at - calmSince >= needMs && (memory.changedAt === null || at - memory.changedAt >= needMs)
  if (!isCalm) return { changes: [], headroomMs, memory: { ...memory, calmSince } }
  return { changes: wanted, headroomMs, memory: { ...memory, changedAt: at, raisedAt: at, calmSince: null } }
}

/** A declared profile that turned out to take more than the full one is none: it would save nothing, and bar the way back. */
const lowerHelps = ({ hasLower, bps }: SacrificeStream): boolean => hasLower && bps.lower <= bps.full

/** Who gives up first: above the declared rate, then the least important; then by name, so that the same facts always give the same order. */
function inOrder(streams: readonly SacrificeStream[]): readonly SacrificeStream[] {
  return [...streams].sort((a, b) => Number(b.overBudget) - Number(a.overBudget) || b.priority - a.priority || (a.key < b.key ? -1 : 1))
}

/** Modes as they would be. */
class Plan {
  readonly #streams: readonly SacrificeStream[]
  readonly #modes: Map<string, { mode: RecordingMode, reason: SacrificeReason }>

  constructor(streams: readonly SacrificeStream[]) {
    this.#streams = streams
    this.#modes = new Map(streams.map(({ key, mode }) => [key, { mode, reason: 'ring-would-stop' }]))
  }

  modeOf({ key }: SacrificeStream): RecordingMode { return this.#modes.get(key)!.mode }
  set({ key }: SacrificeStream, mode: RecordingMode, reason: SacrificeReason): void { this.#modes.set(key, { mode, reason }) }

  othersRecord({ camera }: SacrificeStream): boolean {
    return this.#streams.some(stream => stream.camera !== camera && this.modeOf(stream) !== 'stopped')
  }

  rates(margin: number): number[] {
    return this.#streams.flatMap(stream => {
      const mode = this.modeOf(stream)
      return mode === 'stopped' ? [] : [stream.bps[mode] * (1 + margin)]
    })
  }

  /** Rates when everything is given up that this order can give up. */
  least(): number[] {
    const kept = inOrder(this.#streams).at(-1)
    return this.#streams.filter(({ camera }) => camera === kept?.camera).map(({ bps }) => Math.min(bps['key-frames'], bps.lower, bps.full))
  }

  changes(): ModeChange[] {
    return this.#streams.flatMap(({ key, mode: from }) => {
      const { mode: to, reason } = this.#modes.get(key)!
      return to === from ? [] : [{ key, from, to, reason }]
    })
  }
}
