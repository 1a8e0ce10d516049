import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { Stick } from './media.ts'
import { CopyOffice, namesOf, never } from './support.ts'
import { Steps } from './steps.ts'

t.test('a start removes what a crash left in staging: of copies that have ended and of none, never of a living one nor of one that is here to be fetched', async t => {
  const office = await CopyOffice.open(t), target = path.join(office.root, 'out'), { folder } = office.options
  mkdirSync(target)
  const here = await office.made({ kind: 'here' }), out = await office.made({ kind: 'folder', path: target }), cancelled = await office.made({ kind: 'here' }), living = await office.made({ kind: 'here' })
  for (const { copyId } of [here, out]) await office.release(copyId)
  await office.cancel(cancelled.copyId)
  office.front.office.db.prepare("UPDATE copy_job SET is_published = 0 WHERE copy_id = ?").run(out.copyId)
  for (const rubbish of [out.copyId, cancelled.copyId, 'f'.repeat(32)]) mkdirSync(path.join(folder, rubbish, 'video'), { recursive: true })
  writeFileSync(path.join(folder, 'notes.txt'), 'of somebody else')
  renameSync(target, `${target}.away`)
  await office.desk.resume()
  t.same(office.staged().sort(), ['notes.txt', here.copyId, living.copyId, out.copyId].sort(), 'what has no name at its destination yet is not done with')
  renameSync(`${target}.away`, target)
  await office.desk.resume()
  t.same(office.staged().sort(), ['notes.txt', here.copyId, living.copyId].sort())
  t.ok(existsSync(path.join(office.desk.folderOf(here.copyId)!, 'manifest.json')))
  t.match(await office.release(living.copyId), { job: { state: 'released' } }, 'the living one goes on')
})

for (const [how, when] of [['resume', 'at a start'], ['delivery', 'with the next delivery there'], ['publishAgain', 'when another gets its name there'], ['cancel', 'when the copy is cancelled']] as const) {
  t.test(`a hidden part on a stick that was gone when it was withdrawn goes once the stick is back: ${when}`, async t => {
    const office = await CopyOffice.open(t), stick = new Stick(t, path.join(office.root, 'media', how))
    const target = { kind: 'medium', path: stick.folder } as const
    const other = await office.made(target), job = await office.made(target)
    if (how === 'publishAgain') {
      let isPulled = false
      const steps = new Steps(({ what }) => { if (what === 'rename' && !isPulled) { isPulled = true; stick.pull() } })
      await office.release(other.copyId, { steps })
      t.match(office.desk.get(other.copyId), { state: 'released', isPublished: false }, 'its name follows')
      stick.plug()
    }
    const steps = new Steps(({ what, file }) => { if (what === 'sync' && file.endsWith('.part')) stick.pull() })
    await t.rejects(office.release(job.copyId, { steps }), { code: 'CUSTOS_COPY_TARGET', fault: 'gone' })
    await office.desk.resume()
    stick.plug()
    const part = `.custos-${job.copyId}.part`
    t.ok(readdirSync(stick.folder).includes(part), `${how}: it came back with the stick`)
    if (how === 'resume') await office.desk.resume()
    if (how === 'delivery') await office.release(other.copyId)
    if (how === 'publishAgain') await office.desk.publishAgain(other.copyId)
    if (how === 'cancel') await office.cancel(job.copyId)
    t.same(readdirSync(stick.folder).sort(), how === 'delivery' || how === 'publishAgain' ? namesOf(other.packageId) : [], how)
    if (how !== 'cancel') t.match(await office.release(job.copyId), { job: { state: 'released', isPublished: true } }, `${how}: and the copy goes out`)
  })
}

t.test('a release that is under way, and a part of another recorder, are left alone by a start', async t => {
  const office = await CopyOffice.open(t), stick = new Stick(t, path.join(office.root, 'stick')), foreign = `.custos-${'e'.repeat(32)}.part`
  mkdirSync(path.join(stick.folder, foreign))
  const job = await office.made({ kind: 'medium', path: stick.folder })
  const during: Promise<void>[] = []
  const steps = new Steps(({ what, file }) => { if (what === 'sync' && file.endsWith('.part')) during.push(office.desk.resume()) })
  await office.release(job.copyId, { steps })
  t.ok(during.length > 0, 'a start came in the midst of it')
  await Promise.all(during)
  t.match(office.desk.get(job.copyId), { state: 'released', isPublished: true })
  t.same(readdirSync(stick.folder).sort(), [foreign, ...namesOf(job.packageId)].sort())
  t.notOk(await office.desk.runNext(never))
})
