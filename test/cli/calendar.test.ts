import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { generateKeyPairSync } from 'node:crypto'
import { calendar } from '../../src/cli/calendar.ts'
import { inboxKey, type InboxKeyAct } from '../../src/cli/inbox-key.ts'
import { calendarCsv } from '../rules/support.ts'
import { openBoth } from '../support/office-database.ts'

class Site {
  readonly folder: string
  readonly configFile: string
  said = ''
  constructor(folder: string) {
    this.folder = folder
    this.configFile = path.join(folder, 'custos.yaml')
    writeFileSync(this.configFile, stringify({ site: { name: '信義區戶政事務所' }, state: { dir: this.path('state') }, volumes: [{ id: 'disk1', path: this.path('disk1') }], inbox: 'off', cameras: [] }))
  }
  path(...names: string[]): string { return path.join(this.folder, ...names) }
  write(text: string): void { this.said += text }
  async import(file: string, options: Record<string, string> = {}): Promise<number> { this.said = ''; return await calendar('import', file, { config: this.configFile, by: '王小明', ...options }, this) }
  async list(): Promise<string> { this.said = ''; await calendar('list', null, { config: this.configFile, json: true }, this); return this.said }
  async key(act: InboxKeyAct, options: Record<string, string | true> = {}): Promise<number> { this.said = ''; return await inboxKey(act, { config: this.configFile, by: '王小明', ...options }, this) }
}

t.test('a calendar is taken over whole, once, and replaced only with words', async t => {
  const site = new Site(t.testdir({})), file = site.path('116年.csv'), other = site.path('fixed.csv')
  using running = await openBoth(site.path('state'))
  const entries = () => running.db.prepare<[], { object: string, detail: string, name: string }>("SELECT object, detail, actor_name AS name FROM audit_entry WHERE action = 'calendar.imported' ORDER BY seq").all()
  writeFileSync(file, calendarCsv(2027, { holidays: { '2027-01-01': '開國紀念日' } }))
  writeFileSync(other, calendarCsv(2027, { holidays: { '2027-01-01': '開國紀念日', '2027-06-09': '端午節' } }))
  t.equal(await site.import(file), 0)
  t.same(readFileSync(site.path('state', 'calendar', '2027.csv')), readFileSync(file), 'kept as it was published')
  t.match(JSON.parse(await site.list()), { year: 2027, restDays: 105 })
  t.equal(await site.import(file), 0)
  t.match(site.said, /same file was imported before/)
  t.equal(entries().length, 1, 'the same again is no act')

  await t.rejects(site.import(other), { code: 'CUSTOS_CALENDAR_REFUSED' })
  await t.rejects(site.import(other, { replace: ' ' }), { code: 'CUSTOS_CALENDAR_REFUSED' })
  t.match(JSON.parse(await site.list()), { restDays: 105 })
  t.equal(await site.import(other, { replace: '政府修正公布' }), 0)
  t.match(entries().map(({ object, name, detail }) => [object, name, (JSON.parse(detail) as { reason: string | null }).reason]), [['2027', '王小明', null], ['2027', '王小明', '政府修正公布']])
  t.match(JSON.parse(await site.list()), { restDays: 106 })
})

t.test('what is no calendar is refused with its lines, and nothing is written', async t => {
  const site = new Site(t.testdir({}))
  using running = await openBoth(site.path('state'))
  writeFileSync(site.path('bad.csv'), calendarCsv(2027).replace('20270301', '20270300'))
  t.equal(await site.import(site.path('bad.csv')), 1)
  t.match(site.said, /bad\.csv/)
  writeFileSync(site.path('real.csv'), calendarCsv(2027))
  symlinkSync(site.path('real.csv'), site.path('link.csv'))
  await t.rejects(site.import(site.path('link.csv')), { code: 'CUSTOS_CALENDAR_REFUSED' })
  await t.rejects(site.import(site.path('none.csv')), { code: 'CUSTOS_CALENDAR_REFUSED' })
  await t.rejects(site.import(site.path('real.csv'), { by: ' ' }), { code: 'CUSTOS_NO_NAME' })
  t.equal(await site.list(), '')
  t.equal(running.db.prepare("SELECT count(*) FROM audit_entry WHERE action = 'calendar.imported'").pluck().get(), 0)
})

t.test('keys of document systems: enrolled, listed with their fingerprint, revoked; beside a recorder that has the catalogue', async t => {
  const site = new Site(t.testdir({}))
  using running = await openBoth(site.path('state'))
  const year = Temporal.Now.plainDateISO().year + 1, pair = generateKeyPairSync('ed25519')
  writeFileSync(site.path('public.pem'), pair.publicKey.export({ format: 'pem', type: 'spki' }))
  writeFileSync(site.path('private.pem'), pair.privateKey.export({ format: 'pem', type: 'pkcs8' }))
  const key = { system: '公文系統', until: `${year}-12-31` }
  await t.rejects(site.key('add', { ...key, file: site.path('private.pem') }), { code: 'CUSTOS_INBOX_KEY', message: /private key/ })
  await t.rejects(site.key('add', { ...key, file: site.path('none.pem') }), { code: 'CUSTOS_INBOX_KEY' })
  await t.rejects(site.key('add', { ...key, file: site.path('public.pem'), until: 'tomorrow' }), { code: 'CUSTOS_BAD_TIME' })
  t.equal(await site.key('add', { ...key, file: site.path('public.pem') }), 0)
  const id = /key ([0-9a-f]{16})/.exec(site.said)?.[1] ?? ''
  t.equal(await site.key('list', { json: true }), 0)
  const listed = JSON.parse(site.said) as { id: string, sha256: string, revokedAt: string | null }
  t.match(listed, { id, system: '公文系統', revokedAt: null })
  t.equal(listed.sha256.slice(0, 16), id)
  t.equal(await site.key('revoke', { id, reason: '系統汰換' }), 0)
  await t.rejects(site.key('revoke', { id, reason: '系統汰換' }), { code: 'CUSTOS_INBOX_KEY' })
  await site.key('list')
  t.match(site.said, /已撤銷 revoked/)
  t.equal(running.db.prepare("SELECT count(*) FROM audit_entry WHERE action LIKE 'inbox.key-%'").pluck().get(), 2)
})
