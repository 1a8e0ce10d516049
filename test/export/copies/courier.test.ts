import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { CopyDesk, Courier, verifyPackage } from '../../../src/export/index.ts'
import { CUSTODIAN } from '../../requests/support/front-desk.ts'
import { until } from '../../support/until.ts'
import { Stick } from './media.ts'
import { CopyOffice, HAND_OVER, namesOf } from './support.ts'

/** Longer than a process takes to start on a busy machine. */
const QUIET_MS = 8000

interface Seen { readonly pid: number, readonly niceness: number, readonly states: string, readonly environment: string }
/** Couriers as the kernel has them, with the states of their threads: one that was killed stays until its last thread comes back from where it waits. */
const couriers = (): Seen[] => childrenOf(process.pid)
function childrenOf(parent: number): Seen[] {
  const fieldsOf = (file: string): string[] => readFileSync(file, 'utf8').split(') ')[1]!.split(' ')
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap((pid): Seen[] => {
    try {
      const own = fieldsOf(`/proc/${pid}/stat`)
      if (Number(own[1]) !== parent) return []
      const states = readdirSync(`/proc/${pid}/task`).map(task => fieldsOf(`/proc/${pid}/task/${task}/stat`)[0]).join('')
      return [{ pid: Number(pid), niceness: Number(own[16]), states, environment: own[0] === 'Z' ? '' : readFileSync(`/proc/${pid}/environ`, 'utf8') }]
    } catch { return [] } // it ended meanwhile
  })
}
t.test('a courier delivers as the recorder itself would: folder, ZIP with a password, and a fault told as what it is', async t => {
  const office = await CopyOffice.open(t), desk = new CopyDesk({ ...office.options, destinations: new Courier() }), out = path.join(office.root, 'out')
  mkdirSync(out)
  const folder = await office.made({ kind: 'folder', path: out }, desk), zip = await office.made({ kind: 'zip', path: out }, desk), nowhere = await office.made({ kind: 'folder', path: path.join(office.root, 'nowhere') }, desk)
  t.match(await office.release(folder.copyId, { desk }), { job: { state: 'released', isPublished: true } })
  t.match(await office.release(zip.copyId, { desk, handOver: { ...HAND_OVER, password: 'correct horse battery' } }), { job: { state: 'released', isPublished: true } })
  t.same(readdirSync(out).sort(), [...namesOf(folder.packageId), `${zip.packageId}.zip`, `${zip.packageId}.隨附文件.zip`].sort(), 'and nothing else')
  t.match(await verifyPackage(path.join(out, folder.packageId)), { isIntact: true })
  t.match(await verifyPackage(path.join(out, `${zip.packageId}.zip`), { password: 'correct horse battery' }), { isIntact: true })
  await t.rejects(office.release(nowhere.copyId, { desk }), { code: 'CUSTOS_COPY_TARGET', fault: 'gone' })
  t.match(desk.get(nowhere.copyId), { state: 'ready' })
})

t.test('[G9] a destination that hangs holds up nobody: it is told after a while, again at once, other copies go on, and it goes out when the place answers', async t => {
  process.env['CUSTOS_SECRET_OF_A_TEST'] = 'not for couriers'
  t.teardown(() => { delete process.env['CUSTOS_SECRET_OF_A_TEST'] })
  const office = await CopyOffice.open(t), desk = new CopyDesk({ ...office.options, destinations: new Courier({ quietMs: QUIET_MS }) }), stick = new Stick(t, path.join(office.root, 'media', 'stick'))
  const { copyId, packageId } = await office.made({ kind: 'medium', path: stick.folder }, desk)
  stick.hang()
  const released = t.rejects(office.release(copyId, { desk }), { code: 'CUSTOS_COPY_TARGET', fault: 'hung', message: /目的地沒有回應/ })
  await until('a child that waits in the kernel, as nice as it should be', () => couriers().some(({ states, niceness }) => states.includes('D') && niceness === Math.min(19, getPriority() + 10)))
  const environments = couriers().map(({ environment }) => environment)
  await released
  t.same(environments.map(text => [text.includes('PATH='), text.includes('not for couriers')]), [[true, false]])
  t.match(desk.get(copyId), { state: 'ready', error: { code: 'CUSTOS_COPY_TARGET' } })
  t.match(couriers().map(({ states }) => states), [/D/], 'one process waits in the kernel and cannot be ended: it is not the recorder')
  const before = performance.now()
  await t.rejects(office.release(copyId, { desk }), { code: 'CUSTOS_COPY_TARGET', fault: 'hung' })
  t.ok(performance.now() - before < QUIET_MS, 'nobody is sent after the first')
  t.equal(couriers().length, 1)
  const other = await office.made({ kind: 'here' }, desk)
  t.match(await office.release(other.copyId, { desk }), { job: { state: 'released' } }, 'another copy goes out meanwhile')
  stick.answer()
  await until('no child is left', () => couriers().length === 0)
  t.same(readdirSync(stick.folder).filter(name => !name.startsWith('.')), [], 'nothing half')
  t.match(await office.release(copyId, { desk }), { job: { state: 'released', isPublished: true } })
  t.same(readdirSync(stick.folder).sort(), namesOf(packageId), 'and nothing else is on it')
  t.match(await verifyPackage(path.join(stick.folder, packageId)), { isIntact: true })
})

t.test('a start with a hanging destination: the queue makes copies, and what was left there goes when it answers', async t => {
  const office = await CopyOffice.open(t), stick = new Stick(t, path.join(office.root, 'media', 'stick'))
  const offered = await office.made({ kind: 'medium', path: stick.folder })
  office.archiveFault = new Error('no room')
  await t.rejects(office.release(offered.copyId), /no room/, 'it was there, and taken back')
  mkdirSync(path.join(stick.folder, `.custos-${offered.copyId}.part`)) // as a crash leaves it
  stick.hang()
  const desk = new CopyDesk({ ...office.options, destinations: new Courier() }), stop = new AbortController()
  const running = desk.run(stop.signal)
  await until('a child that waits in the kernel', () => couriers().some(({ states }) => states.includes('D')))
  const { number } = await office.approved()
  const next = desk.ask(await office.front.as(...CUSTODIAN), { application: number, target: { kind: 'here' } })
  await until('the next copy is ready', () => desk.get(next.copyId)?.state === 'ready')
  t.match(couriers().map(({ states }) => states), [/D/], 'while the destination hangs')
  stick.answer()
  await until('no child is left', () => couriers().length === 0)
  stop.abort()
  await running
  t.same(readdirSync(stick.folder), [])
})

t.test('the recorder is killed: its courier is gone with it, and writes no more', async t => {
  const office = await CopyOffice.open(t), stick = new Stick(t, path.join(office.root, 'media', 'stick'))
  stick.hang() // so that the courier is at work when it happens
  const delivery = { copyId: 'a'.repeat(32), packageId: 'P', folder: office.root, target: { kind: 'medium', path: stick.folder }, password: null, fingerprint: '', own: [] }
  const script = `import { Courier } from ${JSON.stringify(path.join(import.meta.dirname, '../../../src/export/index.ts'))}; void new Courier().deliver(${JSON.stringify(delivery)})`
  const recorder = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: 'ignore' })
  await until('a child that waits in the kernel', () => childrenOf(recorder.pid!).some(({ states }) => states.includes('D')))
  const [{ pid: courier }] = childrenOf(recorder.pid!) as [Seen]
  recorder.kill('SIGKILL')
  await once(recorder, 'exit')
  stick.answer()
  await until('the child is gone', () => !existsSync(`/proc/${courier}`))
  const left = readdirSync(stick.folder, { recursive: true }) as string[]
  t.same(left.filter(name => path.basename(name) !== `.custos-${delivery.copyId}.part`), [], 'no file of it')
})
