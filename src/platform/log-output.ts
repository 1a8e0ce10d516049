import { fstatSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** When so much waits, the reader has stopped, and further lines are left out. */
const MOST_WAITING_BYTES = 1 << 20
const LAST_LINES_WITHIN_MS = 500
const LOOK_EVERY_MS = 20

export interface LogOutput {
  write(line: string): void
  /** Lets the last lines out, half a second at most; then nothing that waits holds up the process's end. */
  close(): Promise<void>
}

/**
 * Where log lines go, one call a line. A file or a terminal is written synchronously, so that the last line
 * before a crash is there. A pipe or a socket, which journald gives a service, takes at once what there is
 * room for; the rest waits up to a bound, then lines are left out and counted in the next that goes. Never
 * blocks on a reader, and no fault of it reaches the caller.
 */
export function openLogOutput(fd = 1, mostWaitingBytes = MOST_WAITING_BYTES): LogOutput {
  const facts = fstatSync(fd)
  if (!facts.isFIFO() && !facts.isSocket()) return toFile(fd)
  // Node has no name for some kinds of socket.
  try { return toReader(fd, mostWaitingBytes) } catch { return toFile(fd) }
}

function toFile(fd: number): LogOutput {
  return {
    write(line) {
      let rest = Buffer.from(line)
      try {
        while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest))
      } catch { /* a full disk: recording goes on without its log */ }
    },
    close: () => Promise.resolve(),
  }
}

function toReader(fd: number, mostWaitingBytes: number): LogOutput {
  const socket = new Socket({ fd, readable: false, writable: true })
  socket.on('error', () => undefined) // the reader is gone
  socket.unref()
  let leftOut = 0
  return {
    write(line) {
      if (socket.destroyed) return
      if (socket.writableLength > mostWaitingBytes) {
        leftOut++
        return
      }
      if (leftOut > 0) socket.write(leftOutLine(leftOut))
      leftOut = 0
      socket.write(line)
    },
    async close() {
      for (let waitedMs = 0; waitedMs < LAST_LINES_WITHIN_MS; waitedMs += LOOK_EVERY_MS) {
        if (socket.destroyed || socket.writableLength === 0) break
        await wait(LOOK_EVERY_MS)
      }
      socket.destroy()
    },
  }
}

function leftOutLine(lines: number): string {
  const time = new Date().toISOString()
  const msg = 'log lines were left out: nobody read them'
  return `${JSON.stringify({ level: 'warn', time, lines, msg })}\n`
}
