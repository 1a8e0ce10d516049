import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')
const PAGE = readFileSync(path.join(ROOT, 'docs/threat-model.md'), 'utf8')
/** `FILE` "TITLE", as the page cites tests. A title may be a beginning, where the rest is made up at run time. */
const CITED = [...PAGE.matchAll(/`(test\/[^`]+\.test\.ts)`(?:\s+"([^"]+)")?/g)].map(([, file, title]) => ({ file: file!, title }))
const OWN = 'test/docs/threat-model.test.ts'

function faultOf({ file, title }: { file: string, title: string | undefined }): string | null {
  if (!existsSync(path.join(ROOT, file))) return `${file} does not exist`
  if (title === undefined) return file === OWN ? null : `${file} is cited without a title`
  const text = readFileSync(path.join(ROOT, file), 'utf8').replaceAll("\\'", "'")
  return ["'", '`'].some(quote => text.includes(`.test(${quote}${title}`)) ? null : `${file} has no test "${title}"`
}

t.test('every test that the threat model cites exists', async t => {
  t.ok(CITED.length > 50, `${CITED.length} citations were found`)
  t.same(CITED.map(faultOf).filter(fault => fault !== null), [])
})

t.test('the check sees what it is meant to see', async t => {
  t.match(faultOf({ file: OWN, title: 'no such title' }), /has no test/)
  t.match(faultOf({ file: 'test/none.test.ts', title: 'x' }), /does not exist/)
  t.match(faultOf({ file: 'test/architecture.test.ts', title: undefined }), /without a title/)
  t.equal(faultOf({ file: OWN, title: 'every test that the threat model cites exists' }), null)
})

t.test('each foothold and each guarantee is spoken of', async t => {
  for (const foothold of ['hostile camera', 'camera network', 'clerk', 'IT person without root', 'Root', 'stolen disk', 'disk that fails', 'backup', 'lying time server', 'Power']) t.match(PAGE, new RegExp(`^## .*${foothold}`, 'm'))
  for (let guarantee = 1; guarantee <= 10; guarantee++) t.match(PAGE, new RegExp(`\\bG${guarantee}\\b`))
})
