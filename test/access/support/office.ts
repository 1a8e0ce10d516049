import { randomBytes } from 'node:crypto'
import Database from 'better-sqlite3'
import { AuditLog } from '../../../src/audit/index.ts'
import { accountId, atMachine, openAccess, PasswordHasher, type Access, type AccessSettings, type Acting, type MayCombine, type Role } from '../../../src/access/index.ts'
import { vaultOf } from '../../../src/access/factor-vault.ts'
import { codeAt, STEP_MS } from '../../../src/access/totp.ts'
import { migrate, type Db } from '../../../src/platform/catalogue.ts'
import { VirtualClock, type TestOwner } from '../../support/virtual-clock.ts'

export const START = '2026-11-22T08:00:00.000Z'
export const MINUTE_MS = 60_000
export const DAY_MS = 86_400_000
/** Argon2 as cheap as it gets: what is tested is not its cost. */
export const CHEAP = { memoryKiB: 8, passes: 1 }
export const goodPassword = (n: number): string => `Velvet-Otter${n}-quilt`

export const MAY_COMBINE: MayCombine = roles => roles.includes('system-admin') && roles.some(role => role !== 'system-admin' && role !== 'records')
  ? { zh: '系統管理不得兼任其他職務。', en: 'an administrator has no other role' } : null

export interface Member { readonly name: string, password: string, secret: Buffer | null }

/** An office with nobody in it: a real catalogue in memory, a real audit log, time that the test moves. */
export class Office {
  readonly clock = new VirtualClock(START)
  readonly db: Db
  readonly audit: AuditLog
  readonly access: Access
  readonly machine: Acting = atMachine({ kind: 'machine-user', name: '王小明', role: null, source: 'login root' })

  constructor(owner: TestOwner, { settings = {}, db = new Database(':memory:') }: { readonly settings?: Partial<AccessSettings>, readonly db?: Db } = {}) {
    this.db = db
    migrate(db, this.clock.wallNow())
    owner.teardown(() => { db.close() })
    this.audit = new AuditLog({ db, clock: this.clock })
    this.access = openAccess({
      db, audit: this.audit, time: { wallNow: () => this.clock.wallNow(), steadyNow: () => Date.parse(START) + this.clock.monoNow() }, stateDir: '/nowhere', officeName: '信義區戶政事務所',
      mayCombine: MAY_COMBINE, hasher: new PasswordHasher(CHEAP), vault: vaultOf(randomBytes(32)), settings,
    })
  }

  pass(ms: number): void { this.clock.drift(ms, 0) }

  /** An active person with a password and, unless told otherwise, a factor; made at the machine while there is no approver, else approved by 主任. */
  async person(name: string, roles: readonly Role[], { factor = true, endsAtMs = null, custodianId = null }: { readonly factor?: boolean, readonly endsAtMs?: number | null, readonly custodianId?: string | null } = {}): Promise<Member> {
    const made = this.access.accounts.apply({
      id: name, displayName: `人員${name}`, unit: '資訊室', post: '課員', roles, reason: '到職', endsAtMs, custodianId: custodianId === null ? null : accountId(custodianId),
    }, this.machine)
    const token = made.token ?? this.#approve(made.requestId ?? 0)
    const member: Member = { name, password: goodPassword(1), secret: null }
    await this.access.signIn.redeem({ name, token, newPassword: member.password, source: 'desk' })
    if (factor) await this.enrol(member)
    return member
  }

  director: Member | null = null
  #approve(requestId: number): string {
    const { director } = this
    if (director === null) throw new Error('nobody can approve: make `director` first')
    return this.access.accounts.decide(requestId, 'approved', '核可', this.directorActing ?? fail('the director is not signed in')).token ?? fail('an approved account got no token')
  }
  directorActing: Acting | null = null
  /** 主任, signed in with a factor that stays fresh as long as no time passes. */
  async withDirector(): Promise<Member> {
    this.director = await this.person('boss', ['director'])
    this.directorActing = await this.acting(this.director, 'director')
    return this.director
  }

  code(member: Member): string {
    if (member.secret === null) throw new Error(`${member.name} has no factor`)
    this.pass(STEP_MS) // each step is taken once
    return codeAt(member.secret, Math.floor(this.clock.wallNow() / STEP_MS))
  }

  async enrol(member: Member): Promise<readonly string[]> {
    const token = await this.session(member)
    const { secret } = this.access.factors.enrol(token)
    member.secret = fromBase32(secret)
    return this.access.factors.confirm(token, this.code(member))
  }

  /** A session, with everything shown that is asked for. */
  async session(member: Member, source = 'desk'): Promise<string> {
    const answer = await this.access.signIn.signIn({ name: member.name, password: member.password, undertakes: '1', source, ...(member.secret === null ? {} : { code: this.code(member) }) })
    if (answer.kind !== 'session') throw new Error(`no session but ${answer.kind}`)
    return answer.token
  }
  async acting(member: Member, role: Role): Promise<Acting> { return this.access.sessions.actIn(await this.session(member), role) }

  entries(action?: string): { readonly action: string, readonly result: string, readonly object: string | null, readonly detail: string, readonly name: string }[] {
    return this.db.prepare<[], { action: string, result: string, object: string | null, detail: string, name: string }>('SELECT action, result, object, detail, actor_name AS name FROM audit_entry ORDER BY seq').all()
      .filter(entry => action === undefined || entry.action === action)
  }
}

const fail = (message: string): never => { throw new Error(message) }

export function fromBase32(text: string): Buffer {
  const bits = Array.from(text, char => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(char).toString(2).padStart(5, '0')).join('')
  return Buffer.from(bits.match(/.{8}/g)?.map(byte => Number.parseInt(byte, 2)) ?? [])
}
