import fc from 'fast-check'
import t from 'tap'
import type { InboxMessage } from '../../src/inbox/index.ts'
import { at, DOOR, hour, LOBBY, party, police, staff } from '../requests/support/front-desk.ts'
import { Correspondence, message, OUTSIDE_STEPS, sent, sentScope, step } from './support/document-system.ts'

const RUNS = { numRuns: 250, seed: Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31) }
const POSTS = ['clerk', 'chief', 'secretary', 'director', 'applicants-head', 'managing-clerk', 'managing-head'], PEOPLE = ['lin', 'chen', 'wang', 'boss', 'lee', 'admin', 'nobody']
const rarely = <Value>(value: fc.Arbitrary<Value>) => fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value })
const acts = fc.record({ view: fc.boolean(), copy: fc.boolean(), preserve: fc.boolean() })
const narrowTo = fc.oneof({ weight: 12, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.record({ scope: fc.constantFrom(sentScope([hour(LOBBY)]), sentScope([hour(DOOR)])), acts }) })
/** Mostly what a chain looks like, so that some go through. */
const steps = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(...OUTSIDE_STEPS.map(each => narrowTo.map(to => ({ ...each, narrowTo: to, reason: to === null ? null : '縮小範圍', ground: to === null ? null : 'third-party' })))) },
  { weight: 2, arbitrary: fc.constant([step('applicants-head', 'chen'), step('managing-clerk', 'lin'), step('managing-head', 'wang')]) },
  { weight: 1, arbitrary: fc.array(fc.record({ post: fc.constantFrom(...POSTS), account: fc.constantFrom(...PEOPLE), decision: fc.constantFrom('agree' as const, 'refuse' as const) }).map(each => step(each.post, each.account, { ...each, reason: '如理由' })), { minLength: 1, maxLength: 5 }) },
)
const content = fc.record({
  base: fc.constantFrom(police(), party(), staff()), form: rarely(fc.constantFrom('form-2', 'form-3', 'form-4')), applicantClass: rarely(fc.constantFrom('agency' as const, 'data-subject' as const, 'interested-party' as const, 'staff' as const)),
  acts: rarely(acts), necessity: rarely(fc.constant('須附卷')),
}).map(({ base, form, applicantClass, acts: changed, necessity }) => sent({ ...base, form: form ?? base.form, applicantClass: applicantClass ?? base.applicantClass, acts: changed ?? base.acts, necessity: necessity ?? base.necessity }))
const grant = rarely(fc.record({ days: fc.integer({ min: 1, max: 60 }), place: fc.constant('本所調閱室'), isPreRollAllowed: fc.boolean() }))
const anyMessage = fc.record({ content, steps, grant, receivedBy: fc.constantFrom('lin', 'lin', 'lin', 'lin', 'lee', 'chen') })

t.test('whatever a signed file says, a copy is given to an agency only, nothing wider than asked, and a refused file leaves nothing', async t => {
  const office = await Correspondence.open(t), { front } = office
  const tables = 'SELECT (SELECT count(*) FROM application) || (SELECT count(*) FROM application_event) || (SELECT count(*) FROM hold) || (SELECT count(*) FROM application_grant) || (SELECT count(*) FROM application_id_number)'
  const state = (): string => front.office.db.prepare<[], string>(tables).pluck().get() ?? ''
  let [number, taken, copies] = [0, 0, 0]
  await fc.assert(fc.asyncProperty(anyMessage, async given => {
    const id = `doc-115-${String(++number).padStart(6, '0')}`, name = `${id}.json`, before = state()
    office.drop(name, office.file(message({ ...given, id } as Partial<InboxMessage>)))
    await office.work()
    if (office.in('rejected').includes(name)) return state() === before
    taken += 1
    const application = office.entries('inbox.accepted').at(-1)?.application as never
    const open = front.desk.grants.open(application), { content: kept } = front.desk.reader.application(await front.as('lin', 'clerk'), application)
    if (open?.copy) copies += 1
    const isWithin = open === null || open.scope.every(line => kept.asked.some(asked => asked.camera === line.camera && asked.from <= line.from && line.to <= asked.to))
    const isAgency = kept.applicantClass === 'agency' && kept.form === 'form-2' && kept.acts.copy && kept.authority !== null
    return isWithin && (open?.copy == null || isAgency) && (open === null || open.validUntil <= at('2027-01-31T00:00:00'))
  }), RUNS)
  t.ok(taken > 5 && copies > 0, `seed ${RUNS.seed}: ${taken} of ${number} were taken, ${copies} with a copy`)
})
