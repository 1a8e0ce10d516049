import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import { Inbox, InboxFolder, InboxKeys, type EnrolledKey, type InboxMessage, type InboxOptions } from '../../../src/inbox/index.ts'
import type { Content, ScopeLine } from '../../../src/requests/index.ts'
import { at, FrontDesk, police } from '../../requests/support/front-desk.ts'

type Sent = InboxMessage['content']
type Step = InboxMessage['steps'][number]
const iso = (ms: number): string => new Date(ms).toISOString()
export const sentScope = (lines: readonly ScopeLine[]): Sent['asked'] => lines.map(({ camera, from, to }) => ({ camera, from: iso(from), to: iso(to) }))
export const sent = (content: Content): Sent => ({
  ...content, fields: { ...content.fields }, agents: content.agents.map(agent => ({ ...agent, fields: { ...agent.fields } })), acts: { ...content.acts }, asked: sentScope(content.asked),
  identity: content.identity === null ? null : { ...content.identity, seenAt: iso(content.identity.seenAt) }, authority: content.authority === null ? null : { ...content.authority },
}) as Sent

const step = (post: string, account: string, changes: Partial<Step> = {}): Step =>
  ({ post, account, decidedAt: '2026-11-23T15:30:00+08:00', decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, capacity: null, ...changes })
export { step }
export const OUTSIDE_STEPS = [step('clerk', 'lin'), step('chief', 'chen'), step('secretary', 'wang'), step('director', 'boss')] as const

export const message = (changes: Partial<InboxMessage> = {}): InboxMessage => ({
  schema: 'custos-inbox-message/1', id: 'doc-115-000017', system: '公文系統', issuedAt: '2026-11-23T15:40:00+08:00', receivedBy: 'lin', receivedAt: '2026-11-23T15:00:00+08:00',
  content: sent(police()), steps: [...OUTSIDE_STEPS], grant: null, ...changes,
})

/** The office with an inbox, and a document system whose key is enrolled. */
export class Correspondence {
  readonly front: FrontDesk
  readonly folder: InboxFolder
  readonly keys: InboxKeys
  readonly key: EnrolledKey
  readonly logged: string[] = []
  readonly #private: KeyObject
  inbox: Inbox

  private constructor(front: FrontDesk) {
    this.front = front
    const { office: { db, audit, access, clock, machine }, stateDir } = front
    this.folder = new InboxFolder(path.join(stateDir, 'inbox'))
    mkdirSync(this.folder.dir)
    this.keys = new InboxKeys({ db, audit, rights: access.sessions, time: clock })
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    this.#private = privateKey
    this.key = this.keys.add({ system: '公文系統', pem: publicKey.export({ format: 'pem', type: 'spki' }) as string, validFrom: at('2026-11-01T00:00:00'), validUntil: at('2027-11-01T00:00:00') }, machine)
    front.office.pass(86_400_000) // accounts are a day old
    this.inbox = this.opened()
  }
  static async open(t: Parameters<typeof FrontDesk.open>[0]): Promise<Correspondence> { return new Correspondence(await FrontDesk.open(t)) }

  /** As a start of the recorder opens it. */
  opened(changes: Partial<InboxOptions> = {}): Inbox {
    const { office: { db, audit, clock }, desk } = this.front
    return new Inbox({ db, audit, keys: this.keys, desk, folder: this.folder, clock, log: pino({ level: 'debug' }, { write: (line: string) => { this.logged.push(line) } }), ...changes })
  }

  sign(bytes: Buffer | string): string { return sign(null, Buffer.from(bytes), this.#private).toString('base64') }
  file(content: InboxMessage | string = message(), changes: Record<string, unknown> = {}): string {
    const bytes = typeof content === 'string' ? content : JSON.stringify(content)
    return JSON.stringify({ schema: 'custos-inbox/1', key: this.key.keyId, message: Buffer.from(bytes).toString('base64'), signature: this.sign(bytes), ...changes })
  }
  drop(name: string, text: string | Buffer): void { writeFileSync(path.join(this.folder.dir, name), text) }
  /** Looks until what lies there had time to settle. */
  async work(inbox = this.inbox, waitMs = 2_000): Promise<void> {
    await inbox.pass()
    this.front.office.pass(waitMs)
    await inbox.pass()
  }
  in(drawer = ''): string[] { return readdirSync(path.join(this.folder.dir, drawer), { withFileTypes: true }).filter(entry => drawer !== '' || !['accepted', 'rejected'].includes(entry.name)).map(entry => entry.name).sort() }
  reason(name: string): string { return readFileSync(path.join(this.folder.dir, 'rejected', `${name}.reason.txt`), 'utf8') }
  codeOf(name: string): string { return /reason: {2}([a-z-]+)/.exec(this.reason(name))?.[1] ?? '' }
  /** How much there is of everything a request makes. */
  counts(): Record<string, number> {
    return Object.fromEntries(['application', 'application_event', 'application_name', 'application_id_number', 'application_grant', 'hold', 'inbox_message'].map(table => [table, this.front.count(table)]))
  }
  entries(action: string): { readonly name: string, readonly source: string | null, readonly object: string | null, readonly detail: string, readonly application: string | null }[] {
    return this.front.office.db.prepare<[string], { name: string, source: string | null, object: string | null, detail: string, application: string | null }>('SELECT actor_name AS name, actor_source AS source, object, detail, application FROM audit_entry WHERE action = ? ORDER BY seq').all(action)
  }
}
