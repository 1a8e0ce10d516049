import { execFileSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { readdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { openBytePipe, type Taken } from '../../src/platform/byte-pipe.ts'

const piped = (t.testdir({}))
process.env['RUNTIME_DIRECTORY'] = piped
const folder = path.join(piped, `custos-pipes-${process.getuid?.() ?? 0}`)

function collecting(take: (bytes: Buffer) => Taken = () => 'whole') {
  const parts: Buffer[] = []
  return { bytes: () => Buffer.concat(parts), onBytes: (bytes: Buffer) => { parts.push(Buffer.from(bytes)); return take(bytes) } }
}

async function write(file: string, bytes: Buffer): Promise<void> {
  const stream = createWriteStream(file)
  await new Promise<void>((resolve, reject) => { stream.end(bytes, resolve); stream.once('error', reject) })
}

t.test('hands over every byte in order, then ends, and leaves no name behind', async t => {
  const sent = Buffer.alloc(3_000_000, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))
  const got = collecting()
  const pipe = await openBytePipe(got.onBytes)
  t.equal((await stat(pipe.path)).mode & 0o777, 0o600)
  await write(pipe.path, sent)
  await pipe.ended
  t.ok(got.bytes().equals(sent))
  t.strictSame(await readdir(folder), [])
})

t.test('no room holds the writer back until there is room again', async t => {
  let calls = 0
  const got = collecting(() => { calls++; return 'no-room' })
  const pipe = await openBytePipe(got.onBytes)
  let isWritten = false
  const writing = write(pipe.path, Buffer.alloc(1_000_000)).then(() => { isWritten = true })
  while (got.bytes().length < 1_000_000) {
    const before = calls
    pipe.resume()
    while (calls === before) await new Promise(resolve => { setTimeout(resolve, 2) })
    await new Promise(resolve => { setTimeout(resolve, 150) }) // a round at least
    t.equal(calls, before + 1, 'one piece for each time there is room')
    if (calls < 5) t.notOk(isWritten, 'what does not fit into the pipe waits at its writer')
  }
  await writing
  pipe.resume()
  await pipe.ended
  t.equal(got.bytes().length, 1_000_000)
})

t.test('the rest of what is midway, and the end, is looked for at once', async t => {
  const at: number[] = []
  const got = collecting(() => { at.push(performance.now()); return got.bytes().length < 600_000 ? 'midway' : 'whole' })
  const pipe = await openBytePipe(got.onBytes)
  await write(pipe.path, Buffer.alloc(600_000))
  pipe.expectEnd()
  await pipe.ended
  t.equal(got.bytes().length, 600_000)
  t.ok(at.length <= 600_000 / 65_536 + 2, `${at.length} pieces, as large as the pipe holds`)
})

t.test('a pipe that nobody ever opened ends when no writer is to be expected', async () => {
  const pipe = await openBytePipe(() => 'whole')
  pipe.expectEnd()
  pipe.expectEnd()
  await pipe.ended
})

t.test('a name that a killed process of the same id left behind is no obstacle', async t => {
  const first = await openBytePipe(() => 'whole')
  const next = Number(path.basename(first.path).split('-')[1]) + 1
  execFileSync('mkfifo', [path.join(folder, `${process.pid}-${next}`)])
  const got = collecting()
  const pipe = await openBytePipe(got.onBytes)
  await write(pipe.path, Buffer.from('fresh'))
  await pipe.ended
  t.equal(got.bytes().toString(), 'fresh')
  first.expectEnd()
  await first.ended
})

t.test('where no pipe can be made, as on a full disk, it is made in memory', async t => {
  const other = path.join(t.testdir({ full: 'this is no folder' }), 'full')
  process.env['RUNTIME_DIRECTORY'] = other
  const got = collecting()
  const pipe = await openBytePipe(got.onBytes)
  t.match(pipe.path, /^\/dev\/shm\/custos-pipes-/)
  t.equal((await stat(path.dirname(pipe.path))).mode & 0o777, 0o700)
  await write(pipe.path, Buffer.from('a picture'))
  await pipe.ended
  t.equal(got.bytes().toString(), 'a picture')
  process.env['RUNTIME_DIRECTORY'] = piped
})

t.test('a folder that others can enter is refused', async t => {
  const other = t.testdir({})
  process.env['RUNTIME_DIRECTORY'] = other
  await writeFile(path.join(other, 'unused'), '')
  execFileSync('mkdir', ['-m', '755', path.join(other, `custos-pipes-${process.getuid?.() ?? 0}`)])
  await t.rejects(openBytePipe(() => 'whole'), { code: 'CUSTOS_PIPE_FOLDER' })
  process.env['RUNTIME_DIRECTORY'] = piped
})
