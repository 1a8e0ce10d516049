import t from 'tap'
import { briefly, loaded, yamlOf } from './support.ts'

t.test('ways for checkpoints to leave the machine', async t => {
  const witnessOf = async (text: string) => (await loaded(t, `${yamlOf()}witness: ${text}\n`)).config?.witness
  t.equal((await loaded(t, yamlOf())).config?.witness, null)
  t.same(await witnessOf('{ syslog: true }'), { syslog: { tag: 'custos-audit', server: null }, command: null, print: false })
  t.same(await witnessOf('{ syslog: { tag: nvr, server: log.example.org } }'), { syslog: { tag: 'nvr', server: { host: 'log.example.org', port: 514 } }, command: null, print: false })
  t.same(await witnessOf('{ syslog: false, command: [/usr/bin/mailer, "-s", "查核點 checkpoint"], print: true }'), { syslog: null, command: ['/usr/bin/mailer', '-s', '查核點 checkpoint'], print: true })
})

t.test('what is no way out is told', async t => {
  for (const [text, expected] of [
    ['{ syslog: 5 }', 'witness.syslog|8|syslog'], ['{ syslog: { port: 99 } }', 'witness.syslog.port|8|witness-port'], ['{ syslog: { server: "a b" } }', 'witness.syslog.server|8|host'],
    ['{ syslog: { tag: "A B" } }', 'witness.syslog.tag|8|name'], ['{ command: mailer }', 'witness.command|8|witness-command'], ['{ command: [mailer] }', 'witness.command[0]|8|witness-command'],
    ['{ command: [] }', 'witness.command|8|witness-command'], ['{ command: [/bin/m, "a\\nb"] }', 'witness.command[1]|8|witness-command'], ['{ command: [/bin/m, 5] }', 'witness.command[1]|8|witness-command'],
    ['{ print: sometimes }', 'witness.print|8|true-or-false'], ['{ print: true, every: daily }', 'witness.every|8|unknown-key'],
  ] as const) {
    const { problems, config } = await loaded(t, `${yamlOf({ listen: '{}', retention: '{}', inbox: 'off' })}witness: ${text}\n`)
    t.same([config, briefly(problems)], [null, [expected]], text)
  }
})

t.test('a section without any way is a warning', async t => {
  for (const text of ['{}', '{ syslog: false }', '{ print: false }']) {
    const { config, problems } = await loaded(t, `${yamlOf()}witness: ${text}\n`)
    t.equal(config?.witness, null, text)
    t.match(briefly(problems), [/^witness\|\d+\|witness-none$/])
  }
})
