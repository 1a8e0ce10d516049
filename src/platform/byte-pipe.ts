import { closeSync, constants, openSync, readSync } from 'node:fs'
import { lstat, mkdir, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { FatalError } from '../domain/index.ts'
import { runProgram } from './child-process.ts'
import { recordingRound as round, type Polled } from './poll-round.ts'

/** What became of a piece: it was `whole`, it ended `midway` and the rest is on its way, or there is `no-room` for more until `resume`. */
export type Taken = 'whole' | 'midway' | 'no-room'
/** Called with each piece of what comes; `bytes` is only good during the call. */
export type OnBytes = (bytes: Buffer) => Taken

/** A named pipe that a child process writes to and we read. Its name is gone as soon as the child has written to it. */
export interface BytePipe {
  readonly path: string
  resume(): void
  /**
   * No more writers are to be expected: what is in the pipe still comes, then `ended` settles. Idempotent.
   */
  expectEnd(): void
  /** Null when all was handed over; else what `onBytes` threw, after which nothing more is read. */
  readonly ended: Promise<Error | null>
}

/** It takes a millisecond; one that hangs must not hold a run up for ever. */
const MKFIFO_WITHIN_MS = 5_000
// One buffer for every pipe: each piece is taken over before the next is read, so nothing is allocated per read.
// A read into fresh memory each time cost a garbage collection every 1.5 s at 8 streams (measured: 4 % of a core).
const readBuffer = Buffer.allocUnsafeSlow(512 * 1024)
let made = 0

/** Where a pipe may be made, in this order: the last one is in memory, which a full disk does not touch. */
const places = (): string[] => [...new Set([process.env['RUNTIME_DIRECTORY'] ?? tmpdir(), '/dev/shm'])]

/** Throws FatalError when no private folder can be had, and what the system says when no pipe can be made; nothing is left then. */
export async function openBytePipe(onBytes: OnBytes): Promise<BytePipe> {
  const { fifo, ends: [readEnd, ownWriteEnd] } = await makePipeSomewhere()
  const { promise: ended, resolve } = Promise.withResolvers<Error | null>()
  let isReleased = false, isEnding = false
  const release = () => {
    if (isReleased) return
    isReleased = true
    closeSync(ownWriteEnd)
    void unlink(fifo).catch(() => undefined) // a name left behind is swept with the folder
  }
  const close = (failure: Error | null) => {
    round.remove(polled)
    release()
    closeSync(readEnd)
    resolve(failure)
  }
  const polled: Polled = {
    isFresh: false, isHeld: false, follows: true,
    /** True: the rest, or the end, is on its way. */
    poll: () => {
      const length = readNow(readEnd)
      if (length === null) return false
      if (length === 0) {
        close(null)
        return false
      }
      release() // the child has it open: from now on its death is the end
      let taken: Taken
      try { taken = onBytes(readBuffer.subarray(0, length)) } catch (error) { // one pipe must not end the looking into all
        close(error instanceof Error ? error : new Error(String(error)))
        return false
      }
      polled.isHeld = taken === 'no-room'
      return isEnding || taken === 'midway'
    },
  }
  round.add(polled)
  return {
    path: fifo, ended,
    resume: () => { round.resume(polled) },
    expectEnd: () => {
      isEnding = true
      release()
      round.soon(polled)
    },
  }
}

interface MadePipe { readonly fifo: string, readonly ends: readonly [number, number] }

/** Throws what was wrong with the first place. */
async function makePipeSomewhere(): Promise<MadePipe> {
  const name = `${process.pid}-${++made}`, failures: unknown[] = []
  for (const place of places()) {
    try { return await makePipeIn(place, name) } catch (error) {
      if (error instanceof FatalError) throw error
      failures.push(error)
    }
  }
  throw failures[0]
}

async function makePipeIn(place: string, name: string): Promise<MadePipe> {
  const fifo = path.join(await privateFolder(place), name)
  await unlink(fifo).catch(() => undefined) // a name that a killed process of the same id left behind; mkfifo tells of any other trouble
  try { return { fifo, ends: await makePipe(fifo) } } catch (error) {
    await unlink(fifo).catch(() => undefined)
    throw error
  }
}

/** Its two ends, both ours: the second keeps the end of the file away until the child writes. */
async function makePipe(fifo: string): Promise<readonly [number, number]> {
  await runProgram('mkfifo', ['-m', '600', fifo], { timeout: MKFIFO_WITHIN_MS, killSignal: 'SIGKILL' })
  const readEnd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  try { return [readEnd, openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)] } catch (error) {
    closeSync(readEnd)
    throw error
  }
}

/** Null: nothing there. 0: the end. */
function readNow(fd: number): number | null {
  try { return readSync(fd, readBuffer) } catch (error) {
    return (error as { code?: unknown }).code === 'EAGAIN' ? null : 0 // a fault reads as an end; why is told by the child's exit
  }
}

/** A folder of this user alone: pictures pass through it. Throws FatalError when somebody else made it. */
async function privateFolder(place: string): Promise<string> {
  const uid = process.getuid?.() ?? 0
  const folder = path.join(place, `custos-pipes-${uid}`)
  await mkdir(folder, { mode: 0o700, recursive: true })
  const facts = await lstat(folder)
  if (!facts.isDirectory() || facts.uid !== uid || (facts.mode & 0o077) !== 0) {
    throw new FatalError('CUSTOS_PIPE_FOLDER', `${folder} is not a folder of this user alone`, { remedy: `Remove it; it should belong to user ${uid} with mode 0700.` })
  }
  return folder
}
