import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import t, { type Test } from 'tap'
import { atMachine, openAccess } from '../../src/access/index.ts'
import { Archive, archiveRules, type ItemKind } from '../../src/archive/index.ts'
import { AuditLog } from '../../src/audit/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { archive, type ArchiveAct } from '../../src/cli/archive.ts'
import { archiveHold, type ArchiveHoldAct } from '../../src/cli/archive-hold.ts'
import { CustosError } from '../../src/domain/index.ts'
import { facts, flip } from '../archive/support/rig.ts'
import { run } from '../support/recorder/real-media.ts'
import { spoken } from './support/office.ts'
import { agreedTime } from '../support/archive-time.ts'
import { openBoth, openOfficeOf } from '../support/office-database.ts'

const CUSTOS = path.join(import.meta.dirname, '../../bin/custos')
const LIN = atMachine({ kind: 'machine-user', name: '林承辦', role: null, source: 'login root' })

interface Said { readonly code: number | null, readonly said: string }
async function told(work: (out: { write(text: string): unknown }) => Promise<number>): Promise<Said> {
  const out = spoken()
  try { return { code: await work(out), said: out.text() } } catch (error) {
    if (!(error instanceof CustosError)) throw error
    return { code: 1, said: `${error.code} ${error.message}` }
  }
}

/** A site without cameras whose archive is made by the command. */
class Site {
  readonly folder: string
  readonly config: string
  constructor(t: Test) {
    this.folder = t.testdir({})
    mkdirSync(path.join(this.folder, 'archive'))
    this.config = path.join(this.folder, 'custos.yaml')
    writeFileSync(this.config, `site: { name: 信義區戶政事務所 }\nstate: { dir: ${this.folder}/state }\nvolumes: [ { id: disk1, path: /srv/custos/disk1 } ]\ninbox: off\ncameras: []\narchive: { dir: ${this.folder}/archive, quota: 1GiB }\n`)
  }
  /** `custos archive ...` as a person calls it; a process of its own takes seconds, so that most go through `archive` and `hold`. */
  async program(...args: string[]): Promise<Said> {
    const { code, output, errors } = await run(CUSTOS, ['archive', ...args, '--config', this.config])
    return { code, said: `${output.toString()}${errors}` }
  }
  archive(act: ArchiveAct, { id, json = false }: { readonly id?: string, readonly json?: boolean } = {}): Promise<Said> { return told(out => archive(act, { config: this.config, id, json }, out)) }
  hold(act: ArchiveHoldAct, options: Readonly<Record<string, string>> = {}): Promise<Said> { return told(out => archiveHold(act, { config: this.config, ...options }, out)) }
  /** Puts one in, as the recorder does. */
  async put(application: string, kind: ItemKind = 'copy-master'): Promise<string> {
    const stateDir = path.join(this.folder, 'state'), source = path.join(this.folder, application)
    mkdirSync(source)
    writeFileSync(path.join(source, 'manifest.json'), application.repeat(50_000))
    using catalogue = await openBoth(stateDir)
    const { db } = catalogue, audit = new AuditLog({ db, clock: systemClock }), time = { wallNow: () => systemClock.wallNow(), steadyNow: () => systemClock.wallNow() }
    const store = await Archive.open({
      db, audit, rights: openAccess({ db, audit, time, stateDir, officeName: 'x', mayCombine: () => null }).sessions, trustedTime: agreedTime(() => systemClock.wallNow()), time,
      rule: await archiveRules(() => systemClock.wallNow()), dir: path.join(this.folder, 'archive'), quotaBytes: 2 ** 30, stateDir, log: pino({ level: 'silent' }),
    })
    return (await store.put(LIN, { folder: source, facts: facts({ application, kind }) })).itemNo
  }
  async entries(action: string): Promise<readonly string[]> {
    using catalogue = await openOfficeOf(path.join(this.folder, 'state'))
    return catalogue.db.prepare<[string], { name: string, result: string }>('SELECT actor_name AS name, result FROM audit_entry WHERE action = ? ORDER BY seq').all(action).map(({ name, result }) => `${name} ${result}`)
  }
}

t.test('init makes it once; list and verify tell each item; a flipped byte and an unknown number end with 1', async t => {
  const site = new Site(t as unknown as Test)
  t.match(await site.archive('list'), { code: 1 }, 'no catalogue yet: nothing is made by asking')
  t.match(await site.program('init'), { code: 0, said: /存檔區已建立/ })
  t.match(await site.archive('init'), { code: 1, said: /CUSTOS_ARCHIVE/ }, 'never made anew over one that is there')
  const [first, second] = [await site.put('115-0001'), await site.put('115-0002')]
  const list = await site.archive('list', { json: true })
  t.same(list.said.trim().split('\n').map(line => { const { itemNo, state } = JSON.parse(line) as { itemNo: string, state: string }; return [itemNo, state] }), [[first, 'kept'], [second, 'kept']])
  t.match(await site.archive('verify'), { code: 0, said: `${first} 完整` })
  {
    using _office = await openBoth(path.join(site.folder, 'state'))
    t.match(await site.archive('verify'), { code: 0, said: `${second} 完整` }, 'beside a running recorder too')
    t.match(await site.archive('rebuild'), { code: 1, said: /CUSTOS_ALREADY_RUNNING 另一個錄影程式[\s\S]*another recorder/ }, 'which nothing is rebuilt under')
  }
  for (const id of ['A115-0099', 'nonsense']) t.match(await site.archive('verify', { id }), { code: 1, said: /CUSTOS_ARCHIVE_ITEM[\s\S]*no such item number/ }, id)

  t.match(await site.program('verify', '--id', 'A115-0099'), { code: 1, said: /CUSTOS_ARCHIVE_ITEM/ })
  flip(path.join(site.folder, 'archive', 'items', second, 'payload'), 1000)
  t.match(await site.archive('verify', { id: first }), { code: 0 })
  const bad = await site.archive('verify')
  t.equal(bad.code, 1)
  t.match(bad.said, new RegExp(`${first} 完整[\\s\\S]*${second} (?!完整)`))
  const own = await site.put('115-存-1', 'decided')
  t.match(await site.archive('list'), { said: new RegExp(`${second} .*保存中 kept .*遺失或被更動 LOST OR CHANGED[^]*${own} .*複製存檔（本所決定） kept by own decision`) })
})

t.test('the catalogue was lost: rebuild takes every item back from the volume, and again changes nothing', async t => {
  const site = new Site(t as unknown as Test)
  await site.archive('init')
  const [first, second] = [await site.put('115-0001'), await site.put('115-0002')]
  for (const end of ['', '-wal', '-shm']) rmSync(path.join(site.folder, 'state', 'office', `office.db${end}`), { force: true })
  t.match(await site.archive('rebuild'), { code: 0, said: /rebuilt: 2, unsound: 0, strays: 0/ })
  t.match(await site.archive('rebuild'), { code: 0, said: /rebuilt: 0/ })
  const { said } = await site.archive('list')
  for (const no of [first, second]) t.match(said, no)
  t.match(await site.archive('verify'), { code: 0 })
})

t.test('a hold from the machine: in force at once, approved and ended by another person, each on record', async t => {
  const site = new Site(t as unknown as Test)
  await site.archive('init')
  const item = await site.put('115-0001')
  const until = `${new Date().getFullYear() + 3}-12-31`
  t.match(await site.hold('place', { item: 'A115-0099', authority: '院函', until, by: '林承辦' }), { code: 1, said: /CUSTOS_ARCHIVE_ITEM/ })
  for (const day of ['2020-01-01', 'soon', '2999-01-01']) t.match(await site.hold('place', { item, authority: '院函', until: day, by: '林承辦' }), { code: 1, said: /CUSTOS_ARCHIVE_REFUSED/ }, day)
  const placed = await site.program('hold', 'place', '--item', item, '--authority', '臺北地院115年度訴字第1號', '--until', until, '--by', '林承辦')
  t.equal(placed.code, 0, placed.said)
  const id = /--id ([0-9a-f]{32})/.exec(placed.said)?.[1] ?? ''
  t.match(await site.archive('list'), { said: /保全中/ })
  t.match(await site.hold('list'), { code: 0, said: /not approved yet[\s\S]*臺北地院/ })
  t.match(await site.hold('approve', { id, by: '林承辦' }), { code: 1, said: /another person/ })
  t.match(await site.hold('approve', { id, by: '陳課長' }), { code: 0 })
  t.match(await site.hold('end', { id, by: '陳課長' }), { code: 1, said: /another person/ }, 'nobody asked for it')
  t.match(await site.hold('ask-end', { id, reason: '判決確定', by: '林承辦' }), { code: 0 })
  t.match(await site.hold('end', { id, by: '林承辦' }), { code: 1 })
  t.match(await site.hold('end', { id, by: '陳課長' }), { code: 0 })
  const month = `${new Date().getFullYear() + 1}-01-31`
  t.match(await site.program('key-backup', 'add', '--where', '異地備份磁帶', '--until', month, '--by', '王管理'), { code: 0 })
  t.match(await site.hold('key-backup', { where: '舊備份', until: '2020-01-31', by: '王管理' }), { code: 1, said: /CUSTOS_ARCHIVE_REFUSED/ })
  t.match(await site.hold('key-backups'), { said: `異地備份磁帶  至 until ${month}  王管理` })
  t.same(await site.entries('archive.key-backup-told'), ['王管理 done', '王管理 refused'])
  t.match(await site.hold('list'), { said: /ended \(判決確定\)/ })
  t.same((await site.entries('archive.hold-placed')).at(-1), '林承辦 done')
  t.same(await site.entries('archive.hold-approved'), ['林承辦 refused', '陳課長 done'])
  t.same(await site.entries('archive.hold-ended'), ['陳課長 refused', '林承辦 refused', '陳課長 done'])
})
