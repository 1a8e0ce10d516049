// Types, lint and tests in one run; the last line is `N passed, N failed`. With files as arguments, only these tests.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'

const ROOT = path.join(import.meta.dirname, '..')
const BIN = path.join(ROOT, 'node_modules/.bin')
const SOURCES = ['src', 'test', 'demo', 'bench', 'campaign', 'scripts', 'web'].filter(folder => existsSync(path.join(ROOT, folder)))
const env = { ...process.env, PATH: `${path.dirname(process.execPath)}:${BIN}:${process.env.PATH ?? ''}` }

const children = new Set()
let stopped = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => { stopped = true; for (const child of children) child.kill(signal) })
}

function start(command, args) {
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  const ended = new Promise(resolve => {
    child.once('error', error => { console.log(`${command} could not be started: ${error.message}`); resolve(1) })
    child.once('close', code => resolve(code ?? 1))
  }).finally(() => children.delete(child))
  return { child, ended }
}

/** Resolves with whether the tool was content; says what it said only if not. */
async function check(name, command, args) {
  const startedAt = performance.now()
  const { child, ended } = start(path.join(BIN, command), args)
  const [output, errors, code] = await Promise.all([child.stdout.toArray(), child.stderr.toArray(), ended])
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`${code === 0 ? 'ok' : 'not ok'} - ${name} (${seconds} s)`)
  if (code !== 0) console.log(Buffer.concat([...output, ...errors]).toString().trimEnd())
  return code === 0
}

/** Runs tap and prints one line a file, and everything a failing file said. */
async function tests(files) {
  const { child, ended } = start(process.execPath, [path.join(ROOT, 'node_modules/tap/dist/esm/run.mjs'), 'run', ...files])
  child.stderr.pipe(process.stderr)
  const count = { total: 0, pass: 0, fail: 0, skip: 0, todo: 0 }
  let block = []
  let failedFiles = 0
  for await (const line of createInterface({ input: child.stdout })) {
    block.push(line)
    const end = /^(not )?ok \d+ - /.exec(line)
    if (end) {
      if (end[1]) { failedFiles += 1; console.log(block.join('\n')) } else console.log(line)
      // Why a test was left out belongs into the record of the run.
      if (!end[1]) for (const skipped of block.filter(said => /^\s+ok .*# (SKIP|TODO)/.test(said))) console.log(skipped)
      block = []
    }
    const sum = /^# \{ (total: .*) \}$/.exec(line)
    if (sum) Object.assign(count, Object.fromEntries(sum[1].split(', ').map(part => part.split(': ')).map(([key, value]) => [key, Number(value)])))
  }
  const code = await ended
  if (code !== 0) console.log(block.join('\n'))
  return { passed: count.pass, failed: Math.max(count.fail, failedFiles, code === 0 ? 0 : 1), skipped: count.skip + count.todo, ran: count.total > 0 }
}

const files = process.argv.slice(2)
const checks = files.length > 0 ? [] : [
  await check('types', 'tsc', ['--noEmit', '-p', '.']),
  await check('types of web', 'tsc', ['--noEmit', '-p', 'web']),
  await check('lint', 'oxlint', ['--deny-warnings', ...SOURCES]),
]
if (files.length > 0) console.log('# only these files; types and lint are left out')
const result = stopped ? { passed: 0, failed: 1, skipped: 0, ran: false } : await tests(files)
if (!result.ran) console.log('# no test ran')
if (result.skipped > 0) console.log(`# ${result.skipped} skipped`)
const failed = result.failed + checks.filter(passed => !passed).length
console.log(`${result.passed + checks.filter(Boolean).length} passed, ${failed} failed`)
process.exitCode = failed > 0 || !result.ran || stopped ? 1 : 0
