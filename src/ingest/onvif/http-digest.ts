import { createHash, randomBytes } from 'node:crypto'
import type { Credential } from '../../domain/index.ts'

/** What a device asks for in `WWW-Authenticate: Digest` (RFC 7616), reduced to what we answer. */
export interface DigestChallenge {
  readonly realm: string
  readonly nonce: string
  readonly algorithm: 'MD5' | 'MD5-sess' | 'SHA-256' | 'SHA-256-sess'
  /** False for the RFC 2069 form that old cameras send. */
  readonly qop: boolean
  readonly opaque: string | null
}

const ALGORITHMS = ['SHA-256', 'SHA-256-sess', 'MD5', 'MD5-sess'] as const // best first
const PARAMETER = /([a-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gi

/** The strongest challenge among the headers that we can answer; null when there is none. Basic is never answered: it is the password. */
export function readChallenge(headers: readonly string[]): DigestChallenge | null {
  const challenges = headers.map(challengeOf).filter(challenge => challenge !== null)
  return challenges.sort((a, b) => ALGORITHMS.indexOf(a.algorithm) - ALGORITHMS.indexOf(b.algorithm))[0] ?? null
}

function challengeOf(header: string): DigestChallenge | null {
  const digestAt = header.search(/\bdigest\s/i)
  if (digestAt < 0) return null
  const parameters = new Map<string, string>()
  for (const [, name = '', quoted, plain] of header.slice(digestAt + 7).matchAll(PARAMETER)) {
    const key = name.toLowerCase() // the first wins: a second challenge may follow in the same header
    if (!parameters.has(key)) parameters.set(key, plain ?? (quoted ?? '').replace(/\\(.)/g, '$1'))
  }
  const [realm, nonce, qop] = [parameters.get('realm'), parameters.get('nonce'), parameters.get('qop')]
  const wanted = (parameters.get('algorithm') ?? 'MD5').toLowerCase()
  const algorithm = ALGORITHMS.find(known => known.toLowerCase() === wanted)
  if (realm === undefined || nonce === undefined || algorithm === undefined) return null
  if (qop !== undefined && !qop.toLowerCase().split(/[\s,]+/).includes('auth')) return null
  return { realm, nonce, algorithm, qop: qop !== undefined, opaque: parameters.get('opaque') ?? null }
}

/** The `Authorization` value for one POST, and the parts of it that must not be printed. `nonceCount` rises by one for each use of a nonce. */
export function answerChallenge(challenge: DigestChallenge, credential: Credential, request: { path: string, nonceCount: number },
  clientNonce = randomBytes(16).toString('hex')): { authorization: string, secrets: readonly string[] } {
  const { realm, nonce, algorithm } = challenge
  const hash = (...parts: string[]): string =>
    createHash(algorithm.startsWith('MD5') ? 'md5' : 'sha256').update(parts.join(':')).digest('hex')
  const count = request.nonceCount.toString(16).padStart(8, '0')
  const account = hash(credential.username, realm, credential.password)
  const session = algorithm.endsWith('-sess') ? hash(account, nonce, clientNonce) : account
  const target = hash('POST', request.path)
  const response = challenge.qop ? hash(session, nonce, count, clientNonce, 'auth', target) : hash(session, nonce, target)
  const fields = [
    `username=${quoted(credential.username)}`, `realm=${quoted(realm)}`, `nonce=${quoted(nonce)}`, `uri=${quoted(request.path)}`,
    `algorithm=${algorithm}`, `response="${response}"`,
    ...(challenge.qop ? ['qop=auth', `nc=${count}`, `cnonce="${clientNonce}"`] : algorithm.endsWith('-sess') ? [`cnonce="${clientNonce}"`] : []),
    ...(challenge.opaque === null ? [] : [`opaque=${quoted(challenge.opaque)}`]),
  ]
  // node writes header text as Latin-1: UTF-8 bytes have to be handed over one character each.
  const authorization = Buffer.from(`Digest ${fields.join(', ')}`, 'utf8').toString('latin1')
  return { authorization, secrets: [response, clientNonce, nonce] }
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`
