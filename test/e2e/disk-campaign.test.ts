import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')
const SEED = '20261123'

t.test(`a slice of the disk campaign: each labelled file call fails once, and a volume's folder is taken away under the running recorder (seed ${SEED})`, { timeout: 180_000 }, async t => {
  const child = spawn(process.execPath, [path.join(ROOT, 'campaign/main.ts'), 'disk', '--slice', '--seed', SEED], { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT })
  const [said, complained] = [text(child.stdout), text(child.stderr)]
  const [code] = await once(child, 'exit') as [number | null]
  t.equal(code, 0, `${await said}\n${await complained}`)
  t.match(await said, /file calls: [4-9]\d faults at [4-9]\d labelled calls, 0 problems/)
  t.match(await said, /well: the folder replaced by an empty one/)
  t.match(await said, /nothing synced was lost, and what was lost is told/)
})
