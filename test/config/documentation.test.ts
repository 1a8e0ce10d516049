import { readFile } from 'node:fs/promises'
import t from 'tap'
import { configNode, type SchemaNode } from '../../src/config/shape.ts'
import { texts } from '../../src/config/texts.ts'

interface Key { readonly path: string, readonly default: unknown }

/** Every key that takes a value, and those that take a word instead of a mapping. */
function keysOf(node: SchemaNode, path = ''): Key[] {
  const mapping = node.anyOf?.find(variant => variant.type === 'object')
  if (mapping) return [{ path, default: node.default }, ...keysOf(mapping, path)]
  if (node.items) return keysOf(node.items, `${path}[]`)
  if (node.patternProperties) return Object.values(node.patternProperties).flatMap(child => keysOf(child, `${path}.NAME`))
  if (node.properties) return Object.entries(node.properties).flatMap(([key, child]) => keysOf(child, path === '' ? key : `${path}.${key}`))
  return [{ path, default: node.default }]
}

const page = await readFile(new URL('../../docs/operating/configuration.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)].map(([, path = '', fallback = '']) => ({ path, fallback: fallback.trim() }))

t.test('every key of the schema is documented, and no other', t => {
  t.same(rows.map(row => row.path), keysOf(configNode).map(key => key.path))
  t.end()
})

t.test('the documented defaults are those of the schema', t => {
  for (const key of keysOf(configNode)) {
    if (key.default !== undefined) t.equal(rows.find(row => row.path === key.path)?.fallback, `\`${String(key.default)}\``, key.path)
  }
  t.end()
})

t.test('the example shows every key', async t => {
  const example = await readFile(new URL('../../config/custos.example.yaml', import.meta.url), 'utf8')
  for (const { path } of keysOf(configNode)) t.match(example, new RegExp(`\\b${path.split(/[.\[]/).at(-1)?.replace(']', '') || 'volumes'}:`), path)
})

t.test('every text is there in both languages, with Chinese punctuation in the Chinese', t => {
  const given = { key: 'k', near: 'n', known: ['a'], zh: '鏡頭', en: 'camera', min: 1, max: 2, other: { zh: '儲存區', en: 'a volume' }, name: 'n', field: 'password', errors: 1, warnings: 1, file: 'f', cameras: 1, volumes: 1 }
  for (const [name, entry] of Object.entries(texts)) {
    const text = typeof entry === 'function' ? (entry as (argument: unknown) => { zh: string, en: string })(given) : entry
    t.match(text.zh, /\p{Script=Han}/u, name)
    t.notMatch(text.en, /\p{Script=Han}/u, name)
    t.notMatch(text.zh.replace(/\{.*\}/, ''), /\p{Script=Han}[,;?!()]|[,;?!()]\p{Script=Han}/u, name)
  }
  t.end()
})
