import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { DemoError } from './demo-error.ts'

const PROGRAM_TIMEOUT_MS = 60_000
const run = promisify(execFile)
// Root's PATH after `su` may lack the folders of mkfs and mount.
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }

/** Runs a short program to its end. Throws DemoError with what it said. */
export async function runProgram(command: string, args: readonly string[], remedy: string): Promise<string> {
  try {
    return (await run(command, args, { env, timeout: PROGRAM_TIMEOUT_MS })).stdout
  } catch (error) {
    const { stderr, message } = error as { stderr?: unknown, message: string }
    throw new DemoError(`${command}: ${typeof stderr === 'string' && stderr.trim() !== '' ? stderr.trim() : message}`, remedy, error)
  }
}
