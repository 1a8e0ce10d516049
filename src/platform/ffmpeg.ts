import path from 'node:path'
import { Readable } from 'node:stream'
import type { ChildProcess } from 'node:child_process'
import createCommand from 'fluent-ffmpeg'
import { openBytePipe, type BytePipe, type OnBytes } from './byte-pipe.ts'

export type { Taken } from './byte-pipe.ts'

/** Options of one ffmpeg run. Nothing secret may stand in `inputOptions` or `outputOptions`: every user of the host can read them. */
export interface FfmpegJob {
  readonly inputFormat: string
  readonly inputOptions: readonly (readonly [string, string] | readonly [string])[]
  /** Goes to the child's stdin, which is its input. The place for a URL with a password. A stream is read as fast as the child takes it. */
  readonly inputText: string | Readable
  /** 0 unless told; 19 gives way to everything else on the machine. */
  readonly niceness?: number
  readonly outputFormat: string
  readonly outputOptions: readonly (readonly [string, string] | readonly [string])[]
  /** Receives what ffmpeg puts out. */
  readonly onBytes: OnBytes
}

export interface FfmpegExit {
  /** Null when it ended by signal or could not start. */
  readonly code: number | null
  /** The last lines of stderr, bounded; they may hold the URL: redact before showing. */
  readonly stderrLines: readonly string[]
}

const CHILD = path.join(import.meta.dirname, '../../libexec/ffmpeg-child')
const STDERR_LINES_KEPT = 40
const STDERR_LINE_CHARS = 400

/** The library starts ffmpeg twice more before the first runs, to ask what it can do: three starts a camera instead of one. Ours can, or says so itself. */
const ASSUMED = {
  availableFormats: (done: (error: null, formats: object) => void) => { done(null, new Proxy({}, { has: () => true, get: () => ({ canMux: true, canDemux: true }) })) },
  availableEncoders: (done: (error: null, encoders: object) => void) => { done(null, {}) },
}

type WithProcess = createCommand.FfmpegCommand & { ffmpegProc?: ChildProcess } // a field that the types lack

export interface FfmpegRun {
  /** Resolves when the child is really gone and all its bytes were handed over; never rejects. */
  readonly exit: Promise<FfmpegExit>
  /** After `onBytes` said `no-room`: there is room again. */
  resume(): void
  /** The time of arrival matters no more to 10 ms. */
  relax(): void
}

/** Starts ffmpeg. `stop` asks it to finish what it holds, `kill` ends it at once. The only user of fluent-ffmpeg. */
export async function startFfmpeg(job: FfmpegJob, signals: { stop: AbortSignal, kill: AbortSignal }): Promise<FfmpegRun> {
  const pipe = await openBytePipe(job.onBytes)
  const exit = runChild(job, pipe, signals).then(async ended => {
    pipe.expectEnd()
    await pipe.ended
    return ended
  })
  return { exit, resume: pipe.resume, relax: pipe.relax }
}

function runChild(job: FfmpegJob, pipe: BytePipe, { stop, kill: killSignal }: { stop: AbortSignal, kill: AbortSignal }): Promise<FfmpegExit> {
  const { promise, resolve } = Promise.withResolvers<FfmpegExit>()
  const stderrLines: string[] = []
  let child: ChildProcess | undefined
  const finish = () => {
    killSignal.removeEventListener('abort', kill)
    stop.removeEventListener('abort', terminate)
    resolve({ code: child?.exitCode ?? null, stderrLines })
  }
  // A kill before the child exists is ignored by the library and the child then starts anyway: hence also in `start`.
  const kill = () => { child?.kill('SIGKILL') }
  const terminate = () => { child?.kill('SIGTERM') }
  const command: WithProcess = Object.assign(createCommand(typeof job.inputText === 'string' ? Readable.from([job.inputText]) : job.inputText, { stdoutLines: 1, ...(job.niceness === undefined ? {} : { niceness: job.niceness }) }), ASSUMED)
  command.setFfmpegPath(CHILD)
  command.inputFormat(job.inputFormat)
  for (const option of job.inputOptions) command.inputOptions(...option)
  for (const option of job.outputOptions) command.outputOptions(...option)
  command.format(job.outputFormat)
  command.on('stderr', (line: string) => {
    stderrLines.push(line.slice(0, STDERR_LINE_CHARS))
    if (stderrLines.length > STDERR_LINES_KEPT) stderrLines.shift()
  })
  command.on('start', () => {
    child = command.ffmpegProc
    if (killSignal.aborted) kill()
    else if (stop.aborted) terminate()
  })
  // Both come once, after exit and the end of stderr; what they say about success is decided by who asked.
  command.once('end', finish)
  command.once('error', (error: Error) => {
    if (child === undefined) { stderrLines.push(error.message.slice(0, STDERR_LINE_CHARS)); finish() }
    else if (child.exitCode !== null || child.signalCode !== null) finish()
    else { child.once('exit', finish); kill() }
  })
  killSignal.addEventListener('abort', kill, { once: true })
  stop.addEventListener('abort', terminate, { once: true })
  command.output(pipe.path)
  command.run()
  return promise
}
