import { closeSync, mkdirSync, openSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import pino from 'pino'
import t, { type Test } from 'tap'
import { hold } from '../../src/cli/hold.ts'
import { linkRequests } from '../../src/daemon/link-requests.ts'
import { epochMs } from '../../src/domain/index.ts'
import { LinkServer, type Handlers } from '../../src/link/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { frameOf, serveStrange } from '../link/support.ts'
import { until } from '../support/until.ts'
import { Office, spoken } from './support/office.ts'

const AT = epochMs(Date.parse('2026-11-22T08:00:00.000Z'))
const RANGE = { camera: 'lobby', from: '2026-11-22T16:00:00+08:00', to: '2026-11-22T17:00:00+08:00' }
const PLACE = { ...RANGE, authority: '北檢115年字第1號', by: '王小明' }
const TIMES = /\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?/g

class Site {
  readonly office: Office
  private constructor(office: Office) { this.office = office }
  static async open(t: Test): Promise<Site> {
    const office = await Office.open(t.testdir({}))
    await office.record('lobby', AT, 20)
    return new Site(office)
  }

  async hold(act: 'place' | 'end' | 'list', options: Record<string, string | true> = {}): Promise<string> {
    const out = spoken(), code = await hold(act, { config: this.office.configFile, ...options }, out)
    return `${code} ${out.text()}`
  }
  async placed(): Promise<string> {
    return /hold placed: ([0-9a-f]{32})/.exec(await this.hold('place', PLACE))![1]!
  }
  rows(sql: string): unknown[] {
    const db = new Database(path.join(this.office.stateDir, 'catalogue.db'), { readonly: true })
    try { return db.prepare<[], unknown>(sql).all() } finally { db.close() }
  }
  entries(): unknown[] {
    const rows = this.rows(`SELECT action FROM audit_entry WHERE action LIKE 'hold.%' ORDER BY seq`)
    return rows.map(row => (row as { action: string }).action)
  }

  /** A recorder that is asked; `more` answers in its place. */
  async recorder(
    t: Test, more: (own: Handlers) => Handlers = own => own, folder = this.office.stateDir,
  ): Promise<LinkServer> {
    const parts = await this.office.recorder()
    const server = LinkServer.open({
      folder, version: '1.0.0', handlers: more(linkRequests({ ...parts, clock: systemClock })),
      takesRoles: ['command'], clock: systemClock, log: pino({ level: 'silent' }),
    })
    t.teardown(async () => { await server[Symbol.asyncDispose](); await parts[Symbol.asyncDispose]() })
    await until('it listens', () => server.isListening)
    return server
  }
}

t.test('a hold is placed, listed and ended alike by a running recorder and without one', async t => {
  const site = await Site.open(t), asked: string[] = []
  const scene = async (): Promise<string[]> => {
    const said = [await site.hold('place', { ...PLACE, dryRun: true })]
    const id = await site.placed()
    said.push(await site.hold('list'), await site.hold('list', { json: true }))
    said.push(await site.hold('end', { id, reason: '不起訴', by: '王小明' }), await site.hold('list', { all: true }))
    const isRefused = async (
      held: Promise<string>, message: RegExp, remedy = /./, code = 'CUSTOS_HOLD_REFUSED',
    ): Promise<void> => {
      await t.rejects(held, { code, message, remedy })
    }
    const place = (changes: Record<string, string>): Promise<string> => site.hold('place', { ...PLACE, ...changes })
    await isRefused(site.hold('end', { id, reason: '再一次', by: '王小明' }), /was ended before/, /./, 'CUSTOS_HOLD_ENDED')
    await isRefused(place({ camera: 'garden' }), /no footage of a camera "garden"/, /lobby/)
    await isRefused(place({ camera: '../garden' }), /no footage of a camera/)
    await isRefused(place({ to: RANGE.from }), /ends .* before it begins/)
    await isRefused(place({ authority: 'x'.repeat(3000) }), /longer than/)
    await isRefused(place({ stream: 'no stream' }), /"no stream" is no name/)
    return said.map(each => each.replaceAll(id, 'ID').replaceAll(TIMES, 'TIME'))
  }
  const alone = await scene()
  const noted = (own: Handlers) => Object.entries(own).map(([name, answer]) => [name, (...given: unknown[]) => {
    asked.push(name)
    return (answer as (...given: unknown[]) => unknown)(...given)
  }])
  await site.recorder(t, own => Object.fromEntries(noted(own)) as Handlers)
  const running = await scene()
  t.match(alone[0], /^0 .*\nthe range now has \d+ slots/)
  t.same(running.slice(0, 4), alone.slice(0, 4))
  const ends = (text: string): number => text.split('TIME 由').length - 1
  t.equal(ends(running[4]!), 2 * ends(alone[4]!), 'the ended ones of both')
  t.same(['hold.place', 'hold.end', 'hold.list'].filter(name => !asked.includes(name)), [], 'the recorder was asked')
  t.same(site.entries(), ['hold.placed', 'hold.ended', 'hold.placed', 'hold.ended'])
})

t.test('an answer that is lost is asked for again: one hold, one entry, ended once', async t => {
  const site = await Site.open(t), { stateDir, folder } = site.office, behind = path.join(folder, 'behind')
  mkdirSync(behind)
  await site.recorder(t, own => own, behind)
  const descriptor = openSync(behind, 'r') // a path that is short enough for the kernel
  t.teardown(() => { closeSync(descriptor) })
  let losses = 0
  await using _line = await serveStrange(stateDir, socket => {
    const recorder = connect(`/proc/self/fd/${descriptor}/link.sock`).on('error', () => undefined)
    socket.on('data', chunk => { recorder.write(chunk) }).on('close', () => { recorder.destroy() })
    recorder.on('data', chunk => {
      if (losses < 2 && chunk.includes('"hold":{')) { losses++; socket.destroy() } else socket.write(chunk)
    })
  })
  const id = await site.placed()
  t.equal(losses, 2)
  losses = 0
  t.match(await site.hold('end', { id, reason: '不起訴', by: '王小明' }), new RegExp(`^0 .*\nhold ended: ${id}`))
  t.equal(losses, 2)
  t.same(site.entries(), ['hold.placed', 'hold.ended'])
})

t.test('another process that has the catalogue for a second is waited for; one that keeps it is told', async t => {
  const site = await Site.open(t)
  await site.recorder(t)
  const other = new Database(path.join(site.office.stateDir, 'catalogue.db'))
  t.teardown(() => { other.close() })
  other.exec('BEGIN IMMEDIATE')
  const placed = site.placed()
  await sleep(1_000)
  other.exec('ROLLBACK')
  t.match(await placed, /^[0-9a-f]{32}$/)
  other.exec('BEGIN IMMEDIATE')
  await t.rejects(site.placed(), { code: /CUSTOS_(CATALOGUE_FAULT|AUDIT_UNWRITABLE)/ })
  other.exec('ROLLBACK')
  t.same(site.entries(), ['hold.placed'], 'and nothing of it was done')
})

t.test('a recorder that dies between a request and its answer: the command goes on with the state folder', async t => {
  const site = await Site.open(t)
  const server: LinkServer = await site.recorder(t, own => ({
    ...own,
    'hold.place': async (body, signal) => {
      const told = await own['hold.place']!(body, signal)
      void server[Symbol.asyncDispose]()
      return told
    },
  }))
  t.match(await site.placed(), /^[0-9a-f]{32}$/)
  t.same(site.entries(), ['hold.placed'])
})

t.test('a recorder of another version, and one that does not answer, are passed by', async t => {
  const site = await Site.open(t)
  const hello = { protocol: 99, role: 'recorder', version: '9.0.0' }
  await using _other = await serveStrange(site.office.stateDir, socket => { socket.write(frameOf({ hello })) })
  t.match(await site.hold('list', { json: true }), /^0 $/)
  t.match(await site.placed(), /^[0-9a-f]{32}$/)
})
