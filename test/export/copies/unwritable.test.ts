import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { ArchiveFullError } from '../../../src/archive/index.ts'
import { CopyDesk } from '../../../src/export/index.ts'
import { CHIEF, CUSTODIAN, DIRECTOR, done } from '../../requests/support/front-desk.ts'
import { until } from '../../support/until.ts'
import { CopyOffice, HAND_OVER, namesOf, never } from './support.ts'

t.test('a failure that cannot be written down does not end the queue: it is noted once the log takes it, and the next copy is made', async t => {
  const office = await CopyOffice.open(t), { desk, front: { office: { clock } } } = office
  const revoked = await office.approved(), granted = await office.approved(), custodian = await office.front.as(...CUSTODIAN)
  const failing = desk.ask(custodian, { application: revoked.number, target: { kind: 'here' } }), next = desk.ask(custodian, { application: granted.number, target: { kind: 'here' } })
  done(await office.front.act(DIRECTOR, revoked, { kind: 'revoke', reason: '誤核' }))
  const accept = office.refuseEntries('copy.failed'), stop = new AbortController()
  let isEnded = false
  const running = desk.run(stop.signal).finally(() => { isEnded = true })
  await until('the queue waits', () => isEnded || clock.pendingWaits > 1)
  t.notOk(isEnded, 'it waits')
  t.same([desk.get(failing.copyId)?.endedAt, office.front.actions(revoked.number).includes('copy.failed failed'), office.staged()], [null, false, []], 'neither ended nor entered, and nothing is left of it')
  await clock.advance(30_000)
  await until('the queue waits', () => isEnded || clock.pendingWaits > 1)
  t.equal(desk.get(next.copyId)?.state, 'queued', 'as long as nothing can be entered, nothing is read [G10]')
  accept()
  await clock.advance(30_000)
  await until('the next copy is ready', () => isEnded || desk.get(next.copyId)?.state === 'ready')
  t.match(desk.get(failing.copyId), { state: 'failed', error: { code: 'CUSTOS_COPY_REFUSED' } })
  t.equal(office.front.actions(revoked.number).filter(each => each === 'copy.failed failed').length, 1)
  stop.abort()
  await running
})

t.test('a log that cannot be written while a copy is read makes it begin anew, not fail', async t => {
  const office = await CopyOffice.open(t), { desk } = office, { number } = await office.approved()
  const { copyId } = desk.ask(await office.front.as(...CUSTODIAN), { application: number, target: { kind: 'here' } })
  for (const action of ['copy.taken', null]) {
    const accept = office.refuseEntries(action)
    await t.rejects(desk.runNext(never), { code: 'CUSTOS_AUDIT_UNWRITABLE' })
    t.match(desk.get(copyId), { state: 'queued', error: null })
    t.same(office.staged(), [])
    accept()
  }
  t.ok(await desk.runNext(never))
  t.equal(desk.get(copyId)?.state, 'ready')
})

t.test('no entry, no copy [G10]: with a log that cannot be written nothing leaves, whichever entry it refuses; afterwards it goes out', async t => {
  for (const action of ['copy.witnessed', 'copy.released', null] as const) for (const kind of ['folder', 'zip', 'here'] as const) {
    await t.test(`${action ?? 'any entry'}, ${kind}`, async t => {
      const office = await CopyOffice.open(t), target = path.join(office.root, 'out')
      mkdirSync(target)
      const { copyId, packageId } = await office.made(kind === 'here' ? { kind } : { kind, path: target })
      const chief = await office.front.as(...CHIEF)
      const accept = office.refuseEntries(action)
      await t.rejects(office.desk.release(chief, copyId, HAND_OVER), { code: 'CUSTOS_AUDIT_UNWRITABLE' })
      t.same([readdirSync(target), office.book.last(), office.desk.get(copyId)?.state, office.desk.folderOf(copyId)], [[], 0, 'ready', null], 'nothing left')
      accept()
      t.match(await office.release(copyId), { job: { state: 'released', isPublished: true }, bookLine: 1 })
      t.same(readdirSync(target).sort(), namesOf(packageId, kind))
      t.equal(office.desk.folderOf(copyId) !== null, kind === 'here')
    })
  }
})

t.test('a release whose end cannot be written down is not stuck: the queue writes it once the catalogue takes it', async t => {
  for (const isUnsound of [false, true]) await t.test(isUnsound ? 'unsound' : 'refused by the archive', async t => {
    const office = await CopyOffice.open(t), full = new ArchiveFullError(1, 0)
    const { copyId } = await office.made({ kind: 'here' })
    let accept = () => undefined as void
    const desk = new CopyDesk({
      ...office.options, papers: { ...office.options.papers, forms: async () => { if (isUnsound) { office.spoil(copyId); accept = office.refuseEntries() } return [] } },
      archive: { put: () => { accept = office.refuseEntries(); return Promise.reject(full) } },
    })
    await t.rejects(office.release(copyId, { desk }), { code: isUnsound ? 'CUSTOS_COPY_UNSOUND' : full.code }, 'what was wrong, not what came of it')
    t.equal(desk.get(copyId)?.state, 'releasing')
    accept()
    t.ok(await desk.runNext(never))
    t.match(desk.get(copyId), isUnsound ? { state: 'failed', error: { code: 'CUSTOS_COPY_UNSOUND' } } : { state: 'ready', error: { code: full.code } })
    t.equal(office.book.last(), 0)
    if (!isUnsound) t.match(await office.release(copyId), { job: { state: 'released' } })
  })
})
