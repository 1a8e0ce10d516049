import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { paper, type PaperOptions } from '../../src/cli/paper.ts'
import { FrontDesk, done, LOBBY, OUTSIDE, hour, party, police, staff } from '../requests/support/front-desk.ts'
import { flat, readPdf } from '../paper/support/poppler.ts'
import { openCatalogue } from '../../src/platform/catalogue.ts'
import { openOfficeBeside } from '../../src/platform/office-database.ts'
import { openOfficeOf } from '../support/office-database.ts'

const MAIN = path.join(import.meta.dirname, '../../src/main.ts')

/** The front desk's own catalogue, copied to where a command finds it beside the recorder. */
async function site(t: Test, work: (front: FrontDesk) => Promise<void>): Promise<{ config: string, folder: string, entries: (action: string) => { actor: string, application: string | null, detail: string }[] }> {
  const front = await FrontDesk.open(t)
  await work(front)
  const folder = t.testdir({ state: {} })
  const stateDir = path.join(folder, 'state')
  front.office.db.prepare('VACUUM INTO ?').run(path.join(stateDir, 'catalogue.db')) // of before there were two
  ;(await openOfficeOf(stateDir))[Symbol.dispose]()
  openCatalogue(stateDir, 0)[Symbol.dispose]()
  const config = path.join(folder, 'custos.yaml')
  writeFileSync(config, `site: { name: 臺北市信義區戶政事務所 }\nstate: { dir: ${path.join(folder, 'state')} }\nvolumes: [ { id: disk1, path: /srv/custos/disk1 } ]\ninbox: off\nwitness: { print: true }\ncameras: [ { id: lobby, name: 一樓大廳, streams: { main: { url: 'rtsp://127.0.0.1:9/main' } } } ]\n`)
  return {
    config, folder,
    entries: action => { using catalogue = openOfficeBeside(stateDir, 'read'); return catalogue.db.prepare<[string], { actor: string, application: string | null, detail: string }>('SELECT actor_name AS actor, application, detail FROM audit_entry WHERE action = ? ORDER BY seq').all(action) },
  }
}
async function run(form: string, options: PaperOptions): Promise<{ code: number, said: string }> {
  const said: string[] = []
  return { code: await paper(form, options, { write: text => said.push(text) }), said: said.join('') }
}

t.test('blank forms by Chinese and English name, with nothing but a configuration; a file is never overwritten', async t => {
  const folder = t.testdir({})
  const config = path.join(folder, 'custos.yaml')
  writeFileSync(config, `site: { name: 臺北市信義區戶政事務所 }\nstate: { dir: ${folder}/none }\nvolumes: [ { id: disk1, path: /srv/custos/disk1 } ]\ninbox: off\nwitness: { print: true }\ncameras: []\n`)
  const outFile = path.join(folder, 'form.pdf')
  const first = spawnSync(process.execPath, [MAIN, 'paper', '附件2', '--blank', '--config', config, '--out', outFile], { encoding: 'utf8' })
  t.match(first, { status: 0, stdout: /附件2，1 頁[\s\S]*form-2, 1 pages/, stderr: '' })
  t.ok(readPdf(t, readFileSync(outFile)).flat.includes('機關用印'))
  const again = spawnSync(process.execPath, [MAIN, 'paper', 'form-2', '--blank', '--config', config, '--out', outFile], { encoding: 'utf8' })
  t.match(again, { status: 1, stderr: /CUSTOS_PAPER_USAGE[\s\S]*已存在，未覆寫/ })
  t.equal((await run('log-book', { config, out: path.join(folder, 'book.pdf'), blank: true })).code, 0)
  await t.rejects(run('附件9', { config, out: path.join(folder, 'x.pdf'), blank: true }), { code: 'CUSTOS_PAPER_USAGE' })
  await t.rejects(run('cover', { config, out: path.join(folder, 'x.pdf') }), { code: 'CUSTOS_PAPER_REFUSED' })
  await t.rejects(run('form-2', { config, out: '/nowhere/x.pdf', blank: true }), { code: 'CUSTOS_PAPER_USAGE' })
})

t.test('a case from the catalogue: what was stored, masked, with its signatures; printed by somebody, on record; a refusal has its notice', async t => {
  const numbers: string[] = []
  const { config, folder, entries } = await site(t, async front => {
    const agency = done(await front.receive(police()))
    done(await front.signAll(agency.application, OUTSIDE))
    const citizen = done(await front.receive(party({ fields: { ...party().fields, applicant: '𡍼大明\uE000' } })))
    done(await front.signAll(citizen.application, OUTSIDE, { decision: 'refuse', reason: '畫面涉及第三人之重大利益', ground: 'third-party' }))
    const insider = done(await front.receive(staff({ applicantAccount: 'lee', applicantUnit: '戶籍課', asked: [hour(LOBBY)] }), ['lee', 'staff']))
    numbers.push(agency.application.number, citizen.application.number, insider.application.number)
  })
  const [agency, citizen, insider] = numbers as [string, string, string]
  const out = (name: string): string => path.join(folder, name)

  await t.rejects(run('form-2', { config, out: out('a.pdf'), application: [agency] }), { code: 'CUSTOS_NO_NAME' }, 'whoever prints a person\'s case says who they are')
  t.match(await run('form-2', { config, out: out('a.pdf'), application: [agency], by: '林承辦' }), { code: 0 })
  t.equal(statSync(out('a.pdf')).mode & 0o777, 0o600)
  const form2 = readPdf(t, readFileSync(out('a.pdf'))).flat
  for (const part of ['☑調閱', '☑複製', '趙警員', '複製之必要：須附卷移送檢察官', '一樓大廳（lobby）', 'door', '115年11月20日09時00分00秒至115年11月20日10時00分00秒', `系統編號：${agency}`, '同意']) t.ok(form2.includes(flat(part)), part)
  t.match(entries('application.printed'), [{ application: agency, detail: /"form":"form-2"/, actor: /林承辦/ }])

  t.match(await run('form-3', { config, out: out('b.pdf'), application: [citizen], by: '林承辦' }), { code: 1, said: /U\+E000/ }, 'a character without a glyph is a failure that says so')
  const form3 = readPdf(t, readFileSync(out('b.pdf'))).flat
  for (const part of ['𡍼大明', 'A12***', '（當事人）', '身分查驗：國民身分證', '不同意']) t.ok(form3.includes(flat(part)), part)
  t.notOk(form3.includes('A123456789'))

  t.match(await run('駁回通知', { config, out: out('c.pdf'), application: [citizen], by: '林承辦' }), { code: 1 })
  const notice = readPdf(t, readFileSync(out('c.pdf'))).flat
  for (const part of ['理由：畫面涉及第三人之重大利益', '法令依據：個人資料保護法第10條但書第3款', '救濟教示：如不服本處分', '臺北市信義區戶政事務所']) t.ok(notice.includes(flat(part)), part)

  t.match(await run('form-4', { config, out: out('d.pdf'), application: [insider], by: '林承辦' }), { code: 0 })
  t.ok(readPdf(t, readFileSync(out('d.pdf'))).flat.includes('一樓大廳（lobby）115年11月20日09時00分00秒'), 'cameras and range inside 調閱目的')

  await t.rejects(run('refusal', { config, out: out('e.pdf'), application: [agency], by: 'x' }), { code: 'CUSTOS_PAPER_REFUSED' })
  await t.rejects(run('form-2', { config, out: out('e.pdf'), application: [citizen], by: 'x' }), { code: 'CUSTOS_PAPER_REFUSED' })
  await t.rejects(run('form-2', { config, out: out('e.pdf'), application: ['115-調-9999'], by: 'x' }), { code: 'CUSTOS_APPLICATION_UNKNOWN' })
  await t.rejects(run('form-5', { config, out: out('e.pdf'), bookPage: '1', by: 'x' }), { code: 'CUSTOS_PAPER_REFUSED' })
  const before = entries('application.printed').length
  await t.rejects(run('form-2', { config, out: out('a.pdf'), application: [agency], by: 'x' }), { code: 'CUSTOS_PAPER_USAGE' })
  t.equal(entries('application.printed').length, before, 'a file that was not written is not on record as printed')
})

t.test('the announcement names places and numbers only; a sign for each zone; days in ROC years', async t => {
  const folder = t.testdir({})
  const config = path.join(folder, 'custos.yaml'), out = (name: string): string => path.join(folder, name)
  writeFileSync(config, `site: { name: 臺北市信義區戶政事務所 }\nstate: { dir: ${folder}/none }\nvolumes: [ { id: disk1, path: /srv/custos/disk1 } ]\ninbox: off\nwitness: { print: true }\ncameras: []\n`)
  const zone = ['一樓大廳=4', '停車場＝2']
  t.equal((await run('鏡頭公告', { config, out: out('a.pdf'), zone, date: '115-11-26' })).code, 0)
  const { flat: text } = readPdf(t, readFileSync(out('a.pdf')))
  t.match(text, /公告日期：115年11月26日.*1一樓大廳42停車場2合計6/)
  t.equal((await run('標示', { config, out: out('s.pdf'), zone, date: '115-11-26', url: 'https://example.gov.tw/x' })).code, 0)
  t.equal(readPdf(t, readFileSync(out('s.pdf'))).pages, 2)
  for (const bad of [{ zone }, { zone, date: '2026-11-26' }, { date: '115-11-26' }]) await t.rejects(run('announcement', { config, out: out('x.pdf'), ...bad }), { code: 'CUSTOS_PAPER_USAGE' })
  const source = (id: string) => `streams: { main: { url: "rtsp://10.0.0.1/${id}" } }`, base = readFileSync(config, 'utf8')
  writeFileSync(config, base.replace('cameras: []', `cameras: [ { id: a, name: 甲, place: 一樓服務臺, ${source('a')} }, { id: b, name: 乙, place: 側門, ${source('b')} }, { id: c, name: 丙, place: 一樓服務臺, ${source('c')} } ]`))
  t.equal((await run('announcement', { config, out: out('p.pdf'), date: '115-11-26' })).code, 0)
  t.match(readPdf(t, readFileSync(out('p.pdf'))).flat, /1一樓服務臺22側門1合計3/, 'places of the configuration, where nobody names zones')
  writeFileSync(config, base.replace('cameras: []', `cameras: [ { id: a, name: 甲, place: 一樓服務臺, ${source('a')} }, { id: b, name: 乙, ${source('b')} } ]`))
  await t.rejects(run('announcement', { config, out: out('x.pdf'), date: '115-11-26' }), { code: 'CUSTOS_PAPER_USAGE', message: /have no place.*: b$/ })
  writeFileSync(config, base)
  await t.rejects(run('signage', { config, out: out('x.pdf'), zone, date: '115-11-26', url: 'javascript:alert(1)' }), { code: 'CUSTOS_PAPER_REFUSED' })
  await t.rejects(run('announcement', { config, out: out('x.pdf'), zone: ['長'.repeat(101)], date: '115-11-26' }), { code: 'CUSTOS_PAPER_REFUSED' })
})
