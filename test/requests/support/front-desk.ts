import { randomBytes } from 'node:crypto'
import path from 'node:path'
import type { Db } from '../../../src/platform/catalogue.ts'
import type { AccountId, Acting, Role } from '../../../src/access/index.ts'
import { cameraUuid, epochMs, volumeId, volumeUuid, type CameraUuid, type EpochMs } from '../../../src/domain/index.ts'
import { HoldKeeper, holdsPort, RequestDesk, type Acts, type Answer, type Application, type ApplicationNumber, type Content, type AskHolds, type HoldsPort, type ScopeLine, type SentCommand } from '../../../src/requests/index.ts'
import { personVault } from '../../../src/requests/person-vault.ts'
import { OfficeCalendar, RuleShelf } from '../../../src/rules/index.ts'
import { LocalFootage } from '../../../src/storage/local-footage.ts'
import { HoldBook, holdRequests } from '../../../src/storage/index.ts'
import { holdDesk } from '../../../src/storage/hold-desk.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { cameraTable } from '../../../src/storage/tables/cameras.ts'
import { holdTable } from '../../../src/storage/tables/holds.ts'
import { Office, type Member } from '../../access/support/office.ts'
import { MemoryFileSystem } from '../../support/memory-file-system.ts'
import { shippedRules } from '../../rules/support.ts'

const RULES = await shippedRules()
export const LOBBY = cameraUuid('a'.repeat(32)), DOOR = cameraUuid('b'.repeat(32)), NOBODYS = cameraUuid('e'.repeat(32))
export const at = (text: string): EpochMs => epochMs(Date.parse(`${text}+08:00`))
export const hour = (camera: CameraUuid, day = '2026-11-20'): ScopeLine => ({ camera, from: at(`${day}T09:00:00`), to: at(`${day}T10:00:00`) })
const VOLUME = 'd'.repeat(32)
const HOLDS_FILE = '/disk1/custos-holds.json'

const bare = { agents: [], applicantAccount: null, applicantUnit: null, necessity: null, identity: null, authority: null } as const
export const police = (changes: Partial<Content> = {}): Content => ({
  ...bare, form: 'form-2', applicantClass: 'agency', acts: { view: true, copy: true, preserve: false }, asked: [hour(LOBBY), hour(DOOR)], necessity: '須附卷移送檢察官',
  authority: { kind: 'document', number: '北市警信分刑字第1150001號' },
  fields: { agency: '臺北市政府警察局信義分局', applicant: '趙警員', phone: '02-27234567', 'legal-basis': '刑事訴訟法第230條', purpose: '偵辦竊盜案', use: '大廳及大門' }, ...changes,
})
export const party = (changes: Partial<Content> = {}): Content => ({
  ...bare, form: 'form-3', applicantClass: 'data-subject', acts: { view: true, copy: false, preserve: false }, asked: [hour(LOBBY)], identity: { document: '國民身分證', seenAt: at('2026-11-22T10:00:00'), seenBy: '林承辦' },
  fields: { applicant: '𡍼大明', 'applicant-id': 'A123456789', 'applicant-address': '臺北市信義區', 'applicant-phone': '0912345678', reason: '皮夾遺失' }, ...changes,
})
export const staff = (changes: Partial<Content> = {}): Content => ({
  ...bare, form: 'form-4', applicantClass: 'staff', acts: { view: true, copy: false, preserve: false }, asked: [hour(LOBBY)], fields: { applicant: '人員lee', purpose: '釐清櫃檯糾紛' }, ...changes,
})

export type Done = Extract<Answer, { ok: true }>
export function done(answer: Answer): Done {
  if (!answer.ok) throw new Error(`refused: ${answer.refusal.code} ${JSON.stringify(answer.refusal.problems)}`)
  return answer
}
export const codeOf = (answer: Answer): string => answer.ok ? 'ok' : answer.refusal.code

export interface Saying { readonly decision?: 'agree' | 'return' | 'refuse', readonly reason?: string, readonly ground?: string, readonly scope?: readonly ScopeLine[], readonly acts?: Acts, readonly step?: number, readonly key?: string, readonly version?: number }

/** The recorder's own answers, without a socket between. */
const askedOf = (handlers: ReturnType<typeof holdRequests>): AskHolds =>
  (name, body) => (handlers[name] as (body: unknown) => Promise<never>)(body)

interface Place { testdir(): string, teardown(work: () => unknown): void }

/** The office at work: real accounts, sessions with factors, a real catalogue, holds and audit log. One volume, of memory. */
export class FrontDesk {
  readonly office: Office
  readonly desk: RequestDesk
  readonly stateDir: string
  readonly fs = new MemoryFileSystem()
  readonly holds: HoldBook
  readonly keeper: HoldKeeper
  /** The recorder, as the office asks it; a test may answer in its place. */
  readonly port: { -readonly [Name in keyof HoldsPort]: HoldsPort[Name] }
  readonly footage: LocalFootage
  calendar = new OfficeCalendar()
  #members = new Map<string, Member>()

  private constructor(t: Place, catalogue?: Db) {
    this.office = new Office(t, catalogue === undefined ? {} : { db: catalogue })
    this.stateDir = t.testdir()
    const { db, audit, clock, access } = this.office
    db.prepare('INSERT OR IGNORE INTO camera (uuid, id, first_recorded_at) VALUES (?, ?, 1), (?, ?, 1)').run(LOBBY, 'lobby', DOOR, 'door')
    db.prepare("INSERT OR IGNORE INTO volume (uuid, id, slot_size_bytes, slot_count, first_seen_at) VALUES (?, 'disk1', 1048576, 100, 1)").run(VOLUME)
    const volume = { path: '/disk1', identity: { format: 1, id: volumeId('disk1'), uuid: volumeUuid(VOLUME), slotSizeBytes: 1 << 20, slotCount: 100, createdAt: '' } } as const
    const nowhere = { db, [Symbol.dispose]: () => undefined }
    this.holds = new HoldBook({ catalogue: nowhere, holds: holdTable(db), cameras: cameraTable(db), audit, fs: this.fs, clock, volumes: () => [volume] })
    this.port = holdsPort(askedOf(holdRequests(holdDesk({ catalogue: nowhere, clock, book: this.holds, refused: () => [] }))))
    this.keeper = new HoldKeeper({ db, audit, port: this.port, time: clock, clock, log: createLogger({ level: 'silent' }) })
    this.footage = new LocalFootage(db, { isBusy: false, openReader: () => Promise.reject(new Error('nothing is read here')) })
    this.desk = new RequestDesk({
      db, audit, access, keeper: this.keeper, clock, footage: this.footage, shelf: new RuleShelf([RULES]), calendar: () => this.calendar,
      time: { wallNow: () => clock.wallNow(), steadyNow: () => Date.parse('2026-11-22T08:00:00.000Z') + clock.monoNow() }, stateDir: this.stateDir, managingUnit: '資訊室', vault: personVault(randomBytes(32)),
    })
  }

  /** The same office in another process: over a catalogue that has everybody in it. Who acts comes from there. */
  static over(t: Place, catalogue: Db): FrontDesk { return new FrontDesk(t, catalogue) }

  static async open(t: Place, catalogue?: Db): Promise<FrontDesk> {
    const front = new FrontDesk(t, catalogue)
    await front.fs.makeFolder('/disk1')
    front.record(LOBBY, '2026-11-20T08:00:00', '2026-11-20T12:00:00')
    front.record(DOOR, '2026-11-20T08:00:00', '2026-11-20T12:00:00')
    const { office } = front
    front.#members.set('boss', await office.withDirector())
    const cast: readonly (readonly [string, readonly Role[]])[] = [['lin', ['clerk', 'custodian']], ['chen', ['chief', 'staff']], ['wang', ['secretary']], ['lee', ['staff']], ['admin', ['system-admin']]]
    for (const [name, roles] of cast) {
      office.directorActing = await front.as('boss', 'director') // the factor is to be fresh
      front.#members.set(name, await office.person(name, roles))
    }
    return front
  }

  #slot = 0
  /** Footage that stands on the volume, as a sealed segment. */
  record(camera: CameraUuid, from: string, to: string): void {
    this.office.db.prepare(`INSERT INTO segment (volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule, end_at, newest_at, keep_until, records, used_bytes, merkle_root, sealed_at)
      VALUES (?, ?, 1, ?, 'main', ?, '31d Asia/Taipei', ?, ?, ?, 10, 1000, ?, 1)`).run(VOLUME, this.#slot++, camera, at(from), at(to), at(to), at(to), 'f'.repeat(64))
  }

  /** Signs in anew, so that the factor was just shown. */
  async as(name: string, role: Role): Promise<Acting> {
    const member = this.#members.get(name)
    if (member === undefined) throw new Error(`nobody is called ${name}`)
    return this.office.acting(member, role)
  }

  member(name: string): Member {
    const member = this.#members.get(name)
    if (member === undefined) throw new Error(`nobody is called ${name}`)
    return member
  }

  async asDeputy(name: string, role: Role, absent: AccountId): Promise<Acting> {
    const member = this.#members.get(name)
    if (member === undefined) throw new Error(`nobody is called ${name}`)
    return this.office.access.sessions.actIn(await this.office.session(member), role, absent)
  }

  async receive(content: Content, [name, role]: readonly [string, Role] = ['lin', 'clerk'], key = newKey()): Promise<Answer> { return this.desk.receive(await this.as(name, role), { key, content }) }
  async act([name, role]: readonly [string, Role], application: Application, command: Bare, { key = newKey(), version = application.version } = {}): Promise<Answer> {
    return this.desk.act(await this.as(name, role), application.number, { key, command: { ...command, version } as SentCommand })
  }
  async sign(who: readonly [string, Role], application: Application, saying: Saying = {}): Promise<Answer> {
    const narrowTo = saying.scope === undefined && saying.acts === undefined ? null : { scope: saying.scope ?? application.proposal.scope, acts: saying.acts ?? application.proposal.acts }
    return this.act(who, application, {
      kind: 'decide', step: saying.step ?? (application.state.kind === 'under-review' ? application.state.step : 0), decision: saying.decision ?? 'agree', reason: saying.reason ?? null, ground: saying.ground ?? null, narrowTo, isNotTheApplicant: false, grant: null,
    }, { ...(saying.key === undefined ? {} : { key: saying.key }), ...(saying.version === undefined ? {} : { version: saying.version }) })
  }
  /** Everybody in turn agrees; the last one's answer. */
  async signAll(application: Application, chain: readonly (readonly [string, Role])[], last: Saying = {}): Promise<Answer> {
    let current = application
    for (const who of chain.slice(0, -1)) current = done(await this.sign(who, current)).application
    return this.sign(chain.at(-1)!, current, last)
  }

  count(table: string): number { return this.office.db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0 }
  /** As the recorder has them. */
  holdsOf(number: ApplicationNumber): string[] {
    return holdTable(this.office.db).inForce().filter(({ application }) => application === number)
      .sort((a, b) => a.cameraId < b.cameraId ? -1 : a.cameraId > b.cameraId ? 1 : a.fromAt - b.fromAt)
      .map(({ cameraId, authority }) => `${cameraId}: ${authority}`)
  }
  async published(): Promise<string> { return this.fs.readText(HOLDS_FILE, 1 << 20, 'test').catch(() => '') }
  actions(number: ApplicationNumber): string[] {
    return this.office.db.prepare<[string], string>("SELECT action || CASE result WHEN 'done' THEN '' ELSE ' ' || result END FROM audit_entry WHERE application = ? ORDER BY seq").pluck().all(number)
  }
  folder(...names: string[]): string { return path.join(this.stateDir, ...names) }
}
export type Bare = SentCommand extends infer One ? One extends SentCommand ? Omit<One, 'version'> : never : never
export const newKey = (): string => randomBytes(12).toString('hex')
export const CLERK = ['lin', 'clerk'] as const, CUSTODIAN = ['lin', 'custodian'] as const, CHIEF = ['chen', 'chief'] as const, SECRETARY = ['wang', 'secretary'] as const, DIRECTOR = ['boss', 'director'] as const
export const OUTSIDE = [CLERK, CHIEF, SECRETARY, DIRECTOR] as const
export const INSIDE = [CHIEF, CLERK, SECRETARY] as const
