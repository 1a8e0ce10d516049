import { once } from 'node:events'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import createCommand from 'fluent-ffmpeg'
import { openBytePipe, type BytePipe, type OnBytes } from './byte-pipe.ts'
import { startChild, type Child } from './child-process.ts'

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
/** After its end; somebody it started may hold on to its stderr. */
const STDERR_DRAIN_MS = 1_000
const NOT_STARTED = 'ffmpeg could not be started', NOT_TAKEN = 'what ffmpeg wrote could not be taken'
/** Whether the last line that a run left is ours and not ffmpeg's: it never ran, or was ended because its output could not be used. */
export const isOwnFailure = (line: string): boolean => line.startsWith(NOT_STARTED) || line.startsWith(NOT_TAKEN)

export interface FfmpegRun {
  /** Resolves when the child is really gone and all its bytes were handed over; never rejects. */
  readonly exit: Promise<FfmpegExit>
  /** After `onBytes` said `no-room`: there is room again. */
  resume(): void
}

export interface FfmpegSignals {
  /** Asks it to finish what it holds. */
  readonly stop: AbortSignal
  /** Ends it at once. */
  readonly kill: AbortSignal
}

/** Starts ffmpeg. One that cannot be started is a run that ended, and so is one whose bytes `onBytes` could not take; never rejects. */
export async function startFfmpeg(job: FfmpegJob, signals: FfmpegSignals): Promise<FfmpegRun> {
  let pipe: BytePipe
  try { pipe = await openBytePipe(job.onBytes) } catch (error) {
    return { exit: Promise.resolve(notStarted(error)), resume: () => undefined }
  }
  const broken = new AbortController()
  void pipe.ended.then(failure => { if (failure !== null) broken.abort() })
  const exit = runChild(job, pipe.path, { ...signals, kill: AbortSignal.any([signals.kill, broken.signal]) }).then(async ended => {
    pipe.expectEnd()
    const failure = await pipe.ended
    return failure === null ? ended : { code: null, stderrLines: [...ended.stderrLines, `${NOT_TAKEN}: ${failure.message}`] }
  })
  return { exit, resume: pipe.resume }
}

const notStarted = (error: unknown): FfmpegExit => {
  const code = (error as { code?: unknown }).code
  return { code: null, stderrLines: [`${NOT_STARTED}: ${(error as Error).message}${typeof code === 'string' ? ` (${code})` : ''}`.slice(0, STDERR_LINE_CHARS)] }
}

/**
 * As fluent-ffmpeg puts them together, its only use: its own way of starting ffmpeg throws outside of every promise when the program cannot be
 * started, asks ffmpeg twice what it can do before the first run, and ignores a kill that comes early.
 */
function argumentsOf(job: FfmpegJob, output: string): string[] {
  const command = createCommand('pipe:0')
  command.inputFormat(job.inputFormat)
  for (const option of job.inputOptions) command.inputOptions(...option)
  for (const option of job.outputOptions) command.outputOptions(...option)
  command.format(job.outputFormat)
  command.output(output)
  return (command as createCommand.FfmpegCommand & { _getArguments(): string[] })._getArguments() // the types lack it
}

async function runChild(job: FfmpegJob, output: string, { stop, kill }: FfmpegSignals): Promise<FfmpegExit> {
  if (stop.aborted || kill.aborted) return { code: null, stderrLines: [] }
  const { niceness = 0 } = job
  const [program = CHILD, ...args] = [...(niceness === 0 ? [] : ['nice', '-n', String(niceness)]), CHILD, ...argumentsOf(job, output)]
  let child: Child<'pipe', 'ignore', 'pipe'>
  try { child = await startChild(program, args, { stdio: ['pipe', 'ignore', 'pipe'] }) } catch (error) { return notStarted(error) }
  const killNow = () => { child.kill('SIGKILL') }
  const terminate = () => { child.kill('SIGTERM') }
  if (kill.aborted) killNow()
  else if (stop.aborted) terminate()
  kill.addEventListener('abort', killNow, { once: true })
  stop.addEventListener('abort', terminate, { once: true })
  feed(child.stdin, job.inputText, killNow)
  const said = new LastLines()
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said.add(text) })
  let draining: NodeJS.Timeout | undefined
  child.once('exit', () => { draining = setTimeout(() => { child.stderr.destroy() }, STDERR_DRAIN_MS) })
  await once(child, 'close')
  clearTimeout(draining)
  kill.removeEventListener('abort', killNow)
  stop.removeEventListener('abort', terminate)
  return { code: child.exitCode, stderrLines: said.lines }
}

/** An input that fails ends the child: what follows would be no stream any more. */
function feed(stdin: Writable, input: string | Readable, onFailure: () => void): void {
  stdin.on('error', () => undefined) // the child ended first, which its exit tells
  if (typeof input === 'string') { stdin.end(input); return }
  input.once('error', onFailure)
  input.pipe(stdin)
}

/** The last lines of a text that comes in pieces, each cut to a length. */
class LastLines {
  readonly #whole: string[] = []
  #rest = ''

  add(text: string): void {
    const parts = `${this.#rest}${text}`.split(/[\r\n]+/)
    this.#rest = parts.pop()!.slice(0, STDERR_LINE_CHARS)
    this.#whole.push(...parts.filter(part => part !== '').map(part => part.slice(0, STDERR_LINE_CHARS)))
    this.#whole.splice(0, this.#whole.length - STDERR_LINES_KEPT)
  }

  get lines(): string[] { return [...this.#whole, ...(this.#rest === '' ? [] : [this.#rest])].slice(-STDERR_LINES_KEPT) }
}
