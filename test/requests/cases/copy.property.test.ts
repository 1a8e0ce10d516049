import fc from 'fast-check'
import t from 'tap'
import { epochMs } from '../../../src/domain/index.ts'
import { grantOf, isWithin, mayLeave, next, receive, type Application, type Command, type Content, type Grant } from '../../../src/requests/index.ts'
import { as, context, DOOR, DOOR_HOUR, LOBBY, LOBBY_HOUR, NAMES, NOW, NUMBER, party, police, ROLES, RULES, staff, STAIRS } from './support.ts'

const RUNS = { numRuns: 16_000, seed: Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31) }
const DAY_MS = 86_400_000
const ACCOUNTS = [...Object.keys(NAMES), 'stranger']
const ALL_ROLES = [...new Set(Object.values(ROLES).flat()), 'vendor', 'root']

const act = fc.record({ view: fc.boolean(), copy: fc.boolean(), preserve: fc.boolean() })
const contentOf = fc.oneof(fc.constant(police), fc.constant(party), fc.constant((changes: Partial<Content>) => staff('lee', changes)))
/** Mostly whole; now and then with something changed, missing or swapped. */
const rarely = <Value>(...values: readonly Value[]) => fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(...values) })
const content: fc.Arbitrary<Content> = fc.tuple(contentOf, fc.record({
  acts: fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant({ view: true, copy: true, preserve: false }) }, { weight: 1, arbitrary: act }),
  necessity: rarely(null, ' ', '必要'), authority: rarely(null), form: rarely('form-2', 'form-3', 'form-4'), applicantClass: rarely('agency', 'data-subject', 'staff'), applicantAccount: rarely('chen', 'zhang'),
})).map(([make, changes]) => make(Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<Content>))

const scope = fc.constantFrom([LOBBY_HOUR], [DOOR_HOUR], [LOBBY_HOUR, DOOR_HOUR], [{ ...LOBBY_HOUR, camera: STAIRS }], [{ ...LOBBY_HOUR, to: epochMs(LOBBY_HOUR.to + 1) }], [])
/** Who comes with what; `isRight` picks whoever's turn it is, else anybody in any role. */
const move = fc.record({
  kind: fc.oneof({ weight: 8, arbitrary: fc.constant('decide') }, { weight: 2, arbitrary: fc.constantFrom('complete', 'ask-to-complete', 'lapse', 'withdraw', 'extend-deadline', 'recuse', 'ask-third-party', 'third-party-answered', 'attach', 'sign-statement', 'record-copy-request', 'answer-copy-request', 'revoke', 'close') }),
  isRight: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  account: fc.constantFrom(...ACCOUNTS), role: fc.constantFrom(...ALL_ROLES), other: fc.constantFrom(...ACCOUNTS),
  decision: fc.oneof({ weight: 20, arbitrary: fc.constant('agree') }, { weight: 1, arbitrary: fc.constantFrom('refuse', 'return') }),
  stepShift: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -4, max: 4 }) }),
  versionShift: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -2, max: 2 }) }),
  narrow: fc.oneof({ weight: 10, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.record({ scope, acts: act }) }),
  reason: fc.constantFrom('理由', '理由', '理由', null, ' '), ground: fc.constantFrom('other', 'other', 'other', null, 'nothing'), days: rarely(7, 30, 31, 0, -1, 1.5),
  waitDays: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }) }), content,
})
type Move = typeof move extends fc.Arbitrary<infer One> ? One : never

const CHAINS: Readonly<Record<string, readonly string[]>> = { 'form-2': ['lin', 'chen', 'wang', 'zhang'], 'form-3': ['lin', 'chen', 'wang', 'zhang'], 'form-4': ['chen', 'lin', 'wang'] }
const stepOf = (application: Application): number => application.state.kind === 'under-review' ? application.state.step : 0

function commandOf(application: Application, turn: Move): Command {
  const step = stepOf(application)
  const right = turn.kind === 'decide' ? CHAINS[application.content.form]![step]! : turn.kind === 'revoke' || turn.kind === 'answer-copy-request' ? CHAINS[application.content.form]!.at(-1)! : 'lin'
  const rightRole = right !== 'lin' ? 'approver' : turn.kind === 'sign-statement' || turn.kind === 'close' ? 'custodian' : 'clerk'
  const actor = turn.isRight ? as(right, rightRole) : as(turn.account, turn.role)
  return {
    kind: turn.kind, actor, version: application.version + turn.versionShift, step: step + turn.stepShift, decision: turn.decision, reason: turn.kind === 'decide' ? turn.reason : turn.reason ?? '', ground: turn.ground, narrowTo: turn.narrow, isNotTheApplicant: false,
    grant: turn.days === undefined || turn.days === null ? null : { days: turn.days, place: '本所調閱室', isPreRollAllowed: true }, items: '補正', content: turn.content, period: { days: 15 }, account: turn.other, summary: '意見', words: '請給影像', name: '趙警員', outcome: 'referred',
    attachment: { sha256: 'd'.repeat(64), name: '公文', sizeBytes: 1 },
  } as unknown as Command
}

/** What happened, told apart from the machine: only moves that it took, and what each of them was. */
interface Seen { readonly agreed: string[], asksCopy: boolean }
interface Tally { sequences: number, moves: number, taken: number, grants: number, copies: number }
const tally: Tally = { sequences: 0, moves: 0, taken: 0, grants: 0, copies: 0 }

function checkGrant(application: Application, seen: Seen, grant: Grant | null, now: number): void {
  const { state, content: said } = application
  if (grant === null) return
  tally.grants += 1
  if (state.kind !== 'approved' && state.kind !== 'partly-approved') throw new Error(`a grant in ${state.kind}`)
  if (!isWithin(grant.scope, said.asked)) throw new Error('a grant wider than asked')
  if (seen.agreed.length !== CHAINS[said.form]!.length) throw new Error(`a grant after ${seen.agreed.length} signatures: ${seen.agreed.join()}`)
  if (seen.agreed.includes(said.applicantAccount ?? 'nobody')) throw new Error('the applicant signed')
  if (new Set(seen.agreed).size < (said.form === 'form-4' ? 2 : 3)) throw new Error('too few people')
  if (application.recusals.some(recusal => seen.agreed.includes(recusal.account))) throw new Error('a recused person signed')
  if (grant.validUntil - now > 31 * DAY_MS) throw new Error('a grant longer than allowed')
  const leaves = (kind: 'view' | 'copy') => [LOBBY, DOOR, STAIRS].some(camera => mayLeave(grant, { camera, at: LOBBY_HOUR.from, act: kind, now: epochMs(now) }).ok)
  const mayCopy = said.form === 'form-2' && said.applicantClass === 'agency' && said.acts.copy && seen.asksCopy && (said.necessity ?? '').trim() !== ''
  if ((grant.copy !== null || leaves('copy')) && !mayCopy) throw new Error('a copy right without its reasons')
  if (leaves('copy') && grant.copy === null) throw new Error('a copy leaves without its right')
  if (said.form !== 'form-4' && application.statements.length === 0 && (leaves('view') || leaves('copy'))) throw new Error('a picture leaves before the statement')
  if (grant.copy !== null) tally.copies += 1
}

/** One life of an application; throws when anything is let out that should not be. */
function live(first: Content, turns: readonly Move[], isRight: boolean): void {
  let now: number = NOW
  const actor = first.applicantClass === 'staff' ? as(first.applicantAccount ?? 'lee', 'staff') : isRight ? as('lin', 'clerk') : as('chen', 'approver')
  const taken = receive({ actor, number: NUMBER, content: first }, context(NOW))
  if (!taken.ok) return
  tally.sequences += 1
  let application = taken.application
  if (application.content.acts.copy && application.content.form !== 'form-2') throw new Error('a copy was asked for on a form without that box')
  const seen: Seen = { agreed: [], asksCopy: first.acts.copy }
  for (const turn of turns) {
    tally.moves += 1
    now += turn.waitDays * DAY_MS
    const command = commandOf(application, turn)
    const before = JSON.stringify(application)
    const outcome = next(application, command, context(epochMs(now)))
    if (JSON.stringify(application) !== before) throw new Error('a version was changed in place')
    if (!outcome.ok) continue
    tally.taken += 1
    if (command.version !== application.version || outcome.application.version !== application.version + 1) throw new Error('versions do not run')
    if (['refused', 'withdrawn', 'closed'].includes(application.state.kind) && !['record-copy-request', 'answer-copy-request'].includes(command.kind)) throw new Error(`${command.kind} on an ended case`)
    if (command.kind === 'decide') seen.agreed.push(command.actor.account)
    if (outcome.application.signatures.length === 0) seen.agreed.length = 0
    if (command.kind === 'complete') seen.asksCopy = command.content.acts.copy
    if (command.kind === 'decide' && command.narrowTo !== null && command.decision === 'agree' && !command.narrowTo.acts.copy) seen.asksCopy = false
    application = outcome.application
    if (application.signatures.length === 0 && application.state.kind === 'under-review') seen.asksCopy = application.content.acts.copy
    const opened = outcome.effects.flatMap(effect => effect.kind === 'open-grant' ? [effect.grant] : [])
    for (const grant of [...opened, grantOf(application, RULES)]) checkGrant(application, seen, grant, now)
  }
}

t.test('no role, call or order leads to a copy but the agency\'s own way, nor to any picture but the chain\'s', async t => {
  fc.assert(fc.property(content, fc.array(move, { minLength: 8, maxLength: 20, size: 'max' }), fc.oneof({ weight: 20, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }), live), RUNS)
  t.comment(JSON.stringify({ seed: RUNS.seed, ...tally }))
  t.ok(tally.sequences >= 10_000, 'as many applications were received')
  t.ok(tally.grants > 1_000, 'the walks do reach approvals')
  t.ok(tally.copies > 300, 'and copies')
})

t.test('every account in every role, with every call, at every step of 附件3 and 附件4: never a copy', async t => {
  const kinds = ['decide', 'complete', 'ask-to-complete', 'lapse', 'withdraw', 'extend-deadline', 'recuse', 'ask-third-party', 'third-party-answered', 'attach', 'sign-statement', 'record-copy-request', 'answer-copy-request', 'revoke', 'close'] as const
  let calls = 0
  for (const made of [party(), staff()]) {
    let application = receive({ actor: made.form === 'form-4' ? as('lee', 'staff') : as('lin', 'clerk'), number: NUMBER, content: made }, context())
    for (let step = 0; step <= CHAINS[made.form]!.length && application.ok; step++) {
      for (const account of ACCOUNTS) for (const role of ALL_ROLES) for (const kind of kinds) for (const acts of [null, { view: true, copy: true, preserve: true }, { view: false, copy: true, preserve: false }]) {
        const turn = { kind, isRight: false, account, role, other: 'lee', decision: 'agree', stepShift: 0, versionShift: 0, reason: '理由', ground: 'other', days: null, waitDays: 0, narrow: acts === null ? null : { scope: made.asked, acts }, content: acts === null ? made : { ...made, acts, necessity: '必要' } } as unknown as Move
        const outcome = next(application.application, commandOf(application.application, turn), context())
        calls += 1
        if (outcome.ok && (grantOf(outcome.application, RULES)?.copy ?? null) !== null) t.fail(`${account} as ${role} by ${kind} at step ${step}`)
        if (outcome.ok && (outcome.application.proposal.acts.copy || outcome.application.content.acts.copy)) t.fail(`${kind} put a copy into the case`)
      }
      if (application.application.state.kind !== 'under-review') break
      application = next(application.application, commandOf(application.application, { kind: 'decide', isRight: true, decision: 'agree', stepShift: 0, versionShift: 0, narrow: null, reason: null, ground: null, days: null } as unknown as Move), context())
    }
    t.ok(application.ok && application.application.state.kind === 'approved', `${made.form} was walked to its end`)
  }
  t.comment(`${calls} calls`)
})
