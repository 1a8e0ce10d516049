import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')
const SEED = '20261129'
const CASES = ['sync-burst', 'hung-disk-14', 'catalogue-locked']
const TITLE = `a slice of the campaign of core faults: ${CASES.join(', ')} (seed ${SEED})`

t.test(TITLE, { timeout: 220_000 }, async t => {
  const args = [path.join(ROOT, 'campaign/main.ts'), 'core-faults', '--slice', '--seed', SEED]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT })
  const [said, complained] = [text(child.stdout), text(child.stderr)]
  const [code] = await once(child, 'exit') as [number | null]
  t.equal(code, 0, `${await said}\n${await complained}`)
  for (const name of CASES) t.match(await said, new RegExp(`\\| ${name} .*\\| right \\|`))
  t.match(await said, /recording went on through every fault, and every frame that lacks was told/)
})
