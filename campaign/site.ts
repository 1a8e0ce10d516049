import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { CameraServer } from '../test/support/cameras/camera-server.ts'
import { FaultProxy } from '../test/support/cameras/fault-proxy.ts'
import { clip, CLIPS, type ClipOptions } from '../test/support/cameras/make-clips.ts'
import { FrameLedger } from './frame-ledger.ts'
import { CUSTOS, RecorderProcess, type RecorderProcessOptions } from './recorder-process.ts'

const ROOT = path.join(import.meta.dirname, '..')
const KINDS: readonly ClipOptions[] = [CLIPS.h264Small, CLIPS.h265Small, CLIPS.h264Hd]
const PRE_ROLL_MS = 2000
const COMMAND_BOUND_MS = 60_000

export interface SiteOptions {
  /** Name of the campaign, for the folder. */
  readonly name: string
  readonly cameras: number
  /** What they send, in turn. */
  readonly clips?: readonly ClipOptions[]
  readonly volumes: readonly { readonly id: string, readonly path?: string, readonly sizeMiB: number }[]
  readonly floor: string
  /** More of the configuration, by its keys. */
  readonly sections?: (folder: string) => object
  /** Where the catalogue lies; a folder of the site when left out. */
  readonly stateDir?: string
  /** `custos` of another checkout. */
  readonly program?: string
  /** The recorder's stdout is a pipe that nobody reads. */
  readonly isLogUnread?: boolean
}

export interface SiteCamera {
  readonly id: string
  /** Between camera and recorder: tells when the recorder asked. */
  readonly proxy: FaultProxy
  readonly ledger: FrameLedger
}
export interface Ended { readonly code: number, readonly out: string, readonly err: string }

interface SiteParts extends Pick<Site, 'folder' | 'volumes' | 'cameras'> {
  readonly process: RecorderProcessOptions
  readonly server: CameraServer
  readonly stateDir: string
  readonly resources: AsyncDisposableStack
}

/** Cameras whose frames are numbered, volumes of 1 MiB slots, a configuration and a recorder that was not started yet. The folder stays; who made the site removes it. */
export class Site implements AsyncDisposable {
  readonly folder: string
  readonly config: string
  readonly logFile: string
  readonly catalogueFile: string
  readonly volumes: readonly { readonly id: string, readonly path: string }[]
  readonly cameras: readonly SiteCamera[]
  readonly recorder: RecorderProcess
  /** How far the recorded time of a frame was from the instant at which the camera captured it. */
  worstStampErrorMs = 0
  /** Runs, by their numbers, whose records were found on the volumes. */
  readonly runsFound = new Set<number>()
  readonly #server: CameraServer
  readonly #resources: AsyncDisposableStack
  #clips = 0

  private constructor(parts: SiteParts) {
    this.folder = parts.folder
    this.config = parts.process.config
    this.logFile = parts.process.logFile
    this.catalogueFile = path.join(parts.stateDir, 'catalogue.db')
    this.volumes = parts.volumes
    this.cameras = parts.cameras
    this.#server = parts.server
    this.#resources = parts.resources
    this.recorder = this.#resources.use(new RecorderProcess(parts.process))
  }

  static folder(name: string): string { return mkdtempSync(path.join(ROOT, `.campaign-${name}-`)) }

  static async open(folder: string, options: SiteOptions): Promise<Site> {
    await using resources = new AsyncDisposableStack()
    const kinds = options.clips ?? KINDS
    const mounts = Array.from({ length: options.cameras }, (_, i) =>
      ({ path: `/c${i}`, clip: kinds[i % kinds.length]!, username: `viewer${i}`, password: `pass ${i}` }))
    const server = resources.use(await CameraServer.start({ mounts }))
    const cameras: SiteCamera[] = []
    for (const [i, mount] of mounts.entries()) {
      cameras.push({ id: `c${i}`, proxy: resources.use(await FaultProxy.start({ targetPort: server.port })), ledger: new FrameLedger(await clip(mount.clip)) })
    }
    const volumes = options.volumes.map(({ id, path: at }) => ({ id, path: at ?? path.join(folder, id) }))
    for (const [i, { id, path: at }] of volumes.entries()) execFileSync(CUSTOS, ['volume', 'init', at, '--id', id, '--size', `${options.volumes[i]!.sizeMiB}MiB`, '--slot-size', '1MiB'])
    const secrets = path.join(folder, 'secrets.yaml'), config = path.join(folder, 'custos.yaml')
    writeFileSync(secrets, JSON.stringify(Object.fromEntries(mounts.map(({ username, password }, i) => [`c${i}`, { username, password }]))), { mode: 0o600 })
    const port = 20_000 + Math.floor(Math.random() * 20_000) // several campaigns may run beside each other
    const { stateDir = path.join(folder, 'state'), program, isLogUnread: isUnread = false } = options
    writeFileSync(config, JSON.stringify({
      site: { name: options.name }, state: { dir: stateDir }, listen: { host: '127.0.0.1', port }, volumes,
      retention: { floor: options.floor }, secrets: { file: secrets },
      ...options.sections?.(folder),
      cameras: cameras.map(({ id, proxy }, i) => ({ id, name: id, credential: id, streams: { main: { url: proxy.through(server.url(mounts[i]!.path)) } } })),
    }))
    mkdirSync(path.join(folder, 'clips'))
    const logFile = path.join(folder, 'recorder.log')
    const process = { config, port, logFile, isUnread, ...program === undefined ? {} : { program } }
    return new Site({ folder, process, volumes, cameras, server, stateDir, resources: resources.move() })
  }

  /** Tells every ledger which frame its camera captures now: what is to be found ends there. */
  async noteSent(): Promise<void> {
    const mounts = await this.#server.status()
    const wallMs = Date.now()
    for (const { id, ledger } of this.cameras) ledger.sentTo = { counter: mounts[`/${id}`]!.frame, wallMs }
  }

  /** `custos ...`, beside all that goes on. */
  custos(args: readonly string[]): Promise<Ended> {
    return new Promise(resolve => {
      execFile(CUSTOS, args, { encoding: 'utf8', maxBuffer: 64 << 20, timeout: COMMAND_BOUND_MS, killSignal: 'SIGKILL' }, (error, out, err) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err })
      })
    })
  }

  /**
   * The camera's frames of a span, cut out of the volumes beside whoever records; all go into its ledger, and their faults too.
   * Null when the volumes could not be cut; `complaint` says why.
   */
  async fetch(camera: SiteCamera, fromMs: number, toMs: number, complaints: string[], volumes = this.volumes): Promise<Set<number> | null> {
    const { ledger } = camera
    const out = path.join(this.folder, 'clips', `${camera.id}-${this.#clips++}.mp4`)
    const range = ['--camera', camera.id, '--from', new Date(fromMs - PRE_ROLL_MS).toISOString(), '--to', new Date(toMs).toISOString(), '--out', out]
    const cut = await this.custos(['rescue', ...volumes.map(volume => volume.path), ...range, '--reason', 'campaign'])
    const files = cut.out.split('\n').filter(line => line.endsWith('.mp4'))
    const seen = new Map<number, Set<number>>() // frame -> runs of the part that has it
    for (const file of files) {
      await this.#probe(file, ledger)
      const manifest = JSON.parse(readFileSync(`${file}.manifest.json`, 'utf8')) as { from: string, records: { run: number }[] }
      const zeroMs = Date.parse(manifest.from), runs = new Set(manifest.records.map(record => record.run))
      for (const run of runs) this.runsFound.add(run)
      for (const frame of await ledger.addBeside(file, `${camera.id} ${new Date(fromMs).toISOString()} ${path.basename(file)}`)) {
        const before = seen.get(frame.counter) // a camera that is asked again begins with its last key frame: another run may hold a frame once more, the same run never
        if (before !== undefined && !before.isDisjointFrom(runs)) ledger.faults.push(`${camera.id}: frame ${frame.counter} is in two parts of ${path.basename(out)}`)
        seen.set(frame.counter, runs)
        this.worstStampErrorMs = Math.max(this.worstStampErrorMs, Math.abs(zeroMs + frame.seconds * 1000 - frame.wallMs))
      }
      for (const name of [file, `${file}.csv`, `${file}.manifest.json`]) unlinkSync(name)
    }
    if (cut.code === 0 || /there is no footage/.test(cut.err)) return new Set(seen.keys())
    complaints.push(`rescue of ${camera.id} failed (${cut.code}): ${cut.err.slice(0, 300)}`)
    return null
  }

  async #probe(file: string, ledger: FrameLedger): Promise<void> {
    const said = await promisify(execFile)('ffprobe', ['-v', 'warning', '-show_entries', 'format=duration', file]).then(({ stderr }) => stderr, (error: unknown) => String(error))
    if (said.trim() !== '') ledger.faults.push(`ffprobe: ${said}`)
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.#resources.disposeAsync() }
}
