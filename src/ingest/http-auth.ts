import { createHash, randomBytes } from 'node:crypto'
import type { Credential } from '../domain/index.ts'

/** What a device asks for in `WWW-Authenticate: Digest` (RFC 7616), reduced to what we answer. */
export interface DigestChallenge {
  readonly realm: string
  readonly nonce: string
  readonly algorithm: 'MD5' | 'MD5-sess' | 'SHA-256' | 'SHA-256-sess'
  /** False for the RFC 2069 form that old cameras send. */
  readonly qop: boolean
  readonly opaque: string | null
  /** The nonce before was too old; the password may be right. */
  readonly isStale: boolean
}

/** What a refusal offers: the strongest digest we can answer, and whether it asks for the password alone. */
export interface AuthOffer {
  readonly digest: DigestChallenge | null
  /** Nothing else is offered, not even what we cannot answer. */
  readonly isBasicAlone: boolean
  /** Schemes and algorithms as the device names them, for a text: `Digest SHA-512-256`. */
  readonly names: readonly string[]
}

const ALGORITHMS = ['SHA-256', 'SHA-256-sess', 'MD5', 'MD5-sess'] as const // best first
/** Of one header; the longest seen has 300. */
const MAX_HEADER_CHARS = 4096
const PARAMETER = /(?<![a-z])([a-z]{1,32})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gi
/** Where a challenge begins: a header may hold several. */
const SCHEME = /(?:^|,)\s*(digest|basic|bearer|ntlm|negotiate)(?=\s|,|$)/gi
/** One that does not end goes on to the end of the header. */
const QUOTED = /"(?:[^"\\]|\\[^]?)*(?:"|$)/g
const MAX_CHALLENGES = 8

/** Reads the `WWW-Authenticate` headers of a refusal; what cannot be read is left out. */
export function readOffer(headers: readonly string[]): AuthOffer {
  const all = headers.map(header => header.slice(0, MAX_HEADER_CHARS)).flatMap(splitChallenges)
  const challenges = all.slice(0, MAX_CHALLENGES)
  const isWhole = challenges.length === all.length
    && headers.every(header => header.length <= MAX_HEADER_CHARS)
  const digests = challenges.filter(({ scheme }) => scheme === 'digest')
  const usable = digests.map(({ rest }) => digestOf(rest)).filter(digest => digest !== null)
  usable.sort((a, b) => ALGORITHMS.indexOf(a.algorithm) - ALGORITHMS.indexOf(b.algorithm))
  return {
    digest: usable[0] ?? null,
    isBasicAlone: isWhole && challenges.length > 0 && challenges.every(({ scheme }) => scheme === 'basic'),
    names: [...new Set(challenges.map(nameOf))],
  }
}

interface Challenge { readonly scheme: string, readonly rest: string }

function splitChallenges(header: string): Challenge[] {
  const unquoted = header.replace(QUOTED, text => '"'.repeat(text.length)) // of the same length
  const starts = [...unquoted.matchAll(SCHEME)]
  return starts.map((start, i) => ({
    scheme: (start[1] ?? '').toLowerCase(),
    rest: header.slice(start.index + start[0].length, starts[i + 1]?.index ?? header.length),
  }))
}

function parametersOf(rest: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const [, name = '', quoted, plain] of rest.matchAll(PARAMETER)) {
    const key = name.toLowerCase()
    if (!parameters.has(key)) parameters.set(key, plain ?? (quoted ?? '').replace(/\\(.)/g, '$1'))
  }
  return parameters
}

function digestOf(rest: string): DigestChallenge | null {
  const parameters = parametersOf(rest)
  const [realm, nonce, qop] = [parameters.get('realm'), parameters.get('nonce'), parameters.get('qop')]
  const wanted = (parameters.get('algorithm') ?? 'MD5').toLowerCase()
  const algorithm = ALGORITHMS.find(known => known.toLowerCase() === wanted)
  if (realm === undefined || nonce === undefined || algorithm === undefined) return null
  if (qop !== undefined && !qop.toLowerCase().split(/[\s,]+/).includes('auth')) return null
  const isStale = parameters.get('stale')?.toLowerCase() === 'true'
  return { realm, nonce, algorithm, qop: qop !== undefined, opaque: parameters.get('opaque') ?? null,
    isStale }
}

/** Bounded and of plain letters: it stands in log lines. */
function nameOf({ scheme, rest }: Challenge): string {
  const name = scheme.charAt(0).toUpperCase() + scheme.slice(1)
  const algorithm = scheme === 'digest' ? parametersOf(rest).get('algorithm') : undefined
  return algorithm === undefined ? name : `${name} ${algorithm.replace(/[^\w-]/g, '').slice(0, 24)}`
}

/** A request that is to carry an answer. `nonceCount` rises by one for each use of a nonce. */
export interface AuthorizedRequest {
  readonly method: string
  readonly uri: string
  readonly nonceCount: number
}

/** The `Authorization` value, as UTF-8 text, and the parts of it that must not be printed. */
export function answerDigest(challenge: DigestChallenge, credential: Credential, request: AuthorizedRequest,
  clientNonce = randomBytes(16).toString('hex')): { authorization: string, secrets: readonly string[] } {
  const { realm, nonce, algorithm, opaque, qop } = challenge
  const hash = (...parts: string[]): string =>
    createHash(algorithm.startsWith('MD5') ? 'md5' : 'sha256').update(parts.join(':')).digest('hex')
  const isSession = algorithm.endsWith('-sess')
  const count = request.nonceCount.toString(16).padStart(8, '0')
  const account = hash(credential.username, realm, credential.password)
  const session = isSession ? hash(account, nonce, clientNonce) : account
  const target = hash(request.method, request.uri)
  const response = qop ? hash(session, nonce, count, clientNonce, 'auth', target)
    : hash(session, nonce, target)
  const fields = [
    `username=${quoted(credential.username)}`, `realm=${quoted(realm)}`, `nonce=${quoted(nonce)}`,
    `uri=${quoted(request.uri)}`, `algorithm=${algorithm}`, `response="${response}"`,
    ...(qop ? ['qop=auth', `nc=${count}`, `cnonce="${clientNonce}"`]
      : isSession ? [`cnonce="${clientNonce}"`] : []),
    ...(opaque === null ? [] : [`opaque=${quoted(opaque)}`]),
  ]
  return { authorization: `Digest ${fields.join(', ')}`, secrets: [response, clientNonce, nonce] }
}

/** The password in the clear. Only for the host that the configuration names. */
export const answerBasic = ({ username, password }: Credential): string =>
  `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`
