import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/index.ts'
import { shellWord } from '../../src/config/text-file.ts'
import { loaded, yamlOf } from './support.ts'

t.test('a file that cannot be read says why', async t => {
  const folder = t.testdir({ folder: {} })
  await symlink('loop', join(folder, 'loop'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  for (const [name, code] of [['none', 'file-missing'], ['folder', 'file-is-folder'], ['folder/x', 'file-missing'], ['loop', 'file-unreadable'], ['pipe', 'file-not-regular'], ['nul\0', 'file-unreadable']] as const) {
    const result = await loadConfig(join(folder, name))
    t.match(!result.ok && result.problems, [{ code, severity: 'error', path: '', line: null, column: null, file: join(folder, name) }], name)
  }
  t.match(await loadConfig('/dev/zero'), { problems: [{ code: 'file-not-regular' }] })
})

t.test('a file that may not be read says so', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'custos-config-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await chmod(folder, 0o755)
  await writeFile(join(folder, 'a.yaml'), yamlOf(), { mode: 0 })
  process.seteuid!(65534) // root may read everything
  try { t.match(await loadConfig(join(folder, 'a.yaml')), { problems: [{ code: 'file-forbidden' }] }) } finally { process.seteuid!(0) }
})

t.test('bytes that are no text are refused', async t => {
  const cases: [Buffer, string][] = [
    [Buffer.from(`\uFEFF${yamlOf()}`, 'utf16le'), 'file-utf16'],
    [Buffer.from([0xa4, 0x6a, 0xc6, 0x55]), 'file-not-utf8'],
    [Buffer.from('site: \0'), 'file-binary'],
    [Buffer.alloc(1024 * 1024 + 1, '#'), 'file-too-large'],
  ]
  for (const [bytes, code] of cases) t.match((await loaded(t, bytes)).problems, [{ code }])
  t.match((await loaded(t, Buffer.alloc(1024 * 1024, '#'))).problems, [{ code: 'file-empty' }], 'the bound itself is allowed')
})

t.test('what Windows adds is read, with a warning, and lines still count right', async t => {
  const { config, problems } = await loaded(t, `\uFEFF${yamlOf({ retention: '{ floor: 90s }' }).replaceAll('\n', '\r\n')}`)
  t.ok(config)
  t.match(problems.map(({ code, severity, line }) => ({ code, severity, line })), [
    { code: 'file-byte-order-mark', severity: 'warning', line: 1 }, { code: 'file-crlf', severity: 'warning', line: 1 }, { code: 'floor-trial', severity: 'warning', line: 4 },
  ])
})

t.test('a path is given to a shell as one word', t => {
  t.equal(shellWord('/etc/custos/a.yaml'), '/etc/custos/a.yaml')
  t.equal(shellWord(`/a b/it's`), `'/a b/it'\\''s'`)
  t.end()
})
