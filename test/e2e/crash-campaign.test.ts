import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')
const SEED = '20261123'

t.test(`a slice of the crash campaign: kills at random moments while slots fill and holds come and go (seed ${SEED})`, { timeout: 180_000 }, async t => {
  const child = spawn(process.execPath, [path.join(ROOT, 'campaign/main.ts'), 'crash', '--slice', '--kills', '5', '--seed', SEED], { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT })
  const [said, complained] = [text(child.stdout), text(child.stderr)]
  const [code] = await once(child, 'exit') as [number | null]
  t.equal(code, 0, `${await said}\n${await complained}`)
  t.match(await said, / 5 kills \(.*worst loss before a kill \d+ ms/)
  t.match(await said, /[1-9]\d* holds placed/)
  t.match(await said, /every missing frame lies in a told gap, and nothing inside floor or hold was overwritten/)
})
