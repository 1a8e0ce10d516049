import {
  chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import pino from 'pino'
import t, { type Test } from 'tap'
import { keepConfig, loadConfig, loadStartConfig, type StartOptions } from '../../src/config/index.ts'
import { epochMs } from '../../src/domain/index.ts'

const AT = epochMs(Date.parse('2026-11-22T08:00:00.000Z'))
const SECRETS = 'lobby: { username: viewer, password: "hunter2" }\nunused: { username: other, password: "swordfish" }\n'
const yamlOf = (
  folder: string, { stateDir = join(folder, 'state'), secrets = 'secrets.yaml', name = '大廳' } = {},
): string => `
site: { name: 測試機關 }
state: { dir: ${stateDir} }
volumes: [ { id: disk1, path: /srv/custos/disk1 } ]
secrets: { file: "${secrets}" }
cameras: [ { id: lobby, name: ${name}, credential: lobby, streams: { main: { url: "rtsp://10.0.0.11/s" } } } ]
`

/** A configuration with its secrets and state folder, and a service folder of its own. */
function office(t: Test, options: Parameters<typeof yamlOf>[1] = {}) {
  const folder = t.testdir({ state: {}, service: {}, credentials: {} })
  const file = join(folder, 'custos.yaml'), secretsFile = join(folder, 'secrets.yaml')
  const record = join(folder, 'state/last-good-config.json')
  const env = { STATE_DIRECTORY: join(folder, 'service') }
  const write = (yaml = yamlOf(folder, options)) => { writeFileSync(file, yaml) }
  write()
  writeFileSync(secretsFile, SECRETS, { mode: 0o600 })
  return {
    folder, file, secretsFile, record, env, write,
    async keep(now = AT, more: StartOptions = {}) {
      const result = await loadConfig(file, more)
      if (!result.ok) throw new Error(JSON.stringify(result.problems))
      await keepConfig({ config: result.config, source: result.source, now, env })
      return result
    },
    start: (more: StartOptions = {}) => loadStartConfig(file, { env, ...more }),
  }
}

t.test('a start with a file that is gone, spoilt or refused goes on with the last good one', async t => {
  for (const [name, code, spoil] of [
    ['missing', 'file-missing', ({ file }) => { rmSync(file) }],
    ['a folder', 'file-is-folder', ({ file }) => { rmSync(file); mkdirSync(file) }],
    ['empty', 'file-empty', ({ write }) => { write('') }],
    ['no YAML', 'yaml-tab', ({ write, folder }) => { write(`${yamlOf(folder)}\tx: y\n`) }],
    ['an unknown key', 'unknown-key', ({ write, folder }) => { write(`${yamlOf(folder)}colour: red\n`) }],
    ['secrets open to others', 'secrets-mode', ({ secretsFile }) => { chmodSync(secretsFile, 0o644) }],
    ['secrets gone', 'file-missing', ({ secretsFile }) => { rmSync(secretsFile) }],
    ['secrets spoilt', 'secrets-entry',
      ({ secretsFile }) => { writeFileSync(secretsFile, 'lobby: hunter2\n') }],
    ['an account gone', 'credential-unknown',
      ({ secretsFile }) => { writeFileSync(secretsFile, 'door: { username: a, password: b }\n') }],
  ] as const satisfies readonly (readonly [string, string, (at: ReturnType<typeof office>) => void])[]) {
    await t.test(name, async t => {
      // State where the service has its own: what an installed recorder has.
      const folder = t.testdirName
      const at = office(t, { stateDir: join(folder, 'service') })
      const good = await at.keep()
      spoil(at)
      const start = await at.start()
      t.match(start, { rejected: { takenOverAt: AT } })
      if (start.config === null) return
      t.ok(start.rejected?.problems.some(problem => problem.code === code),
        JSON.stringify(start.rejected?.problems))
      t.same(start.config, good.config)
      t.same(start.config.cameras[0]?.credential?.password, 'hunter2')
      t.ok(start.files.includes(at.file))
      t.equal(start.source.sha256, good.source.sha256)
    })
  }
})

t.test('one that has never been in force is refused', async t => {
  const at = office(t)
  rmSync(at.file)
  t.match(await at.start(), { config: null, problems: [{ code: 'file-missing' }], files: [at.file] })
  at.write()
  await at.keep()
  const other = join(at.folder, 'other.yaml')
  writeFileSync(other, 'nothing: good\n')
  t.match(await loadStartConfig(other, { env: at.env }), { config: null }, 'nor with what another file said')
})

t.test('it is kept with the accounts that cameras name alone, for nobody else to read, and written once',
  async t => {
  const at = office(t)
  const { source, config } = await at.keep()
  const text = readFileSync(at.record, 'utf8')
  t.equal(statSync(at.record).mode & 0o777, 0o600)
  t.match(text, /hunter2/)
  t.notMatch(text, /swordfish/)
  t.same(readdirSync(join(at.folder, 'state')), ['last-good-config.json'], 'nothing else is left')
  const { ino, mtimeMs } = statSync(at.record)
  await at.keep(epochMs(AT + 60_000))
  t.match(statSync(at.record), { ino, mtimeMs })
  writeFileSync(at.secretsFile, SECRETS.replace('hunter2', 'hunter3'))
  await at.keep(epochMs(AT + 60_000))
  t.match(readFileSync(at.record, 'utf8'), /2026-11-22T08:01:00.000Z.*hunter3/)

  const logged: string[] = []
  pino({}, { write: line => { logged.push(line) } }).info({ source, config }, 'taken over')
  const inspected = inspect(source, { depth: 9, showHidden: true })
  for (const shown of [JSON.stringify(source), inspected, logged.join('')]) t.notMatch(shown, /hunter/)
})

t.test('what systemd hands over is not copied: it is read anew, and without it the other cameras are recorded', async t => {
  const at = office(t, { secrets: 'credential:cameras' })
  const credentials = join(at.folder, 'credentials'), handed = join(credentials, 'cameras')
  const options = { credentialsDirectory: credentials }
  writeFileSync(handed, SECRETS, { mode: 0o400 })
  await at.keep(AT, options)
  t.notMatch(readFileSync(at.record, 'utf8'), /hunter2/)
  at.write(`state: { dir: ${join(at.folder, 'state')} }\nnothing: good\n`)
  const start = await at.start(options)
  t.equal(start.config?.cameras[0]?.credential?.password, 'hunter2')
  writeFileSync(handed, 'not: [ an, account\n', { mode: 0o400 })
  t.match(await at.start(options), { config: { cameras: [{ id: 'lobby', credential: null }] } })
})

t.test('a state folder of its own is found by what the spoilt file still says, or by the word left with the service', async t => {
  const at = office(t)
  await at.keep()
  const [pointer] = readdirSync(join(at.folder, 'service'))
  t.match(pointer, /^state-dir-[0-9a-f]{16}\.json$/)
  rmSync(at.file)
  t.match(await at.start(), { rejected: { takenOverAt: AT } }, 'by the word')
  rmSync(join(at.folder, 'service', pointer!))
  t.match(await at.start(), { config: null })
  at.write(`state: { dir: ${join(at.folder, 'state')} }\n`)
  t.match(await at.start(), { rejected: { takenOverAt: AT } }, 'by the file')
  t.match(await at.start({ env: { STATE_DIRECTORY: join(at.folder, 'nowhere') } }),
    { rejected: { takenOverAt: AT } })
})

t.test('of two that were kept the newer one counts', async t => {
  const at = office(t)
  await at.keep()
  at.write(yamlOf(at.folder, { stateDir: join(at.folder, 'service'), name: '大門' }))
  await at.keep(epochMs(AT + 1000))
  at.write(`state: { dir: ${join(at.folder, 'state')} }\n`)
  t.match(await at.start(), { rejected: { takenOverAt: AT + 1000 }, config: { cameras: [{ name: '大門' }] } })
})

t.test('a copy that others could read or that is spoilt is not used', async t => {
  const at = office(t)
  await at.keep()
  at.write(`state: { dir: ${join(at.folder, 'state')} }\n`)
  const text = readFileSync(at.record, 'utf8')
  t.match(await at.start(), { rejected: {} })
  chmodSync(at.record, 0o640)
  t.match(await at.start(), { config: null }, 'readable by the group')
  chmodSync(at.record, 0o600)
  for (const spoilt of [text.slice(0, -9), '{}', '[]', 'null', text.replace('"format":1', '"format":2'),
    text.replace('測試機關', '測試\\u0000'), text.replace('2026', 'x')]) {
    writeFileSync(at.record, spoilt)
    t.match(await at.start(), { config: null }, spoilt.slice(0, 40))
  }
  writeFileSync(join(at.folder, 'elsewhere'), text, { mode: 0o600 })
  rmSync(at.record)
  symlinkSync('../elsewhere', at.record)
  t.match(await at.start(), { config: null }, 'a link')
})

t.test('a state folder that takes no writes is told, and the copy before stays', async t => {
  const at = office(t)
  await at.keep()
  const before = readFileSync(at.record, 'utf8')
  at.write(yamlOf(at.folder, { name: '大門' }))
  rmSync(at.record)
  mkdirSync(at.record)
  await t.rejects(at.keep(), { code: /^E/ })
  rmSync(at.record, { recursive: true })
  writeFileSync(at.record, before, { mode: 0o600 })
  t.equal(readFileSync(at.record, 'utf8'), before)
})
