import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')

t.test('a slice of the recording campaign: eight cameras, a kill, and every missing frame in a gap that was told', { timeout: 200_000 }, async t => {
  const child = spawn(process.execPath, [path.join(ROOT, 'campaign/main.ts'), 'record', '--minutes', '0.8', '--kill-every', '0.4', '--check-every', '0.5', '--floor', '1', '--ring', '160', '--seed', '7', '--steady'],
    { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT })
  const [said, complained] = [text(child.stdout), text(child.stderr)]
  const [code] = await once(child, 'exit') as [number | null]
  t.equal(code, 0, `${await said}\n${await complained}`)
  t.match(await said, /[1-9]\d* kills, worst loss before a kill \d+ ms/)
  t.match(await said, /every missing frame lies in a gap that was told/)
})
