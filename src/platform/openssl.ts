import { RetryableError } from '../domain/index.ts'
import { startChild } from './child-process.ts'

export interface OpensslInput {
  /** Goes to its stdin. Keys go there or in files of mode 0600, never among the arguments. */
  readonly stdin?: Buffer | string
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 60_000
const MOST_OUTPUT_BYTES = 4 * 1024 * 1024
const KEPT_STDERR_CHARS = 500
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }

/** The program could not be run, or refused. Its own words are in the message: it is never given secrets as arguments. */
export class OpensslError extends RetryableError {
  /** Its own judgement; null when it came to none: not started, ended by a signal, nothing to read. */
  readonly exitCode: number | null
  constructor(why: string, { exitCode = null, cause }: { readonly exitCode?: number | null, readonly cause?: unknown } = {}) {
    super('CUSTOS_OPENSSL_FAILED', `openssl: ${why}`, { remedy: '請確認已安裝 Debian 套件 openssl、磁碟與暫存資料夾未滿，再試一次。/ See that the Debian package openssl is installed and neither disk nor temporary folder is full, then try again.', ...(cause === undefined ? {} : { cause }) })
    this.exitCode = exitCode
  }
}

/** What `openssl ARGUMENTS` wrote to stdout; certificates and CMS are its business, not ours. Throws OpensslError for any other exit than 0. */
export async function runOpenssl(args: readonly string[], { stdin = '', timeoutMs = TIMEOUT_MS }: OpensslInput = {}): Promise<Buffer> {
  const child = await startChild('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'], env: ENVIRONMENT, timeout: timeoutMs, killSignal: 'SIGKILL' })
    .catch((cause: unknown) => { throw new OpensslError('it cannot be started', { cause }) })
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const chunks: Buffer[] = []
  let bytes = 0, said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MOST_OUTPUT_BYTES) child.kill('SIGKILL')
    else chunks.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => { if (said.length < KEPT_STDERR_CHARS) said += chunk.toString('utf8') })
  child.stdin.on('error', () => undefined) // it may succeed without reading
  child.once('close', (code, signal) => {
    if (code === 0) resolve(Buffer.concat(chunks))
    else reject(new OpensslError(`exit ${code ?? signal ?? '?'}: ${said.slice(0, KEPT_STDERR_CHARS).replace(/[\p{Cc}\s]+/gu, ' ').trim()}`, { exitCode: code }))
  })
  child.stdin.end(stdin)
  return await promise
}
