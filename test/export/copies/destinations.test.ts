import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { CHIEF, CUSTODIAN } from '../../requests/support/front-desk.ts'
import { CopyOffice, LINE, medium } from './support.ts'

const HAND_OVER = { recipient: { name: '趙警員', unit: '信義分局', idType: '服務證' }, forInquiry: false, other: null, medium: null, password: null }
const never = new AbortController().signal

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
    t.same(readdirSync(folder).sort(), [kind === 'zip' ? `${packageId}.zip` : packageId, `${packageId}.隨附文件`].sort())
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
  t.match(office.stored.map(({ facts }) => facts), [{ kind: 'preserved', reason: '櫃檯糾紛，有繼續保存之必要' }])
  t.same([office.book.last(), office.desk.folderOf(copyId), existsSync(path.join(office.root, 'copies', copyId))], [0, null, false])
})

t.test('cancelled while it waits or is ready: what was written goes, and it is not cancelled twice; the queue has an end', async t => {
  const office = await CopyOffice.open(t), custodian = await office.front.as(...CUSTODIAN)
  const { number } = await office.approved(), ask = () => office.desk.ask(custodian, { application: number, target: { kind: 'here' } })
  for (const isReady of [false, true]) {
    const { copyId } = ask()
    if (isReady) await office.desk.runNext(never)
    t.equal(existsSync(path.join(office.root, 'copies', copyId)), isReady)
    t.match(await office.desk.cancel(custodian, copyId, '不再需要'), { state: 'cancelled' })
    t.notOk(existsSync(path.join(office.root, 'copies', copyId)))
    await t.rejects(office.desk.cancel(custodian, copyId, '不再需要'), { code: 'CUSTOS_COPY_REFUSED' })
  }
  t.notOk(await office.desk.runNext(never), 'nothing waits')
  for (let i = 0; i < 20; i++) ask()
  t.throws(ask, { code: 'CUSTOS_COPY_QUEUE_FULL' })
})
