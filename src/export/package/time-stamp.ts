import { createHash } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runHook } from '../../platform/hook-process.ts'
import { runOpenssl } from '../../platform/openssl.ts'
import { inScratch } from '../../platform/scratch.ts'

/** A program of the office that takes a request to its time stamping authority: it is called with the path of the request and of the answer to be written, after its own arguments. */
export interface TimestampHook {
  readonly command: readonly string[]
  /** The authority's certificates, PEM, to go into the package; null when none is named. `unusable`: one is named and cannot be used, so none is asked for a token. */
  readonly ca: { readonly pem: string } | 'unusable' | null
  /** 60 s unless told. */
  readonly timeoutMs?: number
}

/** Why there is no token: what the package says of it. What the program itself said stays in the office. */
export const TIMESTAMP_TEXTS = {
  'not-configured': { zh: '未設定時戳機構', en: 'no authority is configured' },
  'ca-unusable': { zh: '時戳機構的憑證檔無法使用', en: 'the file with the authority\'s certificates cannot be used' },
  'hook-failed': { zh: '向時戳機構索取時未成功', en: 'asking the authority did not succeed' },
  'no-answer': { zh: '時戳機構的回覆無法解讀', en: 'the answer of the authority cannot be read' },
  'not-granted': { zh: '時戳機構未核發', en: 'the authority did not grant it' },
  'not-verified': { zh: '時戳機構的回覆未通過驗證', en: 'the answer of the authority does not verify' },
} as const satisfies Readonly<Record<string, { readonly zh: string, readonly en: string }>>
export interface NoTimestamp { readonly why: keyof typeof TIMESTAMP_TEXTS, /** For the office's own log. */ readonly words: string }
export interface Timestamp { readonly token: Buffer }
export type UsableHook = TimestampHook & { readonly ca: { readonly pem: string } | null }

const HOOK_MS = 60_000
export const MOST_TOKEN_BYTES = 256 * 1024

/** An RFC 3161 answer over the file, verified, or why there is none. Never throws: a package without a token says so and is whole all the same. */
export async function timestampOf(file: string, { command, ca, timeoutMs = HOOK_MS }: UsableHook, signal: AbortSignal): Promise<Timestamp | NoTimestamp> {
  try {
    return await inScratch<Timestamp | NoTimestamp>(path.join(tmpdir(), 'custos-tsa-'), async scratch => {
      const request = scratch('request.tsq'), answer = scratch('answer.tsr')
      await runOpenssl(['ts', '-query', '-data', file, '-sha256', '-cert', '-out', request])
      const end = await runHook({ command: [...command, request, answer], stdin: '', timeoutMs, signal })
      if (!end.ok) return { why: 'hook-failed', words: end.why }
      const size = (await stat(answer).catch(() => null))?.size ?? 0
      if (size === 0 || size > MOST_TOKEN_BYTES) return { why: 'no-answer', words: `the answer has ${size} bytes` }
      const token = await readFile(answer)
      return await tokenFault(token, await readFile(file), ca?.pem ?? null) ?? { token }
    })
  } catch (error) {
    return { why: 'hook-failed', words: wordsOf(error) }
  }
}

/**
 * What is wrong with an answer over `data`; null when it is granted, is over these bytes, and its signature holds: up to the certificates of `caPem` at the time that it tells, or, where none are at hand, by the certificate that it brings.
 * Throws OpensslError only when openssl itself cannot be run.
 */
export async function tokenFault(token: Buffer, data: Buffer, caPem: string | null): Promise<NoTimestamp | null> {
  return await inScratch<NoTimestamp | null>(path.join(tmpdir(), 'custos-token-'), async file => {
    await writeFile(file('token'), token)
    let text: string
    try { text = (await runOpenssl(['ts', '-reply', '-in', file('token'), '-text'])).toString() } catch (error) { return { why: 'no-answer', words: wordsOf(error) } }
    if (!/^Status: Granted/m.test(text)) return { why: 'not-granted', words: /^Status description: (.*)$/m.exec(text)?.[1]?.slice(0, 200) ?? '' }
    const toldAt = Date.parse(/^Time stamp: (.+)$/m.exec(text)?.[1] ?? '')
    if (!Number.isFinite(toldAt)) return { why: 'not-verified', words: 'it tells no time' }
    try {
      await runOpenssl(['ts', '-reply', '-in', file('token'), '-token_out', '-out', file('cms')])
      await runOpenssl(['cms', '-verify', '-noverify', '-binary', '-inform', 'DER', '-in', file('cms'), '-out', file('signed')])
      if (!isOver(await readFile(file('signed')), data)) return { why: 'not-verified', words: 'it is over other bytes' }
      if (caPem === null) return null
      await Promise.all([writeFile(file('data'), data), writeFile(file('ca'), caPem)])
      await runOpenssl(['ts', '-verify', '-data', file('data'), '-in', file('token'), '-CAfile', file('ca'), '-attime', String(Math.floor(toldAt / 1000))]) // it goes on holding when the authority's certificate has run out
    } catch (error) { return { why: 'not-verified', words: wordsOf(error) } }
    return null
  })
}

/** DER of SHA-256 as an AlgorithmIdentifier's content, with and without its empty parameters; the hash follows as an OCTET STRING. */
const SHA256_IMPRINTS = ['060960864801650304020105000420', '06096086480165030402010420'].map(hex => Buffer.from(hex, 'hex'))
const isOver = (signed: Buffer, data: Buffer): boolean => { const hash = createHash('sha256').update(data).digest(); return SHA256_IMPRINTS.some(imprint => signed.includes(Buffer.concat([imprint, hash]))) }

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300)
