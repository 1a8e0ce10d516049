import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')

t.test('a slice of the clock campaign: the recorder under wrong clocks and a time service that lies', { timeout: 120_000 }, async t => {
  const child = spawn(process.execPath, [path.join(ROOT, 'campaign/main.ts'), 'clock', '--slice'], { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT })
  const [said, complained] = [text(child.stdout), text(child.stderr)]
  const [code] = await once(child, 'exit') as [number | null]
  t.equal(code, 0, `${await said}\n${await complained}`)
  t.match(await said, /\+40d: clock disagrees/)
  t.match(await said, /nothing was overwritten inside its floor by real time, and recording went on/)
})
