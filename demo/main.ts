// npm run demo: four simulated cameras, a small volume, the real recorder, and a board to watch it on.
import { once } from 'node:events'
import { access, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { boardLines, boardText, type BoardFacts } from './board.ts'
import { DemoError } from './demo-error.ts'
import { DemoFolder } from './demo-folder.ts'
import { DemoSite } from './demo-site.ts'
import { HealthFeed } from './health-feed.ts'
import { logTail } from './log-tail.ts'
import { runProgram } from './program.ts'
import { Recorder } from './recorder.ts'
import { Terminal } from './terminal.ts'

const ROOT = path.join(import.meta.dirname, '..')
const USAGE = `npm run demo [-- OPTION...]
  --seconds N   end by itself after N seconds of recording
  --keep        leave the folder .demo; the next start goes on with its footage
  --image       put the volume into a mounted ext4 image even where the folder would do (root)
  --lines       one line a second instead of the board
The folder is .demo in the checkout, or $CUSTOS_DEMO_DIR.
`
/**
 * So small that the four cameras (3.5 Mbit/s) wrap it in two and a half minutes, and large enough that footage is then half as old again as the floor:
 * 35 slots of about 4.1 s each, four of them open.
 */
const VOLUME_SIZE_BYTES = 70 * 2 ** 20
const SLOT_SIZE = '2MiB'
const FLOOR = '80s'
const DRAW_EVERY_MS = 250
const LINE_EVERY_MS = 1_000
const LOG_LINES = 60
const LAST_WORDS = 10

interface Options { readonly seconds: number | null, readonly keep: boolean, readonly image: boolean, readonly board: boolean }

function readOptions(): Options | null {
  try {
    const { values } = parseArgs({ options: { seconds: { type: 'string' }, keep: { type: 'boolean' }, image: { type: 'boolean' }, lines: { type: 'boolean' }, help: { type: 'boolean' } } })
    const seconds = values.seconds === undefined ? null : Number(values.seconds)
    if (values.help === true || (seconds !== null && !(seconds > 0))) return null
    return { seconds, keep: values.keep === true, image: values.image === true, board: process.stdout.isTTY && values.lines !== true }
  } catch {
    return null
  }
}

/** Runs until `stop`, a key, or the given time; returns the exit code. Everything it started is gone when it returns. */
async function demo(options: Options, stop: AbortController): Promise<number> {
  const { signal } = stop
  await using started = new AsyncDisposableStack()
  say('starting the cameras (the first start encodes their pictures)')
  const folder = started.use(await DemoFolder.open({
    folder: path.resolve(process.env['CUSTOS_DEMO_DIR'] ?? path.join(ROOT, '.demo')), keep: options.keep, image: options.image, volumeSizeBytes: VOLUME_SIZE_BYTES,
  }))
  if (signal.aborted) return 0
  const site = started.use(await openSite())
  if (signal.aborted) return 0
  await initVolume(folder.volumeFolder)
  const { configFile, healthAddress } = await writeConfig(folder, site)
  const logFile = folder.file('custos.log')
  if (signal.aborted) return 0
  const recorder = started.use(new Recorder({ configFile, logFile }))
  recorder.start()
  const feed = started.use(new HealthFeed(healthAddress))

  let language: 'zh' | 'en' = 'zh'
  let nextFrozen = 0
  const facts = async (): Promise<BoardFacts> => ({
    now: new Date(), language, cameras: site.cameras, frozenForMs: id => site.frozenForMs(id), recorder: recorder.state,
    health: feed.latest, healthConnected: feed.isConnected, healthSilentForMs: feed.silentForMs, log: await logTail(logFile, LOG_LINES), logFile: path.relative(process.cwd(), logFile),
  })
  const press = (key: string): void => {
    if (key === 'q') stop.abort()
    else if (key === 'k') recorder.killAndRestart()
    else if (key === 'r') recorder.start()
    else if (key === 'l') language = language === 'zh' ? 'en' : 'zh'
    else if (key === 'c') {
      const camera = site.cameras[nextFrozen % site.cameras.length]
      nextFrozen += 1
      if (camera !== undefined) site.freeze(camera.id).catch(() => undefined) // a server that died is seen below
    }
  }
  let failure: string | null = null
  void site.exited.then(() => { if (!signal.aborted) { failure ??= 'the camera server died'; stop.abort() } })
  const terminal = options.board ? started.use(Terminal.open(press)) : null
  const startedAtMs = performance.now()
  while (!signal.aborted) {
    const now = await facts()
    if (terminal !== null) terminal.draw(boardLines(now, terminal.size))
    else process.stdout.write(`${boardText(now)}\n`)
    const { state } = recorder
    const unattended = terminal === null || options.seconds !== null
    if (unattended && state.kind === 'ended' && !state.asked) failure = `the recorder ended by itself (${state.how})`
    if (failure !== null || (options.seconds !== null && performance.now() - startedAtMs >= options.seconds * 1000)) break
    await pause(terminal === null ? LINE_EVERY_MS : DRAW_EVERY_MS, signal)
  }
  const lastWords = failure === null ? [] : (await logTail(logFile, LAST_WORDS)).map(line => `  ${line.level} ${line.text}`)
  stop.abort()
  terminal?.[Symbol.dispose]()
  if (failure !== null) process.stderr.write(`demo: ${failure}; its last words:\n${lastWords.join('\n')}\n`)
  say(options.keep ? `stopping; ${folder.path} is kept` : 'stopping the recorder, then everything else')
  return failure === null ? 0 : 1
}

async function openSite(): Promise<DemoSite> {
  try {
    return await DemoSite.open()
  } catch (error) {
    throw new DemoError(`the simulated cameras did not start: ${(error as Error).message}`, 'Run `npm run setup`: it installs GStreamer and ffmpeg.', error)
  }
}

async function initVolume(folder: string): Promise<void> {
  if (await access(path.join(folder, 'custos-volume.json')).then(() => true, () => false)) return
  await runProgram(path.join(ROOT, 'bin/custos'), ['volume', 'init', folder, '--id', 'disk1', '--size', `${VOLUME_SIZE_BYTES / 2 ** 20}MiB`, '--slot-size', SLOT_SIZE],
    'Free some disk space, or set CUSTOS_DEMO_DIR to a folder on another disk.')
}

async function writeConfig(folder: DemoFolder, site: DemoSite): Promise<{ configFile: string, healthAddress: string }> {
  const [healthPort, consolePort] = await freePorts(2)
  const configFile = folder.file('custos.yaml')
  await writeFile(folder.file('secrets.yaml'), site.secretsText(), { mode: 0o600 })
  const quoted = (file: string) => JSON.stringify(file)
  await writeFile(configFile, [
    'site: { name: 信義區戶政事務所（示範）, timezone: Asia/Taipei }',
    `state: { dir: ${quoted(folder.file('state'))} }`,
    `listen: { host: 127.0.0.1, port: ${healthPort} }`,
    `console: { host: 127.0.0.1, port: ${consolePort}, tls: off }`,
    `volumes: [ { id: disk1, path: ${quoted(folder.volumeFolder)} } ]`,
    `retention: { floor: ${FLOOR} }`,
    `secrets: { file: ${quoted(folder.file('secrets.yaml'))} }`,
    'cameras:', ...site.configLines(), '',
  ].join('\n'))
  return { configFile, healthAddress: `127.0.0.1:${healthPort}` }
}

/** Ports nobody listens on just now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => { server.close(); return once(server, 'close') }))
  return ports
}

function pause(ms: number, signal: AbortSignal): Promise<unknown> {
  // An abort only ends the wait early.
  return wait(ms, undefined, { signal }).catch(() => undefined)
}

function say(text: string): void { process.stderr.write(`demo: ${text}\n`) }

const options = readOptions()
if (options === null) {
  process.stderr.write(USAGE)
  process.exitCode = 2
} else {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => { stop.abort() })
  // Whoever reads the output may leave first: a closed terminal, or a pipe into head.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => { stop.abort() })
  // npm killed outright tells nobody.
  const parent = process.ppid
  const orphaned = setInterval(() => { if (process.ppid !== parent) stop.abort() }, LINE_EVERY_MS)
  try {
    process.exitCode = await demo(options, stop)
  } catch (error) {
    if (!(error instanceof DemoError)) throw error
    process.stderr.write(`demo: ${error.message}\n${error.remedy}\n`)
    process.exitCode = 1
  } finally {
    clearInterval(orphaned)
  }
}
