import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'

type Stdio = 'pipe' | 'ignore' | 'inherit'

export interface ChildOptions<In extends Stdio, Out extends Stdio, Err extends Stdio>
  extends Pick<SpawnOptions, 'env' | 'cwd' | 'detached' | 'timeout' | 'killSignal'> {
  readonly stdio: readonly [In, Out, Err]
}

/** A process that was started; its pipes are there. */
export type Child<In extends Stdio, Out extends Stdio, Err extends Stdio> = ChildProcess & {
  readonly stdin: In extends 'pipe' ? Writable : null
  readonly stdout: Out extends 'pipe' ? Readable : null
  readonly stderr: Err extends 'pipe' ? Readable : null
}

export interface ProgramOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Ended by `killSignal`, SIGTERM unless told, after so long. */
  readonly timeout?: number
  readonly killSignal?: NodeJS.Signals
  readonly maxBuffer?: number
}

const execute = promisify(execFile)

/**
 * Starts a program. Node tells a start that failed by an exception (ENOMEM, E2BIG), by an `error` event (ENOENT, EACCES, EAGAIN),
 * or by an event and a child without pipes (EMFILE); here each is a rejection. Listeners attached in the same turn miss nothing.
 */
export async function startChild<In extends Stdio, Out extends Stdio, Err extends Stdio>(
  program: string, args: readonly string[], options: ChildOptions<In, Out, Err>,
): Promise<Child<In, Out, Err>> {
  const child = spawn(program, args, { ...options, stdio: [...options.stdio] })
  await once(child, 'spawn')
  child.on('error', () => undefined) // of a signal that could not be sent: the process is gone or no longer ours
  return child as Child<In, Out, Err>
}

/** Runs a program to its end and gives what it wrote. Rejects with the error of `execFile`, also when it could not be started. */
export async function runProgram(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<{ stdout: string, stderr: string }> {
  return await execute(program, args, options)
}

/** The error of a program that could not be started at all: nothing was done. */
export const isNotStarted = (error: unknown): boolean => String((error as { syscall?: unknown } | null)?.syscall ?? '').startsWith('spawn')
