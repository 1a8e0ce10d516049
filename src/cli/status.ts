import { http } from '../platform/http.ts'
import { Check } from 'typebox/value'
import { SnapshotSchema, statusText, urlHost, type Bilingual, type SnapshotMessage } from '../health/index.ts'

const EXIT_BY_LEVEL = { healthy: 0, degraded: 1, critical: 2 } as const
export const EXIT_NOT_RUNNING = 3

/** On loopback; a recorder that needs longer is in trouble. */
const ANSWER_TIMEOUT_MS = 3_000
/** Hundreds of cameras fit many times. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

export interface StatusOptions {
  readonly host: string
  readonly port: number
  /** The snapshot as it came, for programs. */
  readonly json: boolean
  readonly out: { write(text: string): unknown }
  /** Of the site; for the text only. */
  readonly timeZone?: string
  readonly timeoutMs?: number
}

type Failure = { readonly ok: false, readonly code: 'not-running' | 'no-answer' | 'not-a-recorder' } & Bilingual
type Answer = { readonly ok: true, readonly snapshot: SnapshotMessage } | Failure

const failed = (code: Failure['code'], zh: string, en: string): Failure => ({ ok: false, code, zh, en })

/** The whole body of GET `url`, whatever the status. Rejects on any failure and when it is too slow or too long. */
function fetchText(url: string, timeoutMs: number): Promise<{ status: number, text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number, text: string }>()
  const request = http.get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs), headers: { accept: 'application/json' } }, response => {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    response.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length
      if (sizeBytes > MAX_ANSWER_BYTES) return request.destroy(new Error('too long'))
      chunks.push(chunk)
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }))
    response.on('error', reject)
  })
  request.on('error', reject)
  return promise
}

function parsed(status: number, text: string, at: string): Answer {
  const stranger = failed('not-a-recorder', `${at} 有程式回應，但不是本版本的錄影服務`, `something answers on ${at}, but not as this version of the recorder (HTTP ${status})`)
  if (status === 503) return failed('no-answer', '錄影服務執行中，但無法說明狀態；請查看日誌', 'the recorder runs but cannot tell its state; see the log')
  if (status !== 200) return stranger
  let value: unknown
  try { value = JSON.parse(text) } catch { return stranger }
  return Check(SnapshotSchema, value) ? { ok: true, snapshot: value } : stranger
}

async function ask(host: string, port: number, timeoutMs: number): Promise<Answer> {
  const at = `${urlHost(host)}:${port}`
  try {
    const { status, text } = await fetchText(`http://${at}/health`, timeoutMs)
    return parsed(status, text, at)
  } catch (error) {
    const { name, code } = error as NodeJS.ErrnoException
    if (code === 'ECONNREFUSED') {
      return failed('not-running', `錄影服務沒有執行（${at} 沒有回應）`, `the recorder is not running: nothing listens on ${at} (see systemctl status custos)`)
    }
    if (name === 'AbortError' || name === 'TimeoutError') {
      return failed('no-answer', `${at} 在 ${timeoutMs / 1_000} 秒內沒有回應`, `no answer from ${at} within ${timeoutMs / 1_000} s (see systemctl status custos)`)
    }
    return failed('not-a-recorder', `${at} 的回應無法辨識`, `${at} does not answer like a recorder (${code ?? name})`)
  }
}

/** `custos status`: prints the health snapshot. Resolves to the exit code: 0 healthy, 1 degraded, 2 critical, 3 no recorder to be asked. */
export async function status(options: StatusOptions): Promise<number> {
  const { host, port, json, out, timeZone = 'Asia/Taipei', timeoutMs = ANSWER_TIMEOUT_MS } = options
  const answer = await ask(host, port, timeoutMs)
  if (!answer.ok) {
    const { code, zh, en } = answer
    out.write(json ? `${JSON.stringify({ level: null, error: { code, text: zh, en } })}\n` : `${zh}\n${en}\n`)
    return EXIT_NOT_RUNNING
  }
  out.write(json ? `${JSON.stringify(answer.snapshot)}\n` : statusText(answer.snapshot, timeZone))
  return EXIT_BY_LEVEL[answer.snapshot.level]
}
