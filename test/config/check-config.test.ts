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
  t.equal(printed, `設定檔可用：${configFile}（鏡頭 1 支、儲存區 1 個）。\nThe configuration can be used: ${configFile} (cameras: 1, volumes: 1).\n`)
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
