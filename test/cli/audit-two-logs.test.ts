import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { noteText, signedTextOf } from '../../src/audit/index.ts'
import { auditAcceptOfficeLog } from '../../src/cli/audit-accept.ts'
import { auditList, auditProof } from '../../src/cli/audit-read.ts'
import { auditVerify } from '../../src/cli/audit-verify.ts'
import { OFFICE_FILE } from '../../src/platform/catalogue.ts'
import { dropGuards, fill } from '../audit/support/log.ts'
import { backupOf, headOfLog, openRecorder, partedOffice, restore, type OfficeRig, type RecorderRig } from '../audit/support/two-logs.ts'

interface Site { recorder: RecorderRig, office: OfficeRig, configFile: string, files: string, outside: string, before: string }

/** Both databases in one folder, open all the time; a checkpoint of before they parted and one that names both are outside. */
async function site(t: Test): Promise<Site> {
  const recorder = openRecorder(t), files = t.testdir({})
  const configFile = path.join(files, 'custos.yaml'), outside = path.join(files, 'outside.txt'), before = path.join(files, 'before.txt')
  writeFileSync(configFile, `site: { name: 戶政事務所 }\nstate: { dir: ${recorder.folder} }\nvolumes: [ { id: disk1, path: /srv/custos/disk1 } ]\ninbox: off\nwitness: { print: true }\ncameras: []\n`)
  fill(recorder, 99)
  writeFileSync(before, noteText(signedTextOf(recorder.book.make('day', '2026-11-22'))!))
  const office = partedOffice(t, recorder, path.join(recorder.folder, OFFICE_FILE))
  fill(office, 50)
  await office.checkpoints.signedNow()
  fill(recorder, 20)
  writeFileSync(outside, noteText(signedTextOf(recorder.book.make('day', '2026-11-23'))!))
  return { recorder, office, configFile, files, outside, before }
}

const spoken = () => { const said: string[] = []; return { write: (text: string) => said.push(text), text: () => said.join('') } }
async function verified({ configFile }: Site, checkpointFiles: string[] = []) {
  const out = spoken(), json = spoken()
  const code = await auditVerify({ configFile, checkpointFiles, json: false, out })
  await auditVerify({ configFile, checkpointFiles, json: true, out: json })
  return { code, text: out.text(), json: JSON.parse(json.text()) as Record<string, unknown> }
}

t.test('verify: both logs, each against what every checkpoint says of it', async t => {
  const pair = await site(t), own = path.join(pair.files, 'office.txt')
  writeFileSync(own, noteText(signedTextOf(pair.office.checkpoints.table.newest()!)!))
  const alone = await verified(pair)
  t.match(alone, { code: 0, text: /錄影端稽核紀錄完整：共 121 筆[\s\S]*office's audit log is unbroken: 151 entries[\s\S]*以 --checkpoint 提供/ })
  t.match(alone.json, { ok: true, entries: 121, fault: null, office: { ok: true, entries: 151, fault: null }, between: null, accepted: [] })
  const both = await verified(pair, [pair.outside, pair.before, own])
  t.match(both, { code: 0, json: { outsideSize: 121, office: { outsideSize: 151 } } })
  t.match(both.text, /Fits 2 checkpoints from outside, the largest over 121[\s\S]*Fits 3 checkpoints from outside, the largest over 151/)
})

t.test('verify: either log broken, or gone, is exit 1; today\'s fields are the recorder\'s', async t => {
  const pair = await site(t)
  dropGuards(pair.office.db)
  pair.office.db.exec("UPDATE audit_entry SET actor_name = '別人' WHERE seq = 142")
  t.match(await verified(pair), { code: 1, text: /錄影端稽核紀錄完整[\s\S]*辦公端稽核紀錄有問題：第 142 筆[\s\S]*請勿更動主機/, json: { ok: true, office: { ok: false, fault: { kind: 'content', seq: 142 } } } })
  rmSync(path.join(pair.recorder.folder, OFFICE_FILE))
  t.match(await verified(pair), { code: 1, text: /no office\.db stands beside it/, json: { ok: true, office: null, between: { kind: 'log-missing' } } })
})

t.test('list and proof: both logs by the wall clock, what they have in common once; who read stands in the office\'s', async t => {
  const pair = await site(t), { configFile, recorder, office } = pair
  const listed = async (more: { readonly log?: string, readonly json?: boolean, readonly action?: string } = {}) => {
    const out = spoken()
    t.equal(await auditList({ configFile, from: undefined, to: undefined, action: undefined, application: undefined, json: false, ...more, out }), 0)
    return out.text().split('\n').slice(0, -1)
  }
  const entries = { recorder: recorder.log.size(), office: office.log.size() }, common = office.checkpoints.table.parting()!.size
  const lines = await listed()
  t.equal(lines.filter(line => line.startsWith('錄影 recorder #')).length, entries.recorder)
  t.equal(lines.filter(line => line.startsWith('辦公 office #')).length, entries.office - common, 'what they have in common is shown once')
  t.equal(office.log.size(), entries.office + 1)
  t.equal(recorder.log.size(), entries.recorder, 'nothing is written beside the recorder')
  t.match(await listed({ log: 'office', action: 'audit.read' }), [/^#152 .*audit\.read/])
  t.equal((await listed({ json: true })).length, entries.recorder, 'a chain is of one log')
  t.equal((await listed({ json: true, log: 'office' })).length, entries.office + 3)
  await t.rejects(listed({ log: 'other' }), { code: 'CUSTOS_AUDIT_USAGE', remedy: /--log recorder or --log office/ })
  const out = spoken()
  t.equal(await auditProof({ configFile, seq: '142', size: undefined, log: 'office', outFile: undefined, out }), 0)
  t.match(JSON.parse(out.text()), { seq: 142, size: 151 })
})

t.test('an office\'s database from a backup: refused, told by verify, and accepted by a person', async t => {
  const pair = await site(t), { recorder, office, configFile } = pair
  const accept = async (reason: string, by = '王主任') => { const out = spoken(); return { code: await auditAcceptOfficeLog({ configFile, reason, by, out }), text: out.text() } }
  await t.rejects(accept('試試'), { code: 'CUSTOS_AUDIT_USAGE', message: /nothing is to be accepted/ })
  const backup = backupOf(office.db)
  fill(office, 10)
  await office.checkpoints.signedNow()
  restore(office.db, backup)
  fill(office, 2)
  await t.rejects(office.checkpoints.signedNow(), { code: 'CUSTOS_OFFICE_LOG_REFUSED' })
  t.match(await verified(pair), { code: 1, json: { ok: true, office: { fault: { kind: 'cut-off', seq: 154 } } } })
  for (const [reason, by, code] of [[' ', '王主任', 'CUSTOS_AUDIT_USAGE'], ['由備份還原\u0007', '王主任', 'CUSTOS_AUDIT_USAGE'], ['由備份還原', ' ', 'CUSTOS_NO_NAME']] as const) await t.rejects(accept(reason, by), { code })
  t.match(await accept('由備份還原'), { code: 0, text: /王主任 確認辦公端稽核紀錄/ })
  t.match(recorder.log.get(recorder.log.size()), { action: 'audit.office-log-accepted', actor: { name: '王主任' }, object: headOfLog(office).origin })
  await office.checkpoints.signedNow()
  t.match(await verified(pair, [pair.outside]), { code: 0, text: /由人確認[\s\S]*was accepted by a person/, json: { accepted: [{ size: 153 }] } })
})
