import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { account, type AccountAct } from '../../src/cli/account.ts'
import { openBoth } from '../support/office-database.ts'

class Site {
  readonly stateDir: string
  readonly configFile: string
  said = ''
  readonly folder: string
  constructor(folder: string) {
    this.folder = folder
    this.stateDir = path.join(folder, 'state')
    this.configFile = path.join(folder, 'custos.yaml')
    writeFileSync(this.configFile, stringify({ site: { name: '信義區戶政事務所' }, state: { dir: this.stateDir }, volumes: [{ id: 'disk1', path: path.join(folder, 'disk1') }], inbox: 'off', cameras: [] }))
  }
  async run(act: AccountAct, options: Record<string, string | true>, isTTY = false): Promise<number> {
    this.said = ''
    return await account(act, { config: this.configFile, ...options }, { write: text => { this.said += text }, isTTY })
  }
}

const wang = { id: 'wang', name: '王𠮷明', roles: '系統管理', unit: '資訊室', post: '管理師', reason: '首位', by: '李大同' }

t.test('the first accounts, beside a recorder that has the catalogue; then an approver decides', async t => {
  const site = new Site(t.testdir())
  await t.rejects(site.run('create', wang), { code: 'CUSTOS_CATALOGUE_UNUSABLE' }, 'not before the recorder has run once')
  using running = await openBoth(site.stateDir)
  const tokenFile = path.join(site.folder, 'token')
  t.equal(await site.run('create', { ...wang, tokenFile }), 0)
  const token = readFileSync(tokenFile, 'utf8').trim()
  t.match(token, /^([0-9A-Z]{4}-){4}[0-9A-Z]{4}$/)
  t.equal(statSync(tokenFile).mode & 0o777, 0o600)
  t.notMatch(site.said, new RegExp(token), 'a pipe is shown no secret')
  t.equal(await site.run('create', { ...wang, id: 'boss', name: '主任', roles: '主任' }, true), 0)
  t.match(site.said, /one-time password of boss:\n\n {4}([0-9A-Z]{4}-){4}/, 'a terminal is')
  t.equal(await site.run('create', { ...wang, id: 'chen', roles: '承辦人，查核' }), 0)
  t.match(site.said, /第 1 號[^]*an approver decides/)
  t.equal(await site.run('list', {}), 0)
  t.match(site.said, /boss {2}主任[^]*chen[^]*查核、承辦人\n {4}申請中[^]*wang {2}王𠮷明[^]*系統管理\n {4}使用中/)
  t.equal(await site.run('list', { json: true }), 0)
  t.equal(site.said.trim().split('\n').length, 3)
  const log = JSON.stringify(running.db.prepare('SELECT * FROM audit_entry').all())
  t.match(log, /李大同[^]*login /)
  t.notMatch(log, new RegExp(token.replaceAll('-', '-?')), 'nor is the log')
})

t.test('roles that do not go together, unknown ones, and broken options are refused with what to do', async t => {
  const site = new Site(t.testdir())
  ;(await openBoth(site.stateDir))[Symbol.dispose]()
  await t.rejects(site.run('create', { ...wang, roles: '系統管理,管理人員' }), { code: 'CUSTOS_ACCOUNT_REFUSED', message: /不得兼任/ })
  await t.rejects(site.run('create', { ...wang, roles: '核章主管' }), { code: 'CUSTOS_ACCOUNT_REFUSED', remedy: /課長、秘書、主任/ })
  await t.rejects(site.run('create', { ...wang, ends: '2026-02-30' }), { code: 'CUSTOS_BAD_TIME' })
  await t.rejects(site.run('create', { ...wang, by: ' ' }), { code: 'CUSTOS_NO_NAME' })
  await t.rejects(site.run('unlock', { id: 'No One', by: 'x' }), { code: 'CUSTOS_ACCOUNT_USAGE' })
  await t.rejects(site.run('disable', { id: 'nobody', by: 'x', reason: 'x' }), { code: 'CUSTOS_ACCOUNT_REFUSED' })
  const token = path.join(site.folder, 'there')
  writeFileSync(token, 'keep me')
  await t.rejects(site.run('create', { ...wang, tokenFile: token }), { code: 'CUSTOS_ACCOUNT_USAGE', remedy: /account reset --id wang/ })
  t.equal(readFileSync(token, 'utf8'), 'keep me')
})

t.test('disable, reset, unlock, leave and break-glass at the machine', async t => {
  const site = new Site(t.testdir())
  ;(await openBoth(site.stateDir))[Symbol.dispose]()
  await site.run('create', wang, true)
  t.equal(await site.run('reset', { id: 'wang', reason: '忘記', by: '李大同', print: true }), 0)
  t.match(site.said, /one-time password of wang/)
  t.equal(await site.run('reset', { id: 'wang', reason: '遺失手機', by: '李大同', factor: true }), 0)
  t.equal(await site.run('unlock', { id: 'wang', by: '李大同' }), 0)
  t.equal(await site.run('break-glass', { by: '李大同', reason: '管理人員不在，警察在場' }), 0)
  t.match(site.said, /另一人須於 5 分鐘內/)
  await t.rejects(site.run('break-glass', { by: '李 大同', reason: '同上' }), { code: 'CUSTOS_ACCOUNT_REFUSED' })
  t.equal(await site.run('break-glass', { by: '陳大文', reason: '同上' }), 0)
  t.match(site.said, /第 1 號）已開啟/)
  t.equal(await site.run('break-glass', { by: '陳大文', close: '1' }), 0)
  t.equal(await site.run('disable', { id: 'wang', reason: '調查', by: '李大同' }), 0)
  t.equal(await site.run('leave', { id: 'wang', reason: '調職', undertaking: 'signed', by: '李大同' }), 0)
  await site.run('list', {})
  t.match(site.said, /已離職/)
})

t.test('a key folder that cannot be used costs no command that needs no key', async t => {
  const site = new Site(t.testdir())
  ;(await openBoth(site.stateDir))[Symbol.dispose]()
  writeFileSync(path.join(site.stateDir, 'keys'), 'a file in place of the folder')
  chmodSync(path.join(site.stateDir, 'keys'), 0o400)
  t.equal(await site.run('create', wang, true), 0)
  t.equal(await site.run('list', {}), 0)
})
