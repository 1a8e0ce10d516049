// Runs test files side by side so that a run is short and its parts do not starve each other: a whole recorder with its cameras takes most of a core, and so does a browser, so one of each at a time, and one of the others.
import { spawn } from 'node:child_process'

/** In each, one file at a time; a lane that has none left takes of the last. The simulation has no recorder of its own. */
const LANES = [/^test\/(e2e|integration)\/(?!simulation)/, /^test\/(evidence-player|viewing|console)\//, /^/]
/** These judge by the time at which frames came or pictures were shown: they run behind the others, with nothing beside. */
const ALONE = /^test\/(integration\/crafted-cameras|e2e\/core-faults-campaign|viewing\/(codecs-and-stills|hostile-player))\.test\.ts$/
const FILE_LIMIT_MS = 20 * 60_000 // a test bounds itself; this is for one that cannot any more
const TEST_LIMIT_S = 240 // integration and e2e wait for real cameras, reconnects and disks

/**
 * Each file is a program of its own that says TAP; `onEnd` gets what it said. Resolves when all have ended, or the running ones after `signal`.
 * @param {string[]} files
 * @param {{ env: NodeJS.ProcessEnv, cwd: string, signal: AbortSignal, onEnd: (end: { file: string, code: number | null, lines: string[], ms: number }) => void }} options
 */
export async function runInLanes(files, { env, cwd, signal, onEnd }) {
  const queues = LANES.map(() => [])
  const alone = files.filter(file => ALONE.test(file))
  for (const file of files) if (!ALONE.test(file)) queues[LANES.findIndex(lane => lane.test(file))].push(file)
  const others = queues.at(-1)
  const work = async own => {
    for (let file; (file = own.shift() ?? others.shift()) !== undefined && !signal.aborted;) {
      onEnd(await runFile(file, { env, cwd, signal }))
    }
  }
  await Promise.all(queues.map(work))
  await work(alone)
}

async function runFile(file, { env, cwd, signal }) {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [file], { cwd, env: { ...env, TAP: '1', TAP_TIMEOUT: String(TEST_LIMIT_S) }, stdio: ['ignore', 'pipe', 'inherit'], timeout: FILE_LIMIT_MS, killSignal: 'SIGKILL' })
  const stop = () => child.kill('SIGTERM')
  signal.addEventListener('abort', stop, { once: true })
  const code = new Promise(resolve => {
    child.once('error', error => { console.log(`${file} could not be started: ${error.message}`); resolve(null) })
    child.once('close', resolve)
  })
  const said = Buffer.concat(await child.stdout.toArray()).toString()
  const end = { file, code: await code, lines: said.trimEnd().split('\n'), ms: performance.now() - startedAt }
  signal.removeEventListener('abort', stop)
  return end
}

/** Of the last line by which a file sums itself up; null where there is none. */
export function countsOf(lines) {
  const sum = /^# \{ (total: .*) \}$/.exec(lines.findLast(line => line.startsWith('# { total: ')) ?? '')
  if (sum === null) return null
  return { total: 0, pass: 0, fail: 0, skip: 0, todo: 0, ...Object.fromEntries(sum[1].split(', ').map(part => part.split(': ')).map(([key, value]) => [key, Number(value)])) }
}
