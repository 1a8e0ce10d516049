import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import WebSocket from 'ws'
import { stringify } from 'yaml'
import type { GapCause, RunEndReason } from '../../../src/domain/index.ts'
import type { HealthMessage, SnapshotMessage } from '../../../src/health/index.ts'
import { officeOf, processesMarked, waitUntilGone } from './processes.ts'
import { run, type Ended } from './real-media.ts'

export interface CameraSpec {
  readonly id: string
  readonly url?: string
  readonly onvif?: { readonly host: string, readonly port: number }
  readonly place?: string
  readonly credential?: { readonly username: string, readonly password: string }
  readonly audio?: boolean
}

export interface GapRow { readonly camera: string, readonly startAt: number, readonly endAt: number | null, readonly cause: GapCause, readonly lastCause: GapCause }
export interface RunRow { readonly camera: string, readonly runId: number, readonly startAt: number, readonly endAt: number | null, readonly endReason: RunEndReason | null, readonly widthPx: number, readonly codec: string }
export interface ListedRow { readonly camera: string, readonly cameraUuid: string, readonly stream: string, readonly from: string, readonly to: string, readonly bytes: number, readonly slot: number, readonly sealed: boolean, readonly records: number }

export interface RecorderOptions {
  /** On ext4 or XFS; belongs to the recorder. */
  readonly folder: string
  readonly cameras: readonly CameraSpec[]
  readonly sizeMiB?: number
  readonly logLevel?: string
  /** Beside that of this process. */
  readonly env?: Readonly<Record<string, string>>
}

const CUSTOS = path.join(import.meta.dirname, '../../../bin/custos')
const SLOT_SIZE = '1MiB'
const POLL_MS = 100
const START_BOUND_MS = 20_000
const STOP_BOUND_MS = 15_000

type Child = ChildProcessByStdio<null, Readable, Readable>

/** The real program on a volume of its own, as an office would run it. Disposal kills it and fails if a child outlives it. */
export class RealRecorder implements AsyncDisposable {
  readonly folder: string
  readonly configFile: string
  readonly secretsFile: string
  readonly volumeDir: string
  readonly consolePort: number
  readonly port: number
  /** Every line on stdout, of all starts. */
  readonly logText: string[] = []
  /** Everything on stderr. */
  readonly errText: string[] = []
  readonly #mark: string
  readonly #logLevel: string
  readonly #env: Readonly<Record<string, string>>
  #child: Child | null = null
  #exited: Promise<void> = Promise.resolve()

  private constructor(
    { folder, logLevel = 'info', env = {} }: RecorderOptions, port: number, consolePort: number,
  ) {
    this.folder = folder
    this.configFile = path.join(folder, 'custos.yaml')
    this.secretsFile = path.join(folder, 'secrets.yaml')
    this.volumeDir = path.join(folder, 'disk1')
    this.port = port
    this.consolePort = consolePort
    this.#logLevel = logLevel
    this.#env = env
    this.#mark = `CUSTOS_TEST_MARK=${process.pid}-${path.basename(folder)}-${port}`
  }

  /** Allocates the volume and writes configuration and secrets; starts nothing. */
  static async create(options: RecorderOptions): Promise<RealRecorder> {
    const { folder, cameras, sizeMiB = 80 } = options
    const recorder = new RealRecorder(options, await freePort(), await freePort())
    await mkdir(path.join(folder, 'state'), { recursive: true })
    await recorder.command(['volume', 'init', recorder.volumeDir, '--id', 'disk1', '--size', `${sizeMiB}MiB`, '--slot-size', SLOT_SIZE]).then(succeeded)
    await recorder.configure(cameras)
    return recorder
  }

  /** create() and start(). */
  static async recording(options: RecorderOptions): Promise<RealRecorder> {
    const recorder = await RealRecorder.create(options)
    await recorder.start()
    return recorder
  }

  /** Writes configuration and secrets; a recorder that runs takes them over by itself. */
  async configure(cameras: readonly CameraSpec[]): Promise<void> {
    const secrets = Object.fromEntries(cameras.flatMap(({ id, credential }) => credential === undefined ? [] : [[id, credential]]))
    await writeFile(this.secretsFile, stringify(secrets), { mode: 0o600 })
    await writeFile(this.configFile, stringify({
      site: { name: 'Test office' }, state: { dir: path.join(this.folder, 'state') }, listen: { port: this.port }, console: { port: this.consolePort, tls: 'off' },
      volumes: [{ id: 'disk1', path: this.volumeDir }], inbox: 'off', secrets: { file: this.secretsFile },
      cameras: cameras.map(({ id, url, onvif, credential, place, audio = false }) => ({
        id, name: `Camera ${id}`, audio, ...(place === undefined ? {} : { place }), ...(credential === undefined ? {} : { credential: id }),
        ...(url === undefined ? {} : { streams: { main: { url } } }), ...(onvif === undefined ? {} : { onvif }),
      })),
    }))
  }

  get pid(): number { return this.#child?.pid ?? 0 }

  /** Resolves once health answers. `startedAt` by performance.now, taken before the program is started. */
  async start(): Promise<{ startedAt: number }> {
    const startedAt = performance.now()
    const [name, value] = this.#mark.split('=') as [string, string]
    const child: Child = spawn(CUSTOS, ['run', '--config', this.configFile], {
      stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.#env, CUSTOS_LOG_LEVEL: this.#logLevel, [name]: value },
    })
    this.#child = child
    createInterface({ input: child.stdout }).on('line', line => { this.logText.push(line) })
    createInterface({ input: child.stderr }).on('line', line => { this.errText.push(line) })
    this.#exited = once(child, 'close').then(() => undefined)
    let ended = false
    void this.#exited.then(() => { ended = true })
    while (await this.health() === null) {
      if (ended || performance.now() - startedAt > START_BOUND_MS) throw new Error(`the recorder did not start: ${this.errText.join('\n')} ${this.logText.slice(-5).join('\n')}`)
      await wait(POLL_MS)
    }
    return { startedAt }
  }

  /** Null while nobody answers. */
  async health(): Promise<SnapshotMessage | null> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.port}/health`, { signal: AbortSignal.timeout(5000) })
      return answer.ok ? await answer.json() as SnapshotMessage : null
    } catch { return null } // not listening yet, or not any more
  }

  /** Asks health until `isSo`, and throws with the last answer when that takes longer than the bound. */
  async until(what: string, isSo: (health: SnapshotMessage) => boolean, boundMs = 90_000): Promise<SnapshotMessage> {
    const deadline = performance.now() + boundMs
    for (;;) {
      const health = await this.health()
      if (health !== null && isSo(health)) return health
      if (performance.now() > deadline) {
        throw new Error(`not within ${boundMs} ms: ${what}\n${JSON.stringify(health?.streams.map(({ camera, state, lastEndReason, openGapCause, restarts }) => ({ camera, state, lastEndReason, openGapCause, restarts })), null, 1)}\n${this.logText.slice(-12).join('\n')}`)
      }
      await wait(POLL_MS)
    }
  }

  /** Until every one of these cameras (all unless told) gives frames now. */
  async untilRecording(cameras?: readonly string[], boundMs = 90_000): Promise<SnapshotMessage> {
    return await this.until(`recording ${cameras?.join(', ') ?? 'everything'}`, ({ streams }) => streams.filter(({ camera }) => cameras?.includes(camera) ?? true)
      .every(({ state, lastFrameAgeMs, openGapSince }) => state === 'recording' && openGapSince === null && lastFrameAgeMs !== null && lastFrameAgeMs < 2000), boundMs)
  }

  /** Until a camera is being recorded and this many milliseconds of its newest footage are unbroken. */
  async untilRecordedFor(camera: string, durationMs: number, boundMs = 90_000): Promise<void> {
    await this.until(`${camera} recorded for ${durationMs} ms`, ({ streams }) => {
      const stream = streams.find(each => each.camera === camera)
      return stream?.state === 'recording' && stream.lastFrameAt !== null && Date.parse(stream.lastFrameAt) - Date.parse(stream.stateSince) >= durationMs
    }, boundMs)
  }

  /** Every message of the health socket from now on; the list grows until `signal` aborts. */
  async listen(signal: AbortSignal): Promise<HealthMessage[]> {
    const messages: HealthMessage[] = []
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/health`)
    socket.on('message', data => { messages.push(JSON.parse(String(data)) as HealthMessage) })
    socket.on('error', () => undefined) // the recorder may be killed while we listen
    signal.addEventListener('abort', () => { socket.terminate() }, { once: true })
    await once(socket, 'open')
    return messages
  }

  /** Ends it as systemd does and waits; the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child
    if (child === null) return null
    child.kill('SIGTERM')
    if (await Promise.race([this.#exited.then(() => true), wait(STOP_BOUND_MS, false, { ref: false })]) === false) throw new Error('the recorder does not stop')
    this.#child = null
    return child.exitCode
  }

  /** kill -9. Resolves with the instants just around it, once the process itself is gone. */
  async crash(): Promise<{ beforeWallMs: number, at: number }> {
    const before = { beforeWallMs: Date.now(), at: performance.now() }
    this.#child?.kill('SIGKILL')
    await this.#exited
    this.#child = null
    return before
  }

  /** `kill -9` of the office alone. Throws where none runs. */
  async killOffice(): Promise<void> {
    const pid = await officeOf(this.pid)
    if (pid === null) throw new Error('no office runs')
    process.kill(pid, 'SIGKILL')
    await waitUntilGone(async () => (await this.children()).filter(each => each === pid), 5_000)
  }

  /** Pids of all its processes that live, the recorder aside, orphans included: they carry its mark. */
  async children(): Promise<number[]> { return (await processesMarked(this.#mark)).filter(pid => pid !== this.pid) }

  /** Resolves with how long it took; throws when one stays. */
  async childrenGone(boundMs: number): Promise<number> { return await waitUntilGone(() => this.children(), boundMs) }

  gaps(camera?: string): GapRow[] {
    return this.#rows<GapRow>(`SELECT camera.id AS camera, start_at AS startAt, end_at AS endAt, cause, last_cause AS lastCause FROM gap JOIN camera ON camera.uuid = gap.camera_uuid ORDER BY start_at, gap_id`).filter(row => camera === undefined || row.camera === camera)
  }

  runs(camera?: string): RunRow[] {
    return this.#rows<RunRow>(`SELECT camera.id AS camera, run_id AS runId, start_at AS startAt, end_at AS endAt, end_reason AS endReason, width_px AS widthPx, codec FROM run JOIN camera ON camera.uuid = run.camera_uuid ORDER BY run_id`).filter(row => camera === undefined || row.camera === camera)
  }

  /** What the devices said they are, in order. */
  devices(): { readonly camera: string, readonly firstSeenAt: number, readonly lastSeenAt: number, readonly maker: string | null, readonly model: string | null, readonly firmware: string | null, readonly serial: string | null }[] {
    return this.#rows('SELECT camera.id AS camera, first_seen_at AS firstSeenAt, last_seen_at AS lastSeenAt, maker, model, firmware, serial FROM camera_device JOIN camera ON camera.uuid = camera_uuid ORDER BY first_seen_at')
  }

  /** Every audit entry, in order: of the recorder's log, then of the office's. */
  audit(): { readonly action: string, readonly result: string, readonly object: string | null, readonly detail: Record<string, unknown> }[] {
    type Raw = { action: string, result: string, object: string | null, detail: string }
    const sql = 'SELECT action, result, object, detail FROM audit_entry ORDER BY seq'
    return [...this.#rows<Raw>(sql), ...existsSync(this.#office) ? this.#rows<Raw>(sql, this.#office) : []]
      .map(row => ({ ...row, detail: JSON.parse(row.detail) as Record<string, unknown> }))
  }

  get #office(): string { return path.join(this.folder, 'state', 'office', 'office.db') }

  /** Read-only; beside a running recorder too. */
  #rows<Row>(sql: string, file = path.join(this.folder, 'state', 'catalogue.db')): Row[] {
    const db = new Database(file, { readonly: true, fileMustExist: true })
    try { return db.prepare<[], Row>(sql).all() } finally { db.close() }
  }

  /** `custos …` run to its end. */
  async command(args: readonly string[], timeoutMs = 60_000): Promise<Ended> { return await run(CUSTOS, args, { timeoutMs }) }

  async rescueList(): Promise<ListedRow[]> {
    const { output } = await this.command(['rescue', this.volumeDir, '--list', '--json']).then(succeeded)
    return output.toString().split('\n').filter(line => line !== '').map(line => JSON.parse(line) as ListedRow)
  }

  /** Cuts all the volume has of a camera, or a span of it; the clips' names, in order. */
  async rescue(camera: string, name: string, span?: { from: number, to: number }): Promise<string[]> {
    const iso = (at: number) => new Date(at).toISOString()
    const range = span ?? { from: Date.now() - 3_600_000, to: Date.now() + 60_000 }
    const { output } = await this.command(['rescue', this.volumeDir, '--camera', camera, '--from', iso(range.from), '--to', iso(range.to), '--out', path.join(this.folder, name), '--reason', 'test']).then(succeeded)
    return output.toString().split('\n').filter(line => line.endsWith('.mp4'))
  }

  /** All that it left in its folder, by name. */
  async files(): Promise<string[]> {
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true })
    return entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== null) await this.crash()
    await this.childrenGone(3000)
  }
}

function succeeded(ended: Ended): Ended {
  if (ended.code !== 0) throw new Error(`exit code ${ended.code}: ${ended.errors} ${ended.output.toString().slice(0, 500)}`)
  return ended
}

/** Below the ports that outgoing connections are given: one of those could be taken between this look and the recorder's own. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000)
    const server = createServer()
    const isFree = await new Promise<boolean>(resolve => {
      server.once('error', () => { resolve(false) })
      server.listen(port, '127.0.0.1', () => { resolve(true) })
    })
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

export const readText = (file: string): Promise<string> => readFile(file, 'latin1')
