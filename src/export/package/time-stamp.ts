import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runHook } from '../../platform/hook-process.ts'
import { runOpenssl } from '../../platform/openssl.ts'

/** A program of the office that takes a request to its time stamping authority: it is called with the path of the request and of the answer to be written, after its own arguments. */
export interface TimestampHook {
  readonly command: readonly string[]
  /** The authority's certificate, PEM, to go into the package; null when it is not to. */
  readonly caPem: string | null
}
export interface Timestamp { readonly token: Buffer, readonly caPem: string | null }

const HOOK_MS = 60_000
const MOST_TOKEN_BYTES = 256 * 1024

/** An RFC 3161 answer over the file, or why there is none. Never throws for the hook's own failures: a package without a token says so and is whole all the same. */
export async function timestampOf(file: string, hook: TimestampHook | null, signal: AbortSignal): Promise<Timestamp | { readonly why: string }> {
  if (hook === null) return { why: 'no time stamping authority is configured' }
  const scratch = await mkdtemp(path.join(tmpdir(), 'custos-tsa-'))
  try {
    const request = path.join(scratch, 'request.tsq'), answer = path.join(scratch, 'answer.tsr')
    await runOpenssl(['ts', '-query', '-data', file, '-sha256', '-cert', '-out', request])
    const end = await runHook({ command: [...hook.command, request, answer], stdin: '', timeoutMs: HOOK_MS, signal })
    if (!end.ok) return { why: end.why }
    const { size } = await stat(answer)
    if (size === 0 || size > MOST_TOKEN_BYTES) return { why: `the answer has ${size} bytes` }
    const text = (await runOpenssl(['ts', '-reply', '-in', answer, '-text'])).toString()
    if (!/Status: Granted/.test(text)) return { why: 'the authority did not grant it' }
    return { token: await readFile(answer), caPem: hook.caPem }
  } catch (error) {
    return { why: error instanceof Error ? error.message.slice(0, 300) : String(error) }
  } finally { await rm(scratch, { recursive: true, force: true }) }
}
