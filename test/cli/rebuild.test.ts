import { spawnSync } from 'node:child_process'
import { chownSync, openSync, readdirSync, readFileSync, readSync, rmSync, writeFileSync, writeSync, closeSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { rebuild } from '../../src/cli/rebuild.ts'
import { scrub } from '../../src/cli/scrub.ts'
import { epochMs } from '../../src/domain/index.ts'
import { openCatalogue } from '../../src/platform/catalogue.ts'
import { Office, spoken } from './support/office.ts'

const MAIN = path.join(import.meta.dirname, '../../src/main.ts')
const AT = epochMs(Date.parse('2026-11-22T08:00:00.000Z'))

async function rebuilt(office: Office, json = false) {
  const out = spoken(), err = spoken()
  return { code: await rebuild({ configFile: office.configFile, json, out, err }), text: out.text(), progress: err.text() }
}
async function scrubbed(office: Office, options: Partial<Parameters<typeof scrub>[0]> = {}) {
  const out = spoken()
  return { code: await scrub({ configFile: office.configFile, volume: undefined, camera: undefined, from: undefined, to: undefined, json: false, ...options, out }), text: out.text() }
}
const rows = (office: Office, sql: string): unknown[] => { const db = new Database(path.join(office.stateDir, 'catalogue.db'), { readonly: true }); try { return db.prepare<[], unknown>(sql).all() } finally { db.close() } }
const loseCatalogue = (office: Office): void => { for (const file of readdirSync(office.stateDir)) if (file.startsWith('catalogue.db')) rmSync(path.join(office.stateDir, file)) }
const SEGMENTS = 'SELECT volume_uuid, slot, generation, camera_uuid, start_at, end_at, keep_until, merkle_root FROM segment ORDER BY 1, 2'

function flipOnDisk(file: string, at: number): void {
  const handle = openSync(file, 'r+')
  const byte = Buffer.alloc(1)
  readSync(handle, byte, 0, 1, at)
  byte[0]! ^= 4
  writeSync(handle, byte, 0, 1, at)
  closeSync(handle)
}

t.test('rebuild: the catalogue comes back from real files, and the report says what came and what cannot', async t => {
  const office = await Office.open(t.testdir({}), { volumes: ['disk1', 'disk2'] })
  await office.record('lobby', AT, 20)
  await office.record('gate', epochMs(AT + 60_000), 12)
  const before = rows(office, SEGMENTS)
  loseCatalogue(office)
  const { code, text, progress } = await rebuilt(office)
  t.equal(code, 0)
  t.match(text, /恢復：2 部鏡頭、2 個串流、5 段影像共 0\.0 小時（2026-11-22 16:00:00 至 2026-11-22 16:01:06）/)
  t.match(text, /came back: 2 cameras, 2 streams, 5 segments/)
  t.match(text, /只能由備份取得：申請、核准與登記簿、稽核紀錄/)
  t.match(progress, /disk1: 6\/6\ndisk2: 6\/6/)
  t.same(rows(office, SEGMENTS), before)
  await office.record('lobby', epochMs(AT + 120_000), 4)
  t.match(rows(office, 'SELECT count(DISTINCT camera_uuid) AS n FROM segment'), [{ n: 2 }], 'the names are the same cameras')
  const again = JSON.parse((await rebuilt(office, true)).text)
  t.match(again, { schema: 1, setAside: null, isFromNothing: false, contradictions: [], lost: [], counts: { added: 0, corrected: 0, ended: 0 } })
})

t.test('rebuild: a damaged catalogue is moved aside and kept', async t => {
  const office = await Office.open(t.testdir({}))
  await office.record('lobby', AT, 10)
  const before = rows(office, SEGMENTS)
  loseCatalogue(office)
  writeFileSync(path.join(office.stateDir, 'catalogue.db'), 'this is a letter to the office '.repeat(40))
  const { code, text } = await rebuilt(office)
  t.equal(code, 0)
  t.match(text, /原目錄已損壞，移存為 catalogue\.db\.damaged-/)
  t.same(rows(office, SEGMENTS), before)
  t.equal(readdirSync(office.stateDir).filter(file => file.includes('.damaged-')).length, 1)
  const handle = openSync(path.join(office.stateDir, 'catalogue.db'), 'r+')
  writeSync(handle, Buffer.alloc(8192, 0xff), 0, 8192, 4096 * 3) // it still opens, and pages of it are nonsense
  closeSync(handle)
  t.equal((await rebuilt(office)).code, 0)
  t.same(rows(office, SEGMENTS), before)
  t.equal(readdirSync(office.stateDir).filter(file => file.includes('.damaged-')).length, 2)
})

t.test('rebuild: refuses beside a recorder, as another user and without a configuration, and changes nothing', async t => {
  const office = await Office.open(t.testdir({}))
  await office.record('lobby', AT, 2)
  const recorder = openCatalogue(office.stateDir, AT)
  await t.rejects(rebuilt(office), { code: 'CUSTOS_ALREADY_RUNNING' })
  recorder[Symbol.dispose]()
  if (process.getuid?.() === 0) chownSync(office.stateDir, 65534, 65534)
  else writeFileSync(office.configFile, readFileSync(office.configFile, 'utf8').replace(office.stateDir, '/usr'))
  await t.rejects(rebuilt(office), { code: 'CUSTOS_WRONG_USER', remedy: /sudo -u '#\d+'/ })
  const err = spoken()
  t.equal(await rebuild({ configFile: path.join(office.folder, 'none.yaml'), json: false, out: err, err }), 2)
})

t.test('rebuild: a volume that is not there makes it exit 1, the rest is done', async t => {
  const office = await Office.open(t.testdir({}), { volumes: ['disk1', 'disk2'] })
  await office.record('lobby', AT, 10)
  loseCatalogue(office)
  rmSync(path.join(office.volumes[1]!.path, 'custos-volume.json'))
  const { code, text } = await rebuilt(office)
  t.equal(code, 1)
  t.match(text, /disk2: 未讀取.*NOT READ/)
})

t.test('scrub: exit 0 on sound footage, 1 with the minute of what rotted; filters choose', async t => {
  const office = await Office.open(t.testdir({}))
  await office.record('lobby', AT, 10)
  await office.record('gate', epochMs(AT + 60_000), 4)
  t.match(await scrubbed(office), { code: 0, text: /已查驗 3 段.*發現 0 處[\s\S]*3 segments .* 0 findings/ })
  flipOnDisk(office.slotFile(0), 250_000)
  t.match(await scrubbed(office), { code: 1, text: /lobby\/main  2026-11-22 16:00:01 - 2026-11-22 16:00:01  disk1\/0\/1  影像內容已改變/ })
  t.match(rows(office, "SELECT action, result FROM audit_entry WHERE action = 'segment.rotted'"), { length: 1 })
  t.match(JSON.parse((await scrubbed(office, { json: true, camera: 'lobby' })).text.split('\n')[0]!), { camera: 'lobby', stream: 'main', kind: 'record', from: '2026-11-22T08:00:01.000Z', to: '2026-11-22T08:00:01.500Z' })
  t.match(await scrubbed(office, { camera: 'gate' }), { code: 0 })
  t.match(await scrubbed(office, { from: '2026-11-22T16:01:00+08:00' }), { code: 0, text: /已查驗 1 段/ })
  await t.rejects(scrubbed(office, { volume: 'disk9' }), { code: 'CUSTOS_BAD_NAME' })
  await t.rejects(scrubbed(office, { camera: '../etc' }), { code: 'CUSTOS_BAD_NAME' })
  await t.rejects(scrubbed(office, { from: '2026-11-22T16:01:00+08:00', to: '2026-11-22T16:00:00+08:00' }), { code: 'CUSTOS_BAD_TIME' })
})

t.test('both are commands of the program', async t => {
  const office = await Office.open(t.testdir({}))
  await office.record('lobby', AT, 2)
  loseCatalogue(office)
  const run = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args, '--config', office.configFile], { encoding: 'utf8', timeout: 30_000 })
  t.match(run('scrub'), { status: 1, stderr: /CUSTOS_CATALOGUE_UNUSABLE/ })
  t.match(run('rebuild', '--json'), { status: 0, stdout: /"schema":1/ })
  t.match(run('scrub', '--json'), { status: 0, stdout: /"findings":0/ })
})
