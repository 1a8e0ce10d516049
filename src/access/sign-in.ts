import { SYSTEM, type AuditActor } from '../domain/index.ts'
import { charge, isLocked, isTooYoung, passwordDue, standingOf, type Account, type Failures, type PasswordDue } from './account-machine.ts'
import { nowOf, personText, type Core } from './core.ts'
import { AccountRefusedError, PasswordRefusedError, SignInLockedError, SignInRefusedError, SignInTooFastError } from './errors.ts'
import type { Factors } from './factors.ts'
import { passwordProblems } from './password-rules.ts'
import { isAccountId } from './roles.ts'
import { isSame, nameHash, tokenHash } from './secrets.ts'
import type { Sessions } from './sessions.ts'
import type { StoredPassword } from './tables/credentials.ts'

export interface SignInAsk {
  readonly name: string
  readonly password: string
  /** Six digits or a recovery code. */
  readonly code?: string
  /** Version of the secrecy undertaking the person signs with this. */
  readonly undertakes?: string
  /** Address or terminal. */
  readonly source: string
}
export type SignInAnswer =
  | { readonly kind: 'session', readonly token: string, readonly account: Account, readonly lastUsedAtMs: number | null, readonly hasFactor: boolean }
  | { readonly kind: 'code-needed' }
  | { readonly kind: 'password-due', readonly why: 'must-change' | 'expired' }
  | { readonly kind: 'undertaking-needed', readonly version: string }

/** An attempt that was let through, and how the failures of its name stood before it and with it. */
interface Charged { readonly name: Buffer, readonly before: Failures, readonly charged: Failures }
interface Proof extends Charged { readonly account: Account, readonly password: StoredPassword }
const MAX_SOURCE_CHARS = 100

/** Names and passwords into sessions (R69, R70). An attempt is counted before its answer is known; whoever fails learns only that. */
export class SignIn {
  readonly #core: Core
  readonly #sessions: Sessions
  readonly #factors: Factors
  constructor(core: Core, sessions: Sessions, factors: Factors) { this.#core = core; this.#sessions = sessions; this.#factors = factors }

  /** Throws SignInRefusedError, SignInLockedError, SignInTooFastError, SignInBusyError; AuditUnavailableError when it cannot be written down. */
  async signIn(ask: SignInAsk): Promise<SignInAnswer> {
    const { code, undertakes } = ask, source = ask.source.slice(0, MAX_SOURCE_CHARS)
    const proof = await this.#passwordProof(ask.name, ask.password, source)
    const { register, settings } = this.#core
    const answer = this.#settle(proof, source, (account, due): SignInAnswer | null => {
      if (due !== 'good') return this.#half(proof, { kind: 'password-due', why: due === 'expired' ? 'expired' : 'must-change' })
      const mustUndertake = !register.hasUndertaken(account.accountId, settings.undertakingVersion)
      if (mustUndertake && undertakes !== settings.undertakingVersion) return this.#half(proof, { kind: 'undertaking-needed', version: settings.undertakingVersion })
      const hasFactor = this.#factors.has(account.accountId)
      if (hasFactor && code === undefined) return this.#half(proof, { kind: 'code-needed' })
      const now = nowOf(this.#core)
      if (hasFactor && !this.#factors.takes(account.accountId, code ?? '', now.wallMs)) return null
      if (mustUndertake) {
        register.undertake(account.accountId, 'entry', settings.undertakingVersion, now.wallMs, null)
        this.#note('undertaking.signed', account, source, { kind: 'entry', version: settings.undertakingVersion })
      }
      this.#core.credentials.clearFailures(proof.name)
      const { token } = this.#sessions.begin(account, { source, hasFactor })
      this.#core.accounts.setUsed(account.accountId, now.steadyMs, now.wallMs)
      this.#note('session.began', account, source, { factor: hasFactor, ...(hasFactor ? { recoveryCodesLeft: this.#factors.recoveryCodesLeft(account.accountId) } : {}) })
      return { kind: 'session', token, account, lastUsedAtMs: account.usedAtMs, hasFactor }
    })
    if (answer.kind === 'session') await this.#strengthen(proof, ask.password)
    return answer
  }

  /** Exchanges a password for another, with the factor where there is one; ends the person's sessions. Throws what signIn throws, PasswordRefusedError, AccountRefusedError. */
  async renewPassword({ name, password, code, newPassword, source: from }: SignInAsk & { readonly newPassword: string }): Promise<void> {
    const source = from.slice(0, MAX_SOURCE_CHARS)
    const proof = await this.#passwordProof(name, password, source)
    const hash = await this.#newHash(proof.account, newPassword).catch((error: unknown) => { this.#core.audit.transaction(() => { this.#uncharge(proof) }); throw error })
    const outcome = this.#settle(proof, source, (account, due): AccountRefusedError | 'changed' | null => {
      const now = nowOf(this.#core)
      if (isTooYoung(proof.password.setSteadyMs, due, now, this.#core.settings)) {
        return this.#half(proof, new AccountRefusedError('密碼剛變更過，一天內不得再變更。', 'the password was changed less than a day ago and stays for now'))
      }
      if (this.#factors.has(account.accountId) && !this.#factors.takes(account.accountId, code ?? '', now.wallMs)) return null
      this.#core.credentials.clearFailures(proof.name)
      this.#setPassword(account, hash, source, 'password.changed')
      return 'changed'
    })
    if (outcome !== 'changed') throw outcome
  }

  /** Sets a password by a one-time token that another person issued. Throws what signIn throws, and PasswordRefusedError. */
  async redeem({ name, token, newPassword, source: from }: { readonly name: string, readonly token: string, readonly newPassword: string, readonly source: string }): Promise<void> {
    const source = from.slice(0, MAX_SOURCE_CHARS)
    const counted = this.#charge(nameHash(name), source)
    const account = isAccountId(name) ? this.#core.accounts.get(name) : null
    const isGood = (): boolean => {
      const stored = account === null ? null : this.#core.credentials.token(account.accountId)
      return isSame(tokenHash(token), stored?.hash ?? Buffer.alloc(32)) && stored !== null && nowOf(this.#core).steadyMs < stored.endsSteadyMs
    }
    if (account === null || !isGood()) return this.#fail(counted.name, account, source, 'token')
    const hash = await this.#newHash(account, newPassword).catch((error: unknown) => { this.#core.audit.transaction(() => { this.#uncharge(counted) }); throw error })
    const isSet = this.#core.audit.transaction(() => {
      const present = this.#core.accounts.get(account.accountId)
      if (present === null || !isGood() || !this.#isActive(present)) return false
      this.#requireUnlocked(counted)
      this.#core.credentials.clearFailures(counted.name)
      this.#core.credentials.dropToken(present.accountId)
      this.#setPassword(present, hash, source, 'password.set')
      return true
    })
    if (!isSet) this.#fail(counted.name, account, source, 'token')
  }

  /** Opens the viewing screen of a session again. Throws SignInRefusedError, SignInLockedError. */
  async unlockViewing(sessionToken: string, password: string): Promise<void> {
    const { account, hash, source } = this.#sessions.look(sessionToken)
    const proof = await this.#passwordProof(account.accountId, password, source)
    this.#settle(proof, source, () => {
      if (!isSame(this.#sessions.look(sessionToken).hash, hash)) return null
      this.#core.credentials.clearFailures(proof.name)
      this.#sessions.viewingUnlocked(hash)
      this.#note('session.viewing-unlocked', account, source, {})
      return true
    })
  }

  /** Charges the attempt and compares the password; nobody's name costs the same work. */
  async #passwordProof(name: string, password: string, source: string): Promise<Proof> {
    const counted = this.#charge(nameHash(name), source)
    const account = isAccountId(name) ? this.#core.accounts.get(name) : null
    const stored = account === null ? null : this.#core.credentials.passwords(account.accountId, 1)[0] ?? null
    const matches = await this.#core.hasher.matches(password, stored?.hash ?? null)
    if (!matches || account === null || stored === null) return this.#fail(counted.name, account, source, 'password')
    return { ...counted, account, password: stored }
  }

  /** What follows a right password, in one transaction that looks again at everything; null from `decide` is a failure. */
  #settle<Result>(proof: Proof, source: string, decide: (account: Account, due: PasswordDue) => Result | null): Result {
    let why = 'code'
    const result = this.#core.audit.transaction(() => {
      const account = this.#core.accounts.get(proof.account.accountId)
      const stored = account === null ? null : this.#core.credentials.passwords(account.accountId, 1)[0] ?? null
      if (account === null || stored?.passwordId !== proof.password.passwordId) { why = 'password'; return null }
      this.#requireUnlocked(proof)
      // A password that was reset is void: only the token leads on.
      if (!this.#isActive(account) || account.mustChange === 'reset') { why = account.mustChange ?? account.state; return null }
      return decide(account, passwordDue(stored.setSteadyMs, account.mustChange, nowOf(this.#core), this.#core.settings))
    })
    return result ?? this.#fail(proof.name, proof.account, source, why)
  }

  /** The lock does not count here: the attempt was let through, and may itself be the one charged last. */
  #isActive(account: Account): boolean { return standingOf(account, { count: 0, lockedUntilMs: 0 }, nowOf(this.#core), this.#core.settings).kind === 'active' }

  #charge(name: Buffer, source: string): Charged {
    const { throttle, credentials, settings, audit } = this.#core
    const now = nowOf(this.#core)
    const waitMs = throttle.waitOf(source, now.steadyMs)
    if (waitMs > 0) throw new SignInTooFastError(waitMs)
    return audit.transaction(() => {
      const before = credentials.failures(name)
      const charged = charge(before, now, settings)
      if (charged === null) throw new SignInLockedError(before.lockedUntilMs - now.steadyMs)
      credentials.setFailures(name, charged, now.steadyMs)
      return { name, before, charged }
    })
  }

  /** Neither failed nor succeeded: takes the charge back, so that the next step is not counted twice, and forgives nothing. */
  #half<Result>(charged: Charged, result: Result): Result { this.#uncharge(charged); return result }
  #uncharge({ name, before, charged }: Charged): void {
    const { credentials } = this.#core
    const { steadyMs } = nowOf(this.#core)
    const present = credentials.failures(name)
    if (present.count === charged.count && present.lockedUntilMs === Math.ceil(charged.lockedUntilMs)) credentials.setFailures(name, before, steadyMs)
    else if (!isLocked(present, nowOf(this.#core))) credentials.setFailures(name, { count: Math.max(0, present.count - 1), lockedUntilMs: 0 }, steadyMs)
  }

  /** Others failed so often meanwhile that the name was locked; that this attempt was the one charged last does not count. */
  #requireUnlocked({ name, charged }: Charged): void {
    const now = nowOf(this.#core), present = this.#core.credentials.failures(name)
    if (isLocked(present, now) && present.lockedUntilMs !== Math.ceil(charged.lockedUntilMs)) throw new SignInLockedError(present.lockedUntilMs - now.steadyMs)
  }

  #fail(name: Buffer, account: Account | null, source: string, why: string): never {
    const { credentials, throttle, settings, audit } = this.#core
    const { steadyMs } = nowOf(this.#core)
    throttle.failed(source, steadyMs)
    audit.transaction(() => {
      // What was typed as a name is not written down when it is nobody's: it may be a password.
      const actor: AuditActor = { kind: 'account', name: account === null ? '(unknown)' : personText(account), role: null, source }
      audit.append({ action: 'session.began', actor, object: account?.accountId ?? null, application: null, result: 'refused', detail: { why: account === null ? 'unknown-account' : why } })
      if (credentials.failures(name).lockedUntilMs > steadyMs) audit.append({ action: 'account.locked', actor: SYSTEM, object: account?.accountId ?? null, application: null, result: 'done', detail: { minutes: Math.round(settings.lockMs / 60_000), source } })
    })
    throw new SignInRefusedError()
  }

  async #newHash(account: Account, password: string): Promise<string> {
    const { settings, credentials, hasher } = this.#core
    const problems = passwordProblems(password, { leastChars: settings.passwordChars, words: [account.accountId, ...account.displayName.split(/\s+/), ...settings.officeWords] })
    if (problems.length > 0) throw new PasswordRefusedError(problems)
    for (const { hash } of credentials.passwords(account.accountId, settings.passwordHistory)) {
      if (await hasher.matches(password, hash)) throw new PasswordRefusedError([{ zh: `不得與最近 ${settings.passwordHistory} 次的密碼相同。`, en: `it is one of the last ${settings.passwordHistory} passwords` }])
    }
    return await hasher.hash(password)
  }

  #setPassword(account: Account, hash: string, source: string, action: string): void {
    const { wallMs, steadyMs } = nowOf(this.#core)
    this.#core.credentials.setPassword(account.accountId, hash, steadyMs, this.#core.settings.passwordHistory)
    this.#core.accounts.setUsed(account.accountId, steadyMs, wallMs)
    this.#core.accounts.setMustChange(account.accountId, null)
    this.#note(action, account, source, { sessionsEnded: this.#sessions.endAllOf(account.accountId, 'password-changed') })
  }

  #note(action: string, account: Account, source: string, detail: { readonly [key: string]: string | number | boolean | null }): void {
    this.#core.audit.append({ action, actor: { kind: 'account', name: personText(account), role: null, source }, object: account.accountId, application: null, result: 'done', detail })
  }

  async #strengthen({ password }: Proof, typed: string): Promise<void> {
    if (!this.#core.hasher.isWeak(password.hash)) return
    this.#core.credentials.rehash(password.passwordId, password.hash, await this.#core.hasher.hash(typed))
  }
}
