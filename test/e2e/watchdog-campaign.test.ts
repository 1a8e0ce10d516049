import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')

t.test('a slice of the watchdog campaign: the real unit beside a busy core for many intervals, and no word to systemd is lost', { timeout: 200_000 }, async t => {
  const child = spawn(process.execPath, [path.join(ROOT, 'campaign/main.ts'), 'watchdog', '--minutes', '0.9', '--watchdog', '8'], { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT })
  const [said, complained] = [text(child.stdout), text(child.stderr)]
  const [code] = await once(child, 'exit') as [number | null]
  t.equal(code, 0, `${await said}\n${await complained}`)
  t.match(await said, /[3-5]\d words sent, [3-5]\d received/)
  t.match(await said, /NRestarts=0, the same recorder and helper to the end/)
})
