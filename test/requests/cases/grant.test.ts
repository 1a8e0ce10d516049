import fc from 'fast-check'
import t from 'tap'
import { epochMs } from '../../../src/domain/index.ts'
import { ApplicationError, grantOf, isWithin, mayLeave, PRE_ROLL_MOST_MS, type Application, type Approval, type Grant } from '../../../src/requests/index.ts'
import { act, as, at, CLERK, codeOf, context, CUSTODIAN, DIRECTOR, DOOR, INSIDE, LOBBY, LOBBY_HOUR, mustGo, NOW, OUTSIDE, party, police, received, RULES, sign, signAll, staff, STAFFING, STAIRS } from './support.ts'

const opened = (application: Application): Grant => grantOf(mustGo(act(application, CUSTODIAN, { kind: 'sign-statement', name: '趙警員' })), RULES)!
const POLICE = mustGo(signAll(received(police()), OUTSIDE, { grant: { days: 1, place: '本所調閱室', isPreRollAllowed: true } }))
const PARTY = mustGo(signAll(received(party()), OUTSIDE))
const STAFF = mustGo(signAll(received(staff()), INSIDE))

t.test('the fence opens exactly what was granted, to the millisecond', async t => {
  const grant = opened(POLICE)
  const verdict = (changes: Partial<Parameters<typeof mayLeave>[1]>) => {
    const found = mayLeave(grant, { camera: LOBBY, at: LOBBY_HOUR.from, act: 'view', now: epochMs(NOW + 1), ...changes })
    return found.ok ? found.isPreRoll ? 'pre-roll' : 'ok' : found.why
  }
  t.equal(verdict({}), 'ok')
  t.equal(verdict({ at: epochMs(LOBBY_HOUR.to - 1) }), 'ok')
  t.equal(verdict({ at: LOBBY_HOUR.to }), 'outside-range', 'half-open')
  t.equal(verdict({ at: epochMs(LOBBY_HOUR.from - 1) }), 'pre-roll', 'ticked, so the key frame before may go, and is listed')
  t.equal(verdict({ at: epochMs(LOBBY_HOUR.from - PRE_ROLL_MOST_MS) }), 'pre-roll')
  t.equal(verdict({ at: epochMs(LOBBY_HOUR.from - PRE_ROLL_MOST_MS - 1) }), 'outside-range')
  t.equal(verdict({ camera: STAIRS }), 'not-this-camera')
  t.equal(verdict({ now: at('2026-03-03T23:59:59') }), 'ok')
  t.equal(verdict({ now: at('2026-03-04T00:00:00') }), 'expired', 'one day after the day of approval')
  t.equal(verdict({ now: epochMs(NOW - 1) }), 'not-yet')
  t.equal(verdict({ act: 'export' as never }), 'act-not-granted')
  t.equal(verdict({ at: Number.NaN as never }), 'outside-range')
  t.equal(verdict({ now: Number.NaN as never }), 'expired', 'a clock that tells nothing opens nothing')
  t.match(mayLeave(opened(PARTY), { camera: LOBBY, at: epochMs(LOBBY_HOUR.from - 1), act: 'view', now: NOW }), { why: 'outside-range' }, 'pre-roll only where it was ticked')
})

t.test('a look-alike of a grant or of a copy right opens nothing', async t => {
  const [police2, party3] = [opened(POLICE), opened(PARTY)]
  const asked = { camera: LOBBY, at: LOBBY_HOUR.from, act: 'copy', now: NOW } as const
  t.match(mayLeave(police2, asked), { ok: true })
  t.match(mayLeave({ ...police2 }, asked), { why: 'no-grant' })
  t.match(mayLeave({ ...party3, copy: police2.copy }, asked), { why: 'no-grant' })
  t.match(mayLeave(JSON.parse(JSON.stringify(police2)) as Grant, asked), { why: 'no-grant' })
  const CopyRight = police2.copy!.constructor as new (key: symbol, number: string) => object
  t.throws(() => new CopyRight(Symbol('copy right'), '115-調-0001'), /last approval only/)
  t.throws(() => { (party3 as { copy: unknown }).copy = police2.copy }, TypeError)
  t.throws(() => { (party3.scope[0] as { to: number }).to += 1 }, TypeError)
  t.throws(() => { (party3.scope as unknown[]).push({ ...LOBBY_HOUR, camera: STAIRS }) }, TypeError)
})

const approvalOf = (application: Application): Approval => {
  if (application.state.kind !== 'approved') throw new Error('not approved')
  return application.state.approval
}
const withApproval = (application: Application, changes: Partial<Approval>): Application => ({ ...application, state: { kind: 'approved', approval: { ...approvalOf(application), ...changes } } })
const COPY = { view: true, copy: true, preserve: false }
const lastSigned = (application: Application, changes: object): Application => ({ ...application, signatures: application.signatures.map((signature, step, all) => step === all.length - 1 ? { ...signature, ...changes } : signature) })

t.test('an altered record opens nothing and says so', async t => {
  const forgeries: readonly (readonly [string, Application])[] = [
    ['a signature taken out', { ...POLICE, signatures: POLICE.signatures.slice(0, -1) }],
    ['no signature at all', { ...POLICE, signatures: [] }],
    ['two swapped', { ...POLICE, signatures: [POLICE.signatures[1]!, POLICE.signatures[0]!, ...POLICE.signatures.slice(2)] }],
    ['a version signed twice', { ...POLICE, signatures: POLICE.signatures.map(signature => ({ ...signature, version: 1 })) }],
    ['the last one refused', lastSigned(POLICE, { decision: 'refuse' })],
    ['another post\'s signature', lastSigned(POLICE, { post: 'chief' })],
    ['one person four times', { ...POLICE, signatures: POLICE.signatures.map(signature => ({ ...signature, account: 'zhang' })) }],
    ['the decider signed before', { ...POLICE, signatures: POLICE.signatures.map((signature, step) => step === 0 ? { ...signature, account: 'zhang' } : signature) }],
    ['a recused signer', { ...POLICE, recusals: [{ account: 'chen', reason: '…', at: NOW, by: 'chen' }] }],
    ['the applicant among the signers', { ...POLICE, content: { ...POLICE.content, applicantAccount: 'wang' } }],
    ['a wider range', withApproval(POLICE, { scope: [...approvalOf(POLICE).scope, { ...LOBBY_HOUR, camera: STAIRS }] })],
    ['a wider range in the last signature too', lastSigned(withApproval(POLICE, { scope: [{ ...LOBBY_HOUR, camera: STAIRS }] }), { proposal: { scope: [{ ...LOBBY_HOUR, camera: STAIRS }], acts: COPY } })],
    ['a longer time', withApproval(POLICE, { validUntil: at('2027-01-01') })],
    ['another hour of approval', withApproval(POLICE, { at: epochMs(NOW + 1) })],
    ['somebody else\'s approval', withApproval(POLICE, { by: 'lee' })],
    ['a copy for a party', withApproval(PARTY, { acts: COPY })],
    ['a copy in the party\'s last signature', lastSigned(withApproval(PARTY, { acts: COPY }), { proposal: { scope: [LOBBY_HOUR], acts: COPY } })],
    ['a copy in the whole record of a party', { ...withApproval(PARTY, { acts: COPY }), content: { ...PARTY.content, acts: COPY, necessity: '必要', authority: POLICE.content.authority }, signatures: PARTY.signatures.map(signature => ({ ...signature, proposal: { ...signature.proposal, acts: COPY } })) }],
    ['the same for staff', { ...withApproval(STAFF, { acts: COPY }), content: { ...STAFF.content, acts: COPY, necessity: '必要', authority: POLICE.content.authority }, signatures: STAFF.signatures.map(signature => ({ ...signature, proposal: { ...signature.proposal, acts: COPY } })) }],
    ['a party called an agency', { ...withApproval(PARTY, { acts: COPY }), content: { ...PARTY.content, applicantClass: 'agency', acts: COPY, necessity: '必要', authority: POLICE.content.authority }, signatures: PARTY.signatures.map(signature => ({ ...signature, proposal: { ...signature.proposal, acts: COPY } })) }],
    ['a copy without its necessity', { ...POLICE, content: { ...POLICE.content, necessity: ' ' } }],
    ['a copy without the sealed paper', { ...POLICE, content: { ...POLICE.content, authority: null } }],
  ]
  for (const [what, application] of forgeries) {
    try {
      t.fail(`${what}: opened ${JSON.stringify(grantOf(application, RULES))}`)
    } catch (error) {
      t.match(error, { code: 'CUSTOS_APPLICATION_ALTERED', name: 'ApplicationError' }, what)
      t.notMatch((error as Error).message, /𡍼大明|A123456789|臺北市政府/, 'without names')
    }
  }
  t.ok(ApplicationError.prototype instanceof Error)
})

t.test('nothing outside the asked range leaves, whatever each step leaves of it', async t => {
  const edge = fc.integer({ min: 0, max: 20 }).map(minutes => epochMs(LOBBY_HOUR.from + minutes * 60_000))
  const lines = fc.array(fc.record({ camera: fc.constantFrom(LOBBY, DOOR), from: edge, to: edge }), { minLength: 1, maxLength: 3 })
  fc.assert(fc.property(lines, lines, lines, edge, (asked, second, last, at) => {
    const taken = received(police({ asked: [LOBBY_HOUR] }))
    const start: Application = { ...taken, content: { ...taken.content, asked }, proposal: { ...taken.proposal, scope: asked } }
    let [application, proposed] = [mustGo(sign(start, CLERK)), start.proposal.scope]
    for (const [actor, scope] of [[OUTSIDE[1], second], [OUTSIDE[2], second], [DIRECTOR, last]] as const) {
      const outcome = sign(application, actor, { scope, reason: '理由', ground: 'other' })
      if (outcome.ok !== (isWithin(scope, proposed) && scope.some(line => line.from < line.to))) throw new Error(codeOf(outcome))
      application = outcome.ok ? outcome.application : mustGo(sign(application, actor, { reason: '理由', ground: 'other' }))
      proposed = application.proposal.scope
    }
    const grant = opened(application)
    for (const camera of [LOBBY, DOOR]) {
      const isGranted = proposed.some(line => line.camera === camera && line.from <= at && at < line.to)
      if (mayLeave(grant, { camera, at, act: 'view', now: NOW }).ok !== isGranted) throw new Error('the fence stands elsewhere')
    }
  }), { numRuns: 300 })
  t.pass()
})

t.test('who may sign what else', async t => {
  t.equal(codeOf(act(POLICE, CLERK, { kind: 'sign-statement', name: '趙警員' })), 'wrong-role', 'the custodian takes the statement (R34)')
  t.equal(codeOf(act(POLICE, CUSTODIAN, { kind: 'sign-statement', name: '' })), 'bad-words')
  t.equal(codeOf(act(received(police()), CUSTODIAN, { kind: 'sign-statement', name: '趙警員' })), 'wrong-state')
  const alone = context(NOW, { staffing: { ...STAFFING, deputies: [...STAFFING.deputies, ...['chief', 'secretary'].map(post => ({ account: 'lin', post, unit: null, from: '2026-01-01', to: '2026-12-31' }))] } })
  const rules = RULES.post('chief').role
  let application = mustGo(sign(received(police()), CLERK, {}, alone))
  application = mustGo(sign(application, as('lin', rules), {}, alone))
  t.equal(codeOf(sign(application, as('lin', rules), {}, alone)), 'too-few-signers', 'one person for three steps')
  t.equal(codeOf(sign(POLICE, DIRECTOR)), 'wrong-state')
  for (const days of [0, -1, 31, 1.5, Number.NaN]) {
    let waiting = received(police())
    for (const actor of OUTSIDE.slice(0, 3)) waiting = mustGo(sign(waiting, actor))
    t.equal(codeOf(sign(waiting, DIRECTOR, { grant: { days, place: '本所調閱室', isPreRollAllowed: false } })), 'bad-grant', String(days))
  }
})
