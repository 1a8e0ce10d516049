import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { verifyPackage, type CopyDesk, type CopyJob, type CopyTarget } from '../../../src/export/index.ts'
import { ACTING, contentOf } from '../../archive/support/rig.ts'
import { CHIEF, CUSTODIAN } from '../../requests/support/front-desk.ts'
import { CopyOffice, FOOTAGE, HAND_OVER, never, THROUGH_CACHE } from './support.ts'
import { Steps, type Step } from './steps.ts'

// A copy is killed before a step of disk or catalogue, which is after the one before it; then everything is opened anew and the copy is brought to its end.
// Steps that repeat file by file are taken at the first of each kind, and releases to a folder only; with KILL_AT_EVERY_STEP=1, each step of every kind of release.
t.setTimeout(900_000) // of many copies on a busy machine
const isEvery = process.env['KILL_AT_EVERY_STEP'] === '1'
type Stage = 'ask' | 'make' | 'release' | 'keep'
interface Asked { readonly number: string, readonly target: CopyTarget, readonly isKept: boolean }

const ask = async (office: CopyOffice, desk: CopyDesk, { number, target, isKept }: Asked): Promise<() => Promise<CopyJob>> => {
  const custodian = await office.front.as(...CUSTODIAN)
  return async () => isKept ? desk.preserve(custodian, { application: number as never, reason: '偵查中，有繼續保存之必要' }) : desk.ask(custodian, { application: number as never, target })
}
const letGo = async (office: CopyOffice, desk: CopyDesk, { copyId, intent }: CopyJob): Promise<() => Promise<unknown>> => {
  const chief = await office.front.as(...CHIEF)
  return () => intent === 'release' ? desk.release(chief, copyId, HAND_OVER) : desk.keep(chief, copyId)
}

const finalOf = ({ target }: Asked, { packageId }: CopyJob): string | null => target.kind === 'here' ? null : path.join(target.path, target.kind === 'zip' ? `${packageId}.zip` : packageId)
const RECORDING = ['camera', 'volume', 'slot', 'segment', 'run', 'gap', 'overwrite_record', 'scrub_position'] as const
const recording = ({ front: { office: { db } } }: CopyOffice): string => createHash('sha256').update(JSON.stringify(RECORDING.map(table => db.prepare(`SELECT * FROM ${table}`).all()))).digest('hex')
const entries = ({ front }: CopyOffice, number: string, action: string): number => front.actions(number as never).filter(each => each === action).length

/** One copy, cut off in `stage` before step `index`, or at none of them. What was seen until then. */
async function live(t: Test, office: CopyOffice, asked: Asked, { stage, index, what }: { readonly stage: Stage, readonly index: number | null, readonly what: string }): Promise<readonly Step[]> {
  const { number } = asked, first = await office.afresh(), untouched = recording(office), { jobs } = { jobs: () => first.desk.ofApplication(number) }
  const begin = await ask(office, first.desk, asked)
  if (stage !== 'ask') await begin()
  if (stage === 'release' || stage === 'keep') await first.desk.runNext(never)
  const early: string[] = []
  const steps = new Steps((step, at) => {
    const [job] = jobs(), final = job === undefined ? null : finalOf(asked, job)
    if (final !== null && existsSync(final) && job!.state !== 'released') early.push(`${step.what} ${step.file}`)
    return at === index ? 'kill' : undefined
  })
  const work = stage === 'ask' ? begin : stage === 'make' ? () => first.desk.runNext(never) : await letGo(office, first.desk, jobs()[0]!)
  await steps.of(work)
  t.equal(steps.isKilled, index !== null, `${what}: killed`)
  const [cut] = jobs(), cutFinal = cut === undefined ? null : finalOf(asked, cut)
  if (cutFinal !== null && existsSync(cutFinal) && cut!.state !== 'released') early.push('when it was killed')

  const next = await office.afresh()
  await next.desk.resume()
  if (jobs().length === 0) await (await ask(office, next.desk, asked))()
  t.equal(jobs().length, 1, `${what}: one copy`)
  while (await next.desk.runNext(never));
  if (jobs()[0]!.endedAt === null) await (await letGo(office, next.desk, jobs()[0]!))()
  await t.rejects(async () => (await letGo(office, next.desk, jobs()[0]!))(), { code: 'CUSTOS_COPY_REFUSED' }, `${what}: once`)
  await checkWhole(t, office, asked, { archive: next.archive, job: jobs()[0]!, what })
  t.same(early, [], `${what}: its name is never there before the books say so`)
  t.equal(recording(office), untouched, `${what}: the recording is as it was`)
  return steps.seen
}

async function checkWhole(t: Test, office: CopyOffice, asked: Asked, { archive, job, what }: { readonly archive: Awaited<ReturnType<CopyOffice['afresh']>>['archive'], readonly job: CopyJob, readonly what: string }): Promise<void> {
  const { number, target, isKept } = asked, final = finalOf(asked, job)
  const items = archive.ofApplication(number)
  t.match(job, isKept ? { state: 'kept', error: null } : { state: 'released', isPublished: true, error: null }, what)
  t.same(items.map(({ itemNo, state, kind }) => [itemNo, state, kind]), [[job.archiveItem, 'kept', isKept ? 'preserved' : 'copy-master']], `${what}: one Master`)
  t.match(archive.view(), { state: 'ok', lost: [], strays: 0 }, what)
  t.same(readdirSync(path.join(office.root, 'archive', 'items')).sort(), archive.list().map(({ itemNo }) => itemNo).sort(), `${what}: nothing half in the archive`)
  t.equal(office.front.office.db.prepare<[string], number>('SELECT count(*) FROM book_line WHERE application = ?').pluck().get(number), isKept ? 0 : 1, `${what}: the book`)
  t.same([entries(office, number, 'copy.released'), entries(office, number, 'copy.kept'), entries(office, number, 'archive.put') + entries(office, number, 'archive.adopted')], isKept ? [0, 1, 1] : [1, 0, 1], `${what}: the log`)
  t.same(office.staged().filter(name => name === job.copyId), target.kind === 'here' && !isKept ? [job.copyId] : [], `${what}: staging`)
  const master = (await contentOf(await archive.read(ACTING, items[0]!.itemNo)))['manifest.json']!
  t.equal(createHash('sha256').update(master).digest('hex'), job.manifestSha256, `${what}: the Master is what went out (E17)`)
  const folder = final ?? office.desk.folderOf(job.copyId)
  const sheets = isKept ? null : target.kind === 'here' ? office.desk.sheetsOf(job.copyId) : path.join(target.path, `${job.packageId}.隨附文件`), { line } = office.front.office.db.prepare<[string], { line: number }>('SELECT line FROM book_line WHERE application = ?').get(number) ?? { line: 0 }
  if (sheets !== null) t.equal(readFileSync(path.join(sheets, '保管移轉紀錄及收據.pdf'), 'utf8'), `第 ${line} 行`, `${what}: its sheets, with the line of the book`)
  if (target.kind !== 'here') t.same(readdirSync(target.path).filter(name => name.startsWith('.')), [], `${what}: nothing hidden at the destination`)
  if (folder === null) return
  t.match(await verifyPackage(folder, { fingerprint: (await office.options.signer()).fingerprint }), { isIntact: true, origin: 'confirmed' }, what)
  if (target.kind !== 'zip') t.equal(createHash('sha256').update(readFileSync(path.join(folder, 'manifest.json'))).digest('hex'), job.manifestSha256, `${what}: what went out is what was entered`)
}

/** What kind of step at what kind of place: `sync archive`, `rename out`. Places are folders of the office. */
const kindOf = ({ what, file }: Step): string => `${what} ${what === 'commit' ? file : (/\/office\/(?:state\/keys\/)?(custos-verify|\.cms|\w+)/.exec(file)?.[1] ?? '')}`
/** Where to kill: at each commit, and at the first of every other kind. */
function points(seen: readonly Step[], which: RegExp): number[] {
  const kinds = Map.groupBy(seen.keys(), index => kindOf(seen[index]!))
  return [...kinds].flatMap(([kind, at]) => isEvery || kind.startsWith('commit') ? at : !which.test(kind) ? [] : [at[0]!]).sort((a, b) => a - b)
}

/** With the kinds of steps that are this way's own. */
const CASES: readonly (readonly [Stage, CopyTarget['kind'], boolean, RegExp])[] = [
  ['ask', 'here', false, /./], ['make', 'here', false, /./], ['release', 'folder', false, /./], ['release', 'zip', false, /out/], ['release', 'here', false, /^commit/], ['keep', 'here', true, /copies|archive/],
]
for (const [stage, kind, isKept, which] of CASES.filter(([stage, kind]) => isEvery || stage !== 'release' || kind === 'folder')) {
  t.test(`killed in ${stage}, ${isKept ? 'to be kept' : kind}: wherever it is cut off the next start brings one copy, one Master and one book line about`, async t => {
    const office = await CopyOffice.open(t, FOOTAGE, THROUGH_CACHE), out = path.join(office.root, 'out')
    mkdirSync(out)
    process.env['TMPDIR'] = office.root // what is killed leaves its scratch
    const next = async (): Promise<Asked> => ({ number: (await (isKept ? office.preserved() : office.approved())).number, target: kind === 'here' ? { kind } : { kind, path: out }, isKept })
    await live(t, office, await next(), { stage, index: null, what: 'the first' })
    const seen = await live(t, office, await next(), { stage, index: null, what: 'not killed' })
    const at = points(seen, which)
    for (const index of at) await live(t, office, await next(), { stage, index, what: `before ${index} (${seen[index]!.what} ${path.basename(seen[index]!.file)})` })
    t.comment(`${at.length} of ${seen.length} steps`)
  })
}
