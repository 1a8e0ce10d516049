import { execFile } from 'node:child_process'
import { constants, openSync, closeSync } from 'node:fs'
import { lstat, mkdir, unlink } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { FatalError } from '../domain/index.ts'

/** Called with each piece of what comes; `bytes` is only good during the call. False holds the pipe until `resume`. */
export type OnBytes = (bytes: Buffer) => boolean

/** A named pipe that a child process writes to and we read. Its name is gone as soon as the child has opened it. */
export interface BytePipe {
  readonly path: string
  resume(): void
  /** No more writers are to be expected: what is in the pipe still comes, then `ended` settles. Idempotent. */
  expectEnd(): void
  readonly ended: Promise<void>
}

const run = promisify(execFile)
// One buffer for every pipe: each piece is taken over before the next is read, so nothing is allocated per read.
// A read into fresh memory each time cost a garbage collection every 1.5 s at 8 streams (measured: 4 % of a core).
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024)
let made = 0

export async function openBytePipe(onBytes: OnBytes): Promise<BytePipe> {
  const fifo = path.join(await privateFolder(), `${process.pid}-${++made}`)
  await unlink(fifo).catch(() => undefined) // a name that a killed process of the same id left behind; mkfifo tells of any other trouble
  await run('mkfifo', ['-m', '600', fifo])
  const readEnd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  const ownWriteEnd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK) // keeps the end of the file away until the child writes
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  let isReleased = false
  const expectEnd = () => {
    if (isReleased) return
    isReleased = true
    closeSync(ownWriteEnd)
    void unlink(fifo).catch(() => undefined) // a name left behind is swept with the folder
  }
  const socket = new Socket({
    fd: readEnd, readable: true, writable: false,
    onread: {
      buffer: readBuffer,
      callback: length => {
        expectEnd() // the child has it open: from now on its death is the end
        return onBytes(readBuffer.subarray(0, length))
      },
    },
  })
  socket.once('close', () => { resolve() })
  socket.once('error', () => { socket.destroy() }) // reads as an end; why is told by the child's exit
  socket.resume()
  return { path: fifo, resume: () => { socket.resume() }, expectEnd, ended }
}

/** A folder of this user alone: pictures pass through it. Throws FatalError when somebody else made it. */
async function privateFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0
  const folder = path.join(process.env['RUNTIME_DIRECTORY'] ?? tmpdir(), `custos-pipes-${uid}`)
  await mkdir(folder, { mode: 0o700, recursive: true })
  const facts = await lstat(folder)
  if (!facts.isDirectory() || facts.uid !== uid || (facts.mode & 0o077) !== 0) {
    throw new FatalError('CUSTOS_PIPE_FOLDER', `${folder} is not a folder of this user alone`, { remedy: `Remove it; it should belong to user ${uid} with mode 0700.` })
  }
  return folder
}
