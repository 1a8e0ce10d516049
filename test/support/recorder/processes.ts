import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'

const POLL_MS = 20

/** Pids of living processes whose environment holds `mark`; zombies are dead. */
export async function processesMarked(mark: string): Promise<number[]> {
  const found = await Promise.all((await pids()).map(async pid => {
    const environ = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
    return environ.split('\0').includes(mark) && await isAlive(pid) ? [pid] : []
  }))
  return found.flat()
}

/** Pids of living processes whose parent is `pid`. */
export async function childrenOf(pid: number): Promise<number[]> {
  const found = await Promise.all((await pids()).map(async each => {
    const stat = await readFile(`/proc/${each}/stat`, 'utf8').catch(() => '')
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return parent === String(pid) && state !== 'Z' ? [each] : []
  }))
  return found.flat()
}

export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && !/\) [ZX] /.test(stat)
}

/** What everybody on the host can see of a process: its arguments; and what its own user can: its environment. */
export async function publicFaceOf(pid: number): Promise<string> {
  const parts = await Promise.all(['cmdline', 'environ', 'comm', 'stat'].map(name => readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => '')))
  return parts.join('\n')
}

/** The office that this recorder started; null while none runs. */
export async function officeOf(recorderPid: number): Promise<number | null> {
  for (const pid of await childrenOf(recorderPid)) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')
    if (command.includes('office\0--child')) return pid
  }
  return null
}

/** Asks until `living` has none; how long that took in milliseconds. Throws after the bound. */
export async function waitUntilGone(living: () => Promise<number[]>, boundMs: number): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    const left = await living()
    const elapsedMs = performance.now() - startedAt
    if (left.length === 0) return elapsedMs
    if (elapsedMs > boundMs) throw new Error(`still alive after ${boundMs} ms: ${left.join(', ')}: ${(await Promise.all(left.map(publicFaceOf))).map(face => face.slice(0, 80)).join('; ')}`)
    await wait(POLL_MS)
  }
}

async function pids(): Promise<number[]> { return (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(Number) }
