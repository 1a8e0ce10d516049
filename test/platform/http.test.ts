import { execFileSync } from 'node:child_process'
import path from 'node:path'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')
const loadedBy = (...modules: readonly string[]): string[] => {
  const script = `await Promise.all(${JSON.stringify(modules)}.map(name => import(name))); console.log(JSON.stringify(process.moduleLoadList))`
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', script], { cwd: ROOT, encoding: 'utf8' })) as string[]
}
const isFetch = (module: string) => module.includes('undici')

t.test('no part of the recorder loads the fetch library, which an ES import of node:http would', async t => {
  t.ok(loadedBy('node:http').some(isFetch), 'such an import does load it: else this test and src/platform/http.ts can go')
  const loaded = loadedBy('./src/daemon.ts', './src/office.ts', './src/cli/status.ts')
  t.ok(loaded.some(module => module.endsWith(' http')), 'http itself is there')
  t.strictSame(loaded.filter(isFetch), [])
})
