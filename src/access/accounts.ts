import { SYSTEM } from '../domain/index.ts'
import { NO_FAILURES, overdueOf, standingOf, type Account, type Standing } from './account-machine.ts'
import { nowOf, perform, personKey, personText, plain, required, type Acting, type Core, type Told } from './core.ts'
import { AccountRefusedError } from './errors.ts'
import { hasRight, needsFactor } from './rights.ts'
import { isAccountId, ROLE_NAMES, type AccountId, type Role } from './roles.ts'
import { nameHash, newToken, tokenHash } from './secrets.ts'
import type { Sessions } from './sessions.ts'
import type { AccountRequest, Wanted } from './tables/accounts.ts'

export interface NewAccount {
  readonly id: string
  readonly displayName: string
  readonly unit: string
  readonly post: string
  readonly roles: readonly Role[]
  /** Wall time; a temporary account and a vendor's must have it. */
  readonly endsAtMs?: number | null
  readonly isTemporary?: boolean
  /** Who is present at a vendor's visit. */
  readonly custodianId?: AccountId | null
  readonly reason: string
}
export interface AccountView extends Account { readonly standing: Standing, readonly hasFactor: boolean }
/** `token`: one-time, shown this once; null while the account still waits for approval. */
export interface Created { readonly requestId: number | null, readonly token: string | null }

const NAME = { zh: '姓名', en: 'the name' }, UNIT = { zh: '單位', en: 'the unit' }, POST = { zh: '職稱', en: 'the post' }, REASON = { zh: '事由', en: 'the reason' }
/** A visit, not a standing account. */
const LONGEST_VISIT_MS = 7 * 86_400_000
/** One office; the review and the lists stay readable. */
const MAX_ACCOUNTS = 1_000

/** Named persons and what they may be (R65, R67): one asks, another decides; closing takes one. */
export class Accounts {
  readonly #core: Core
  readonly #sessions: Sessions
  constructor(core: Core, sessions: Sessions) { this.#core = core; this.#sessions = sessions }

  get(id: AccountId): AccountView | null { const account = this.#core.accounts.get(id); return account === null ? null : this.#viewOf(account) }
  list(): AccountView[] { return this.#core.accounts.all().map(account => this.#viewOf(account)) }
  openRequests(): AccountRequest[] { return this.#core.accounts.openRequests() }

  /**
   * Asks for a new account. On the machine it is active at once while nobody could approve it; otherwise another person decides.
   * Throws AccountRefusedError, RightMissingError.
   */
  apply(asked: NewAccount, acting: Acting): Created {
    return perform<Created>(this.#core, acting, 'account-apply', { action: 'account.applied', object: asked.id.slice(0, 40) }, now => {
      const { id } = asked
      if (!isAccountId(id)) throw new AccountRefusedError('帳號須為 1 至 40 個小寫英文字母、數字、點、底線或連字號，以字母開頭。', 'an account name is 1 to 40 small letters, digits, dots, underscores or hyphens, beginning with a letter')
      if (this.#core.accounts.get(id) !== null) throw new AccountRefusedError(`帳號「${id}」已有人使用（離職者的帳號也不再給別人）。`, `the name ${id} belongs to somebody, for good`)
      if (this.#core.accounts.all().length >= MAX_ACCOUNTS) throw new AccountRefusedError(`帳號已達 ${MAX_ACCOUNTS} 個。`, `there are ${MAX_ACCOUNTS} accounts already`)
      const roles = this.#sound(asked.roles, { endsAtMs: asked.endsAtMs ?? null, custodianId: asked.custodianId ?? null, isTemporary: asked.isTemporary === true }, now.wallMs)
      const facts = { displayName: plain(asked.displayName, NAME, 60), unit: plain(asked.unit, UNIT, 60), post: plain(asked.post, POST, 60) }
      const reason = plain(asked.reason, REASON)
      this.#core.accounts.add({ accountId: id, ...facts, endsAtMs: asked.endsAtMs ?? null, custodianId: asked.custodianId ?? null, createdAtMs: now.wallMs })
      this.#core.accounts.setRoles(id, roles)
      const detail: Told = { ...facts, roles, reason, endsAt: asked.endsAtMs ?? null, custodian: asked.custodianId ?? null }
      if (acting.kind === 'machine' && !this.#hasApprover()) return { result: { requestId: null, token: this.#activate(id, personKey(acting)) }, detail: { ...detail, activeAtOnce: true } }
      return { result: { requestId: this.#core.accounts.ask(id, 'open', { roles }, reason, personKey(acting), now.wallMs), token: null }, detail }
    })
  }

  /** Asks for other roles, another unit, post or end, or for a disabled account to be enabled. Number of the request. */
  ask(id: AccountId, kind: 'change' | 'enable', wanted: Wanted, reason: string, acting: Acting): number {
    return perform(this.#core, acting, 'account-apply', { action: 'account.change-asked', object: id }, now => {
      const account = required(this.#core, id)
      this.#requireState(account, kind)
      const after = this.#after(account, wanted, now.wallMs)
      if (this.openRequests().some(request => request.accountId === id)) throw new AccountRefusedError('此帳號已有待核准的申請。', 'a request for this account waits already')
      const why = plain(reason, REASON)
      return { result: this.#core.accounts.ask(id, kind, wanted, why, personKey(acting), now.wallMs), detail: { kind, reason: why, roles: after.roles, unit: after.unit, post: after.post, endsAt: after.endsAtMs } }
    })
  }

  /** Decides on a request; nobody decides what they asked for, or about themselves. The one-time token of a new account is shown this once. */
  decide(requestId: number, decision: 'approved' | 'refused', reason: string, acting: Acting): Created {
    return perform(this.#core, acting, 'account-approve', { action: `account.request-${decision}`, object: String(requestId) }, now => {
      const request = this.#core.accounts.request(requestId)
      if (request === null || request.decision !== null) throw new AccountRefusedError('沒有這件待核准的申請。', 'no such request waits')
      if (request.askedBy === personKey(acting) || request.accountId === personKey(acting)) throw new AccountRefusedError('不得核准自己提出或自己帳號的申請。', 'nobody decides on what they asked for, or on their own account')
      const account = required(this.#core, request.accountId)
      const why = plain(reason, REASON)
      this.#requireState(account, request.kind)
      this.#core.accounts.decide(requestId, decision, why, personKey(acting), now.wallMs)
      const detail: Told = { account: request.accountId, kind: request.kind, reason: why, askedBy: request.askedBy }
      if (decision === 'refused') {
        if (request.kind === 'open') this.#core.accounts.setState(account.accountId, 'refused')
        return { result: { requestId, token: null }, detail }
      }
      const after = this.#after(account, request.wanted, now.wallMs)
      this.#core.accounts.setRoles(account.accountId, after.roles)
      this.#core.accounts.setFacts(account.accountId, after)
      if (request.kind === 'change') this.#sessions.endAllOf(account.accountId, 'roles-changed')
      const token = request.kind === 'change' ? null : this.#activate(account.accountId, personKey(acting))
      return { result: { requestId, token }, detail: { ...detail, roles: after.roles, endsAt: after.endsAtMs } }
    })
  }

  disable(id: AccountId, reason: string, acting: Acting): void {
    perform(this.#core, acting, 'account-disable', { action: 'account.disabled', object: id }, () => {
      if (required(this.#core, id).state !== 'active') throw new AccountRefusedError('帳號目前不是使用中。', 'the account is not active')
      this.#core.accounts.setState(id, 'disabled', { why: 'by-hand' })
      this.#core.credentials.dropToken(id)
      return { result: undefined, detail: { reason: plain(reason, REASON), sessionsEnded: this.#sessions.endAllOf(id, 'account-closed') } }
    })
  }

  /** Closes the account of who leaves, at once and for good (R53). `undertaking`: signed again, or why not. */
  leave(id: AccountId, { reason, undertaking }: { readonly reason: string, readonly undertaking: { readonly signed: true } | { readonly signed: false, readonly note: string } }, acting: Acting): void {
    perform(this.#core, acting, 'account-leave', { action: 'account.left', object: id }, now => {
      const account = required(this.#core, id)
      if (account.state === 'left' || account.state === 'refused') throw new AccountRefusedError('帳號已經關閉。', 'the account is closed already')
      for (const request of this.openRequests()) if (request.accountId === id) this.#core.accounts.decide(request.requestId, 'refused', '離職', personKey(acting), now.wallMs)
      this.#core.accounts.setState(id, 'left', { leftAtMs: now.wallMs })
      this.#core.accounts.setRoles(id, [])
      this.#core.credentials.dropToken(id)
      this.#core.credentials.dropFactor(id)
      this.#core.register.undertake(id, 'leaving', this.#core.settings.undertakingVersion, undertaking.signed ? now.wallMs : null, undertaking.signed ? null : plain(undertaking.note, REASON))
      return { result: undefined, detail: { reason: plain(reason, REASON), roles: account.roles, undertaking: undertaking.signed ? 'signed' : undertaking.note, sessionsEnded: this.#sessions.endAllOf(id, 'account-closed') } }
    })
  }

  unlock(id: AccountId, acting: Acting): void {
    perform(this.#core, acting, 'account-unlock', { action: 'account.unlocked', object: id }, () => {
      required(this.#core, id)
      if (acting.kind === 'account' && acting.accountId === id) throw new AccountRefusedError('不得解除自己帳號的鎖定。', 'nobody unlocks their own account')
      this.#core.credentials.clearFailures(nameHash(id))
      return { result: undefined }
    })
  }

  /** A one-time token with which the person sets a new password within the quarter of an hour; the old one is void from now on. Shown this once. */
  reset(id: AccountId, reason: string, acting: Acting): string {
    return perform(this.#core, acting, 'account-reset', { action: 'account.reset', object: id }, () => {
      const account = required(this.#core, id)
      if (account.state !== 'active') throw new AccountRefusedError('帳號目前不是使用中。', 'the account is not active')
      // Else an administrator could become an approver: reset the password, enrol a factor of their own, approve.
      if (acting.kind === 'account' && acting.role === 'system-admin' && needsFactor(account.roles) && this.#core.credentials.factor(id)?.isConfirmed !== true) {
        throw new AccountRefusedError('此人尚無驗證器，一次性密碼須由核章主管發給。', 'without a factor of theirs an approver has to issue it, not an administrator')
      }
      if (acting.kind === 'account' && acting.accountId === id) throw new AccountRefusedError('一次性密碼須由他人發給。', 'a one-time password is issued by another person')
      const token = this.#issue(id, personKey(acting))
      this.#core.accounts.setMustChange(id, 'reset')
      this.#core.credentials.clearFailures(nameHash(id))
      return { result: token, detail: { reason: plain(reason, REASON), sessionsEnded: this.#sessions.endAllOf(id, 'password-changed') } }
    })
  }

  /** Writes down what time has done: accounts idle for 90 days or past their end. How many. Sign-in does not wait for this. */
  sweep(): number {
    const { audit, accounts, settings } = this.#core
    return audit.transaction(() => accounts.all().filter(account => {
      const why = overdueOf(account, nowOf(this.#core), settings)
      if (why === null) return false
      accounts.setState(account.accountId, 'disabled', { why })
      audit.append({ action: 'account.disabled', actor: SYSTEM, object: account.accountId, application: null, result: 'done', detail: { why, person: personText(account), sessionsEnded: this.#sessions.endAllOf(account.accountId, 'account-closed') } })
      return true
    }).length)
  }

  #viewOf(account: Account): AccountView {
    const failures = this.#core.credentials.failures(nameHash(account.accountId))
    return { ...account, standing: standingOf(account, failures, nowOf(this.#core), this.#core.settings), hasFactor: this.#core.credentials.factor(account.accountId)?.isConfirmed === true }
  }

  #hasApprover(): boolean {
    return this.#core.accounts.all().some(account => standingOf(account, NO_FAILURES, nowOf(this.#core), this.#core.settings).kind === 'active' && account.roles.some(role => hasRight(role, 'account-approve')))
  }

  #activate(id: AccountId, by: string): string | null {
    this.#core.accounts.setState(id, 'active', { activeSteadyMs: nowOf(this.#core).steadyMs })
    return this.#core.credentials.passwords(id, 1).length === 0 ? this.#issue(id, by) : null
  }

  #issue(id: AccountId, by: string): string {
    const token = newToken()
    this.#core.credentials.setToken(id, tokenHash(token), nowOf(this.#core).steadyMs + this.#core.settings.tokenMs, by)
    return token
  }

  #requireState(account: Account, kind: AccountRequest['kind']): void {
    const wanted = kind === 'open' ? 'applied' : kind === 'enable' ? 'disabled' : 'active'
    if (account.state !== wanted) throw new AccountRefusedError('帳號的狀態已改變，不能這樣辦理。', `the account is ${account.state}; that takes one that is ${wanted}`)
  }

  #after(account: Account, wanted: Wanted, wallMs: number): Account {
    const endsAtMs = wanted.endsAtMs === undefined ? account.endsAtMs : wanted.endsAtMs
    const roles = this.#sound(wanted.roles ?? account.roles, { endsAtMs, custodianId: account.custodianId, isTemporary: account.endsAtMs !== null && wanted.endsAtMs !== null }, wallMs)
    return { ...account, roles, endsAtMs, unit: plain(wanted.unit ?? account.unit, UNIT, 60), post: plain(wanted.post ?? account.post, POST, 60), displayName: plain(wanted.displayName ?? account.displayName, NAME, 60) }
  }

  /** The roles, each once, if one person may have them with this end and companion. */
  #sound(roles: readonly Role[], { endsAtMs, custodianId, isTemporary }: { readonly endsAtMs: number | null, readonly custodianId: AccountId | null, readonly isTemporary: boolean }, wallMs: number): readonly Role[] {
    const each = [...new Set(roles)].sort()
    if (each.length === 0) throw new AccountRefusedError('至少要有一種職務。', 'an account has at least one role')
    const clash = this.#core.mayCombine(each)
    if (clash !== null) throw new AccountRefusedError(clash.zh, clash.en)
    if (endsAtMs === null && isTemporary) throw new AccountRefusedError('臨時帳號必須有截止日。', 'a temporary account must carry an end')
    if (endsAtMs !== null && endsAtMs <= wallMs) throw new AccountRefusedError('截止日已經過去。', 'the end has passed already')
    if (each.includes('vendor')) {
      if (each.length > 1) throw new AccountRefusedError('廠商帳號不得兼任其他職務。', 'a vendor has no other role')
      if (endsAtMs === null || endsAtMs - wallMs > LONGEST_VISIT_MS) throw new AccountRefusedError('廠商帳號按次建立，必須有七天內的截止日。', 'a vendor\'s account is for one visit and must end within seven days')
      const custodian = custodianId === null ? null : this.#core.accounts.get(custodianId)
      if (custodian?.state !== 'active' || !custodian.roles.includes('custodian')) throw new AccountRefusedError(`廠商帳號必須指定在場的${ROLE_NAMES.custodian.zh}。`, 'a vendor\'s account names the custodian who is present')
    }
    return each
  }
}
