import { createHash } from 'node:crypto'
import type { Account } from './account-machine.ts'
import { perform, personKey, plain, required, requireFresh, nowOf, type Acting, type Core } from './core.ts'
import { AccountRefusedError, FactorNeededError } from './errors.ts'
import { ROLE_NAMES, type AccountId, type Role } from './roles.ts'
import type { Sessions } from './sessions.ts'
import type { AccountReview, Deputy, HandOver } from './tables/register.ts'

const PAPER = { zh: '依據', en: 'the document' }, ITEMS = { zh: '移交項目', en: 'what is handed over' }, REMARK = { zh: '備註', en: 'the remark' }
const LONGEST_DEPUTY_MS = 366 * 86_400_000

/** Who stands in for whom, who handed over to whom, and the yearly review (R12, R54). */
export class Register {
  readonly #core: Core
  readonly #sessions: Sessions
  constructor(core: Core, sessions: Sessions) { this.#core = core; this.#sessions = sessions }

  deputies(): Deputy[] { return this.#core.register.deputies() }
  handOvers(): HandOver[] { return this.#core.register.handOvers() }

  /** Wall time, half-open. Whether the deputy may act in one case is the case's own question (R38). */
  nameDeputy({ absentId, deputyId, role, fromAtMs, toAtMs, document }: { readonly absentId: AccountId, readonly deputyId: AccountId, readonly role: Role, readonly fromAtMs: number, readonly toAtMs: number, readonly document: string }, acting: Acting): number {
    return perform(this.#core, acting, 'name-deputy', { action: 'deputy.named', object: absentId }, now => {
      const absent = required(this.#core, absentId), deputy = required(this.#core, deputyId)
      if (!absent.roles.includes(role) || absent.state === 'left') throw new AccountRefusedError(`「${absentId}」沒有「${ROLE_NAMES[role].zh}」的職務可代理。`, `${absentId} does not hold the role ${role}`)
      if (absentId === deputyId || deputy.state !== 'active' || deputy.roles.includes('vendor') || role === 'vendor') throw new AccountRefusedError('代理人須為另一位使用中的本所人員。', 'a deputy is another active person of the office')
      if (!(toAtMs > fromAtMs) || toAtMs <= now.wallMs || toAtMs - fromAtMs > LONGEST_DEPUTY_MS) throw new AccountRefusedError('代理期間有誤：起日須早於迄日、迄日尚未過去，且不超過一年。', 'the range is reversed, past or longer than a year')
      // A person who names themselves would give themselves the role.
      if (deputyId === personKey(acting)) throw new AccountRefusedError('代理人不得由自己登記自己。', 'nobody names themselves')
      const paper = plain(document, PAPER)
      const id = this.#core.register.addDeputy({ absentId, deputyAccountId: deputyId, role, fromAtMs, toAtMs, document: paper, namedBy: personKey(acting) })
      return { result: id, detail: { deputy: deputyId, role, from: fromAtMs, to: toAtMs, document: paper } }
    })
  }

  endDeputy(id: number, acting: Acting): void {
    perform(this.#core, acting, 'name-deputy', { action: 'deputy.ended', object: String(id) }, now => {
      if (!this.#core.register.endDeputy(id, now.wallMs)) throw new AccountRefusedError('沒有這筆代理，或已結束。', 'there is no such deputy, or it ended before')
      return { result: undefined }
    })
  }

  /** The first signature of a 移交, by who gives the role they act in. It moves when the other has signed. */
  handOver({ toId, items }: { readonly toId: AccountId, readonly items: string }, acting: Acting): number {
    return perform(this.#core, acting, 'hand-over', { action: 'hand-over.given', object: toId }, now => {
      if (acting.kind !== 'account' || acting.deputyFor !== null) throw new AccountRefusedError('移交須由本人辦理。', 'a role is handed over by who holds it')
      const { role, accountId: fromId } = acting
      const to = required(this.#core, toId)
      this.#requireTaker(to, role, fromId)
      if (this.#core.register.isPending(fromId, role)) throw new AccountRefusedError('已有一筆移交等待對方簽收。', 'a hand-over of this role waits for its signature')
      const what = plain(items, ITEMS, 2000)
      return { result: this.#core.register.give({ role, fromId, toId, items: what, givenAtMs: now.wallMs }), detail: { role, from: fromId, items: what } }
    })
  }

  /** The second signature, in the session of who takes it: the role moves, and both need a new password before they go on. */
  takeOver(id: number, sessionToken: string): void {
    const { audit, register, accounts, settings } = this.#core
    audit.transaction(() => {
      const session = this.#sessions.look(sessionToken)
      const row = register.handOver(id)
      if (row === null || row.takenAtMs !== null || row.toId !== session.account.accountId) throw new AccountRefusedError('沒有等您簽收的這筆移交。', 'no such hand-over waits for you')
      if (this.#core.credentials.factor(row.toId)?.isConfirmed !== true) throw new FactorNeededError()
      requireFresh(session.factorMs, nowOf(this.#core), settings.freshFactorMs)
      const from = required(this.#core, row.fromId), to = required(this.#core, row.toId)
      if (!from.roles.includes(row.role)) throw new AccountRefusedError('移交人已無此職務。', 'who gave it does not hold the role any more')
      this.#requireTaker(to, row.role, row.fromId)
      register.take(id, this.#core.time.wallNow())
      accounts.setRoles(row.fromId, from.roles.filter(role => role !== row.role))
      accounts.setRoles(row.toId, [...to.roles, row.role])
      for (const each of [row.fromId, row.toId]) {
        accounts.setMustChange(each, 'handed-over')
        this.#sessions.endAllOf(each, 'roles-changed')
      }
      audit.append({ action: 'hand-over.taken', actor: session.actor, object: String(id), application: null, result: 'done', detail: { role: row.role, from: row.fromId, to: row.toId, givenAt: row.givenAtMs, items: row.items } })
    })
  }

  review(id: number): AccountReview | null { return this.#core.register.review(id) }

  /** R54: the accounts as they stand, to be signed by somebody else. */
  makeReview(year: number, acting: Acting): AccountReview {
    return perform(this.#core, acting, 'make-account-review', { action: 'account-review.made', object: String(year) }, now => {
      const list = JSON.stringify(this.#core.accounts.all().map(({ accountId, displayName, unit, post, roles, state, disabledWhy, endsAtMs, usedAtMs }) =>
        ({ accountId, displayName, unit, post, roles, state, disabledWhy, endsAtMs, usedAtMs, hasFactor: this.#core.credentials.factor(accountId)?.isConfirmed === true })))
      const sha256 = createHash('sha256').update(list).digest('hex')
      const id = this.#core.register.addReview({ year, list, sha256, madeBy: personKey(acting), madeAtMs: now.wallMs })
      const review = this.#core.register.review(id)
      if (review === null) throw new TypeError('a review that was just written is gone')
      return { result: review, detail: { reviewId: id, sha256 } }
    })
  }

  signReview(id: number, remark: string, acting: Acting): void {
    perform(this.#core, acting, 'sign-account-review', { action: 'account-review.signed', object: String(id) }, now => {
      const review = this.#core.register.review(id)
      if (review === null || review.madeBy === personKey(acting)) throw new AccountRefusedError('沒有這份清查表，或不得由製表人自己簽章。', 'there is no such review, or it is signed by who made it')
      const said = plain(remark, REMARK)
      if (!this.#core.register.signReview(id, personKey(acting), now.wallMs, said)) throw new AccountRefusedError('這份清查表已經簽過。', 'the review is signed already')
      return { result: undefined, detail: { sha256: review.sha256, remark: said } }
    })
  }

  /** Wall time of the last signed review; null before the first. One is due a year after. */
  lastReviewAtMs(): number | null { return this.#core.register.lastSignedAtMs() }

  #requireTaker(to: Account, role: Role, fromId: AccountId): void {
    if (to.accountId === fromId || to.state !== 'active' || to.roles.includes(role) || to.roles.includes('vendor')) throw new AccountRefusedError('接收人須為另一位使用中、尚無此職務的本所人員。', 'who takes it is another active person without that role')
    const clash = this.#core.mayCombine([...to.roles, role])
    if (clash !== null) throw new AccountRefusedError(clash.zh, clash.en)
  }
}
