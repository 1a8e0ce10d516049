import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'

t.setTimeout(200_000)
const DEMO = path.join(import.meta.dirname, '../../demo/main.ts')
const ALL_RECORDING = / 4\/4 recording /

/** Living processes of a session: the demo runs in one of its own, and nothing it starts leaves it. The dead are for init to fetch. */
function processesOf(session: number): string[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(pid => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const [state, , , sessionOf] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return state !== 'Z' && Number(sessionOf) === session ? [stat] : []
    } catch {
      return [] // ended meanwhile
    }
  })
}

/** `onLine` may act on the demo while it runs. */
async function runDemo(t: Test, args: readonly string[], onLine: (line: string, demo: { pid: number, folder: string }) => void = () => undefined) {
  const folder = path.join(t.testdir({}), 'demo')
  const child = spawn(process.execPath, [DEMO, '--lines', ...args], {
    detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, CUSTOS_DEMO_DIR: folder },
  })
  const pid = child.pid ?? 0
  t.teardown(() => { try { process.kill(-pid, 'SIGKILL') } catch { /* gone, as it should be */ } })
  const ended = once(child, 'close')
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', line => { lines.push(line); onLine(line, { pid, folder }) })
  const errors = (await Promise.all([child.stderr.toArray(), ended]))[0] as Buffer[]
  const nothingLeft = () => {
    t.same(processesOf(pid), [], 'no process is left')
    t.notOk(existsSync(folder), 'no file is left')
    t.notMatch(readFileSync('/proc/self/mountinfo', 'utf8'), folder, 'no mount is left')
  }
  return { code: child.exitCode, lines, errors: Buffer.concat(errors).toString(), nothingLeft }
}

const recorderOf = (session: number): number | undefined =>
  processesOf(session).map(stat => Number(stat.split(' ')[0])).find(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('src/main.ts'))

t.test('records four cameras, ends when its time is up and leaves nothing behind', async t => {
  const image = process.getuid?.() === 0 ? ['--image'] : []
  const { code, lines, errors, nothingLeft } = await runDemo(t, ['--seconds', '20', ...image])
  t.equal(code, 0, errors)
  t.match(lines.at(-1), ALL_RECORDING)
  t.match(lines.at(-1), /lobby=recording.*counter=recording.*corridor=recording.*door=recording/)
  t.match(lines.at(-1), /disk1 free=[23]\d open=4/)
  nothingLeft()
})

t.test('ends at Ctrl-C and leaves nothing behind', async t => {
  let sent = false
  const { code, errors, nothingLeft } = await runDemo(t, ['--seconds', '60'], (line, { pid }) => {
    if (sent || !ALL_RECORDING.test(line)) return
    sent = true
    process.kill(-pid, 'SIGINT') // the terminal tells the whole process group
  })
  t.equal(code, 0, errors)
  t.ok(sent, 'it was recording by then')
  nothingLeft()
})

t.test('says that the recorder died, with its last words, and leaves nothing behind', async t => {
  let killed = false
  const { code, errors, nothingLeft } = await runDemo(t, ['--seconds', '60'], (line, { pid }) => {
    if (killed || !ALL_RECORDING.test(line)) return
    killed = true
    process.kill(recorderOf(pid) ?? 0, 'SIGKILL')
  })
  t.equal(code, 1)
  t.match(errors, /the recorder ended by itself \(SIGKILL\); its last words:\n(.*\n)*.*recorder started/)
  nothingLeft()
})
