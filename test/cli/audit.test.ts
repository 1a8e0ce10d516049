import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { canonicalJson, CheckpointBook, noteText, signedTextOf, verifyAuditLog } from '../../src/audit/index.ts'
import { auditCheckpoint, auditPage, auditWitnessed } from '../../src/cli/audit-checkpoint.ts'
import { auditList, auditProof } from '../../src/cli/audit-read.ts'
import { auditVerify } from '../../src/cli/audit-verify.ts'
import type { AuditValue } from '../../src/domain/index.ts'
import { rootByInclusion } from '../../src/platform/merkle.ts'
import { dropGuards, event, fill, openLog, type LogRig } from '../audit/support/log.ts'
import { forge, rechained, resign } from '../audit/support/forger.ts'

const MAIN = path.join(import.meta.dirname, '../../src/main.ts')

interface Site extends LogRig { configFile: string, files: string, outside: string, book: CheckpointBook }

/** An office with 300 entries and the checkpoint of 22 November, a copy of which lies outside. The recorder has the catalogue open all the time. */
function site(t: Test): Site {
  const rig = openLog(t)
  const folder = t.testdir({})
  const configFile = path.join(folder, 'custos.yaml'), outside = path.join(folder, 'outside.txt')
  writeFileSync(configFile, `site: { name: "信義區<戶政>事務所" }\nstate: { dir: ${rig.folder} }\nvolumes: [ { id: disk1, path: /srv/custos/disk1 } ]\ninbox: off\nwitness: { print: true }\ncameras: []\n`)
  const book = new CheckpointBook(rig)
  book.openKey(rig.folder)
  fill(rig, 299)
  writeFileSync(outside, noteText(signedTextOf(book.make('day', '2026-11-22'))!))
  return { ...rig, configFile, files: folder, outside, book }
}

const spoken = () => { const said: string[] = []; return { write: (text: string) => said.push(text), text: () => said.join('') } }

async function verified({ configFile }: Site, checkpointFiles: string[] = [], json = false) {
  const out = spoken()
  return { code: await auditVerify({ configFile, checkpointFiles, json, out }), text: out.text() }
}

t.test('verify: an unbroken log, with and without a checkpoint from outside, beside the recorder that has it open', async t => {
  const office = site(t)
  t.match(await verified(office), { code: 0, text: /稽核紀錄完整：共 300 筆[\s\S]*300 entries, 1 stored checkpoints[\s\S]*以 --checkpoint 提供/ })
  t.match(await verified(office, [office.outside]), { code: 0, text: /與 1 個外部查核點相符[\s\S]*over 300 entries/ })
  t.match(JSON.parse((await verified(office, [office.outside], true)).text), { ok: true, entries: 300, checkpoints: 1, outsideSize: 300, fault: null })
  t.equal(office.log.size(), 300, 'nothing was written')
})

t.test('verify: names the first bad entry in both languages, exit 1', async t => {
  const office = site(t)
  dropGuards(office.db)
  office.db.exec("UPDATE audit_entry SET actor_name = '別人' WHERE seq = 42")
  const { code, text } = await verified(office)
  t.equal(code, 1)
  t.match(text, /第 42 筆（slot\.overwritten）的內容與其雜湊不符.*2026-11-22T08:00:40\.000Z/)
  t.match(text, /entry 42 \(slot\.overwritten\) does not match its hash/)
  t.match(JSON.parse((await verified(office, [], true)).text), { ok: false, fault: { kind: 'content', seq: 42, at: '2026-11-22T08:00:40.000Z' } })
})

t.test('verify: a log rewritten and signed anew passes alone, and fails against the checkpoint outside', async t => {
  const office = site(t)
  forge(office.db, entries => rechained(entries.filter(entry => entry.seq !== 42)))
  resign(office.db, office.folder)
  t.equal((await verified(office)).code, 0)
  t.match(await verified(office, [office.outside]), { code: 1, text: /結尾被截斷[\s\S]*ends with entry 299/ })
  fill(office, 10)
  t.match(await verified(office, [office.outside]), { code: 1, text: /第 1 至 300 筆之中有紀錄.*被改寫[\s\S]*among the entries 1 to 300/ })
})

t.test('verify: files that are no checkpoint are refused before anything is read', async t => {
  const office = site(t)
  await t.rejects(verified(office, ['/nonexistent']), { code: 'CUSTOS_AUDIT_USAGE', message: /cannot be read \(ENOENT\)/ })
  await t.rejects(verified(office, [office.configFile]), { code: 'CUSTOS_AUDIT_USAGE', message: /holds no checkpoint/ })
})

t.test('the command line: exit codes and languages of the real program', async t => {
  const office = site(t)
  const run = (...args: string[]) => spawnSync(process.execPath, [MAIN, 'audit', ...args], { encoding: 'utf8', env: { PATH: process.env['PATH'] } })
  t.match(run('verify', '--config', office.configFile, '--checkpoint', office.outside), { status: 0, stdout: /unbroken/ })
  dropGuards(office.db)
  office.db.exec('DELETE FROM audit_entry WHERE seq = 42')
  t.match(run('verify', '--config', office.configFile, '--checkpoint', office.outside), { status: 1, stdout: /entry 42 is gone, the next one is 43/, stderr: '' })
  t.match(run('verify', '--config', office.configFile, '--checkpoint', '/nonexistent'), { status: 1, stderr: /^CUSTOS_AUDIT_USAGE: / })
  t.match(run('verify'), { status: 1, stderr: /--config/ })
})

t.test('checkpoint: the note on the screen, or files that openssl verifies; what is there is never overwritten', async t => {
  const office = site(t)
  const out = spoken(), { configFile } = office
  t.equal(await auditCheckpoint({ configFile, outFile: undefined, out }), 0)
  t.equal(out.text(), readFileSync(office.outside, 'utf8'))
  const outFile = path.join(office.files, 'cp')
  t.equal(await auditCheckpoint({ configFile, outFile, out }), 0)
  t.match(spawnSync('openssl', ['dgst', '-sha256', '-verify', `${outFile}.pub.pem`, '-signature', `${outFile}.sig`, `${outFile}.body`], { encoding: 'utf8' }), { status: 0, stdout: /Verified OK/ })
  t.equal((await verified(office, [outFile])).code, 0)
  await t.rejects(auditCheckpoint({ configFile, outFile, out }), { code: 'CUSTOS_AUDIT_USAGE', message: /exists already/ })
})

t.test('page: one sheet in both languages with ROC date, the three lines and the fingerprint; then somebody vouches for it', async t => {
  const office = site(t)
  const folder = office.files, out = spoken(), { configFile } = office
  for (const [date, name] of [[undefined, 'newest.html'], ['2026-11-22', 'day.html'], ['115-11-22', 'roc.html']] as const) t.equal(await auditPage({ configFile, date, outFile: path.join(folder, name), out }), 0)
  const page = readFileSync(path.join(folder, 'newest.html'), 'utf8')
  t.equal(page, readFileSync(path.join(folder, 'roc.html'), 'utf8'))
  t.match(page, /民國115年11月22日（日） 16:04:59/)
  t.match(page, new RegExp(readFileSync(office.outside, 'utf8').split('\n').slice(0, 3).join('\\n').replaceAll('+', '\\+')))
  t.ok(page.includes('信義區&#60;戶政&#62;事務所'), 'escaped')
  t.notMatch(page, /<script|https?:/)
  await t.rejects(auditPage({ configFile, date: '2026-11-21', outFile: path.join(folder, 'x'), out }), { code: 'CUSTOS_AUDIT_NO_CHECKPOINT' })
  await t.rejects(auditPage({ configFile, date: 'yesterday', outFile: path.join(folder, 'x'), out }), { code: 'CUSTOS_AUDIT_USAGE' })

  t.equal(await auditWitnessed({ configFile, size: '300', by: '王主任', how: 'print', out }), 0)
  t.equal(await auditWitnessed({ configFile, size: '300', by: '王主任', how: 'print', out }), 0, 'again is no second act')
  t.equal(office.log.size(), 301)
  t.match(office.log.get(301), { action: 'checkpoint.witnessed', object: '300', actor: { kind: 'machine-user', name: '王主任' }, detail: /"by":"王主任","how":"print"/ })
  t.match(office.book.lastOutside(), { size: 300 })
  for (const [size, by, how, code] of [['299', '王', 'print', 'CUSTOS_AUDIT_USAGE'], ['x', '王', 'print', 'CUSTOS_AUDIT_USAGE'], ['300', ' ', 'print', 'CUSTOS_NO_NAME'], ['300', '王', 'syslog', 'CUSTOS_AUDIT_USAGE']] as const) {
    await t.rejects(auditWitnessed({ configFile, size, by, how, out }), { code })
  }
  t.match(verifyAuditLog(office.db), { fault: null })
})

t.test('proof: the entry, its way to the root, and the checkpoint; SHA-256 alone verifies it', async t => {
  const office = site(t)
  const outFile = path.join(office.files, 'proof.json'), out = spoken(), { configFile } = office
  t.equal(await auditProof({ configFile, seq: '123', size: undefined, outFile, out }), 0)
  const proof = JSON.parse(readFileSync(outFile, 'utf8')) as { entry: string, leaf: string, size: number, path: string[], root: string, checkpoint: string }
  t.equal(spawnSync('sha256sum', { input: `\0${proof.entry}`, encoding: 'utf8' }).stdout.slice(0, 64), proof.leaf)
  t.equal(canonicalJson(JSON.parse(proof.entry) as AuditValue), proof.entry)
  t.match(JSON.parse(proof.entry), { seq: 123, format: 1, action: 'slot.overwritten' })
  t.equal(rootByInclusion(Buffer.from(proof.leaf, 'hex'), 122, proof.size, proof.path.map(hex => Buffer.from(hex, 'hex')))?.toString('hex'), proof.root)
  t.equal(proof.checkpoint.split('\n')[2], Buffer.from(proof.root, 'hex').toString('base64'))
  t.match(office.log.get(301), { action: 'audit.read', object: '123' }, 'reading is an act')
  await t.rejects(auditProof({ configFile, seq: '301', size: undefined, outFile: undefined, out }), { code: 'CUSTOS_AUDIT_USAGE', message: /no checkpoint covers/ })
  await t.rejects(auditProof({ configFile, seq: '999', size: undefined, outFile: undefined, out }), { code: 'CUSTOS_AUDIT_USAGE', message: /no entry 999/ })
  office.book.make('start')
  await t.rejects(auditProof({ configFile, seq: '301', size: '300', outFile: undefined, out }), { code: 'CUSTOS_AUDIT_USAGE', message: /over 300 entries does not cover entry 301/ })
  await t.rejects(auditProof({ configFile, seq: '1', size: '299', outFile: undefined, out }), { code: 'CUSTOS_AUDIT_USAGE', message: /no checkpoint over 299/ })
  const older = spoken()
  t.equal(await auditProof({ configFile, seq: '1', size: '300', outFile: undefined, out: older }), 0)
  t.match(JSON.parse(older.text()), { seq: 1, size: 300, checkpoint: readFileSync(office.outside, 'utf8') }, 'under the one that left the machine')
})

t.test('list: by time, action and application; nothing in it moves the cursor; who read is an entry', async t => {
  const office = site(t)
  office.log.append(event({ action: 'view.opened', application: '115-0042', actor: { kind: 'account', name: '王\x1b[2J小明', role: '承辦人', source: '10.0.0.7' }, result: 'refused' }))
  const { configFile } = office
  const listed = async (filter: Partial<Parameters<typeof auditList>[0]>) => {
    const out = spoken()
    t.equal(await auditList({ configFile, from: undefined, to: undefined, action: undefined, application: undefined, json: false, ...filter, out }), 0)
    return out.text().split('\n').slice(0, -1)
  }
  t.equal((await listed({})).length, 301)
  t.match(await listed({ application: '115-0042' }), [/^#301 {2}2026-11-22 16:04:59 {2}\[starting\] {2}王\?\[2J小明 \/ 承辦人 \/ 10\.0\.0\.7 {2}view\.opened {2}disk1\/17\/4 {2}115-0042 {2}拒絕 refused/])
  t.equal((await listed({ action: 'slot' })).length, 299)
  t.equal((await listed({ action: 'slo' })).length, 0)
  t.equal((await listed({ action: 'slot.overwritten', from: '2026-11-22T16:00:10+08:00', to: '2026-11-22T08:00:20Z' })).length, 10)
  t.match(await listed({ action: 'audit.read', json: true }), [/audit\.read/, /115-0042/, /"action":"slot"/, /"action":"slo"/, /16:00:10/])
  await t.rejects(listed({ from: 'yesterday' }), { code: 'CUSTOS_BAD_TIME' })
  t.match(verifyAuditLog(office.db), { fault: null })
})
