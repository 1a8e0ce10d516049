import { actorOf, FactorNeededError, hasRight, personKey, RightMissingError, type Access, type AccessTime, type Act, type Acting, type AuditBook } from '../access/index.ts'
import { canonicalJson } from '../audit/index.ts'
import { epochMs, type AuditActor, type AuditValue, type EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { cameraOf, type Footage } from '../footage/index.ts'
import type { Clock } from '../platform/clock.ts'
import { officeDay, rocYear, RuleSetError, type OfficeCalendar, type RequestForm, type RuleSet, type Rules } from '../rules/index.ts'
import { changeOf, type Answer, type Refused, type SentCommand, type Taken, type Told, type ToldOfFootage } from './answer.ts'
import { AttachmentStore } from './attachment-store.ts'
import { CaseHolds } from './case-holds.ts'
import type { Application, Content } from './cases/application.ts'
import { nextNumber, type ApplicationNumber } from './cases/application-number.ts'
import type { CaseContext, Command, Outcome } from './cases/command.ts'
import { rulesOf } from './cases/chain.ts'
import { contentWarnings, namesIn } from './cases/content.ts'
import { next } from './cases/next.ts'
import { receive } from './cases/receive.ts'
import { refusal, type ContentProblem } from './cases/refusal.ts'
import type { Staffing } from './cases/staffing.ts'
import { isApproved } from './cases/transition.ts'
import { nominalDayFor } from './due.ts'
import { Effects } from './effects.ts'
import { RequestKeyError, UnknownApplicationError } from './errors.ts'
import { foundOf } from './found-lines.ts'
import { GrantBook } from './grant-book.ts'
import type { HoldKeeper } from './hold-keeper.ts'
import { costOf } from './holding.ts'
import { IdNumbers } from './id-numbers.ts'
import { actorOfSystem, PaperRefused, personOfSystem, type DocumentSystem, type Paper, type PaperAnswer, type PaperStep } from './paper.ts'
import { openPersonVault, type PersonVault } from './person-vault.ts'
import { DeskReader } from './reader.ts'
import { CaseRecords } from './records.ts'
import { actingStaff, paperPerson } from './staff.ts'
import { READ, RECEIVE, STEPS } from './steps.ts'
import { applicationTables } from './tables/applications.ts'
import { caseHoldTable } from './tables/case-holds.ts'
import { grantTables } from './tables/grants.ts'
import { idNumberTable } from './tables/id-numbers.ts'

export interface DeskOptions {
  readonly db: Db
  readonly audit: AuditBook
  readonly access: Pick<Access, 'accounts' | 'register' | 'sessions'>
  readonly keeper: Pick<HoldKeeper, 'holding' | 'settle'>
  readonly footage: Pick<Footage, 'cameras' | 'found'>
  readonly shelf: Rules
  readonly calendar: () => OfficeCalendar
  readonly time: AccessTime
  readonly clock: Clock
  readonly stateDir: string
  /** 管理單位 as accounts spell it: its head signs last on 附件4. */
  readonly managingUnit: string
  readonly vault?: PersonVault
}

const KEY = /^[\w-]{8,100}$/
/** Stored files that a case names. */
const filesOf = ({ attachments, content: { authority } }: Application): string[] =>
  [...attachments.map(({ sha256 }) => sha256), ...authority?.kind === 'sealed-scan' ? [authority.sha256] : []]

interface Job { readonly acting: Acting, readonly acts: readonly [Act, ...Act[]], readonly verb: string, readonly kind: Command['kind'] | 'receive', readonly key: string, readonly sent: unknown, readonly number: ApplicationNumber | null }
/** Whose step it is, and what names it: what is stored of a job. `more` stands in its audit entry. */
interface Doer { readonly actor: AuditActor, readonly person: string, readonly verb: string, readonly kind: Command['kind'] | 'receive', readonly key: string, readonly more?: Readonly<Record<string, AuditValue>> }
/** `full`: the content with whole ID numbers, when this step brings one. */
interface Decided { readonly outcome: Outcome, readonly full: Content | null, readonly ruleSet: RuleSet, readonly before: Application | null }

/** Carries applications through their procedure: the pure cases decide, and right, record, holds, grant and entry are one transaction, or nothing. */
export class RequestDesk {
  readonly grants: GrantBook
  readonly reader: DeskReader
  readonly attachments: AttachmentStore
  /** For the book and for health; nothing in it is for a person to read. */
  readonly records: CaseRecords
  readonly #options: DeskOptions
  readonly #applications: ReturnType<typeof applicationTables>
  readonly #effects: Effects
  readonly #holds: ReturnType<typeof caseHoldTable>
  readonly #ids: IdNumbers
  readonly #vault: () => PersonVault

  constructor(options: DeskOptions) {
    const { db, audit, footage, shelf, time, clock, stateDir, calendar, access, managingUnit } = options
    this.#options = options
    this.#applications = applicationTables(db)
    const grantRows = grantTables(db), holds = this.#holds = caseHoldTable(db)
    const caseHolds = new CaseHolds(holds, () => time.wallNow())
    this.#effects = new Effects({ audit, caseHolds, grants: grantRows })
    const numbers = idNumberTable(db)
    let vault = options.vault
    this.#vault = () => vault ??= openPersonVault(stateDir, numbers.hasAny())
    this.#ids = new IdNumbers(numbers, this.#vault)
    this.attachments = new AttachmentStore(stateDir, { steadyNow: () => time.steadyNow() })
    this.grants = new GrantBook({ audit, time, shelf, applications: this.#applications, grants: grantRows, caseHolds })
    this.records = new CaseRecords({ shelf, calendar, time, applications: this.#applications, grants: grantRows })
    this.reader = new DeskReader({
      audit, access, shelf, time, clock, calendar, managingUnit, footage, attachments: this.attachments, applications: this.#applications, grants: grantRows, ids: this.#ids,
      requireAny: (acting, acts) => this.#requireAny(acting, acts), holdsOf: number => holds.ofApplication(number),
    })
  }

  /**
   * Takes an application in and holds what it asks for, at once (R32). Of staff, account and unit are the session's. `key` is the sender's own word for this request: sent again, it is answered as the first time.
   * Throws RightMissingError, FactorNeededError, SessionEndedError, RequestKeyError, AuditUnavailableError, PersonKeyError; a refusal is an answer.
   */
  async receive(acting: Acting, { key, content: sent }: { readonly key: string, readonly content: Content }): Promise<Answer> {
    return this.#carry({ acting, acts: RECEIVE, verb: 'received', kind: 'receive', key, sent, number: null }, now => {
      const day = officeDay(now)
      const ruleSet = this.#options.shelf.inForceOn(day)
      if (ruleSet === null) throw new RuleSetError('CUSTOS_RULE_SET_MISSING', `no rule set is in force on ${day.toString()}`, { remedy: 'look at the clock, or put the rule set of that day into the folder' })
      const own = this.#ofStaff(acting, sent)
      const form = ruleSet.requestForm(own.form)
      const { content, problems } = form === null ? { content: own, problems: [] } : this.#checked(own, form, null)
      if (problems.length > 0) return { outcome: { ok: false, refusal: refusal('bad-content', problems) }, full: null, ruleSet, before: null }
      const { actor, context } = this.#scene(acting, ruleSet, now)
      const number = nextNumber(this.#applications.last(), rocYear(day), ruleSet.rules.numbering)
      return { outcome: receive({ actor, number, content }, context), full: content, ruleSet, before: null }
    })
  }

  /** One step of a case: signing, completing, withdrawing and all others. Refused when the case is not at the version that was looked at. Throws like `receive`, and UnknownApplicationError. */
  async act(acting: Acting, number: ApplicationNumber, { key, command: sent }: { readonly key: string, readonly command: SentCommand }): Promise<Answer> {
    const { verb, acts } = STEPS[sent.kind]
    return this.#carry({ acting, acts, verb, kind: sent.kind, key, sent, number }, now => {
      const before = this.#applications.newest(number)?.record
      if (before === undefined || !this.#maySee(acting, before)) throw new UnknownApplicationError(number)
      const ruleSet = this.#options.shelf.get(before.ruleSet)
      const { actor, context } = this.#scene(acting, ruleSet, now)
      const form = ruleSet.requestForm(before.content.form)
      const withSize = sent.kind === 'attach' ? { ...sent, attachment: { ...sent.attachment, sizeBytes: this.attachments.sizeOf(sent.attachment.sha256) ?? 0 } } : sent
      if (withSize.kind !== 'complete' || form === null) return { outcome: next(before, { ...withSize, actor }, context), full: null, ruleSet, before }
      const { content, problems } = this.#checked(this.#ofStaff(acting, withSize.content), form, number)
      const outcome: Outcome = problems.length > 0 && withSize.version === before.version ? { ok: false, refusal: refusal('bad-content', problems) } : next(before, { ...withSize, content, actor }, context)
      return { outcome, full: content, ruleSet, before }
    })
  }

  /**
   * Takes in an application that was received and decided in the office's document system: each step goes the way a person's would, through the same cases, and all of it is one transaction with what the last approval opens.
   * Nothing at all is changed unless it ends approved: a file can neither hold footage nor ask for anything. `settle` writes down, in the same transaction, that it was taken.
   * No session comes of it, and nothing but this one act. The steps count from now: a file cannot make yesterday's viewing right. Throws RuleSetError, RequestKeyError, AuditUnavailableError, PersonKeyError.
   */
  async takeApproved(system: DocumentSystem, paper: Paper, settle: (application: Application) => void): Promise<PaperAnswer> {
    const { audit, time } = this.#options
    let taken: Taken
    try {
      taken = audit.transaction(() => {
        const mark = this.#vault().mark(canonicalJson(paper as unknown as AuditValue))
        const first = this.#applications.byKey(personOfSystem(system), `${paper.id}-0`)
        if (first !== null) throw new RequestKeyError('reused')
        const now = epochMs(time.wallNow())
        let last = this.#paperReceived(system, paper, mark, now)
        let { holds: changes } = last
        for (const index of paper.steps.keys()) {
          last = this.#paperSigned(system, paper, index, { mark, now, before: last.application })
          changes = { placed: changes.placed + last.holds.placed, ended: changes.ended + last.holds.ended }
        }
        if (!isApproved(last.application)) throw new PaperRefused(null, refusal('not-approved'))
        settle(last.application)
        return { ...last, holds: changes }
      })
    } catch (error) {
      if (error instanceof PaperRefused) return { ok: false, refusal: error.refusal, step: error.step }
      throw error
    }
    return { ...taken, ...await this.#ofFootage(taken) }
  }

  #paperReceived(system: DocumentSystem, { id, content: sent, receivedBy, receivedAt }: Paper, mark: Buffer, now: EpochMs): Taken {
    const { shelf, access, managingUnit } = this.#options
    const day = officeDay(now), ruleSet = shelf.inForceOn(day)
    if (ruleSet === null) throw new RuleSetError('CUSTOS_RULE_SET_MISSING', `no rule set is in force on ${day.toString()}`, { remedy: 'look at the clock, or put the rule set of that day into the folder' })
    const person = paperPerson(access, managingUnit, receivedBy, { decidedAt: receivedAt, now })
    if (person === null) throw new PaperRefused(null, refusal('no-such-signer'))
    const own = sent.applicantClass === 'staff' ? { ...sent, applicantAccount: person.account, applicantUnit: person.unit } : sent
    const form = ruleSet.requestForm(own.form)
    const { content, problems } = form === null ? { content: own, problems: [] } : this.#checked(own, form, null)
    if (problems.length > 0) throw new PaperRefused(null, refusal('bad-content', problems))
    const role = form?.receivedBy.find(each => person.roles.includes(each)) ?? person.roles[0] ?? ''
    const context = this.#context(ruleSet, person.staffing, now)
    const number = nextNumber(this.#applications.last(), rocYear(day), ruleSet.rules.numbering)
    const outcome = receive({ actor: { account: person.account, name: person.name, role }, number, content }, context)
    if (!outcome.ok) throw new PaperRefused(null, outcome.refusal)
    return this.#store({ ...this.#paperDoer(system, id, 0, person.account, receivedAt), verb: 'received', kind: 'receive' }, mark, outcome, { outcome, full: content, ruleSet, before: null }, now)
  }

  #paperSigned(system: DocumentSystem, paper: Paper, index: number, { mark, now, before }: { readonly mark: Buffer, readonly now: EpochMs, readonly before: Application }): Taken {
    const { shelf, access, managingUnit } = this.#options
    const step: PaperStep = paper.steps[index]!
    const ruleSet = shelf.get(before.ruleSet), { chain } = rulesOf(before, { ruleSet })
    const person = paperPerson(access, managingUnit, step.account, { decidedAt: step.decidedAt, now })
    if (person === null) throw new PaperRefused(index, refusal('no-such-signer'))
    const due = chain.steps[index]
    if (due?.post !== step.post) throw new PaperRefused(index, refusal('not-this-step'))
    const context = this.#context(ruleSet, person.staffing, now), post = ruleSet.post(due.post)
    const actor = { account: person.account, name: person.name, role: post.role }
    const { decision, reason, ground, narrowTo, isNotTheApplicant } = step
    const command: Command = { kind: 'decide', actor, version: before.version, step: index, decision, reason, ground, narrowTo, isNotTheApplicant, grant: index === chain.steps.length - 1 ? paper.grant : null }
    const outcome = next(before, command, context)
    if (!outcome.ok) throw new PaperRefused(index, outcome.refusal)
    const signature = outcome.application.signatures.at(-1)
    if (step.capacity !== null && signature?.capacity !== step.capacity) throw new PaperRefused(index, refusal('not-in-post'))
    return this.#store({ ...this.#paperDoer(system, paper.id, index + 1, person.account, step.decidedAt), verb: STEPS.decide.verb, kind: 'decide' }, mark, outcome, { outcome, full: null, ruleSet, before }, now)
  }

  #paperDoer(system: DocumentSystem, id: string, part: number, account: string, decidedAt: EpochMs) {
    return { actor: actorOfSystem(system), person: personOfSystem(system), key: `${id}-${part}`, more: { message: id, signer: account, decidedAt } } as const
  }

  /** Of a member of staff, who and of which unit is not theirs to write: the unit's head signs first. */
  #ofStaff(acting: Acting, content: Content): Content {
    if (content.applicantClass !== 'staff' || acting.kind !== 'account') return content
    return { ...content, applicantAccount: acting.accountId, applicantUnit: this.#options.access.accounts.get(acting.accountId)?.unit ?? null }
  }

  /** What only the desk can see of a content: whole ID numbers, and papers that were really handed in. */
  #checked(content: Content, form: RequestForm, number: ApplicationNumber | null): { readonly content: Content, readonly problems: readonly ContentProblem[] } {
    const { content: full, problems } = this.#ids.unmasked(content, form, number)
    const isMissing = full.authority?.kind === 'sealed-scan' && this.attachments.sizeOf(full.authority.sha256) === null
    return { content: full, problems: [...problems, ...(isMissing ? [{ where: 'authority.sha256', zh: '找不到這份掃描檔，請先上傳。', en: 'There is no such file; upload it first.' }] : [])] }
  }

  #scene(acting: Acting, ruleSet: RuleSet, now: EpochMs) {
    const { access, managingUnit } = this.#options
    const staff = actingStaff(acting, access, managingUnit, now)
    if (staff === null) throw new RightMissingError('receive-application', '主機指令列')
    return { actor: staff.actor, context: this.#context(ruleSet, staff.staffing, now) }
  }

  #context(ruleSet: RuleSet, staffing: Staffing, now: EpochMs): CaseContext {
    const { calendar, footage } = this.#options
    return { now, ruleSet, calendar: calendar(), staffing, isKnownCamera: camera => cameraOf(footage, camera) !== null }
  }

  #maySee(acting: Acting, { content }: Application): boolean {
    return acting.kind === 'account' && (READ.some(act => hasRight(acting.role, act)) || content.applicantAccount === acting.accountId)
  }

  #requireAny(acting: Acting, acts: readonly [Act, ...Act[]]): void {
    this.#options.access.sessions.requireRight(acting, acts.find(act => acting.kind === 'account' && hasRight(acting.role, act)) ?? acts[0])
  }

  async #carry(job: Job, decide: (now: EpochMs) => Decided): Promise<Answer> {
    const { audit } = this.#options
    const { acting, verb, key, number } = job
    if (!KEY.test(key)) throw new RequestKeyError('malformed')
    const entry = { action: `application.${verb}`, actor: actorOf(acting), object: number, application: number }
    let answer: Taken | Refused
    try {
      answer = audit.transaction(() => {
        this.#requireAny(acting, job.acts)
        const mark = this.#vault().mark(canonicalJson({ verb, number, sent: job.sent } as unknown as AuditValue))
        const first = this.#applications.byKey(personKey(acting), key)
        if (first !== null) {
          if (!first.mark.equals(mark)) throw new RequestKeyError('reused')
          return { ok: true, ...toldBefore(first.event.answer), application: first.event.record, isReplay: true }
        }
        const now = epochMs(this.#options.time.wallNow())
        const decided = decide(now)
        if (decided.outcome.ok) return this.#store({ actor: entry.actor, person: personKey(acting), verb, kind: job.kind, key }, mark, decided.outcome, decided, now)
        const { refusal } = decided.outcome
        audit.append({ ...entry, result: 'refused', detail: { code: refusal.code, where: refusal.problems.slice(0, 20).map(problem => problem.where) } })
        const isStale = refusal.code === 'stale' && typeof (job.sent as { version?: unknown }).version === 'number'
        const changes = isStale && number !== null ? this.#applications.since(number, (job.sent as { version: number }).version).map(changeOf) : []
        return { ok: false, refusal, version: decided.before?.version ?? null, changes }
      })
    } catch (error) {
      if (error instanceof RightMissingError || error instanceof FactorNeededError) audit.append({ ...entry, result: 'refused', detail: { code: error.code } })
      throw error
    }
    if (!answer.ok) return answer
    for (const sha256 of filesOf(answer.application)) this.attachments.attached(sha256)
    return { ...answer, ...await this.#ofFootage(answer) }
  }

  /**
   * What the recorder has to say of a step that stands, also when it is a replay: the first time may have
   * ended between the commit and here.
   */
  async #ofFootage({ application: { number, version, content }, isFootageTold }: Taken): Promise<ToldOfFootage> {
    const { keeper, footage, clock } = this.#options
    const [holding, found] = await Promise.all([
      keeper.holding(number), isFootageTold ? foundOf(content.asked, footage, clock) : [],
    ])
    return { holding, footage: found, cost: costOf(this.#holds.wishedIn(number, version)) }
  }

  /** The next version with all that follows from it. Inside the transaction. */
  #store({ actor, person, verb, kind, key, more = {} }: Doer, mark: Buffer, outcome: Extract<Outcome, { ok: true }>, { full, ruleSet, before }: Decided, now: EpochMs): Taken {
    const { audit } = this.#options
    const form = ruleSet.requestForm(outcome.application.content.form)
    if (form === null) throw new TypeError(`${outcome.application.number} was decided without its form`)
    const application: Application = full === null ? outcome.application : { ...outcome.application, content: this.#ids.masked(outcome.application.content, form) }
    const { number, version, content } = application

    const changes = this.#effects.hold(outcome.effects, { application, before, kind }, actor)
    const notices = outcome.effects.flatMap(effect => effect.kind === 'draft-notice' ? [{ notice: effect.notice, values: effect.values, scope: effect.scope }] : [])
    const told: Told = {
      holds: changes, notices, isFootageTold: outcome.effects.some(effect => effect.kind === 'hold'), warnings: full === null ? [] : contentWarnings(full, form),
    }
    const sha256 = this.#applications.write({ record: application, verb, at: now, actor, answer: JSON.stringify(told), person, key, mark }, { names: namesIn(content, form), nominalDay: nominalDayFor(application, { ruleSet }) })
    if (full !== null) this.#ids.keep(outcome.application.content, form, number, version)
    const signature = kind === 'decide' ? application.signatures.at(-1) ?? application.pastRounds.at(-1)?.at(-1) : undefined
    audit.append({
      action: `application.${verb}`, actor, object: number, application: number, result: 'done',
      detail: { version, record: sha256, state: application.state.kind, ruleSet: ruleSet.ref.name, ...more, ...(signature === undefined ? {} : { post: signature.post, capacity: signature.capacity, decision: signature.decision, ground: signature.ground }) },
    })
    this.#effects.grant(outcome.effects, { application, kind }, actor, now)
    return { ok: true, ...told, application, isReplay: false }
  }
}

/** Steps of before the recorder was asked afterwards have what was found, and the cost, in what they said. */
function toldBefore(answer: string): Told {
  const { holds: { placed, ended }, notices, warnings, ...rest } = JSON.parse(answer) as
    Omit<Told, 'isFootageTold'> & { readonly isFootageTold?: boolean, readonly footage?: readonly unknown[] }
  return { holds: { placed, ended }, notices, warnings, isFootageTold: rest.isFootageTold ?? (rest.footage ?? []).length > 0 }
}
