import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkConfig } from '../../src/cli/check-config.ts'
import { formatProblems, type Problem } from '../../src/config/index.ts'
import { yamlOf } from './support.ts'

async function checked(t: Test, yaml: string, options: { json?: boolean } = {}) {
  const folder = t.testdir({ 'custos.yaml': yaml })
  const configFile = join(folder, 'custos.yaml')
  let printed = ''
  const code = await checkConfig({ configFile, out: text => { printed += text }, ...options })
  return { code, printed, configFile }
}

t.test('a sound configuration is said to be, in both languages', async t => {
  const { code, printed, configFile } = await checked(t, yamlOf())
  t.equal(code, 0)
  t.match(printed, `設定檔可用：${configFile}（鏡頭 1 支、儲存區 1 個）。\nThe configuration can be used: ${configFile} (cameras: 1, volumes: 1).\n`)
  t.match(printed, /無法判斷容量：lobby\/main 沒有寫位元率。.*bitrate: "4Mbit\/s"[^]*cannot be told for lobby\/main/)
  t.match(printed, /讀不到儲存區 disk1 的大小[^]*size of volume disk1 could not be read/)
})

/** A folder with an identity file as `volume init` writes it, and a configuration of one camera at this bitrate. */
async function sized(t: Test, { tib, bitrate, insist = '', json = false, id = 'disk1' }: { tib: number, bitrate: string, insist?: string, json?: boolean, id?: string }) {
  const slotCount = Math.floor(tib * 2 ** 40 / (64 * 2 ** 20))
  const folder = t.testdir({ disk: { 'custos-volume.json': JSON.stringify({ format: 1, id, uuid: '0123456789abcdef0123456789abcdef', slotSizeBytes: 64 * 2 ** 20, slotCount, createdAt: '2026-11-22T00:00:00.000Z' }) } })
  const configFile = join(folder, 'custos.yaml')
  await writeFile(configFile, yamlOf({
    volumes: `[ { id: disk1, path: ${folder}/disk } ]`, retention: `{ floor: 31d${insist} }`,
    cameras: `[ { id: lobby, name: 大廳, streams: { main: { url: "rtsp://10.0.0.11/s"${bitrate === '' ? '' : `, bitrate: ${bitrate}`} } } } ]`,
  }))
  let printed = ''
  const code = await checkConfig({ configFile, json, out: text => { printed += text } })
  return { code, printed }
}
const INSIST = ', insist: { by: 王主任, reason: 新磁碟已請購 }'

t.test('volumes that can keep the floor are said to, with what is needed and how old footage gets', async t => {
  const { code, printed } = await sized(t, { tib: 2, bitrate: '4Mbit/s' })
  t.equal(code, 0)
  t.match(printed, /容量：保存 32 天需要 1\.4\d TB；已讀到的儲存區共 2\.20 TB。\nCapacity: 32 days need 1\.4\d TB; the volumes that could be read have 2\.20 TB\./)
  t.match(printed, /推估：影像可保存 50\.\d 天。\nForecast: footage gets 50\.\d days old[^]*結果：足夠。[^]*can be used/)
})

t.test('volumes that cannot are an error that names the TB that lack', async t => {
  const { code, printed } = await sized(t, { tib: 1, bitrate: '4Mbit/s' })
  t.equal(code, 2)
  t.match(printed, /\[錯誤\] ERROR .*retention\.floor[^]*儲存區尚缺 30\d\.\d GB：保存 32 天需要 1\.4\d TB[^]*The volumes lack 30\d\.\d GB: 32 days need 1\.4\d TB[^]*insist: \{ by: /)
  t.notMatch(printed, 'can be used')
  const large = await sized(t, { tib: 1, bitrate: '40Mbit/s' })
  t.match(large.printed, /The volumes lack 15\.\d\d TB/)
})

t.test('who insists gets a warning instead, and is not named in it', async t => {
  const { code, printed } = await sized(t, { tib: 1, bitrate: '4Mbit/s', insist: INSIST })
  t.equal(code, 0)
  t.match(printed, /\[警告\] WARNING[^]*尚缺[^]*insists on it, which is on record[^]*can be used/)
  t.notMatch(printed, '新磁碟已請購，')
})

t.test('what cannot be told is no error: an undeclared bitrate, a volume of another name', async t => {
  t.match(await sized(t, { tib: 1, bitrate: '' }), { code: 0, printed: /no bitrate is declared/ })
  t.match(await sized(t, { tib: 1, bitrate: '4Mbit/s', id: 'disk9' }), { code: 0, printed: /need 1\.4\d TB; the volumes that could be read have 0\.0 MB[^]*volume disk1 could not be read/ })
})

t.test('programs get the fit as well', async t => {
  const { code, printed } = await sized(t, { tib: 1, bitrate: '4Mbit/s', json: true })
  t.equal(code, 2)
  t.match(JSON.parse(printed), { ok: false, errors: 1, problems: [{ code: 'does-not-fit', severity: 'error' }], fit: { verdict: 'does-not-fit', lackingBytes: Number, neededDays: 32, undeclared: [], unread: [] } })
})

t.test('warnings are printed and exit with 0', async t => {
  const { code, printed } = await checked(t, yamlOf({ retention: '{ floor: 90s }' }))
  t.equal(code, 0)
  t.match(printed, /\[警告\] WARNING.*retention\.floor[\s\S]*0 errors, 1 warning\.[\s\S]*can be used/)
})

t.test('every error is printed with file, line, path and example, and exits with 2', async t => {
  const { code, printed, configFile } = await checked(t, yamlOf({ retention: '{ floor: 31 }', cameras: '[ { id: a, name: A, streams: { main: { url: "rtsp://admin:hunter2@h/" } } } ]' }))
  t.equal(code, 2)
  t.equal(printed, [
    `[錯誤] ERROR  ${configFile}:4:21  retention.floor`,
    '  保存期限寫成「31d」（日曆天，最多 3660d）；試驗時可用 12h、45m、90s。',
    '  The floor is written "31d" (calendar days, at most 3660d); for trials 12h, 45m, 90s.',
    '  範例 example: 31d', '',
    `[錯誤] ERROR  ${configFile}:5:54  cameras[0].streams.main.url`,
    '  網址不可含帳號密碼；請寫在密碼檔，並以 credential 指定（路徑中的 @ 寫成 %40）。',
    '  The URL must not hold a user name or password; put them in the secrets file and name the entry with credential (write a @ of the path as %40).',
    '  範例 example: "rtsp://10.0.0.11/stream1"', '',
    '共 2 項錯誤、0 項警告。', '2 errors, 0 warnings.', '',
  ].join('\n'))
})

t.test('programs get one JSON object', async t => {
  const good = await checked(t, yamlOf({ retention: '{ floor: 1d }' }), { json: true })
  t.match(JSON.parse(good.printed), { schema: 1, file: good.configFile, ok: true, errors: 0, warnings: 1, problems: [{ code: 'floor-trial', severity: 'warning' }] })
  const bad = await checked(t, 'x: 1', { json: true })
  t.equal(bad.code, 2)
  const parsed = JSON.parse(bad.printed) as { ok: boolean, problems: Problem[] }
  t.equal(parsed.ok, false)
  t.match(parsed.problems[0], { file: bad.configFile, path: String, line: 1, column: 1, example: String, message: { zh: String, en: String } })
})

t.test('no problem is no text', t => {
  t.equal(formatProblems([]), '')
  t.end()
})

t.test('the example that is shipped can be used once its secrets are in place', async t => {
  const example = await readFile(new URL('../../config/custos.example.yaml', import.meta.url), 'utf8')
  t.match(example, 'file: /etc/custos/secrets.yaml')
  const folder = t.testdir({ 'custos.yaml': example.replace('/etc/custos/secrets.yaml', 'secrets.yaml') })
  // the commented secrets of the example itself
  const secrets = [...example.matchAll(/^#   (\w+: +\{ username: .*\})$/gm)].map(match => match[1]).join('\n')
  await writeFile(join(folder, 'secrets.yaml'), secrets)
  await chmod(join(folder, 'secrets.yaml'), 0o600)
  let printed = ''
  t.equal(await checkConfig({ configFile: join(folder, 'custos.yaml'), out: text => { printed += text } }), 0)
  t.match(printed, 'cameras: 2, volumes: 1')
  t.notMatch(printed, 'WARNING')
})
