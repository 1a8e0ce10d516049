import type { LightMyRequestResponse } from 'fastify'
import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import type { Test } from 'tap'
import type { Role } from '../../../src/access/index.ts'
import type { Archive } from '../../../src/archive/index.ts'
import { openBook } from '../../../src/book/index.ts'
import { ConsoleServer, type ConsoleParts, type ConsoleServerOptions } from '../../../src/console/index.ts'
import { cameraId } from '../../../src/domain/index.ts'
import { CameraSurvey } from '../../../src/ingest/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Db } from '../../../src/platform/catalogue.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { OfficeCalendar, RuleShelf } from '../../../src/rules/index.ts'
import { lastDevices } from '../../../src/storage/index.ts'
import type { Member } from '../../access/support/office.ts'
import { DOOR, FrontDesk, LOBBY } from '../../requests/support/front-desk.ts'
import type { Shelf } from '../../export/package/support.ts'
import { shippedRules } from '../../rules/support.ts'
import { servicesOf } from './services.ts'

const RULES = await shippedRules()
/** So that no test but the one about rates meets them. */
const NO_RATES = { source: { burst: 1e9, perSecond: 1e9 }, session: { burst: 1e9, perSecond: 1e9 } }

/** The office of test/requests behind a real console, asked as a browser asks. */
export class Console {
  readonly front: FrontDesk
  readonly parts: ConsoleParts
  readonly log: string[]
  readonly server: ConsoleServer
  /** What screens and copies read from. */
  readonly shelf: Shelf
  readonly archive: Archive
  /** How far the archive's trusted time is ahead of the office's clock. */
  readonly archiveTime: { aheadMs: number }

  private constructor(front: FrontDesk, parts: ConsoleParts, server: ConsoleServer, log: string[], { shelf, archive, archiveTime }: Pick<Console, 'shelf' | 'archive' | 'archiveTime'>) {
    this.front = front
    this.parts = parts
    this.server = server
    this.log = log
    this.shelf = shelf
    this.archive = archive
    this.archiveTime = archiveTime
  }

  static async open(
    t: Test, { catalogue, ...options }: Partial<ConsoleServerOptions> & { readonly catalogue?: Db } = {},
  ): Promise<Console> {
    const front = await FrontDesk.open(t, catalogue)
    const { db, audit, access, clock } = front.office
    const book = openBook({
      db, audit, time: clock, rights: access.sessions, applications: { standingOf: () => ({ kind: 'unknown' }), used: () => [] }, calendar: () => new OfficeCalendar(), grants: () => [],
    })
    const deviceOf = lastDevices(db)
    const { shelf: footageShelf, archiveTime, ...services } = await servicesOf(t, front, book, RULES)
    const parts: ConsoleParts = {
      ...services, site: { name: '臺北市信義區戶政事務所', timezone: 'Asia/Taipei' }, db, audit, access, desk: front.desk, book, shelf: new RuleShelf([RULES]), calendar: () => front.calendar, footage: front.footage, clock, wallNow: () => clock.wallNow(),
      survey: new CameraSurvey(systemClock, 3_000),
      cameras: () => [{ uuid: LOBBY, id: cameraId('lobby'), name: '大廳', location: '一樓' }, { uuid: DOOR, id: cameraId('door'), name: '大門', location: '一樓' }].map(camera => ({ ...camera, device: deviceOf(camera.id) })),
    }
    const log: string[] = [], destination = new PassThrough()
    destination.on('data', (chunk: Buffer) => { log.push(chunk.toString('utf8')) })
    const server = await ConsoleServer.open({ host: '127.0.0.1', port: 0, tls: 'off', stateDir: front.stateDir, parts, clock, log: createLogger({ destination }), rates: NO_RATES, ...options })
    t.teardown(async () => { await server[Symbol.asyncDispose]() })
    return new Console(front, parts, server, log, { shelf: footageShelf, archive: services.archive, archiveTime })
  }

  /** Nobody signed in. */
  stranger(): Caller { return new Caller(this, null, null) }

  /** Signed in by HTTP, with a factor just shown, acting in `role` (none when null). */
  async as(name: string, role: Role | null): Promise<Caller> {
    const member = this.front.member(name)
    return this.signedIn(member, role)
  }
  async signedIn(member: Member, role: Role | null): Promise<Caller> {
    const answer = await this.stranger().send('POST', '/api/session', { name: member.name, password: member.password, undertakes: '1', ...(member.secret === null ? {} : { code: this.front.office.code(member) }) })
    if (answer.status !== 200 || answer.cookie === null) throw new Error(`no session: ${answer.status} ${JSON.stringify(answer.body)}`)
    const caller = new Caller(this, answer.cookie, (answer.body as { session: { csrfToken: string } }).session.csrfToken)
    if (role === null) return caller
    const taken = await caller.post('/api/session/role', { role })
    if (taken.status !== 200) throw new Error(`${name(member)} is no ${role}: ${JSON.stringify(taken.body)}`)
    return caller
  }
}
const name = (member: Member): string => member.name

export interface Said<Body = unknown> { readonly status: number, readonly body: Body, readonly headers: LightMyRequestResponse['headers'], readonly cookie: string | null, readonly raw: Buffer }
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
export const newKey = (): string => randomBytes(12).toString('hex')

/** One browser with one session. */
export class Caller {
  readonly #console: Console
  readonly cookie: string | null
  readonly csrf: string | null
  constructor(console: Console, cookie: string | null, csrf: string | null) { this.#console = console; this.cookie = cookie; this.csrf = csrf }

  async send<Body = unknown>(method: Method, url: string, body?: unknown, headers: Readonly<Record<string, string | undefined>> = {}): Promise<Said<Body>> {
    const isBytes = Buffer.isBuffer(body)
    const all: Record<string, string | undefined> = {
      host: 'localhost:8443', ...(this.cookie === null ? {} : { cookie: this.cookie }), ...(this.csrf === null || method === 'GET' ? {} : { 'x-custos-csrf': this.csrf, origin: 'http://localhost:8443', 'sec-fetch-site': 'same-origin' }),
      ...(method === 'GET' ? {} : { 'idempotency-key': newKey() }), ...(body === undefined || isBytes ? {} : { 'content-type': 'application/json' }), ...headers,
    }
    const sent = Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
    const response = await this.#console.server.app.inject({ method, url, headers: sent, remoteAddress: '127.0.0.1', ...(body === undefined ? {} : { payload: isBytes ? body : JSON.stringify(body) }) })
    const isJson = String(response.headers['content-type'] ?? '').startsWith('application/json')
    const cookie = response.cookies[0]
    return { status: response.statusCode, body: (isJson ? JSON.parse(response.body) : response.body) as Body, headers: response.headers, cookie: cookie === undefined || cookie.value === '' ? null : `${cookie.name}=${cookie.value}`, raw: response.rawPayload }
  }
  get<Body = unknown>(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Said<Body>> { return this.send<Body>('GET', url, undefined, headers) }
  post<Body = unknown>(url: string, body?: unknown, headers: Readonly<Record<string, string | undefined>> = {}): Promise<Said<Body>> { return this.send<Body>('POST', url, body, headers) }
}
