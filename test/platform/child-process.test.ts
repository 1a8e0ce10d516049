import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import t from 'tap'
import { isNotStarted, runProgram, startChild } from '../../src/platform/child-process.ts'

const run = promisify(execFile)
const DOOR = JSON.stringify(new URL('../../src/platform/child-process.ts', import.meta.url).href)
const PIPES = ['pipe', 'pipe', 'pipe'] as const
const TOO_LONG = 'x'.repeat(200_000) // longer than one argument may be: Node throws E2BIG from spawn itself

/** The error with which a program could not be started. */
async function refusal(work: Promise<unknown>): Promise<string> {
  try { await work } catch (error) { return `${isNotStarted(error)} ${(error as NodeJS.ErrnoException).code}` }
  return 'started'
}

t.test('a program that cannot be started is a rejection, however Node tells it', async t => {
  for (const start of [(program: string, args: string[]) => startChild(program, args, { stdio: PIPES }), (program: string, args: string[]) => runProgram(program, args)]) {
    t.equal(await refusal(start('/nowhere/program', [])), 'true ENOENT')
    t.equal(await refusal(start('/etc/passwd', [])), 'true EACCES')
    t.equal(await refusal(start('true', [TOO_LONG])), 'true E2BIG')
  }
})

t.test('so it is when no descriptor and when no process is left', async t => {
  const script = (exhaust: string) => `
    import { openSync } from 'node:fs'
    import { execFileSync } from 'node:child_process'
    import { isNotStarted, runProgram, startChild } from ${DOOR}
    ${exhaust}
    for (const start of [() => startChild('true', [], { stdio: ['pipe', 'pipe', 'pipe'] }), () => runProgram('true', [])]) {
      await start().then(() => { console.log('started') }, error => { console.log(isNotStarted(error), error.code) })
    }`
  const node = (code: string) => run(process.execPath, ['--input-type=module', '-e', code], { timeout: 20_000 })
  const descriptors = await node(script(`
    execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64:64'])
    try { for (;;) openSync('/dev/null') } catch { /* none is left */ }`))
  t.equal(descriptors.stdout, 'true EMFILE\ntrue EMFILE\n')
  if (process.getuid?.() !== 0) { t.comment('another user is needed for the limit of processes'); return }
  const processes = await node(script(`
    execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=1:1'])
    process.setgid(65534); process.setgroups([]); process.setuid(65534)`))
  t.equal(processes.stdout, 'true EAGAIN\ntrue EAGAIN\n')
})

t.test('what a short-lived program says and how it ends is not missed', async t => {
  for (let i = 0; i < 20; i++) {
    const child = await startChild('/bin/sh', ['-c', 'echo word; exit 3'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const [said, [code]] = await Promise.all([child.stdout.toArray(), once(child, 'exit')])
    t.equal(`${Buffer.concat(said as Buffer[]).toString()}${code}`, 'word\n3')
  }
})

t.test('a program that ran and failed is no failed start', async t => {
  t.equal(await refusal(runProgram('false', [])), 'false 1')
  t.equal((await runProgram('echo', ['done'])).stdout, 'done\n')
  t.equal(await refusal(runProgram('sleep', ['60'], { timeout: 50 })), 'false null')
})
