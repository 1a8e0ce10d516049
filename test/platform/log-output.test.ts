import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'

const MODULE = path.join(import.meta.dirname, '../../src/platform/log-output.ts')
/** Writes many lines, tells on stderr when it could go on, and ends by itself. */
const PROGRAM = `
  import { openLogOutput } from ${JSON.stringify(MODULE)}
  const output = openLogOutput(1, 200_000)
  for (let i = 0; i < 5000; i++) output.write(\`line \${i} \${'x'.repeat(100)}\\n\`)
  process.stderr.write('went on')
  await new Promise(resolve => setTimeout(resolve, Number(process.env.REST_MS)))
  output.write('last line\\n')
  await output.close()`
const program = (stdout: 'pipe' | number, restMs = 200) =>
  spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    stdio: ['ignore', stdout, 'pipe'], env: { ...process.env, REST_MS: String(restMs) },
  })

t.test('a log that nobody reads holds up neither the program nor its end', { timeout: 60_000 }, async t => {
  const child = program('pipe')
  t.equal(await text(child.stderr!), 'went on')
  t.same(await once(child, 'exit'), [0, null])
  child.stdout!.destroy()
})

t.test('lines that were left out are counted in the next that is read', { timeout: 60_000 }, async t => {
  const child = program('pipe', 2_000)
  await once(child.stderr!, 'data')
  const lines = (await text(child.stdout!)).trimEnd().split('\n')
  t.equal(lines[0]?.slice(0, 7), 'line 0 ')
  t.equal(lines.at(-1), 'last line')
  const { lines: leftOut, msg } = JSON.parse(lines.at(-2)!) as { lines: number, msg: string }
  t.equal(leftOut, 5000 - (lines.length - 2), msg)
})

t.test('a reader that goes away, and a disk that is full, stop nothing', { timeout: 60_000 }, async t => {
  const gone = program('pipe')
  gone.stdout!.destroy()
  t.same(await once(gone, 'exit'), [0, null])
  await using full = await open('/dev/full', 'w')
  const child = program(full.fd)
  t.match(await text(child.stderr!), /went on/)
  t.same(await once(child, 'exit'), [0, null])
})

t.test('a file has every line', { timeout: 60_000 }, async t => {
  const file = path.join(t.testdir(), 'log')
  await using handle = await open(file, 'w')
  const child = program(handle.fd)
  t.same(await once(child, 'exit'), [0, null])
  t.equal((await readFile(file, 'utf8')).trimEnd().split('\n').length, 5001)
})

t.test('a socket that is no stream takes lines too', { timeout: 60_000 }, async t => {
  const bridge = `
import socket, subprocess, sys
mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
child = subprocess.Popen(sys.argv[1:], stdout=theirs.fileno(), stderr=subprocess.PIPE)
theirs.close()
print(mine.recv(65536).decode().rstrip())
mine.close()
child.kill()`
  const once = `import { openLogOutput } from ${JSON.stringify(MODULE)}; openLogOutput().write('a line\\n')`
  const child = spawn('python3', ['-c', bridge, process.execPath, '--input-type=module', '--eval', once],
    { stdio: ['ignore', 'pipe', 'inherit'] })
  t.equal(await text(child.stdout), 'a line\n')
})
