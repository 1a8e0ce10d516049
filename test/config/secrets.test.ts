import { chmod, chown, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import pino from 'pino'
import t, { type Test } from 'tap'
import { formatProblems, loadConfig, type LoadOptions } from '../../src/config/index.ts'
import { secretsPlace } from '../../src/config/secrets.ts'
import { briefly, loaded, yamlOf } from './support.ts'

const YAML = yamlOf({ secrets: '{ file: secrets.yaml }', cameras: '[ { id: door, name: 大門, credential: door, onvif: { host: h } } ]' })
const GOOD = 'door: { username: viewer, password: hunter2 }\n'

t.test('a credential reads as usual and prints as nothing', async t => {
  const { config } = await loaded(t, YAML, { secrets0600: GOOD })
  const credential = config?.cameras[0]?.credential
  t.equal(credential?.username, 'viewer')
  t.equal(credential?.password, 'hunter2')
  let logged = ''
  pino({}, { write: line => { logged += line } }).info({ camera: config?.cameras[0], config }, 'x')
  for (const printed of [JSON.stringify(config), inspect(config, { depth: 9 }), logged]) {
    t.match(printed, '[redacted]')
    t.notMatch(printed, /hunter2|viewer/)
  }
})

t.test('stricter modes are taken, any other is refused with the command that mends it', async t => {
  for (const mode of [0o600, 0o400]) t.ok((await loaded(t, YAML, { secrets0600: GOOD, secretsMode: mode })).config, mode.toString(8))
  for (const mode of [0o640, 0o604, 0o620, 0o700, 0o610, 0o4600, 0o666]) {
    const { problems, folder } = await loaded(t, YAML, { secrets0600: GOOD, secretsMode: mode })
    t.match(problems, [{ code: 'secrets-mode', severity: 'error', file: join(folder, 'secrets.yaml'), line: null, example: `chmod 600 ${join(folder, 'secrets.yaml')}` }])
    t.match(problems[0]?.message.en, new RegExp(`mode ${mode.toString(8).padStart(4, '0')}`))
  }
})

t.test('the owner is root or the account that reads', async t => {
  const attempt = async (t: Test, owner: number, options: LoadOptions) => {
    const folder = t.testdir({ 'custos.yaml': YAML, 'secrets.yaml': GOOD })
    await chmod(join(folder, 'secrets.yaml'), 0o600)
    await chown(join(folder, 'secrets.yaml'), owner, owner)
    const result = await loadConfig(join(folder, 'custos.yaml'), options)
    return result.ok ? result.warnings : result.problems
  }
  t.same(await attempt(t, 0, { uid: 4321 }), [])
  t.same(await attempt(t, 4321, { uid: 4321 }), [])
  t.match(await attempt(t, 4321, { uid: 1234 }), [{ severity: 'error', code: 'secrets-owner', message: { en: /uid 4321/ }, example: /^chown custos / }])
  t.match(await attempt(t, 4321, { uid: 1234, secrets: 'try' }), [{ severity: 'error' }])
  t.match(await attempt(t, 4321, { uid: 0 }), [{ severity: 'error' }])
  t.match(await attempt(t, 4321, { uid: 0, secrets: 'try' }), [{ severity: 'warning' }], 'root cannot know the account of the service')
})

t.test('what is wrong in the file is told without any of it', async t => {
  const cases: [string, string[]][] = [
    ['', ['|-|secrets-entry']],
    ['hunter2', ['|1|secrets-entry']],
    ['- hunter2', ['|1|secrets-entry']],
    ['door: hunter2', ['door|1|secrets-entry']],
    ['door:\n  username: viewer', ['door.password|1|secrets-text']],
    ['door: { username: viewer, password: 271828 }', ['door.password|1|secrets-text']],
    ['door: { username: "", password: hunter2 }', ['door.username|1|secrets-chars']],
    ['door: { username: "view:er", password: hunter2 }', ['door.username|1|secrets-chars']],
    ['door: { username: viewer, password: "hunter2\\n" }', ['door.password|1|secrets-chars']],
    [`door: { username: viewer, password: "hunter2${'x'.repeat(256)}" }`, ['door.password|1|secrets-chars']],
    ['door: { username: viewer, password: hunter2, hunter2: }', ['door|1|secrets-key']],
    ['door: { username: viewer, password:hunter2 }', ['door.password|1|secrets-text', 'door|1|secrets-key']],
    [`${GOOD}viewer: hunter2`, ['[1]|2|secrets-entry']],
    [`${GOOD}door: {}\n`, ['door.password|2|secrets-text', 'door.username|2|secrets-text', '|2|duplicate-key']],
    ['door:\n  username: viewer\n  password: "hunter2', ['|4|yaml-unclosed']],
    ['door: { username: viewer, password: *hunter2 }', ['|-|yaml-alias']],
    ['door: { username: viewer, password: !hunter2 x }', ['|1|yaml-tag']],
    ['door: { username: viewer, password: @hunter2 }', ['|1|yaml-reserved']],
  ]
  for (const [text, expected] of cases) {
    const { config, problems, folder } = await loaded(t, YAML, { secrets0600: `${text}\n` })
    t.equal(config, null)
    t.same(briefly(problems).sort(), expected.toSorted(), text.slice(0, 60))
    t.ok(problems.every(problem => problem.file === join(folder, 'secrets.yaml')))
    t.notMatch(formatProblems(problems) + JSON.stringify(problems), /hunter2|271828|viewer/)
  }
})

t.test('an empty password is one, for there are cameras that have none', async t => {
  t.equal((await loaded(t, YAML, { secrets0600: 'door: { username: admin, password: "" }' })).config?.cameras[0]?.credential?.password, '')
})

t.test('a name that is not in the file is told with the nearest, unless that is a secret itself', async t => {
  const named = (name: string) => YAML.replace('credential: door', `credential: ${name}`)
  t.match((await loaded(t, named('dor'), { secrets0600: GOOD })).problems, [{ path: 'cameras[0].credential', line: 5, code: 'credential-unknown', message: { en: /"dor"; did you mean "door"/ } }])
  const leaky = await loaded(t, named('hunter3'), { secrets0600: 'hunter2: { username: viewer, password: hunter2 }' })
  t.match(leaky.problems, [{ code: 'credential-unknown' }])
  t.notMatch(JSON.stringify(leaky.problems), /hunter2/)
})

t.test('a file that is not there, or not a file, is told under its own name', async t => {
  const { problems, folder } = await loaded(t, YAML)
  t.match(problems, [{ file: join(folder, 'secrets.yaml'), path: '', code: 'file-missing' }])
  await mkdir(join(folder, 'secrets.yaml'))
  const result = await loadConfig(join(folder, 'custos.yaml'))
  t.match(!result.ok && result.problems, [{ code: 'file-is-folder' }])
})

t.test('a link is judged by what it leads to', async t => {
  const folder = t.testdir({ 'custos.yaml': YAML })
  await writeFile(join(folder, 'elsewhere'), GOOD, { mode: 0o644 })
  await symlink('elsewhere', join(folder, 'secrets.yaml'))
  const result = await loadConfig(join(folder, 'custos.yaml'))
  t.match(!result.ok && result.problems, [{ code: 'secrets-mode' }])
})

t.test('systemd credentials are read from their folder, group read included', async t => {
  const yaml = YAML.replace('file: secrets.yaml', 'file: "credential:cameras"')
  const folder = t.testdir({ 'custos.yaml': yaml, credentials: { cameras: GOOD } })
  await chmod(join(folder, 'credentials/cameras'), 0o440)
  const load = (options: LoadOptions) => loadConfig(join(folder, 'custos.yaml'), options)
  const given = await load({ credentialsDirectory: join(folder, 'credentials') })
  t.match(given, { ok: true, config: { secrets: { file: join(folder, 'credentials/cameras') } } })
  t.match(await load({ credentialsDirectory: undefined }), { ok: false, problems: [{ path: 'secrets.file', line: 4, severity: 'error', code: 'secrets-no-systemd' }] })
  const tried = await load({ credentialsDirectory: undefined, secrets: 'try' })
  t.match(tried, { ok: true, warnings: [{ severity: 'warning', code: 'secrets-no-systemd' }], config: { cameras: [{ credential: null }] } })
  await chmod(join(folder, 'credentials/cameras'), 0o444)
  t.match(await load({ credentialsDirectory: join(folder, 'credentials') }), { ok: false, problems: [{ code: 'secrets-mode' }] })
})

t.test('$CREDENTIALS_DIRECTORY is asked when nobody says otherwise', async t => {
  const folder = t.testdir({ 'custos.yaml': YAML.replace('file: secrets.yaml', 'file: "credential:cameras"'), cameras: GOOD })
  await chmod(join(folder, 'cameras'), 0o400)
  const before = process.env['CREDENTIALS_DIRECTORY']
  t.teardown(() => { if (before === undefined) delete process.env['CREDENTIALS_DIRECTORY']; else process.env['CREDENTIALS_DIRECTORY'] = before })
  process.env['CREDENTIALS_DIRECTORY'] = folder
  t.match(await loadConfig(join(folder, 'custos.yaml')), { ok: true })
})

t.test('a place is absolute, beside the configuration, or a plain credential name', t => {
  const place = (text: string) => secretsPlace(text, { configFile: '/etc/custos/custos.yaml', credentialsDirectory: '/run/c' })
  t.same(place('/a/../b'), { file: '/b', fromSystemd: false })
  t.same(place('s.yaml'), { file: '/etc/custos/s.yaml', fromSystemd: false })
  t.same(place('credential:a.b'), { file: '/run/c/a.b', fromSystemd: true })
  for (const bad of ['', '/', 'a\0b', 'credential:', 'credential:..', 'credential:.a', 'credential:a/b', 'credential:a b']) t.match(place(bad), { code: 'secrets-file' }, JSON.stringify(bad))
  t.end()
})

t.test('commands that open no camera read no secret', async t => {
  const { config, problems } = await loaded(t, YAML, { secrets: 'skip' })
  t.same(problems, [])
  t.equal(config?.cameras[0]?.credential, null)
  t.ok((await loaded(t, YAML.replace('secrets: { file: secrets.yaml }\n', ''), { secrets: 'skip' })).config, 'and miss none')
})
