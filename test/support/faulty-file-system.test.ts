import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { StorageError } from '../../src/platform/file-system.ts'
import { FaultyFileSystem } from './faulty-file-system.ts'
import { MemoryFileSystem } from './memory-file-system.ts'
import { VirtualClock } from './virtual-clock.ts'

const FILE = '/volumes/disk1/a', OTHER = '/volumes/disk2/a'
const bytes = (text: string) => Buffer.from(text)

async function opened() {
  const memory = new MemoryFileSystem()
  const fs = new FaultyFileSystem(memory)
  await memory.makeFolder('/volumes/disk1')
  await memory.makeFolder('/volumes/disk2')
  for (const file of [FILE, OTHER]) await memory.createAllocated(file, 64, 'make')
  const open = (file: string) => fs.open(file, 'read-write', 'open')
  return { memory, fs, file: await open(FILE), other: await open(OTHER) }
}

/** What became of a call: null while it has not ended. */
function watched(call: Promise<unknown>): { end: string | null } {
  const seen: { end: string | null } = { end: null }
  const kindOf = (error: unknown) => error instanceof StorageError ? error.fault : String(error)
  call.then(() => { seen.end = 'returned' }, (error: unknown) => { seen.end = kindOf(error) })
  return seen
}

t.test('a call hangs until the test lets it go, and does its work then', async t => {
  const { memory, fs, file } = await opened()
  const hang = fs.break({ step: 'write', mode: 'hang', occurrence: 2 })
  await file.write(bytes('one'), 0, 'write')
  const second = watched(file.write(bytes('two'), 8, 'write'))
  t.match(await hang.arrived(), [{ step: 'write', file: FILE }])
  await file.write(bytes('three'), 16, 'write')
  t.equal(second.end, null)
  t.equal(memory.bytesOf(FILE).toString('latin1', 8, 11), '\0\0\0', 'nothing of it is written yet')
  await hang.release()
  t.equal(second.end, 'returned')
  t.equal(memory.bytesOf(FILE).toString('latin1', 8, 11), 'two')
  t.same(hang.calls, [])
})

t.test('a call that hung fails as the test wants it', async t => {
  const ends = [['failed', '\0\0\0\0'], ['applied-then-failed', 'abcd'], ['half-applied', 'ab\0\0']] as const
  for (const [as, written] of ends) {
    const { memory, fs, file } = await opened()
    const hang = fs.break({ step: 'write', mode: 'hang' })
    const call = watched(file.write(bytes('abcd'), 0, 'write'))
    await hang.arrived()
    await hang.release({ as, fault: 'no-space' })
    t.equal(call.end, 'no-space', as)
    t.equal(memory.bytesOf(FILE).toString('latin1', 0, 4), written, as)
  }
})

t.test('a call that only does not return has done its work', async t => {
  const { memory, fs, file } = await opened()
  const hang = fs.break({ step: 'write', mode: 'hang', isApplied: true })
  const call = watched(file.write(bytes('one'), 0, 'write'))
  await hang.arrived()
  t.equal(memory.bytesOf(FILE).toString('latin1', 0, 3), 'one')
  await hang.release({ as: 'failed' })
  t.equal(call.end, 'io')
})

t.test('a hang that lasts holds every later use of the step, and only on its volume', async t => {
  const { fs, file, other } = await opened()
  const hang = fs.break({ step: 'sync', mode: 'hang', occurrence: 2, lasts: true, under: '/volumes/disk1' })
  await file.datasync('sync')
  const calls = [watched(file.datasync('sync')), watched(file.datasync('sync'))]
  await other.datasync('sync')
  await file.write(bytes('x'), 0, 'write')
  await hang.arrived(2)
  await hang.release({ as: 'failed' })
  t.same(calls, [{ end: 'io' }, { end: 'io' }])
  await file.datasync('sync')
})

t.test('a disk that hangs holds what comes and what is on its way; another one does not notice', async t => {
  const { memory, fs, file, other } = await opened()
  const onTheirWay = Promise.withResolvers<void>()
  fs.onApplied = step => step === 'early' ? onTheirWay.promise : undefined
  const early = watched(file.write(bytes('early'), 0, 'early'))
  const disk = fs.break({ mode: 'hang', under: '/volumes/disk1' })
  const list = fs.list('/volumes/disk1', 'list'), zero = fs.zeroRange(FILE, 32, 8, 'zero')
  const calls = [file.read(Buffer.alloc(4), 0, 'read'), list, zero, file.close()].map(watched)
  onTheirWay.resolve()
  const steps = (await disk.arrived(5)).map(call => call.step)
  t.same(steps.sort(), ['close open', 'early', 'list', 'read', 'zero'])
  await other.write(bytes('other'), 0, 'write')
  t.same(await fs.list('/volumes/disk2', 'list'), ['a'])
  t.equal(memory.openFiles, 2, 'closing hangs too')
  await disk.release({ as: 'applied' })
  t.same([early, ...calls].map(call => call.end), Array.from({ length: 5 }, () => 'returned'))
  t.equal(memory.openFiles, 1)
  t.same(await fs.list('/volumes/disk1', 'list'), ['a'], 'it answers again')
})

t.test('a hang ends by itself when a time of the clock has come, or when something is so', async t => {
  const { fs, file } = await opened()
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z', t)
  fs.break({ step: 'sync', mode: 'hang', until: clock.alarm(3_000), as: 'failed' })
  const byTime = watched(file.datasync('sync'))
  t.equal(clock.pendingWaits, 0, 'no test counts it')
  await clock.advance(2_999)
  t.equal(byTime.end, null)
  await clock.advance(1)
  await clock.settle(0)
  t.equal(byTime.end, 'io')

  let isBack = false
  const hang = fs.break({ step: 'sync', mode: 'hang', until: () => isBack })
  const byState = watched(file.datasync('sync'))
  await hang.arrived()
  t.equal(byState.end, null)
  isBack = true
  while (hang.calls.length > 0) await turn()
  await file.datasync('sync')
  t.equal(byState.end, 'returned')
})

t.test('two calls of one file are in flight at once and end in any order', async t => {
  for (const order of [[0, 1], [1, 0]] as const) {
    const { memory, fs, file, other } = await opened()
    const overlap = fs.break({ step: 'write', mode: 'overlap' })
    const calls = ['first', 'later'].map(text => watched(file.write(bytes(text), 0, 'write')))
    await other.write(bytes('other'), 0, 'write')
    const held = await overlap.arrived(2)
    await file.write(bytes('third'), 8, 'write')
    await held[order[0]]!.end('applied')
    t.equal(calls[order[0]]!.end, 'returned')
    t.equal(calls[order[1]]!.end, null)
    t.same(overlap.calls.length, 1)
    await held[order[1]]!.end('applied')
    const stands = memory.bytesOf(FILE).toString('latin1', 0, 5)
    t.equal(stands, order[1] === 1 ? 'later' : 'first', 'the one that ended last')
  }
  const { fs, file } = await opened()
  const overlap = fs.break({ step: 'sync', mode: 'overlap' })
  const calls = [watched(file.datasync('sync')), watched(file.datasync('sync'))]
  const [first, second] = await overlap.arrived(2)
  await second!.end('applied')
  await first!.end('failed')
  t.same(calls.map(call => call.end), ['io', 'returned'])
})

t.test('calls of different steps are held at once, and a fault breaks another beside them', async t => {
  const { fs, file } = await opened()
  const body = fs.break({ step: 'body', mode: 'hang' }), sync = fs.break({ step: 'sync', mode: 'hang' })
  fs.break({ step: 'head', mode: 'not-applied' })
  const calls = [watched(file.write(bytes('b'), 0, 'body')), watched(file.datasync('sync'))]
  await t.rejects(file.write(bytes('h'), 8, 'head'), { message: /: io on / })
  await body.arrived()
  await sync.release()
  t.same(calls.map(call => call.end), [null, 'returned'])
  await body.release()
  t.equal(calls[0]!.end, 'returned')
})

t.test('what hung when the process died is never done, whatever the test does afterwards', async t => {
  const { memory, fs, file } = await opened()
  const one = fs.break({ step: 'write', mode: 'hang' }), overlap = fs.break({ step: 'sync', mode: 'overlap' })
  const disk = fs.break({ mode: 'hang', under: '/volumes/disk2' })
  const publish = fs.publishText('/volumes/disk2/text', 'text', 'publish')
  const calls = [file.write(bytes('one'), 0, 'write'), file.datasync('sync'), publish].map(watched)
  const [held] = await one.arrived()
  await overlap.arrived(1)
  await disk.arrived()
  fs.die()
  for (const each of [one, overlap, disk]) await each.release({ as: 'applied' })
  await held!.end('applied')
  t.same(calls.map(call => call.end), ['io', 'io', 'io'])
  t.ok(memory.bytesOf(FILE).every(byte => byte === 0))
  await t.rejects(memory.readText('/volumes/disk2/text', 10, 'look'), { message: /: missing on / })
  await t.rejects(file.write(bytes('x'), 0, 'write'), { message: /: io on / })
  await file.close()
  t.equal(memory.openFiles, 1, 'the kernel closes what a dead process had open')
})

t.test('a crash ends what hangs, and the one who looks at that instant finds nothing of it', async t => {
  const { memory, fs, file } = await opened()
  const hang = fs.break({ step: 'write', mode: 'hang' })
  const call = watched(file.write(bytes('one'), 0, 'write'))
  await hang.arrived()
  let next: MemoryFileSystem | null = null
  fs.break({ step: 'sync', mode: 'crash', onCrash: () => { next = memory.afterKill() } })
  await t.rejects(file.datasync('sync'), { message: /: io on / })
  await hang.release()
  t.equal(call.end, 'io')
  t.ok(next!.bytesOf(FILE).every(byte => byte === 0))
  t.ok(memory.bytesOf(FILE).every(byte => byte === 0))
})

t.test('a call that does not come is told', async t => {
  const { fs, file } = await opened()
  const hang = fs.break({ step: 'sync', mode: 'overlap' })
  const call = watched(file.datasync('sync'))
  await t.rejects(hang.arrived(2), { message: '1 calls are in flight where 2 are wanted' })
  await fs.releaseAll()
  t.equal(call.end, 'io')
})
