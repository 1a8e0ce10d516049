import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

import { audioClip, clip, clipIndex } from './make-clips.ts'
import type { ClipOptions } from './make-clips.ts'

export type MountOptions = {
  /** Begins with a slash. */
  path: string
  clip: ClipOptions | string
  username?: string
  password?: string
  audio?: 'aac' | 'g711'
}

export type ControlCommand =
  /** Stops sending; connections stay. The counter runs on, so a resumed mount shows a gap. */
  | { do: 'stall', mount: string }
  /** Ends stall, garbage and gone; sessions go on at the next key frame. */
  | { do: 'resume', mount: string }
  /** Changes to another clip of the same codec and frame rate at the next key frame. */
  | { do: 'switch-clip', mount: string, clip: ClipOptions | string }
  /** Random bytes as access units, until resume. */
  | { do: 'garbage', mount: string }
  /** Moves the timestamps of all further frames; the counter does not move. */
  | { do: 'jump', mount: string, seconds: number }
  | { do: 'drop-clients', mount: string }
  /** Answers 404 and drops the clients, until resume. */
  | { do: 'gone', mount: string }

export type MountStatus = {
  /** The counter of the frame captured now, sent or not. */
  frame: number
  sessions: number
  /** Clients that asked for this mount, since the start. */
  connects: number
  framesSent: number
  /** Frames withheld from clients that were too slow, or stalled. */
  framesDropped: number
  queuedBytes: number
}

type Answer = { id?: number, ready?: true, port?: number, error?: string, frame?: number, mounts?: Record<string, MountStatus> }
type Child = ChildProcessByStdio<Writable, Readable, Readable>

const SCRIPT = fileURLToPath(new URL('./rtsp-server.py', import.meta.url))
/** Debian's own Python: the GStreamer bindings are not installed for any other. */
const PYTHON = '/usr/bin/python3'
const STDERR_KEPT_CHARS = 8_000

/** A child process playing RTSP cameras on 127.0.0.1. Disposal kills it and waits until it is gone. */
export class CameraServer implements AsyncDisposable {
  readonly port: number
  readonly pid: number
  /** Settles when the process has ended, for whatever reason. */
  readonly exited: Promise<void>
  readonly #child: Child
  readonly #mounts: ReadonlyMap<string, MountOptions>
  readonly #waiting: Map<number, PromiseWithResolvers<Answer>>
  #lastId = 0

  private constructor(started: Started, mounts: readonly MountOptions[]) {
    this.port = started.port
    this.pid = started.pid
    this.exited = started.exited
    this.#child = started.child
    this.#waiting = started.waiting
    this.#mounts = new Map(mounts.map(mount => [mount.path, mount]))
  }

  static async start({ mounts, port = 0 }: { mounts: readonly MountOptions[], port?: number }): Promise<CameraServer> {
    const config = JSON.stringify({ port, mounts: await Promise.all(mounts.map(mountConfig)) })
    const folder = await mkdtemp(join(tmpdir(), 'camera-server-'))
    try {
      const path = join(folder, 'config.json')
      await writeFile(path, config, { mode: 0o600 })
      return new CameraServer(await launch(path), mounts)
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  /** Without credentials, as the product keeps stream URIs. */
  url(path: string): string {
    return `rtsp://127.0.0.1:${this.port}${path}`
  }

  urlWithCredentials(path: string): string {
    const { username, password } = this.#mounts.get(path) ?? {}
    const url = new URL(this.url(path))
    if (username !== undefined) url.username = encodeURIComponent(username)
    if (password !== undefined) url.password = encodeURIComponent(password)
    return url.href
  }

  /** Resolves, once the command is in force, with the counter of the mount at that moment. */
  async control(command: ControlCommand): Promise<number> {
    const clipOf = 'clip' in command ? { clip: await clipPath(command.clip) } : {}
    const answer = await this.#ask({ ...command, ...clipOf })
    return answer.frame ?? 0
  }

  /** Resolves once the mount has captured this frame. */
  async reached(mount: string, frame: number): Promise<void> {
    await this.#ask({ do: 'await-frame', mount, frame })
  }

  async status(): Promise<Record<string, MountStatus>> {
    return (await this.#ask({ do: 'status' })).mounts ?? {}
  }

  /** Stops the whole process, as a hung camera does: its sockets stay open and silent. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It holds nothing worth saving, and this also ends a frozen one.
    this.#child.kill('SIGKILL')
    await this.exited
  }

  async #ask(command: object): Promise<Answer> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw new Error('camera server has ended')
    const id = this.#lastId += 1
    const answered = Promise.withResolvers<Answer>()
    this.#waiting.set(id, answered)
    this.#child.stdin.write(`${JSON.stringify({ ...command, id })}\n`)
    const answer = await answered.promise
    if (answer.error !== undefined) throw new Error(`camera server refused: ${answer.error}`)
    return answer
  }
}

type Started = { port: number, pid: number, exited: Promise<void>, child: Child, waiting: Map<number, PromiseWithResolvers<Answer>> }

async function launch(configPath: string): Promise<Started> {
  const child: Child = spawn(PYTHON, [SCRIPT, configPath], { stdio: ['pipe', 'pipe', 'pipe'] })
  const waiting = new Map<number, PromiseWithResolvers<Answer>>()
  const ready = Promise.withResolvers<number>()
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-STDERR_KEPT_CHARS)
  })
  // A command written while the process dies is answered by its exit, not by a broken pipe.
  child.stdin.on('error', () => {})
  createInterface({ input: child.stdout }).on('line', line => {
    const answer = JSON.parse(line) as Answer
    if (answer.port !== undefined) ready.resolve(answer.port)
    if (answer.id === undefined) return
    waiting.get(answer.id)?.resolve(answer)
    waiting.delete(answer.id)
  })
  const exited = new Promise<void>(resolve => {
    child.once('close', (code, signal) => {
      const failure = new Error(`camera server ended (${signal ?? code}): ${complaint}`)
      ready.reject(failure)
      for (const answered of waiting.values()) answered.reject(failure)
      resolve()
    })
  })
  child.once('error', ready.reject)
  const port = await ready.promise
  return { port, pid: child.pid ?? 0, exited, child, waiting }
}

async function mountConfig(mount: MountOptions): Promise<object> {
  const path = await clipPath(mount.clip)
  const { codec, fps, gopFrames } = await clipIndex(path)
  const audio = mount.audio === undefined ? {} : { audioClip: await audioClip(mount.audio) }
  return { ...mount, clip: path, codec, fps, gopFrames, ...audio }
}

async function clipPath(source: ClipOptions | string): Promise<string> {
  return typeof source === 'string' ? source : await clip(source)
}
