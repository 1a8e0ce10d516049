import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'

/** What a killed process left beside a file is removed once it is this old; whoever is at work needs seconds. */
const LEFTOVER_MS = 3_600_000
/** Files whose leftovers were looked for; beyond this they are looked for again. */
const MOST_SWEPT = 1_000

/** The last of those who write a file, by its path. */
const lastOf = new Map<string, Promise<void>>()
const swept = new Set<string>()

/** One after another, in the order of the calls, for all of this process that write `file`: the last one stands in the end. Throws what `write` throws. */
async function inTurn(file: string, write: () => Promise<void>): Promise<void> {
  const key = path.resolve(file)
  const mine = (lastOf.get(key) ?? Promise.resolve()).then(write, write) // whatever became of the one before
  lastOf.set(key, mine)
  try { await mine } finally { if (lastOf.get(key) === mine) lastOf.delete(key) }
}

/**
 * A file that is there whole or not at all: written beside under a name of this call alone, synced, renamed, its folder synced.
 * Of several calls the last one's content stands. Throws the error of the file system; nothing of the call is left then.
 */
export async function publishFile(file: string, content: string | Uint8Array, mode = 0o640): Promise<void> {
  await inTurn(file, async () => {
    const part = `${file}.${process.pid}-${randomBytes(8).toString('hex')}.part` // a command may publish beside the recorder
    try {
      await writeSynced(part, content, { mode, flag: 'wx' })
      await rename(part, file)
    } catch (error) {
      await rm(part, { force: true }).catch(() => undefined)
      throw error
    }
    await syncFolder(path.dirname(file))
    await sweepLeftovers(path.resolve(file)).catch(() => undefined) // they cost room alone
  })
}

/** Parts of this very file, an hour old, of processes that are gone. */
async function sweepLeftovers(file: string): Promise<void> {
  if (swept.has(file)) return
  if (swept.size >= MOST_SWEPT) swept.clear()
  swept.add(file)
  const folder = path.dirname(file), begin = `${path.basename(file)}.`
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(begin) ? /^([1-9]\d*)(-[0-9a-f]{16})?\.part$/.exec(name.slice(begin.length))?.[1] : undefined
    if (pid === undefined || (Number(pid) !== process.pid && isAlive(Number(pid)))) continue
    const part = path.join(folder, name), facts = await stat(part)
    if (facts.isFile() && facts.mtimeMs < Date.now() - LEFTOVER_MS) await rm(part)
  }
}

function isAlive(pid: number): boolean {
  try { return process.kill(pid, 0) } catch (error) { return (error as NodeJS.ErrnoException).code !== 'ESRCH' }
}

/** Its content is on the disk when this returns; its name only once its folder is synced. `wx` refuses a file that is there. Throws the error of the file system. */
export async function writeSynced(file: string, content: string | Uint8Array, { mode, flag = 'w' }: { readonly mode: number, readonly flag?: 'w' | 'wx' }): Promise<void> {
  const handle = await open(file, flag, mode)
  try { await handle.writeFile(content); await handle.sync() } finally { await handle.close() }
}

/** Makes what was renamed or linked in a folder outlast a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try { await handle.sync() } finally { await handle.close() }
}
