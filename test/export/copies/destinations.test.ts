import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { CopyDesk, verifyPackage } from '../../../src/export/index.ts'
import { CHIEF, CUSTODIAN } from '../../requests/support/front-desk.ts'
import { medium } from './media.ts'
import { CopyOffice, HAND_OVER, LINE, namesOf, never } from './support.ts'

t.test('a medium that is full or read-only: told by its code, nothing half on it, nothing in the book; the copy stays ready and goes out once there is room', async t => {
  const office = await CopyOffice.open(t)
  const { number } = await office.approved(), chief = await office.front.as(...CHIEF)
  for (const kind of ['medium', 'folder', 'zip'] as const) {
    const folder = medium(t, path.join(office.root, kind), 64 << 10), lines = office.book.last()
    const { copyId, packageId } = office.desk.ask(await office.front.as(...CUSTODIAN), { application: number, target: { kind, path: folder } })
    await office.desk.runNext(never)
    await t.rejects(office.desk.release(chief, copyId, HAND_OVER), { code: 'CUSTOS_COPY_TARGET', fault: 'full' }, `${kind}: full`)
    execFileSync('mount', ['-o', `remount,ro,size=${64 << 20}`, folder])
    await t.rejects(office.desk.release(chief, copyId, HAND_OVER), { code: 'CUSTOS_COPY_TARGET', fault: 'read-only' }, `${kind}: read-only`)
    t.same([readdirSync(folder), office.book.last()], [[], lines], 'nothing half')
    t.match(office.desk.get(copyId), { state: 'ready', error: { code: 'CUSTOS_COPY_TARGET' } })
    execFileSync('mount', ['-o', 'remount,rw', folder])
    t.match(await office.desk.release(chief, copyId, HAND_OVER), { job: { state: 'released', isPublished: true }, bookLine: lines + 1 })
    t.same(readdirSync(folder).sort(), namesOf(packageId, kind))
  }
})

t.test('keys, catalogue, footage and archive are no destination, named outright or by a link', async t => {
  const office = await CopyOffice.open(t), custodian = await office.front.as(...CUSTODIAN), state = path.join(office.root, 'state')
  const { number } = await office.approved()
  for (const place of [state, path.join(state, 'keys'), `${state}/../state/keys`]) t.throws(() => office.desk.ask(custodian, { application: number, target: { kind: 'folder', path: place } }), { code: 'CUSTOS_COPY_REFUSED' }, place.slice(office.root.length))
  const link = path.join(office.root, 'link')
  symlinkSync(path.join(state, 'keys'), link)
  const before = readdirSync(link).sort()
  for (const kind of ['medium', 'folder', 'zip'] as const) {
    const { copyId } = office.desk.ask(custodian, { application: number, target: { kind, path: link } })
    await office.desk.runNext(never)
    await t.rejects(office.desk.release(await office.front.as(...CHIEF), copyId, HAND_OVER), { code: 'CUSTOS_COPY_TARGET', fault: 'own' }, kind)
  }
  t.same([readdirSync(link).sort(), office.book.last()], [before, 0])
})

t.test('the office\'s own decision stays in the archive: an approver keeps it, nobody is handed it, no book line', async t => {
  const office = await CopyOffice.open(t), custodian = await office.front.as(...CUSTODIAN)
  const { copyId, packageId } = office.desk.preserveByDecision(custodian, { scope: [LINE], reason: '櫃檯糾紛，有繼續保存之必要' })
  t.match(packageId, /^\d+-存-0001-1$/)
  await office.desk.runNext(never)
  await t.rejects(office.desk.release(await office.front.as(...CHIEF), copyId, HAND_OVER), { code: 'CUSTOS_COPY_REFUSED' })
  t.match(await office.desk.keep(await office.front.as(...CHIEF), copyId), { state: 'kept', archiveItem: 'A115-0001' })
  t.match(office.stored.map(({ facts }) => facts), [{ kind: 'decided', reason: '櫃檯糾紛，有繼續保存之必要' }])
  t.same([office.book.last(), office.desk.folderOf(copyId), existsSync(path.join(office.root, 'copies', copyId))], [0, null, false])
})

t.test('cancelled while it waits, is read, is read back or is ready: what was written goes, and it is not cancelled twice', async t => {
  for (const when of ['queued', 'reading', 'packing', 'ready'] as const) {
    const office = await CopyOffice.open(t), { number } = await office.approved(), custodian = await office.front.as(...CUSTODIAN)
    let cancelling: Promise<unknown> | null = null
    const { desk } = office
    office.shelf.busy = () => {
      if (desk.get(copyId)?.state === when) cancelling ??= desk.cancel(custodian, copyId, '不再需要')
      return false
    }
    const { copyId } = desk.ask(custodian, { application: number, target: { kind: 'here' } })
    if (when !== 'queued') t.ok(await desk.runNext(never))
    if (when === 'queued' || when === 'ready') cancelling = desk.cancel(custodian, copyId, '不再需要')
    t.match(await cancelling, { state: 'cancelled' }, when)
    t.match(desk.get(copyId), { state: 'cancelled', error: null })
    t.same(office.staged(), [], `${when}: nothing is left`)
    await t.rejects(desk.cancel(custodian, copyId, '不再需要'), { code: 'CUSTOS_COPY_REFUSED', message: /已結束/ })
    t.notOk(await desk.runNext(never), 'nothing waits')
    t.notOk(office.front.actions(number).includes('copy.failed failed'))
  }
})

t.test('while it is being handed over it is not cancelled, and the words say so', async t => {
  const office = await CopyOffice.open(t), { copyId } = await office.made({ kind: 'here' }), custodian = await office.front.as(...CUSTODIAN)
  const refused: Promise<unknown>[] = []
  const desk = new CopyDesk({ ...office.options, papers: { ...office.options.papers, forms: async () => { refused.push(t.rejects(desk.cancel(custodian, copyId, '不再需要'), { code: 'CUSTOS_COPY_REFUSED', message: /正在交付.*being released/ })); return [] } } })
  t.match(await office.release(copyId, { desk }), { job: { state: 'released' } })
  t.equal(refused.length, 1)
  await Promise.all(refused)
})

t.test('one that stays here to be fetched: released as any, and told where it stands', async t => {
  const office = await CopyOffice.open(t), { copyId, packageId } = await office.made({ kind: 'here' })
  t.equal(office.desk.folderOf(copyId), null, 'not before its release')
  t.match(await office.release(copyId), { job: { state: 'released', isPublished: true, archiveItem: 'A115-0001' }, bookLine: 1 })
  const folder = office.desk.folderOf(copyId)!
  t.equal(path.basename(folder), packageId)
  t.match(await verifyPackage(folder, { fingerprint: (await office.options.signer()).fingerprint }), { isIntact: true, origin: 'confirmed' })
  await office.desk.publishAgain(copyId)
  await office.desk.resume()
  t.equal(office.desk.folderOf(copyId), folder)
  t.ok(existsSync(path.join(folder, 'manifest.json')), 'a start leaves it')
})

t.test('the queue has an end', async t => {
  const office = await CopyOffice.open(t), custodian = await office.front.as(...CUSTODIAN), { number } = await office.approved(), ask = () => office.desk.ask(custodian, { application: number, target: { kind: 'here' } })
  for (let i = 0; i < 20; i++) ask()
  t.throws(ask, { code: 'CUSTOS_COPY_QUEUE_FULL' })
})

t.test('nothing that has its name at the destination is written over, and a place that is not there is told as gone', async t => {
  const office = await CopyOffice.open(t)
  for (const kind of ['folder', 'zip'] as const) {
    const folder = path.join(office.root, kind), { copyId, packageId } = await office.made({ kind, path: folder })
    await t.rejects(office.release(copyId), { code: 'CUSTOS_COPY_TARGET', fault: 'gone' })
    mkdirSync(folder)
    const theirs = path.join(folder, kind === 'zip' ? `${packageId}.zip` : packageId)
    writeFileSync(theirs, 'of somebody else')
    await t.rejects(office.release(copyId), { code: 'CUSTOS_COPY_TARGET', fault: 'exists' })
    t.same([readdirSync(folder), readFileSync(theirs, 'utf8')], [[path.basename(theirs)], 'of somebody else'])
    rmSync(theirs)
    t.match(await office.release(copyId), { job: { state: 'released', isPublished: true } })
  }
})
