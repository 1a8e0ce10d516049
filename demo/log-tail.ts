import { open } from 'node:fs/promises'

export interface LogLine { readonly level: string, readonly at: Date | null, readonly text: string }

const TAIL_BYTES = 16 * 1024

/** The last lines of the recorder's log, oldest first; the file itself is the whole truth. */
export async function logTail(file: string, count: number): Promise<LogLine[]> {
  const handle = await open(file).catch(() => null)
  if (handle === null) return []
  try {
    const { size } = await handle.stat()
    const start = Math.max(0, size - TAIL_BYTES)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start)
    const lines = buffer.subarray(0, bytesRead).toString('utf8').split('\n').filter(line => line !== '')
    return (start > 0 ? lines.slice(1) : lines).slice(-count).map(readLine)
  } finally {
    await handle.close()
  }
}

function readLine(line: string): LogLine {
  let entry: Record<string, unknown>
  try {
    entry = JSON.parse(line) as Record<string, unknown>
  } catch {
    return { level: 'text', at: null, text: line } // what ends up on stderr, such as a stack
  }
  const { level, time, msg, err, ...fields } = entry
  const more = Object.entries(fields).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const why = (err as { message?: unknown } | undefined)?.message
  return {
    level: typeof level === 'string' ? level : '', at: typeof time === 'string' ? new Date(time) : null,
    text: [String(msg), ...(typeof why === 'string' ? [why] : []), ...more].join('  '),
  }
}
