import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { codeAt, STEP_MS } from '../../../src/access/totp.ts'
import { fromBase32 } from '../../access/support/office.ts'
import type { RealRecorder } from './real-recorder.ts'

const FRESH_MS = 3 * 60_000

/** Somebody signed in to a running recorder's console, which listens on loopback without TLS. */
export class Person {
  readonly base: string
  readonly cookie: string
  readonly #csrf: string
  #secret = ''
  #shownAtMs = 0
  #usedStep = 0
  #showing: Promise<void> | null = null
  private constructor(base: string, cookie: string, csrf: string) { this.base = base; this.cookie = cookie; this.#csrf = csrf }

  /** Sets the first password, signs in, enrols an authenticator and takes the role. */
  static async first(base: string, { name, token, role }: { readonly name: string, readonly token: string, readonly role: string }): Promise<Person> {
    const password = 'Velvet-Otter1-quilt'
    await new Person(base, '', '').post('/api/session/first-password', { name, token, newPassword: password })
    const response = await fetch(`${base}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name, password, undertakes: '1' }) })
    const said = await response.json() as { session?: { csrfToken: string } }
    const person = new Person(base, response.headers.getSetCookie()[0]?.split(';')[0] ?? '', said.session?.csrfToken ?? '')
    if (said.session === undefined) throw new Error(`${name} is not signed in: ${JSON.stringify(said)}`)
    person.#secret = (await person.post<{ secret: string }>('/api/session/factor')).secret
    await person.post('/api/session/factor/confirm', { code: person.#code() })
    person.#shownAtMs = Date.now()
    await person.post('/api/session/role', { role })
    return person
  }

  /** For acts that want the factor shown within five minutes. */
  async freshen(): Promise<void> {
    if (Date.now() - this.#shownAtMs < FRESH_MS) return
    this.#showing ??= this.#show().finally(() => { this.#showing = null })
    await this.#showing
  }
  /** A code counts once: when an answer is lost, the next is shown. */
  async #show(): Promise<void> {
    while (this.#usedStep === Math.floor(Date.now() / STEP_MS)) await wait(500)
    await this.post('/api/session/factor/show', { code: this.#code() })
    this.#shownAtMs = Date.now()
  }
  #code(): string {
    this.#usedStep = Math.floor(Date.now() / STEP_MS)
    return codeAt(fromBase32(this.#secret), this.#usedStep)
  }

  async ask(method: 'GET' | 'POST', url: string, body?: unknown): Promise<Response> {
    return fetch(`${this.base}${url}`, { method, headers: { cookie: this.cookie, ...(method === 'GET' ? {} : { 'x-custos-csrf': this.#csrf, 'idempotency-key': crypto.randomUUID() }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  }
  /** Throws on a refusal. */
  async post<Body>(url: string, body?: unknown): Promise<Body> { return answered<Body>(url, await this.ask('POST', url, body)) }
  async get<Body>(url: string): Promise<Body> { return answered<Body>(url, await this.ask('GET', url)) }
}

async function answered<Body>(url: string, response: Response): Promise<Body> {
  const text = await response.text()
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`)
  return (text === '' ? null : JSON.parse(text)) as Body
}

/** Accounts by command, the approver's first; he approves the others over HTTP. Each one's token for a first password. */
export async function staffedOverHttp(base: string, recorder: RealRecorder, people: readonly (readonly [string, string])[]): Promise<ReadonlyMap<string, string>> {
  const tokenFile = path.join(recorder.folder, 'token'), tokens = new Map<string, string>()
  for (const [id, role] of [['chen', '課長'] as const, ...people]) {
    const ended = await recorder.command(['account', 'create', '--id', id, '--name', `人員${id}`, '--roles', role, '--unit', '資訊室', '--token-file', id === 'chen' ? tokenFile : `${tokenFile}-${id}`, '--config', recorder.configFile, '--by', '王小明'])
    if (ended.code !== 0) throw new Error(ended.errors)
  }
  const chen = await Person.first(base, { name: 'chen', token: (await readFile(tokenFile, 'utf8')).trim(), role: 'chief' })
  for (const { requestId, accountId } of (await chen.get<{ requests: readonly { requestId: number, accountId: string }[] }>('/api/account-requests')).requests) {
    const { token } = await chen.post<{ token: string | null }>(`/api/account-requests/${requestId}/decision`, { decision: 'approved', reason: '核可' })
    if (token !== null) tokens.set(accountId, token)
  }
  return tokens
}
