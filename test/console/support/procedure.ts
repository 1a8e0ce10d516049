import type { Role } from '../../../src/access/index.ts'
import type { Content } from '../../../src/requests/index.ts'
import type { Caller, Console, Said } from './caller.ts'
import { newKey } from './caller.ts'

/** As the API tells them; what these tests look at. */
export interface Case { readonly number: string, readonly version: number, readonly state: { readonly kind: string, readonly step?: number }, readonly content: Content, readonly proposal: { readonly scope: Content['asked'], readonly acts: Content['acts'] } }
export interface Told { readonly application: Case, readonly isReplay: boolean, readonly holding: { readonly state: string }, readonly holds: { readonly placed: number, readonly newlyHeld: number }, readonly footage: readonly { readonly state: string }[], readonly notices: readonly { readonly notice: string, readonly title: string }[] }
export interface Refused { readonly code: string, readonly zh: string, readonly en: string, readonly requestId: string, readonly problems?: readonly { readonly where: string }[], readonly version?: number, readonly changes?: readonly { readonly verb: string, readonly by: string }[] }

export const pathOf = (number: string): string => `/api/applications/${encodeURIComponent(number)}`

export function good<Body>(said: Said, status = 200): Body {
  if (said.status !== status) throw new Error(`expected ${status}: ${said.status} ${JSON.stringify(said.body)}`)
  return said.body as Body
}

/** People of the office at their browsers, each signing in anew so that the factor was just shown. */
export class Counter {
  readonly console: Console
  constructor(console: Console) { this.console = console }
  as(who: readonly [string, Role]): Promise<Caller> { return this.console.as(...who) }
  async receive(who: readonly [string, Role], content: unknown, key = newKey()): Promise<Said> { return (await this.as(who)).post('/api/applications', content, { 'idempotency-key': key }) }
  async act(who: readonly [string, Role], { number, version }: Case, command: object, key = newKey()): Promise<Said> {
    return (await this.as(who)).post(`${pathOf(number)}/commands`, { version, ...command }, { 'idempotency-key': key })
  }
  async sign(who: readonly [string, Role], application: Case, saying: object = {}): Promise<Said> {
    return this.act(who, application, { kind: 'decide', step: application.state.step ?? 0, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, grant: null, ...saying })
  }
  async read<Body>(who: readonly [string, Role], url: string): Promise<Body> { return good<Body>(await (await this.as(who)).get(url)) }
}
