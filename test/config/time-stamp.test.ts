import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { briefly, loaded, yamlOf } from './support.ts'

const folder = t.testdir({})
const file = (name: string): string => path.join(folder, name)
for (const name of ['one', 'two']) execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)], { stdio: 'ignore' })
const [one, two, key] = ['one.pem', 'two.pem', 'one.key'].map(name => readFileSync(file(name), 'utf8')) as [string, string, string]
writeFileSync(file('chain.pem'), `Subject: CN = one\n${one}\nthe intermediate\n${two}`)
writeFileSync(file('with-key.pem'), one + key)
writeFileSync(file('cut.pem'), one.replace(/.{40}\n-----END/, '\n-----END'))
writeFileSync(file('text.pem'), 'no certificate')

t.test('a program for time stamps and the certificates of the authority, read with the configuration', async t => {
  const of = async (text: string) => (await loaded(t, `${yamlOf()}package: ${text}\n`)).config?.package
  t.same((await loaded(t, yamlOf())).config?.package, { timestamp: null })
  t.same(await of('{}'), { timestamp: null })
  t.same(await of('{ timestamp: { command: [/usr/local/bin/stamp, "http://tsa.example.org/tsr"] } }'), { timestamp: { command: ['/usr/local/bin/stamp', 'http://tsa.example.org/tsr'], ca: null } })
  t.same(await of(`{ timestamp: { command: [/bin/stamp], ca: ${file('one.pem')} } }`), { timestamp: { command: ['/bin/stamp'], ca: { file: file('one.pem'), pem: one } } })
  t.same(await of(`{ timestamp: { command: [/bin/stamp], ca: ${file('chain.pem')} } }`), { timestamp: { command: ['/bin/stamp'], ca: { file: file('chain.pem'), pem: one + two } } }, 'remarks do not go into a package')
  t.same((await loaded(t, `${yamlOf()}package: { timestamp: { command: [/bin/stamp], ca: /nowhere/ca.pem } }\n`, { secrets: 'skip' })).config?.package, { timestamp: { command: ['/bin/stamp'], ca: { file: '/nowhere/ca.pem', pem: null } } }, 'not looked at by commands that make no package')
})

t.test('what cannot be is told with its path and line', async t => {
  for (const [text, expected] of [
    ['{ timestamp: { command: [] } }', 'package.timestamp.command|8|timestamp-command'], ['{ timestamp: { command: [stamp] } }', 'package.timestamp.command[0]|8|timestamp-command'], ['{ timestamp: { command: /bin/stamp } }', 'package.timestamp.command|8|timestamp-command'],
    ['{ timestamp: { command: [/bin/stamp, "http://user:word@tsa.example.org"] } }', 'package.timestamp.command[1]|8|timestamp-account'], ['{ timestamp: { command: [/bin/stamp, "a\\nb"] } }', 'package.timestamp.command[1]|8|timestamp-command'],
    ['{ timestamp: {} }', 'package.timestamp.command|8|missing'], ['{ timestamp: { command: [/bin/stamp], ca: ca.pem } }', 'package.timestamp.ca|8|absolute-path'], ['{ timestamp: { command: [/bin/stamp], url: x } }', 'package.timestamp.url|8|unknown-key'], ['{ stamp: {} }', 'package.stamp|8|unknown-key'],
  ] as const) {
    const { problems, config } = await loaded(t, `${yamlOf({ listen: '{}', retention: '{}', inbox: 'off' })}package: ${text}\n`)
    t.same([config, briefly(problems)], [null, [expected]], text)
    t.notMatch(JSON.stringify(problems), /user:word/, 'no value of a setting is shown')
  }
})

t.test('certificates that cannot be used are a warning, for the recorder records all the same; a private key never goes into a package', async t => {
  for (const [name, code] of [['missing.pem', 'file-missing'], ['with-key.pem', 'timestamp-ca-key'], ['cut.pem', 'timestamp-ca'], ['text.pem', 'timestamp-ca']] as const) {
    const { config, problems } = await loaded(t, `${yamlOf()}package: { timestamp: { command: [/bin/stamp], ca: ${file(name)} } }\n`)
    t.same([config?.package.timestamp?.ca, briefly(problems), problems[0]?.severity], [{ file: file(name), pem: null }, [`package.timestamp.ca|5|${code}`], 'warning'], name)
  }
})
