import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { PLANTS } from '../../campaign/simulate/plants.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const SEED = '20261129'
const SITE = ['--seed', SEED, '--cameras', '4']

/** What the campaign prints, and how it ended. */
async function simulate(...args: string[]): Promise<{ readonly code: number | null, readonly said: string }> {
  const all = [path.join(ROOT, 'campaign/main.ts'), 'simulate', ...args]
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT })
  const [said, complained] = [text(child.stdout), text(child.stderr)]
  const [code] = await once(child, 'exit') as [number | null]
  return { code, said: `${await said}${await complained}` }
}

t.test(`a slice of the simulated recorder-years (seed ${SEED})`, { timeout: 220_000 }, async t => {
  const { code, said } = await simulate('--years', '0.2', ...SITE)
  t.equal(code, 0, said)
  t.match(said, /recorder-years without a violation/)
})

t.test('one seed gives one trace, bit for bit', { timeout: 120_000 }, async t => {
  const traces = await Promise.all([1, 2].map(async () => {
    const { said } = await simulate('--years', '0.03', ...SITE)
    return /trace ([0-9a-f]{16})/.exec(said)?.[1]
  }))
  t.match(traces[0], /^[0-9a-f]{16}$/)
  t.equal(traces[0], traces[1])
})

t.test('the oracle finds what is planted', { timeout: 120_000 }, async t => {
  const { code, said } = await simulate('--plant', 'gap after a run not told', ...SITE)
  t.equal(code, 0, said)
  t.match(said, /found after 0\.\d+ years .*G7: /)
})

t.test('every planted fault still fits the sources', async t => {
  t.ok(PLANTS.length >= 25)
  for (const { name, replacements } of PLANTS) {
    for (const { file, text: planted } of replacements) {
      const times = readFileSync(path.join(ROOT, file), 'utf8').split(planted).length - 1
      t.equal(times, 1, `${name}: ${file}`)
    }
  }
})
