import { readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { makeKeyFile, readKeyFile } from '../../src/platform/key-file.ts'

t.test('a key is made once, for its owner alone, also where a killed process of the same id left one half made', async t => {
  const folder = path.join(t.testdir({}), 'keys'), file = path.join(folder, 'key')
  t.equal(readKeyFile(file), null)
  const key = makeKeyFile(file)
  t.equal(statSync(file).mode & 0o777, 0o600)
  writeFileSync(`${file}.${process.pid}.new`, 'half')
  t.ok(makeKeyFile(file).equals(key), 'the one that is there')
  const other = path.join(folder, 'other')
  writeFileSync(`${other}.${process.pid}.new`, 'half')
  t.ok(readKeyFile(other) === null && makeKeyFile(other).equals(readKeyFile(other)!))
  t.strictSame(readdirSync(folder).sort(), ['key', 'other'])
})
