import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { CopyDesk, verifyPackage, type Manifest } from '../../../src/export/index.ts'
import type { Answer } from '../../../src/requests/index.ts'
import { CHIEF, CUSTODIAN, DIRECTOR, done } from '../../requests/support/front-desk.ts'
import { CopyOffice, HAND_OVER, namesOf, never } from './support.ts'
import { Steps } from './steps.ts'

// The rows of the table of faults in design note 0014 that have no test of their own in the files beside this one.

t.test('a grant that ends while the copy is read, while it is ready, or while it is handed over ends the copy: nothing leaves and nothing stays', async t => {
  for (const when of ['reading', 'ready', 'sealing', 'archived'] as const) {
    const office = await CopyOffice.open(t), application = await office.approved(), out = path.join(office.root, 'out')
    mkdirSync(out)
    const revoking: Promise<Answer>[] = [], custodian = await office.front.as(...CUSTODIAN), director = await office.front.as(...DIRECTOR)
    const revoke = async () => { if (revoking.length === 0) revoking.push(office.front.desk.act(director, application.number, { key: 'revoked-just-now', command: { kind: 'revoke', version: application.version, reason: '誤核' } })); await revoking[0] }
    office.shelf.busy = () => { if (when === 'reading') void revoke(); return false }
    const desk: CopyDesk = new CopyDesk({
      ...office.options,
      papers: { ...office.options.papers, forms: async () => { if (when === 'sealing') await revoke(); return [] } }, archive: { put: async (acting, ask) => { const put = await office.options.archive.put(acting, ask); if (when === 'archived') await revoke(); return put } },
    })
    const { copyId } = desk.ask(custodian, { application: application.number, target: { kind: 'folder', path: out } })
    await desk.runNext(never)
    if (when === 'ready') await revoke()
    const chief = await office.front.as(...CHIEF)
    if (when !== 'reading') await t.rejects(desk.release(chief, copyId, HAND_OVER), { code: 'CUSTOS_COPY_REFUSED' }, when)
    t.match(desk.get(copyId), { state: 'failed', error: { code: /CUSTOS_COPY_(REFUSED|FENCED)/ } }, when)
    t.same([readdirSync(out), office.staged(), office.book.last()], [[], [], 0], `${when}: nothing left, nothing stayed`)
    t.equal(office.front.actions(application.number).filter(each => each === 'copy.failed failed').length, 1, when)
    for (const answer of await Promise.all(revoking)) done(answer)
  }
})

t.test('a disk that is slow all the time makes a copy slow, and does not keep it from being made', async t => {
  const office = await CopyOffice.open(t), { desk, front: { office: { clock } } } = office
  office.shelf.busy = () => true
  const { number } = await office.approved(), { copyId } = desk.ask(await office.front.as(...CUSTODIAN), { application: number, target: { kind: 'here' } })
  let isEnded = false
  const making = desk.runNext(never).finally(() => { isEnded = true })
  while (!isEnded) { await clock.advance(1_000); await wait(2) } // disk and ffmpeg take time of their own; for ever is what the test's limit ends
  await making
  t.equal(desk.get(copyId)?.state, 'ready')
})

t.test('rotten footage: the file ends before it, the next key frame begins another, and the manifest tells of the hole and its cause', async t => {
  const office = await CopyOffice.open(t)
  office.shelf.rotten.add('0/1')
  const { copyId } = await office.made({ kind: 'here' })
  t.match(await office.release(copyId), { job: { state: 'released' } })
  const folder = office.desk.folderOf(copyId)!, { videos, gaps } = JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8')) as Manifest
  t.equal(videos.length, 2)
  t.ok(gaps.some(({ cause, from, to }) => cause.code === 'record-unreadable' && Date.parse(from) >= Date.parse(videos[0]!.firstFrameAt) && Date.parse(to) <= Date.parse(videos[1]!.firstFrameAt)), JSON.stringify(gaps))
  t.match(await verifyPackage(folder), { isIntact: true })
})

t.test('unsound once it is sealed: it ends for good, and is not kept', async t => {
  const office = await CopyOffice.open(t), { copyId } = await office.made({ kind: 'here' })
  const desk = new CopyDesk({ ...office.options, papers: { ...office.options.papers, forms: async () => { office.spoil(copyId); return [] } } })
  await t.rejects(office.release(copyId, { desk }), { code: 'CUSTOS_COPY_UNSOUND' })
  t.match(desk.get(copyId), { state: 'failed', error: { code: 'CUSTOS_COPY_UNSOUND' } })
  t.same([office.staged(), office.book.last(), office.stored.length], [[], 0, 0])
})

t.test('the archive refuses: nothing leaves, the copy stays ready and is bound to no hand-over', async t => {
  const office = await CopyOffice.open(t), out = path.join(office.root, 'out')
  mkdirSync(out)
  const { archive, desk } = await office.afresh(), { copyId, packageId } = await office.made({ kind: 'folder', path: out }, desk)
  const full = new CopyDesk({ ...office.options, archive: (await office.afresh(1)).archive })
  await t.rejects(office.release(copyId, { desk: full }), { code: 'CUSTOS_ARCHIVE_FULL' })
  t.match(full.get(copyId), { state: 'ready', handedTo: null, error: { code: 'CUSTOS_ARCHIVE_FULL' } })
  t.same([readdirSync(out), office.book.last(), archive.list()], [[], 0, []])
  t.match(await office.release(copyId, { desk, handOver: { ...HAND_OVER, forInquiry: false } }), { job: { state: 'released', isPublished: true }, bookLine: 1 })
  t.same([readdirSync(out).sort(), archive.list().length], [namesOf(packageId), 1])
})

t.test('cancelled while the recorder stops: it stays cancelled', async t => {
  for (const first of ['cancel', 'stop'] as const) {
    const office = await CopyOffice.open(t), { number } = await office.approved(), custodian = await office.front.as(...CUSTODIAN), stop = new AbortController(), cancelling: Promise<unknown>[] = []
    const { desk } = office
    office.shelf.busy = () => {
      if (cancelling.length > 0) return false
      if (first === 'stop') stop.abort()
      cancelling.push(desk.cancel(custodian, copyId, '不再需要'))
      stop.abort()
      return false
    }
    const { copyId } = desk.ask(custodian, { application: number, target: { kind: 'here' } })
    await desk.runNext(stop.signal)
    t.equal(cancelling.length, 1)
    await Promise.all(cancelling)
    const next = new CopyDesk(office.options)
    await next.resume()
    t.match(next.get(copyId), { state: 'cancelled' }, first)
    t.same([office.staged(), await next.runNext(never)], [[], false])
  }
})

t.test('killed between the release and its name: the next start gives it', async t => {
  const office = await CopyOffice.open(t), out = path.join(office.root, 'out')
  mkdirSync(out)
  const { copyId, packageId } = await office.made({ kind: 'folder', path: out })
  const steps = new Steps(({ what, file }) => { if (what === 'rename' && file.endsWith('.part')) return 'kill'; return undefined })
  await office.release(copyId, { steps })
  t.ok(steps.isKilled)
  t.match(office.desk.get(copyId), { state: 'released', isPublished: false })
  t.notOk(existsSync(path.join(out, packageId)))
  await new CopyDesk(office.options).resume()
  t.match(office.desk.get(copyId), { state: 'released', isPublished: true })
  t.match(await verifyPackage(path.join(out, packageId)), { isIntact: true })
  t.same([readdirSync(out).sort(), office.staged(), office.book.last()], [namesOf(packageId), [], 1])
})
