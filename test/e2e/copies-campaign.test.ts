import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')
const SEED = '20261126'

t.test(`a slice of the campaign of copies: an office works beside recording while the recorder is killed (seed ${SEED})`, { timeout: 200_000 }, async t => {
  const child = spawn(process.execPath, [path.join(ROOT, 'campaign/main.ts'), 'copies', '--slice', '--seed', SEED], { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT })
  const [said, complained] = [text(child.stdout), text(child.stderr)]
  const [code] = await once(child, 'exit') as [number | null]
  t.equal(code, 0, `${await said}\n${await complained}`)
  t.match(await said, /[1-9]\d* copies released with [1-9]\d+ frames compared/)
  t.match(await said, /every copy was released once and holds each recorded frame of its grant/)
})
