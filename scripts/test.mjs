// Types, lint and tests in one run; the last line is `N passed, N failed`. With files as arguments, only these tests.
import { spawn } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import path from 'node:path'
import { countsOf, runInLanes } from './test-lanes.mjs'

const ROOT = path.join(import.meta.dirname, '..')
const BIN = path.join(ROOT, 'node_modules/.bin')
const SOURCES = ['src', 'test', 'demo', 'bench', 'campaign', 'scripts', 'web'].filter(folder => existsSync(path.join(ROOT, folder)))
const env = { ...process.env, PATH: `${path.dirname(process.execPath)}:${BIN}:${process.env.PATH ?? ''}` }

const children = new Set(), stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => { stop.abort(); for (const child of children) child.kill(signal) })
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

/** Prints one line a file, and everything a failing file said. */
async function tests(files) {
  const count = { total: 0, pass: 0, fail: 0, skip: 0, todo: 0 }
  let ended = 0
  await runInLanes(files, {
    env, cwd: ROOT, signal: stop.signal, onEnd: ({ file, code, lines, ms }) => {
      const own = countsOf(lines) ?? { total: 1, pass: 0, fail: 1, skip: 0, todo: 0 }
      if (code !== 0 && own.fail === 0) own.fail = 1
      for (const key of Object.keys(count)) count[key] += own[key]
      if (own.fail > 0) console.log([`# Subtest: ${file}`, ...lines.map(line => `    ${line}`)].join('\n'))
      // Why a test was left out belongs into the record of the run.
      else for (const skipped of lines.filter(said => /^\s*ok .*# (SKIP|TODO)/.test(said))) console.log(`    ${skipped}`)
      console.log(`${own.fail > 0 ? 'not ok' : 'ok'} ${++ended} - ${file} # time=${ms.toFixed(0)}ms${code === 0 || own.fail === 0 ? '' : ` (exit ${code ?? 'by a signal'})`}`)
    },
  })
  return { passed: count.pass, failed: count.fail, skipped: count.skip + count.todo, ran: count.total > 0 }
}

const files = process.argv.slice(2)
const checks = files.length > 0 ? [] : [
  await check('types', 'tsc', ['--noEmit', '-p', '.']),
  await check('types of web', 'tsc', ['--noEmit', '-p', 'web']),
  await check('lint', 'oxlint', ['--deny-warnings', ...SOURCES]),
]
if (files.length > 0) console.log('# only these files; types and lint are left out')
const result = stop.signal.aborted ? { passed: 0, failed: 1, skipped: 0, ran: false } : await tests(files.length > 0 ? files.map(file => path.relative(ROOT, path.resolve(file))) : globSync('test/**/*.test.ts', { cwd: ROOT }).sort())
if (!result.ran) console.log('# no test ran')
if (result.skipped > 0) console.log(`# ${result.skipped} skipped`)
const failed = result.failed + checks.filter(passed => !passed).length
console.log(`${result.passed + checks.filter(Boolean).length} passed, ${failed} failed`)
process.exitCode = failed > 0 || !result.ran || stop.signal.aborted ? 1 : 0
