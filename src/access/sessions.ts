import type { AuditActor } from '../domain/index.ts'
import { isCatalogueBusy } from '../platform/catalogue.ts'
import { sessionStanding, standingOf, type Account } from './account-machine.ts'
import { accountActing, authorize, nowOf, personText, rolesNow, type Acting, type Core } from './core.ts'
import { AccountRefusedError, SessionEndedError, ViewingLockedError } from './errors.ts'
import type { Act } from './rights.ts'
import { ROLE_NAMES, type AccountId, type Role } from './roles.ts'
import { nameHash, newSessionToken, sessionHash } from './secrets.ts'
import type { EndReason, StoredSession } from './tables/sessions.ts'

/** What a session is good for now. `factorMs`: steady time at which the factor was last shown. */
export interface OpenSession {
  readonly hash: Buffer
  readonly account: Account
  readonly actor: AuditActor
  readonly source: string
  readonly role: Role | null
  readonly deputyFor: AccountId | null
  readonly rolesNow: readonly { readonly role: Role, readonly deputyFor: AccountId | null }[]
  readonly factorMs: number | null
  readonly beganAtMs: number
  readonly isViewingLocked: boolean
}

/** Each write is a sync of the disk that also takes footage: a use is written down when it is this much later than the last. Idle time is counted from there, so it is at most this much short. */
const TOUCH_EACH_MS = 20_000
const MAX_OPEN_EACH = 5

/** Sessions of accounts (R66): idle after ten minutes, over after twelve hours, gone with the account. */
export class Sessions {
  readonly #core: Core
  constructor(core: Core) { this.#core = core }

  /** Inside the transaction of a sign-in that succeeded. The token is all that opens it and is stored nowhere. */
  begin(account: Account, { source, hasFactor }: { readonly source: string, readonly hasFactor: boolean }): { readonly token: string, readonly hash: Buffer } {
    const token = newSessionToken(), hash = sessionHash(token)
    if (hash === null) throw new TypeError('a session token of our own is malformed')
    const now = nowOf(this.#core)
    const others = this.#core.sessions.openOf(account.accountId)
    for (const old of others.slice(0, Math.max(0, others.length - MAX_OPEN_EACH + 1))) this.#end(old, 'too-many-sessions')
    const roles = rolesNow(this.#core, account, now)
    const only = roles.length === 1 && roles[0]?.deputyFor === null ? roles[0].role : null
    this.#core.sessions.add({ hash, accountId: account.accountId, source, role: only, steadyMs: now.steadyMs, hasFactor, atMs: now.wallMs })
    return { token, hash }
  }

  /** How it stands, without counting as use. Ends it when it is over. Throws SessionEndedError. */
  look(token: string): OpenSession {
    const hash = sessionHash(token)
    const stored = hash === null ? null : this.#core.sessions.get(hash)
    if (stored === null) throw new SessionEndedError('unknown')
    if (stored.endedAtMs !== null) throw new SessionEndedError(stored.endReason ?? 'unknown')
    const now = nowOf(this.#core)
    const account = this.#core.accounts.get(stored.accountId)
    const standing = sessionStanding(stored, now, this.#core.settings)
    const why = this.#whyOver(account, standing)
    if (why !== null || account === null) {
      this.#core.audit.transaction(() => { this.#end(stored, why ?? 'account-closed') })
      throw new SessionEndedError(why ?? 'account-closed')
    }
    return {
      hash: stored.hash, account, source: stored.source, role: stored.role, deputyFor: stored.deputyFor, rolesNow: rolesNow(this.#core, account, now), factorMs: stored.factorMs, beganAtMs: stored.beganAtMs,
      actor: { kind: 'account', name: personText(account), role: stored.role, source: stored.source }, isViewingLocked: standing.kind === 'open' && standing.isViewingLocked,
    }
  }

  /** A use by its person. Throws SessionEndedError. */
  touch(token: string): OpenSession {
    const session = this.look(token)
    const { steadyMs } = nowOf(this.#core)
    if (steadyMs - (this.#core.sessions.get(session.hash)?.touchedMs ?? 0) >= TOUCH_EACH_MS) {
      // Tried again at the next use; until then the session only ends the sooner.
      try { this.#core.sessions.touch(session.hash, steadyMs) } catch (error) {
        if (!isCatalogueBusy(error)) throw error
      }
    }
    return session
  }

  /** Acts from now on in this role, one's own or that of somebody one stands in for. Throws AccountRefusedError. */
  actIn(token: string, role: Role, deputyFor: AccountId | null = null): Acting {
    this.#core.audit.transaction(() => {
      const session = this.touch(token)
      if (!session.rolesNow.some(held => held.role === role && held.deputyFor === deputyFor)) {
        throw new AccountRefusedError(`您目前沒有「${ROLE_NAMES[role].zh}」的職務。`, `you do not hold the role ${role} now`)
      }
      this.#core.sessions.setRole(session.hash, role, deputyFor)
      this.#core.audit.append({ action: 'session.role-taken', actor: session.actor, object: session.account.accountId, application: null, result: 'done', detail: { role, deputyFor } })
    })
    return this.acting(token)
  }

  /** Who acts, in the role taken; counts as use. Throws SessionEndedError, or AccountRefusedError while no role was chosen. */
  acting(token: string): Acting {
    const { account, role, deputyFor, hash, source } = this.touch(token)
    if (role === null) throw new AccountRefusedError('請先選擇以何種職務辦理。', 'choose first in which of your roles you act')
    return accountActing({ kind: 'account', accountId: account.accountId, displayName: account.displayName, role, deputyFor, sessionHash: hash, source })
  }

  /** Throws unless `acting` may do `act` now: see `authorize`. For acts of other parts, inside their transaction. */
  requireRight(acting: Acting, act: Act): void { authorize(this.#core, acting, act) }

  end(token: string): void {
    const hash = sessionHash(token)
    const stored = hash === null ? null : this.#core.sessions.get(hash)
    if (stored !== null) this.#core.audit.transaction(() => { this.#end(stored, 'signed-out') })
  }

  /** Inside the caller's transaction. How many. */
  endAllOf(id: AccountId, reason: EndReason): number { return this.#core.sessions.openOf(id).filter(session => this.#end(session, reason)).length }

  /** An act at a player: opens the screen, or keeps it open. Throws ViewingLockedError after five minutes without one. */
  touchViewing(token: string): void {
    const session = this.touch(token)
    if (session.isViewingLocked) throw new ViewingLockedError()
    this.#core.sessions.view(session.hash, nowOf(this.#core).steadyMs)
  }
  endViewing(token: string): void { this.#core.sessions.view(this.look(token).hash, null) }
  /** After the password was typed again: see SignIn.unlockViewing. */
  viewingUnlocked(hash: Buffer): void { this.#core.sessions.view(hash, nowOf(this.#core).steadyMs) }

  /** Ends in the books what is over already, so that every session has its end on record. */
  sweep(): number {
    const now = nowOf(this.#core)
    return this.#core.audit.transaction(() => this.#core.sessions.open().filter(stored => {
      const why = this.#whyOver(this.#core.accounts.get(stored.accountId), sessionStanding(stored, now, this.#core.settings))
      return why !== null && this.#end(stored, why)
    }).length)
  }

  #whyOver(account: Account | null, standing: ReturnType<typeof sessionStanding>): EndReason | null {
    if (account === null) return 'account-closed'
    const { kind } = standingOf(account, this.#core.credentials.failures(nameHash(account.accountId)), nowOf(this.#core), this.#core.settings)
    if (kind !== 'active' && kind !== 'locked') return 'account-closed'
    return standing.kind === 'over' ? standing.why : null
  }

  #end(stored: StoredSession, reason: EndReason): boolean {
    if (!this.#core.sessions.end(stored.hash, reason, this.#core.time.wallNow())) return false
    const account = this.#core.accounts.get(stored.accountId)
    this.#core.audit.append({
      action: 'session.ended', actor: { kind: 'account', name: account === null ? stored.accountId : personText(account), role: stored.role, source: stored.source }, object: stored.accountId, application: null, result: 'done', detail: { reason },
    })
    return true
  }
}
