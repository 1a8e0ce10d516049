import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { realFileSystem } from '../../src/platform/file-system.ts'
import { publishFile } from '../../src/platform/publish-file.ts'

const DAY_S = 86_400
const publishText = (file: string, text: string) => realFileSystem.publishText(file, text, 'test')
const publishBytes = (file: string, text: string) => publishFile(file, Buffer.from(text))

for (const [name, publish] of [['publishText', publishText], ['publishFile', publishBytes]] as const) {
  t.test(`${name}: two at once leave the text of the last, whole, and nothing beside it`, async t => {
    const folder = t.testdir({}), [short, long] = [JSON.stringify({ holds: 1 }), JSON.stringify({ holds: 'x'.repeat(20_000) })]
    let rejected = 0, torn = 0
    for (let i = 0; i < 300; i++) {
      const file = path.join(folder, `holds-${i}.json`)
      const ends = await Promise.allSettled(i % 2 === 0 ? [publish(file, short), publish(file, long)] : [publish(file, long), publish(file, short)])
      rejected += ends.filter(({ status }) => status === 'rejected').length
      if (readFileSync(file, 'utf8') !== (i % 2 === 0 ? long : short)) torn++
    }
    t.strictSame({ rejected, torn }, { rejected: 0, torn: 0 })
    t.equal(readdirSync(folder).length, 300)
  })

  t.test(`${name}: of many the last wins, whatever path names the file`, async t => {
    const folder = t.testdir({ within: {} })
    const names = [path.join(folder, 'file'), `${folder}/within/../file`, `${folder}//file`]
    await Promise.all(Array.from({ length: 60 }, (_, i) => publish(names[i % 3]!, `${'y'.repeat((60 - i) * 100)}${i}`)))
    t.match(readFileSync(path.join(folder, 'file'), 'utf8'), /y59$/)
  })

  t.test(`${name}: one that fails leaves nothing, and the next one is published`, async t => {
    const folder = t.testdir({ taken: { inside: '' } }), taken = path.join(folder, 'taken')
    const [first, second] = await Promise.allSettled([publish(taken, 'a'), publish(taken, 'b')])
    t.strictSame([first.status, second.status], ['rejected', 'rejected'], 'a folder stands there')
    t.strictSame(readdirSync(folder), ['taken'])
    await t.rejects(publish(path.join(folder, 'nowhere', 'file'), 'a'))
    await publish(path.join(folder, 'free'), 'b')
    t.equal(readFileSync(path.join(folder, 'free'), 'utf8'), 'b')
  })

  t.test(`${name}: what a killed process left is swept, and nothing else`, async t => {
    const folder = t.testdir({}), file = path.join(folder, 'file'), gone = spawnSync('true').pid, old = Date.now() / 1000 - DAY_S
    const leave = (name: string, at = old) => { writeFileSync(path.join(folder, name), ''); utimesSync(path.join(folder, name), at, at) }
    const swept = [`file.${gone}.part`, `file.${gone}-0123456789abcdef.part`, `file.${process.pid}-0123456789abcdef.part`]
    const kept = [`file.${process.ppid}-0123456789abcdef.part`, `other.${gone}.part`, `file.${gone}.part.part`, `file.x.part`, 'file.part', `file.${gone}-0123456789abcdef`]
    for (const name of [...swept, ...kept]) leave(name)
    leave(`file.${gone}-fedcba9876543210.part`, Date.now() / 1000)
    mkdirSync(path.join(folder, `file.${gone + 1}.part`))
    await publish(file, 'x')
    t.strictSame(readdirSync(folder).sort(), ['file', ...kept, `file.${gone}-fedcba9876543210.part`, `file.${gone + 1}.part`].sort())
  })
}

t.test('the mode is the one asked for', async t => {
  const file = path.join(t.testdir({}), 'secret')
  await publishFile(file, Buffer.from('x'), 0o600)
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.ok(existsSync(file))
})
