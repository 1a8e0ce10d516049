import { epochMs, type EpochMs } from '../domain/index.ts'

/** How far trusted time follows the wall clock while it runs: a crystal is off by 100 ppm at most, and nothing else may be followed. */
export const MAX_SLEW = 500e-6
/** Up to here wall clock and trusted time agree. */
export const AGREED_MS = 1_000
/** From here on they disagree for the record (R76's alarm); between the two it is worth a warning only. */
export const STEPPED_MS = 2_000
/** Believed without people: this much, and again as much as the recorder has run since. */
export const ALLOWANCE_MS = 7 * 86_400_000
/** A frame reaches storage at the latest this long after it was taken (queue and settling of a run's clock). */
export const STAMP_LAG_MS = 10_000
/** No recorder ran before this program was written: a clock before it has lost its battery. */
const EARLIEST_CREDIBLE_MS = Date.parse('2026-01-01T00:00:00Z')
/** Farther away, T would be no date that calendars reach. */
const LATEST_CREDIBLE_MS = Date.parse('2200-01-01T00:00:00Z')
/** Stands for a claim without bound: no footage was there that could age. */
export const ANY_CLAIM_MS = LATEST_CREDIBLE_MS

export type Told = 'agreed' | 'disagrees' | 'waiting' | 'unknown'

/** What is read off the machine at one instant. */
export interface Reading {
  /** Wall clock, UTC. */
  readonly wallMs: number
  /** Running time of this boot; the same for all processes. */
  readonly monoMs: number
  readonly bootId: string
  /** A time service says that the wall clock is right. */
  readonly isSynchronised: boolean
}

/** Where trusted time stood at `monoMs`; `trustedAt` tells where it stands. */
export interface TimeState {
  readonly trustedMs: number
  readonly monoMs: number
  /** What is being slewed away: wall clock minus trusted time at the last look, 0 while unknown. */
  readonly slewMs: number
  readonly bootId: string
  readonly wallMs: number
  /** False: a stand-in that counts on from the newest footage; nothing may be erased by it. */
  readonly isKnown: boolean
  /** Time off that the hardware clock showed at boot and that is not counted; null when nothing waits. */
  readonly claimMs: number | null
  readonly allowanceMs: number
  /** Trusted time when both clocks last agreed; footage since then moves with any advance. Null while they agree. */
  readonly doubtSinceMs: number | null
  readonly told: Told
}

/** What was written down: all but the slew under way. */
export type SavedTime = Omit<TimeState, 'slewMs'>

export type TimeEvent =
  | { readonly kind: 'began' }
  | { readonly kind: 'told', readonly what: Told, readonly offsetMs: number }
  | { readonly kind: 'believed', readonly byMs: number, readonly claimMs: number }
  | { readonly kind: 'confirmed', readonly byMs: number }

/** Trusted time went forward by `byMs` at once; what was recorded since `sinceMs` must not age by that. */
export interface Advance { readonly sinceMs: number, readonly byMs: number }

export interface Step { readonly state: TimeState, readonly events: readonly TimeEvent[], readonly advance: Advance | null }

const isCredible = (ms: number): boolean => ms >= EARLIEST_CREDIBLE_MS && ms < LATEST_CREDIBLE_MS

/** Trusted time (or its stand-in) at `monoMs`. Never falls. */
export function trustedAt(state: TimeState, monoMs: number): number {
  const ranMs = Math.max(0, monoMs - state.monoMs)
  return state.trustedMs + ranMs + Math.max(-MAX_SLEW * ranMs, Math.min(MAX_SLEW * ranMs, state.slewMs))
}

/** How things stand; derived, never stored. */
export function stateOf(state: TimeState, offsetMs: number): Told {
  if (!state.isKnown) return 'unknown'
  if (Math.abs(offsetMs) <= AGREED_MS) return 'agreed'
  return state.claimMs === null ? 'disagrees' : 'waiting'
}

/** The first state of a process. `newestFootageMs`: newest frame in the catalogue, asked for only where no trusted time was written down. */
export function begin(saved: SavedTime | null, reading: Reading, newestFootageMs: () => number | null): Step {
  if (saved !== null && (isCredible(saved.trustedMs) || !saved.isKnown)) return step({ ...resumed(saved, reading), slewMs: 0 }, reading)
  const newestMs = newestFootageMs()
  const wallMs = reading.wallMs
  const fresh = { slewMs: 0, monoMs: reading.monoMs, bootId: reading.bootId, wallMs, allowanceMs: ALLOWANCE_MS } as const
  if (newestMs === null && isCredible(wallMs)) {
    const began = step({ ...fresh, trustedMs: wallMs, isKnown: true, claimMs: null, doubtSinceMs: null, told: 'agreed' }, reading)
    return { ...began, events: [{ kind: 'began' }, ...began.events] }
  }
  // Footage but no trusted time, or a clock without sense: count on from what is known, and ask.
  const trustedMs = newestMs ?? wallMs
  const claimMs = newestMs === null ? ANY_CLAIM_MS : wallMs >= newestMs ? wallMs - newestMs : null
  // Nothing tells how far trusted time was behind when that footage was recorded: all of it moves.
  const doubtSinceMs = newestMs === null ? trustedMs : 0
  return step({ ...fresh, trustedMs, isKnown: false, claimMs, doubtSinceMs, told: 'agreed' }, reading)
}

/**
 * While what was written down cannot be read: counts on from the newest footage, or from the wall clock where
 * that cannot be read either. Nothing may be erased by it, and nobody is told of it: it is no word about the
 * clocks.
 */
export function standIn(newestFootageMs: number | null, { wallMs, monoMs, bootId }: Reading): TimeState {
  const trustedMs = newestFootageMs ?? wallMs
  return {
    trustedMs, slewMs: 0, monoMs, bootId, wallMs, isKnown: false, claimMs: null, allowanceMs: 0,
    doubtSinceMs: trustedMs, told: 'unknown',
  }
}

/** Within one boot running time tells exactly how long the recorder was away. After another boot only the hardware clock can, and its word is a claim. */
function resumed(saved: SavedTime, reading: Reading): SavedTime {
  if (saved.bootId === reading.bootId && reading.monoMs >= saved.monoMs) return saved
  const offMs = Math.min(reading.wallMs - saved.wallMs, reading.wallMs - saved.trustedMs)
  const claimMs = (saved.claimMs ?? 0) + Math.max(0, offMs)
  return {
    ...saved, monoMs: reading.monoMs, bootId: reading.bootId,
    claimMs: claimMs > AGREED_MS || saved.claimMs !== null ? Math.min(claimMs, ANY_CLAIM_MS) : null,
    doubtSinceMs: saved.doubtSinceMs ?? saved.trustedMs,
  }
}

/** Time passed. Running time counts; the wall clock slews; a waiting claim is believed as far as the rules go. */
export function step(before: TimeState, reading: Reading): Step {
  const ranMs = Math.max(0, reading.monoMs - before.monoMs)
  let trustedMs = trustedAt(before, reading.monoMs)
  let { isKnown, claimMs } = before
  let allowanceMs = Math.min(ALLOWANCE_MS, before.allowanceMs + ranMs)
  let doubtSinceMs = before.doubtSinceMs
  let advance: Advance | null = null
  const events: TimeEvent[] = []
  // A wall clock that agrees shows no time off any more.
  if (isKnown && Math.abs(reading.wallMs - trustedMs) <= AGREED_MS) claimMs = null
  const shownMs = claimMs === null ? -1 : Math.min(claimMs, reading.wallMs - trustedMs)
  if (claimMs !== null && shownMs >= 0 && reading.isSynchronised && isCredible(reading.wallMs) && (shownMs <= allowanceMs || claimMs === ANY_CLAIM_MS)) {
    advance = { sinceMs: (doubtSinceMs ?? before.trustedMs) - STAMP_LAG_MS, byMs: shownMs }
    events.push({ kind: 'believed', byMs: shownMs, claimMs })
    if (claimMs !== ANY_CLAIM_MS) allowanceMs -= shownMs
    trustedMs += shownMs
    isKnown = true
    claimMs = null
  }
  const offsetMs = reading.wallMs - trustedMs
  if (isKnown && Math.abs(offsetMs) <= AGREED_MS) doubtSinceMs = null
  else doubtSinceMs ??= before.trustedMs
  return told({ trustedMs, slewMs: isKnown ? offsetMs : 0, monoMs: reading.monoMs, bootId: reading.bootId, wallMs: reading.wallMs, isKnown, claimMs, allowanceMs, doubtSinceMs, told: before.told }, events, advance)
}

/**
 * Two people vouch for the wall clock. Known trusted time goes forward to it and never back: where the wall clock is behind, trusted time stays.
 * An unknown one is taken from the wall clock whatever it says: a stand-in may stand on footage of a clock that ran ahead.
 */
export function confirm(before: TimeState, reading: Reading): Step {
  const now = step(before, { ...reading, isSynchronised: false }).state
  const deltaMs = reading.wallMs - now.trustedMs
  const byMs = now.isKnown ? Math.max(0, deltaMs) : deltaMs
  const advance = byMs > 0 ? { sinceMs: (now.doubtSinceMs ?? before.trustedMs) - STAMP_LAG_MS, byMs } : null
  const doubtSinceMs = Math.abs(deltaMs - byMs) <= AGREED_MS ? null : now.doubtSinceMs
  return told({ ...now, told: before.told, trustedMs: now.trustedMs + byMs, slewMs: 0, isKnown: true, claimMs: null, doubtSinceMs }, [{ kind: 'confirmed', byMs }], advance)
}

/** What waits to be counted, and what would count it; null when nothing waits. */
export function waitingOf(state: TimeState, wallMs: number): { readonly ms: number, readonly needs: 'sync' | 'people' } | null {
  const is = stateOf(state, wallMs - state.trustedMs)
  if (is !== 'waiting' && is !== 'unknown') return null
  const shownMs = Math.max(0, wallMs - state.trustedMs)
  const ms = Math.min(shownMs, state.claimMs ?? shownMs)
  const isBelievable = state.claimMs !== null && wallMs >= state.trustedMs && (ms <= state.allowanceMs || state.claimMs === ANY_CLAIM_MS)
  return { ms, needs: isBelievable ? 'sync' : 'people' }
}

/** Says once what has changed. Between AGREED_MS and STEPPED_MS what was said last stays said. */
function told(state: TimeState, events: readonly TimeEvent[], advance: Advance | null): Step {
  const offsetMs = state.wallMs - state.trustedMs
  const is = stateOf(state, offsetMs)
  const what = is === 'disagrees' && Math.abs(offsetMs) <= STEPPED_MS && state.told !== 'unknown' && state.told !== 'waiting' ? state.told : is
  if (what === state.told) return { state, events, advance }
  return { state: { ...state, told: what }, events: [...events, { kind: 'told', what, offsetMs }], advance }
}

/** Whether a wall clock may be vouched for at all: calendars and CHECKs must be able to hold it. */
export const mayConfirm = isCredible
export const instantOf = (ms: number): EpochMs => epochMs(Math.floor(ms))
