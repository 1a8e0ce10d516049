import type { AccountId, Role } from './roles.ts'

/** Instants of one moment: `wallMs` for dates people wrote, `steadyMs` (trusted time, which nobody can set) for what is counted. */
export interface Now { readonly wallMs: number, readonly steadyMs: number }

export type AccountState = 'applied' | 'refused' | 'active' | 'disabled' | 'left'
export type DisabledWhy = 'by-hand' | 'idle' | 'ended'
export type MustChange = 'handed-over' | 'reset'

/** An account as it is stored. */
export interface Account {
  readonly accountId: AccountId
  readonly displayName: string
  readonly unit: string
  readonly post: string
  readonly roles: readonly Role[]
  readonly state: AccountState
  readonly disabledWhy: DisabledWhy | null
  readonly endsAtMs: number | null
  readonly custodianId: AccountId | null
  readonly mustChange: MustChange | null
  /** Last made active, and last used: idle time counts from the later one. */
  readonly activeSteadyMs: number | null
  readonly usedSteadyMs: number | null
  readonly usedAtMs: number | null
  readonly createdAtMs: number
  readonly leftAtMs: number | null
}

/** Settable by the office, within bounds of the baseline (R65, R66, R70). */
export interface AccessSettings {
  readonly idleDisableMs: number
  readonly lockAfterFailures: number
  readonly lockMs: number
  readonly passwordChars: number
  readonly passwordHistory: number
  readonly passwordMaxAgeMs: number
  readonly passwordMinAgeMs: number
  readonly tokenMs: number
  readonly sessionIdleMs: number
  readonly sessionMaxMs: number
  readonly viewingLockMs: number
  readonly freshFactorMs: number
  readonly pairWithinMs: number
  readonly breakGlassMs: number
  /** Version of the secrecy undertaking that is to be signed. */
  readonly undertakingVersion: string
  /** Words of the office that a password must not lean on. */
  readonly officeWords: readonly string[]
}

const MINUTE_MS = 60_000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS
export const DEFAULT_SETTINGS: AccessSettings = {
  idleDisableMs: 90 * DAY_MS, lockAfterFailures: 5, lockMs: 15 * MINUTE_MS, passwordChars: 12, passwordHistory: 3, passwordMaxAgeMs: 90 * DAY_MS, passwordMinAgeMs: DAY_MS, tokenMs: 15 * MINUTE_MS,
  sessionIdleMs: 10 * MINUTE_MS, sessionMaxMs: 12 * HOUR_MS, viewingLockMs: 5 * MINUTE_MS, freshFactorMs: 5 * MINUTE_MS, pairWithinMs: 5 * MINUTE_MS, breakGlassMs: 4 * HOUR_MS,
  undertakingVersion: '1', officeWords: [],
}

export type Standing =
  | { readonly kind: 'applied' | 'refused' | 'left' | 'active' }
  | { readonly kind: 'disabled', readonly why: DisabledWhy }
  | { readonly kind: 'locked', readonly untilSteadyMs: number }

/** Failed attempts at one name. `lockedUntilMs` 0: never locked. Steady time. */
export interface Failures { readonly count: number, readonly lockedUntilMs: number }
export const NO_FAILURES: Failures = { count: 0, lockedUntilMs: 0 }

/** What an account is good for at this moment, whatever a sweep has or has not written down yet. */
export function standingOf(account: Account, failures: Failures, now: Now, settings: AccessSettings): Standing {
  switch (account.state) {
    case 'applied': case 'refused': case 'left': return { kind: account.state }
    case 'disabled': return { kind: 'disabled', why: account.disabledWhy ?? 'by-hand' }
    case 'active': {
      const overdue = overdueOf(account, now, settings)
      if (overdue !== null) return { kind: 'disabled', why: overdue }
      return isLocked(failures, now) ? { kind: 'locked', untilSteadyMs: failures.lockedUntilMs } : { kind: 'active' }
    }
  }
}

/** Why an active account is to be disabled now; null when it is not. An end date has passed when either clock says so: a clock set back opens nothing. */
export function overdueOf(account: Account, now: Now, settings: AccessSettings): 'idle' | 'ended' | null {
  if (account.state !== 'active') return null
  if (account.endsAtMs !== null && Math.max(now.wallMs, now.steadyMs) >= account.endsAtMs) return 'ended'
  const used = Math.max(account.activeSteadyMs ?? 0, account.usedSteadyMs ?? 0)
  return now.steadyMs - used >= settings.idleDisableMs ? 'idle' : null
}

export const isLocked = (failures: Failures, { steadyMs }: Now): boolean => steadyMs < failures.lockedUntilMs

/**
 * An attempt is charged as a failure before its answer is known and cleared by success, so that guesses made at once count one by one.
 * Null when the name is locked and the attempt must not be made. The last failure allowed locks; the count begins anew after the lock.
 */
export function charge(failures: Failures, now: Now, { lockAfterFailures, lockMs }: AccessSettings): Failures | null {
  if (isLocked(failures, now)) return null
  const count = failures.count + 1
  return count >= lockAfterFailures ? { count: 0, lockedUntilMs: now.steadyMs + lockMs } : { count, lockedUntilMs: 0 }
}

export type PasswordDue = 'none' | 'must-change' | 'expired' | 'good'
/** `none`: no password was ever set, a one-time token must come first. */
export function passwordDue(setSteadyMs: number | null, mustChange: MustChange | null, { steadyMs }: Now, { passwordMaxAgeMs }: AccessSettings): PasswordDue {
  if (setSteadyMs === null) return 'none'
  if (mustChange !== null) return 'must-change'
  return steadyMs - setSteadyMs >= passwordMaxAgeMs ? 'expired' : 'good'
}

/** A password younger than a day stays, so that nobody runs through the history back to the old one; a change that is due is always allowed. */
export const isTooYoung = (setSteadyMs: number, due: PasswordDue, { steadyMs }: Now, { passwordMinAgeMs }: AccessSettings): boolean =>
  due === 'good' && steadyMs - setSteadyMs < passwordMinAgeMs

/** How far a session is good. */
export interface SessionTimes { readonly beganMs: number, readonly touchedMs: number, readonly viewedMs: number | null }
export type SessionStanding = { readonly kind: 'open', readonly isViewingLocked: boolean } | { readonly kind: 'over', readonly why: 'idle' | 'too-long' }
/** Steady time. A time ahead of now (trusted time may lose its last minute at a power cut) counts as now. */
export function sessionStanding(times: SessionTimes, { steadyMs }: Now, settings: AccessSettings): SessionStanding {
  if (steadyMs - times.beganMs >= settings.sessionMaxMs) return { kind: 'over', why: 'too-long' }
  if (steadyMs - times.touchedMs >= settings.sessionIdleMs) return { kind: 'over', why: 'idle' }
  return { kind: 'open', isViewingLocked: times.viewedMs !== null && steadyMs - times.viewedMs >= settings.viewingLockMs }
}
