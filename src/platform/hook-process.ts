import { startChild, type Child } from './child-process.ts'

export interface HookOptions {
  /** Program and arguments; no shell is in between. */
  readonly command: readonly string[]
  readonly stdin: string
  readonly timeoutMs: number
  /** Ends it at once. */
  readonly signal: AbortSignal
}

/** Exit code 0, or why not: a sentence for the log, bounded and without control characters. */
export type HookEnd = { readonly ok: true } | { readonly ok: false, readonly why: string }

const KEPT_STDERR_CHARS = 500
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' } // nothing of ours: there may be credentials in it

/** Runs a program of the office with `stdin`, in a process group of its own that is gone when this settles. Never rejects. */
export async function runHook({ command, stdin, timeoutMs, signal }: HookOptions): Promise<HookEnd> {
  const [program = '', ...rest] = command
  if (signal.aborted) return { ok: false, why: 'the recorder is stopping' }
  let child: Child<'pipe', 'ignore', 'pipe'>
  try { child = await startChild(program, rest, { stdio: ['pipe', 'ignore', 'pipe'], env: ENVIRONMENT, detached: true, cwd: '/' }) } catch (error) {
    return { ok: false, why: `${program} cannot be started: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}` }
  }
  const { promise, resolve } = Promise.withResolvers<HookEnd>()
  let said = '', ended: string | null = null
  const end = (why: string) => () => {
    ended ??= why
    try { if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL') } catch { /* gone by itself */ }
    child.stderr.destroy() // somebody it started may hold on to it
  }
  const timer = setTimeout(end(`it took longer than ${timeoutMs / 1000} s`), timeoutMs)
  const abort = end('the recorder is stopping')
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  const settle = (why: string | null) => {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
    end('')() // what it left running in its group
    resolve(why === null ? { ok: true } : { ok: false, why })
  }
  child.stderr.on('data', (bytes: Buffer) => { if (said.length < KEPT_STDERR_CHARS) said += bytes.toString('utf8') })
  child.stdin.on('error', () => undefined) // it may succeed without reading
  child.once('exit', (code, killedBy) => {
    // What it last said is still on its way.
    setImmediate(() => {
      const words = said.slice(0, KEPT_STDERR_CHARS).replace(/[\p{Cc}\s]+/gu, ' ').trim()
      settle(ended ?? (code === 0 ? null : `exit ${code ?? killedBy ?? '?'}${words === '' ? '' : `: ${words}`}`))
    })
  })
  child.stdin.end(stdin)
  return await promise
}
