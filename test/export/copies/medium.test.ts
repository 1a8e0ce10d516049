import { mkdirSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { verifyPackage } from '../../../src/export/index.ts'
import { Stick } from './media.ts'
import { CopyOffice, namesOf } from './support.ts'
import { Steps, type Step } from './steps.ts'

const isWriting = ({ what, file }: Step) => what.startsWith('write') && file.includes('.part')
const isReadBack = ({ what, file }: Step) => what === 'read' && file.includes('.part') && statSync(file).isFile()
const isWritten = ({ what, file }: Step) => what === 'sync' && file.includes('.part')
const AWAY: readonly (readonly [string, (stick: Stick) => void, (step: Step) => boolean, string])[] = [
  ['pulled out while it is written', stick => { stick.pull() }, isWriting, 'gone'],
  ['pulled out once it is written, before it is read back', stick => { stick.pull() }, isWritten, 'gone'],
  ['pulled out while it is read back', stick => { stick.pull() }, isReadBack, 'gone'],
  ['broken while it is written', stick => { stick.break() }, isWriting, 'gone'],
  ['broken once it is written, while it is read back', stick => { stick.break() }, isReadBack, 'gone'],
  ['write-protected while it is written', stick => { stick.remount('ro') }, ({ what, file }) => what === 'create' && file.includes('.part'), 'read-only'],
]

for (const kind of ['medium', 'zip'] as const) for (const [what, happens, when, fault] of AWAY) {
  t.test(`${kind}, ${what}: told by its code, nothing half, no book line, and it goes out with the stick back`, async t => {
    const office = await CopyOffice.open(t), stick = new Stick(t, path.join(office.root, 'media', 'stick'))
    const { copyId, packageId } = await office.made({ kind, path: stick.folder })
    let count = 0
    const steps = new Steps(step => { if (when(step) && count++ === 0) happens(stick) })
    await t.rejects(office.release(copyId, { steps }), { code: 'CUSTOS_COPY_TARGET', fault })
    t.ok(count > 0, 'it happened in the midst')
    t.match(office.desk.get(copyId), { state: 'ready', error: { code: 'CUSTOS_COPY_TARGET' } })
    t.same([office.book.last(), office.stored.length], [0, 0])
    if (what.startsWith('pulled')) stick.plug()
    else if (what.startsWith('broken')) stick.replace()
    const named = readdirSync(stick.folder).filter(name => !name.startsWith('.'))
    t.same(named, [], 'nothing half')
    if (fault === 'read-only') stick.remount('rw')
    t.match(await office.release(copyId), { job: { state: 'released', isPublished: true }, bookLine: 1 })
    const name = kind === 'zip' ? `${packageId}.zip` : packageId
    t.same(readdirSync(stick.folder).sort(), namesOf(packageId, kind), 'and nothing else is on it')
    t.match(await verifyPackage(path.join(stick.folder, name)), { isIntact: true })
  })
}

t.test('no stick in: its empty folder is no medium, and gets no footage', async t => {
  const office = await CopyOffice.open(t), stick = new Stick(t, path.join(office.root, 'media', 'stick'))
  const { copyId } = await office.made({ kind: 'medium', path: stick.folder })
  stick.pull()
  await t.rejects(office.release(copyId), { code: 'CUSTOS_COPY_TARGET', fault: 'gone' })
  t.same(readdirSync(stick.folder), [])
  stick.plug()
  t.match(await office.release(copyId), { job: { state: 'released', isPublished: true } })
})

t.test('pulled out between the release and its name: it is released, and gets its name when the stick is back; another of that name is not written over', async t => {
  const office = await CopyOffice.open(t), stick = new Stick(t, path.join(office.root, 'media', 'stick'))
  const { copyId, packageId } = await office.made({ kind: 'medium', path: stick.folder })
  const steps = new Steps(({ what }) => { if (what === 'rename') stick.pull() })
  t.match(await office.release(copyId, { steps }), { job: { state: 'released', isPublished: false }, bookLine: 1 })
  await t.rejects(office.desk.publishAgain(copyId), { code: 'CUSTOS_COPY_TARGET', fault: 'gone' })
  stick.plug()
  mkdirSync(path.join(stick.folder, packageId, 'of somebody else'), { recursive: true })
  await t.rejects(office.desk.publishAgain(copyId), { code: 'CUSTOS_COPY_TARGET', fault: 'exists' })
  t.same(readdirSync(path.join(stick.folder, packageId)), ['of somebody else'])
  const other = await office.made({ kind: 'folder', path: stick.folder })
  t.match(await office.release(other.copyId), { job: { state: 'released' } }, 'a delivery beside it leaves what waits for its name')
  t.same(readdirSync(stick.folder).sort(), [`.custos-${copyId}.part`, `.custos-${copyId}.sheets.part`, packageId, ...namesOf(other.packageId)].sort())
})

t.test('spoilt on its way, and not by a medium that does not answer: what the destination gives back does not verify, so it never goes out', async t => {
  const office = await CopyOffice.open(t), stick = new Stick(t, path.join(office.root, 'media', 'stick'))
  const { copyId } = await office.made({ kind: 'medium', path: stick.folder })
  let isSpoilt = false
  const steps = new Steps(({ what, file }) => { if (!isSpoilt && what === 'create' && file.includes('.part/video')) { isSpoilt = true; office.spoil(copyId) } })
  await t.rejects(office.release(copyId, { steps }), { code: 'CUSTOS_COPY_UNSOUND' })
  t.match(office.desk.get(copyId), { state: 'failed', error: { code: 'CUSTOS_COPY_UNSOUND' } })
  t.same([readdirSync(stick.folder), office.book.last(), office.stored.length], [[], 0, 0])
  await t.rejects(office.release(copyId), { code: 'CUSTOS_COPY_REFUSED' })
})
