import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A system call of the running recorder that fails, by `strace -e inject`. */
export interface Injection { readonly name: string, readonly trace: string, readonly inject: string }

export const INJECTIONS: readonly Injection[] = [
  { name: 'pwrite64 EIO, each third', trace: 'pwrite64', inject: 'pwrite64:error=EIO:when=3+3' },
  { name: 'pwrite64 ENOSPC, once a thread', trace: 'pwrite64', inject: 'pwrite64:error=ENOSPC:when=4' },
  { name: 'pwrite64 EROFS, from now on', trace: 'pwrite64', inject: 'pwrite64:error=EROFS:when=2+' },
  { name: 'pwrite64 writes nothing, each fourth', trace: 'pwrite64', inject: 'pwrite64:retval=0:when=4+4' },
  { name: 'fdatasync EIO, each fifth', trace: 'fdatasync', inject: 'fdatasync:error=EIO:when=2+5' },
  { name: 'fdatasync ENOSPC, from now on', trace: 'fdatasync', inject: 'fdatasync:error=ENOSPC:when=1+' },
  { name: 'fallocate EIO, from now on', trace: 'fallocate', inject: 'fallocate:error=EIO:when=1+' },
  { name: 'fallocate ENOSPC, each second', trace: 'fallocate', inject: 'fallocate:error=ENOSPC:when=1+2' },
  { name: 'fallocate EOPNOTSUPP, from now on', trace: 'fallocate', inject: 'fallocate:error=EOPNOTSUPP:when=1+' },
  { name: 'openat EIO, from now on', trace: 'openat', inject: 'openat:error=EIO:when=1+' },
  { name: 'pread64 EIO, from now on', trace: 'pread64', inject: 'pread64:error=EIO:when=1+' },
]

/** Calls that were failed so far; ends with `stop`. */
export interface Running extends AsyncDisposable { injected(): number, stop(): Promise<void> }

/** On the slot files of that volume only; on whatever the recorder has open when none is given. */
export async function inject(injection: Injection, pid: number, volumePath?: string): Promise<Running> {
  const { trace, inject: what } = injection
  const files = volumePath === undefined ? [] : globSync('slots/*/*.mp4', { cwd: volumePath }).sort()
  const paths = files.flatMap(file => ['-P', `${volumePath}/${file}`])
  const child = spawn('strace', ['-f', '-qq', '-p', String(pid), ...paths, '-e', `trace=${trace}`, '-e', `inject=${what}`], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said += text })
  const gone = once(child, 'exit')
  await Promise.race([sleep(500), gone])
  if (child.exitCode !== null) throw new Error(`strace ended at once: ${said.slice(0, 300)}`)
  const stop = async () => { child.kill('SIGINT'); await gone }
  return { injected: () => said.split('(INJECTED').length - 1, stop, [Symbol.asyncDispose]: stop }
}
