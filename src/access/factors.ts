import { SYSTEM } from '../domain/index.ts'
import { charge } from './account-machine.ts'
import { nowOf, perform, personText, requireFresh, required, type Acting, type Core } from './core.ts'
import { AccountRefusedError, FactorNeededError, SessionEndedError, SignInLockedError, SignInRefusedError } from './errors.ts'
import type { AccountId } from './roles.ts'
import { looksLikeRecoveryCode, nameHash, newRecoveryCodes, typedCode } from './secrets.ts'
import type { OpenSession, Sessions } from './sessions.ts'
import { base32, newSecret, otpauthUri, stepOf } from './totp.ts'

export interface Enrolment { readonly uri: string, readonly secret: string }

/** Second factors (R69): six digits of an authenticator, or one of ten codes on paper. */
export class Factors {
  readonly #core: Core
  readonly #sessions: Sessions
  readonly #issuer: string
  constructor(core: Core, sessions: Sessions, issuer: string) { this.#core = core; this.#sessions = sessions; this.#issuer = issuer }

  has(id: AccountId): boolean { return this.#core.credentials.factor(id)?.isConfirmed === true }
  recoveryCodesLeft(id: AccountId): number { return this.#core.credentials.codesLeft(id) }

  /**
   * A new secret for whoever's session this is, shown this once; it counts once `confirm` got a code of it. Who has a factor already must have shown it just now.
   * Throws SessionEndedError, FactorNeededError, FactorKeyError.
   */
  enrol(sessionToken: string): Enrolment {
    const secret = newSecret()
    const account = this.#core.audit.transaction(() => {
      const session = this.#sessions.look(sessionToken)
      if (this.has(session.account.accountId)) requireFresh(session.factorMs, nowOf(this.#core), this.#core.settings.freshFactorMs)
      this.#core.credentials.setFactor(session.account.accountId, this.#core.vault().seal(session.account.accountId, secret))
      this.#core.audit.append({ action: 'factor.offered', actor: session.actor, object: session.account.accountId, application: null, result: 'done', detail: {} })
      return session.account
    })
    return { uri: otpauthUri({ secret, issuer: this.#issuer, account: account.accountId }), secret: base32(secret) }
  }

  /** Ends the enrolment; ten recovery codes, shown this once. Throws SignInRefusedError for a wrong code. */
  confirm(sessionToken: string, code: string): readonly string[] {
    const codes = newRecoveryCodes()
    this.#prove(sessionToken, (id, wallMs) => {
      if (!this.#takesCode(id, code, wallMs, 'offered')) return false
      this.#core.credentials.confirmFactor(id, wallMs)
      this.#core.credentials.setCodes(id, codes.map(each => this.#core.vault().mark(id, typedCode(each))))
      return true
    }, 'factor.enrolled')
    return codes
  }

  /** Shows the factor again within a session, for acts that ask for it fresh. Failures count towards the lock. Throws SignInRefusedError, SignInLockedError. */
  prove(sessionToken: string, code: string): void {
    this.#prove(sessionToken, (id, wallMs) => this.takes(id, code, wallMs), 'factor.shown')
  }

  /** Takes a code of either kind and spends it. Inside the caller's transaction. */
  takes(id: AccountId, code: string, wallMs: number): boolean {
    if (!this.has(id)) return false
    if (this.#takesCode(id, code, wallMs, 'confirmed')) return true
    return looksLikeRecoveryCode(code) && this.#core.credentials.useCode(id, this.#core.vault().mark(id, typedCode(code)), wallMs)
  }

  /** Takes somebody's factor away, so that they enrol anew. By another person. */
  reset(id: AccountId, reason: string, acting: Acting): void {
    perform(this.#core, acting, 'factor-reset', { action: 'factor.reset', object: id }, () => {
      required(this.#core, id)
      if (acting.kind === 'account' && acting.accountId === id) throw new AccountRefusedError('不得重設自己的驗證器。', 'nobody resets their own factor')
      this.#core.credentials.dropFactor(id)
      this.#sessions.endAllOf(id, 'password-changed')
      return { result: undefined, detail: { reason: reason.slice(0, 200) } }
    })
  }

  /** Throws FactorNeededError unless this session showed its factor within so many milliseconds of running time. */
  requireFreshFactor(acting: Acting, withinMs = this.#core.settings.freshFactorMs): void {
    if (acting.kind !== 'account') throw new FactorNeededError()
    const session = this.#core.sessions.get(acting.sessionHash)
    if (session === null || session.endedAtMs !== null) throw new SessionEndedError(session?.endReason ?? 'unknown')
    requireFresh(session.factorMs, nowOf(this.#core), withinMs)
  }

  /** Whether acts that want the factor fresh would take this session as it is; for screens. */
  isFresh({ factorMs }: Pick<OpenSession, 'factorMs'>): boolean { return factorMs !== null && nowOf(this.#core).steadyMs - factorMs < this.#core.settings.freshFactorMs }

  #takesCode(id: AccountId, code: string, wallMs: number, which: 'offered' | 'confirmed'): boolean {
    const factor = this.#core.credentials.factor(id)
    if (factor === null || factor.isConfirmed !== (which === 'confirmed')) return false
    const step = stepOf(this.#core.vault().open(id, factor.sealed), code, wallMs, factor.lastStep)
    return step !== null && this.#core.credentials.takeStep(id, step)
  }

  #prove(sessionToken: string, takes: (id: AccountId, wallMs: number) => boolean, action: string): void {
    const { audit, credentials, sessions, settings } = this.#core
    const verdict = audit.transaction((): 'taken' | 'refused' | SignInLockedError => {
      const { account, hash, actor } = this.#sessions.look(sessionToken)
      const now = nowOf(this.#core), name = nameHash(account.accountId)
      const before = credentials.failures(name)
      const charged = charge(before, now, settings)
      if (charged === null) return new SignInLockedError(before.lockedUntilMs - now.steadyMs)
      if (takes(account.accountId, now.wallMs)) {
        credentials.clearFailures(name)
        sessions.setFactor(hash, now.steadyMs)
        audit.append({ action, actor, object: account.accountId, application: null, result: 'done', detail: { recoveryCodesLeft: credentials.codesLeft(account.accountId) } })
        return 'taken'
      }
      credentials.setFailures(name, charged, now.steadyMs)
      const isLocked = charged.lockedUntilMs > now.steadyMs
      audit.append({ action, actor, object: account.accountId, application: null, result: 'refused', detail: { failures: isLocked ? settings.lockAfterFailures : charged.count } })
      if (isLocked) {
        this.#sessions.endAllOf(account.accountId, 'factor-failures')
        audit.append({ action: 'account.locked', actor: SYSTEM, object: account.accountId, application: null, result: 'done', detail: { person: personText(account), minutes: Math.round(settings.lockMs / 60_000) } })
      }
      return 'refused'
    })
    if (verdict === 'refused') throw new SignInRefusedError()
    if (verdict !== 'taken') throw verdict
  }
}
