import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { atMachine, type Acting, type Role } from '../../../src/access/index.ts'
import { CustosError } from '../../../src/domain/index.ts'
import type { CopyTarget } from '../../../src/export/index.ts'
import type { Application, ApplicationNumber } from '../../../src/requests/index.ts'
import { CLERK, CUSTODIAN, DIRECTOR, done, INSIDE, OUTSIDE, party, police, staff } from '../../requests/support/front-desk.ts'
import { CopyOffice, LINE } from './support.ts'

t.setTimeout(900_000) // of many offices' worth of calls on a busy machine
const RUNS = { numRuns: 40, seed: Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31) }
const WHO: readonly (readonly [string, Role])[] = [CUSTODIAN, CLERK, DIRECTOR, ['chen', 'chief'], ['chen', 'staff'], ['wang', 'secretary'], ['lee', 'staff'], ['admin', 'system-admin']]
const KINDS = ['police', 'police', 'police', 'police, view alone', 'party', 'party, to be kept', 'staff'] as const
const STEPS = ['sign', 'sign', 'sign', 'sign', 'revoke', 'withdraw', 'statement', 'expire'] as const

const who = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.integer({ min: 1, max: WHO.length }) }) // the last is the machine's own login
/** Where to, below the office's own folder; absolute and outside of the recorder is OUT alone. */
const OUT = '/out'
const target = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) },
  { weight: 2, arbitrary: fc.constantFrom('folder', 'zip', 'medium').map(kind => ({ kind, below: OUT }) as const) },
  { weight: 2, arbitrary: fc.constantFrom('/state/keys', '/copies', '/out/../state', '/a\0b', `/${'x'.repeat(500)}`, null).map(below => ({ kind: 'folder', below }) as const) }, // null: not absolute
)
const placed = (office: CopyOffice, to: Target): CopyTarget => to === null ? { kind: 'here' } : { kind: to.kind, path: to.below === null ? 'out' : `${office.root}${to.below}` }
const isPlace = (to: Target): boolean => to === null || to.below === OUT
type Target = { readonly kind: 'folder' | 'zip' | 'medium', readonly below: string | null } | null

const call = fc.oneof(
  { weight: 3, arbitrary: fc.record({ call: fc.constant('ask' as const), who, target, isUnknown: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }) }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('preserve' as const), who }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('step' as const), step: fc.constantFrom(...STEPS) }) },
)

const tally = { calls: 0, made: 0, kept: 0, refused: 0 }

/** An application of any kind, somewhere on its way, and calls in any order by anybody. What may be made is told by what was granted, not by the desk. */
class Life {
  readonly office: CopyOffice
  readonly kind: (typeof KINDS)[number]
  application!: Application
  isSigned = false
  hasStatement = false
  hasRunOut = false
  isTakenBack = false
  constructor(office: CopyOffice, kind: (typeof KINDS)[number]) { this.office = office; this.kind = kind }

  async begin(): Promise<void> {
    const asked = [LINE]
    const content = this.kind === 'police' ? police({ asked }) : this.kind === 'police, view alone' ? police({ asked, acts: { view: true, copy: false, preserve: false } }) : this.kind === 'party' ? party({ asked })
      : this.kind === 'party, to be kept' ? party({ asked, acts: { view: true, copy: false, preserve: true } }) : staff({ asked })
    this.application = done(await this.office.front.receive(content, this.kind === 'staff' ? ['lee', 'staff'] : CLERK)).application
  }

  /** Whether it may be done; what is refused changes nothing. */
  async step(step: (typeof STEPS)[number]): Promise<void> {
    const { front } = this.office, { state } = this.application
    if (step === 'expire') { if (this.isSigned && !this.hasRunOut) { front.office.pass(40 * 86_400_000); this.hasRunOut = true } return }
    const chain = this.kind === 'staff' ? INSIDE : OUTSIDE
    const answer = step === 'sign' ? await front.sign(chain[state.kind === 'under-review' ? state.step : 0]!, this.application)
      : step === 'statement' ? await front.act(CUSTODIAN, this.application, { kind: 'sign-statement', name: '趙警員' })
      : step === 'revoke' ? await front.act(chain.at(-1)!, this.application, { kind: 'revoke', reason: '誤核' }) : await front.act(CLERK, this.application, { kind: 'withdraw', reason: '撤回' })
    if (!answer.ok) return
    this.application = answer.application
    if (answer.application.state.kind === 'approved') this.isSigned = true
    if (step === 'statement') this.hasStatement = true
    if (step === 'revoke' || step === 'withdraw') this.isTakenBack = true
  }

  get mayCopy(): boolean { return this.kind === 'police' && this.isSigned && this.hasStatement && !this.hasRunOut && !this.isTakenBack }
  /** What was granted to be kept is kept, however late. */
  get mayPreserve(): boolean { return this.kind === 'party, to be kept' && this.isSigned && !this.isTakenBack }
}

async function acting(office: CopyOffice, index: number): Promise<Acting> {
  const one = WHO[index]
  return one === undefined ? atMachine({ kind: 'machine-user', name: '王小明', role: null, source: 'login root' }) : office.front.as(...one)
}

t.test('a copy is made of an agency\'s application with a copy granted and open, and of nothing else, whoever asks, wherever to, in whatever order; what is refused has its entry and nothing of it is on the disk', async t => {
  await fc.assert(fc.asyncProperty(fc.constantFrom(...KINDS), fc.oneof({ weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }) }, { weight: 3, arbitrary: fc.integer({ min: 4, max: 5 }) }), fc.array(call, { minLength: 4, maxLength: 10, size: 'max' }), async (kind, signatures, calls) => {
    const office = await CopyOffice.open(t), { desk, front } = office
    const life = new Life(office, kind)
    await life.begin()
    for (let n = 0; n < signatures; n++) await life.step(n < 4 ? 'sign' : 'statement')
    for (const each of calls) {
      if (each.call === 'step') { await life.step(each.step); continue }
      tally.calls += 1
      const by = await acting(office, each.who), isCustodian = each.who === 0
      const number = each.call === 'ask' && each.isUnknown ? '115-調-9999' as ApplicationNumber : life.application.number
      const mayBe = isCustodian && (each.call === 'ask' ? life.mayCopy && isPlace(each.target) && !each.isUnknown : life.mayPreserve)
      const [jobs, entries] = [front.count('copy_job'), front.office.entries('copy.asked')]
      let code: string | null = null
      try {
        if (each.call === 'ask') desk.ask(by, { application: number, target: placed(office, each.target) })
        else desk.preserve(by, { application: number, reason: '偵查中，有繼續保存之必要' })
      } catch (error) {
        if (!(error instanceof CustosError)) throw error
        code = error.code
      }
      const after = front.office.entries('copy.asked'), added = after.slice(entries.length), what = `${each.call} of ${kind} by ${WHO[each.who]?.join(' as ') ?? 'the machine'}`
      if ((code === null) !== mayBe) throw new Error(`${what}: ${code ?? 'made'}, may be made: ${mayBe}, ${JSON.stringify(each)}`)
      if (front.count('copy_job') !== jobs + (mayBe ? 1 : 0)) throw new Error(`${what}: ${front.count('copy_job') - jobs} rows`)
      if (added.length !== 1 || added[0]!.result !== (mayBe ? 'done' : 'refused')) throw new Error(`${what}: entries ${JSON.stringify(added)}`)
      if (existsSync(path.join(office.root, 'copies')) || readdirSync(office.root).join() !== 'state') throw new Error(`${what}: ${readdirSync(office.root).join()}`)
      if (mayBe) {
        const job = desk.ofApplication(number).at(-1)!
        if (job.state !== 'queued' || job.intent !== (each.call === 'ask' ? 'release' : 'preserve')) throw new Error(`${what}: ${job.state} ${job.intent}`)
        await desk.cancel(await front.as(...CUSTODIAN), job.copyId, '不再需要')
        tally[each.call === 'ask' ? 'made' : 'kept'] += 1
      } else tally.refused += 1
    }
  }), {
    ...RUNS, examples: [ // so that each run has both, and the first fault that the walks found
      ['police', 5, [{ call: 'ask', who: 0, target: null, isUnknown: false }, { call: 'step', step: 'expire' }, { call: 'ask', who: 0, target: null, isUnknown: false }]], ['party, to be kept', 4, [{ call: 'preserve', who: 0 }]],
    ],
  })
  t.comment(JSON.stringify({ seed: RUNS.seed, ...tally }))
  t.ok(tally.made > 0 && tally.kept > 0, 'the walks do reach copies')
  t.ok(tally.refused > 50, 'and refusals')
})
