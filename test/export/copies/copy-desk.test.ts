import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { CopyDesk, verifyPackage } from '../../../src/export/index.ts'
import { CHIEF, CUSTODIAN, DIRECTOR, done, INSIDE, OUTSIDE, party, staff } from '../../requests/support/front-desk.ts'
import { spoiltPictures } from '../../support/fragments.ts'
import { medium } from './media.ts'
import { CopyOffice, FOOTAGE, HAND_OVER, LINE, namesOf, never } from './support.ts'

t.test('from the grant to the release: made, read back, witnessed by another, archived, entered in the book, and only then at its place', async t => {
  const office = await CopyOffice.open(t), target = medium(t, path.join(office.root, 'usb'))
  const { number } = await office.approved()
  const custodian = await office.front.as(...CUSTODIAN)
  const job = office.desk.ask(custodian, { application: number, target: { kind: 'medium', path: target } })
  t.ok(await office.desk.runNext(never))
  const ready = office.desk.get(job.copyId)!
  t.match(ready, { state: 'ready', error: null, doneBytes: ready.totalBytes! }, 'all of it is done')
  await t.rejects(office.desk.release(await office.front.as('lin', 'clerk'), job.copyId, HAND_OVER), { code: 'CUSTOS_COPY_REFUSED' }, 'who made it cannot witness it')
  t.same(readdirSync(target), [])
  office.archiveFault = new Error('the archive is full')
  await t.rejects(office.desk.release(await office.front.as(...CHIEF), job.copyId, HAND_OVER), /archive is full/)
  t.same([readdirSync(target), office.book.last(), office.desk.get(job.copyId)?.state], [[], 0, 'ready'], 'nothing half')
  office.archiveFault = null
  const released = await office.desk.release(await office.front.as(...CHIEF), job.copyId, HAND_OVER)
  t.match(released, { job: { state: 'released', isPublished: true, archiveItem: 'A115-0001', doneBytes: ready.totalBytes! }, bookLine: 1 })
  t.match(await verifyPackage(path.join(target, job.packageId), { fingerprint: (await office.options.signer()).fingerprint }), { isIntact: true, origin: 'confirmed' })
  t.match(JSON.parse(readFileSync(path.join(target, job.packageId, 'manifest.json'), 'utf8')), { time: { cameraOffsets: [{ cameraId: 'lobby', minMs: 40, maxMs: 40 }] } }, 'the camera\'s clock as it was asked while recording (E5)')
  t.match(office.book.get(1)?.line, { act: 'copy', uses: { copied: true, forInquiry: true } })
  t.same(readdirSync(target).sort(), namesOf(job.packageId))
  t.equal(office.stored.length, 1)
  await t.rejects(office.desk.release(await office.front.as(...CHIEF), job.copyId, HAND_OVER), { code: 'CUSTOS_COPY_REFUSED' }, 'once')
})

t.test('pictures that do not decode are found before the release and said so; they are what was recorded, and the witness decides', async t => {
  for (const [footage, result, words] of [[FOOTAGE, 'decoded', '1 檔均可播放'], [spoiltPictures(FOOTAGE, [0, 1]), 'undecodable', '1 檔有畫面無法解碼']] as const) {
    const office = await CopyOffice.open(t, footage), { number } = await office.approved()
    const job = office.desk.ask(await office.front.as(...CUSTODIAN), { application: number, target: { kind: 'here' } })
    await office.desk.runNext(never)
    t.match(office.desk.get(job.copyId), { state: 'ready', error: result === 'decoded' ? null : { code: 'CUSTOS_COPY_UNPLAYABLE', text: new RegExp(words) } })
    const { verdict } = await office.desk.release(await office.front.as(...CHIEF), job.copyId, HAND_OVER)
    t.match(verdict, { isIntact: true, origin: 'confirmed' })
    const folder = office.desk.folderOf(job.copyId)!
    t.match(JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8')), { playback: [{ extent: 'whole', pictures: 51, result }] })
    for (const file of ['custody.json', 'README_請先閱讀.html']) t.match(readFileSync(path.join(folder, file), 'utf8'), words, file)
  }
})

t.test('who may not witness is refused before what they say is looked at, and is on record', async t => {
  const office = await CopyOffice.open(t)
  const application = await office.approved()
  const job = office.desk.ask(await office.front.as(...CUSTODIAN), { application: application.number, target: { kind: 'here' } })
  const bad = { ...HAND_OVER, recipient: { name: '', unit: '', idType: '' } }
  await t.rejects(office.desk.release(await office.front.as('lee', 'staff'), job.copyId, bad), { code: 'CUSTOS_RIGHT_MISSING' })
  t.equal(office.front.actions(application.number).at(-1), 'copy.witnessed refused')
})

t.test('an approved 附件3 or 附件4 is never copied or preserved', async t => {
  const office = await CopyOffice.open(t)
  for (const [content, chain] of [[party({ asked: [LINE] }), OUTSIDE], [staff({ asked: [LINE] }), INSIDE]] as const) {
    const received = done(await office.front.receive(content, content.form === 'form-4' ? ['lee', 'staff'] : ['lin', 'clerk'])).application
    const { number } = done(await office.front.signAll(received, chain)).application
    const custodian = await office.front.as(...CUSTODIAN)
    t.throws(() => office.desk.ask(custodian, { application: number, target: { kind: 'here' } }), { code: 'CUSTOS_COPY_REFUSED' })
    t.throws(() => office.desk.preserve(custodian, { application: number, reason: '保存' }), { code: 'CUSTOS_COPY_REFUSED' })
  }
  t.equal(office.front.count('copy_job'), 0)
})

t.test('a grant that was revoked ends a copy that waits; a restart begins a stage anew', async t => {
  const office = await CopyOffice.open(t)
  const application = await office.approved(), custodian = await office.front.as(...CUSTODIAN)
  const job = office.desk.ask(custodian, { application: application.number, target: { kind: 'here' } })
  office.front.office.db.prepare("UPDATE copy_job SET state = 'reading'").run()
  await office.desk.resume()
  t.equal(office.desk.get(job.copyId)?.state, 'queued')
  done(await office.front.act(DIRECTOR, application, { kind: 'revoke', reason: '誤核' }))
  t.ok(await office.desk.runNext(never))
  t.match(office.desk.get(job.copyId), { state: 'failed', error: { code: 'CUSTOS_COPY_REFUSED' } })
  t.notOk(existsSync(path.join(office.root, 'copies', job.copyId)))
})

t.test('killed around the archiving: the Master stays one, and goes out with the hand-over that it was sealed for', async t => {
  for (const isStored of [false, true]) {
    const office = await CopyOffice.open(t), target = path.join(office.root, 'usb')
    mkdirSync(target)
    const { number } = await office.approved()
    const job = office.desk.ask(await office.front.as(...CUSTODIAN), { application: number, target: { kind: 'folder', path: target } })
    await office.desk.runNext(never)
    const { promise: reached, resolve: arrive } = Promise.withResolvers<void>()
    const killed = new CopyDesk({
      ...office.options, archive: { put: async (witness, ask) => { if (isStored) await office.options.archive.put(witness, ask); arrive(); return Promise.withResolvers<{ readonly itemNo: string }>().promise } }, // never goes on, as a process that is gone
    })
    const chief = await office.front.as(...CHIEF)
    void killed.release(chief, job.copyId, HAND_OVER)
    await reached
    const next = new CopyDesk(office.options)
    await next.resume()
    t.same([readdirSync(target), office.book.last(), next.get(job.copyId)?.state], [[], 0, 'ready'], 'nothing half')
    await t.rejects(next.release(chief, job.copyId, { ...HAND_OVER, forInquiry: false }), { code: 'CUSTOS_COPY_REFUSED' }, 'another hand-over would be another package than the Master')
    const sealed = next.get(job.copyId)
    t.match(sealed, { state: 'ready', manifestSha256: /^[0-9a-f]{64}$/ })
    t.match(await next.release(chief, job.copyId, HAND_OVER), { job: { state: 'released', isPublished: true, manifestSha256: sealed!.manifestSha256 }, bookLine: 1 }, 'what the archive may hold is what goes out')
    t.same([readdirSync(target).sort(), office.book.last()], [namesOf(job.packageId), 1])
  }
})
