import t from 'tap'
import { parseYaml } from '../../src/config/yaml-source.ts'

const YAML = `site:
  name: x
list:
  - a
  - b: 1
    c: &anchor { d: 2 }
also: *anchor
none:
`

t.test('steps lead to a line and column, through lists and aliases', t => {
  const { value, locate } = parseYaml(YAML)
  t.same(value, { site: { name: 'x' }, list: ['a', { b: 1, c: { d: 2 } }], also: { d: 2 }, none: null })
  const cases: [(string | number)[], number, number][] = [
    [[], 1, 1], [['site', 'name'], 2, 9], [['list', 1], 5, 5], [['list', 1, 'c', 'd'], 6, 21], [['also', 'd'], 6, 21], [['none'], 8, 6],
    [['site', 'timezone'], 1, 1], [['list', 1, 'x'], 5, 5], [['list', 7], 3, 1], [['absent'], 1, 1],
  ]
  for (const [steps, line, column] of cases) t.same(locate({ steps }), { line, column }, steps.join('.'))
  t.same(locate({ steps: ['site', 'name'], at: 'key' }), { line: 2, column: 3 })
  t.end()
})

t.test('hostile text ends soon and is refused', async t => {
  const cases: Record<string, string> = {
    'brackets without end': '['.repeat(500_000),
    'braces without end': '{'.repeat(20_000),
    'lists in lists': '- '.repeat(100_000),
    'keys of keys': '? '.repeat(20_000),
    'values of values': ': '.repeat(50_000),
    'colons in one line': 'a: '.repeat(50_000),
    'keys of keys in a bracket': `[${'? '.repeat(20_000)}`,
    'maps in maps': Array.from({ length: 1_000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    'anchors upon anchors': '&a '.repeat(100_000),
    'a bomb of aliases': `${'abcdefgh'.split('').map((name, i, all) => `${name}: &${name} [${Array(9).fill(i === 0 ? 'x' : `*${all[i - 1] ?? ''}`).join()}]`).join('\n')}\n`,
    'very many aliases': `a: &a 1\nb: [${'*a,'.repeat(200_000)}]`,
  }
  for (const [what, text] of Object.entries(cases)) {
    const { value, faults } = parseYaml(text)
    t.equal(value, undefined, what)
    t.same(faults.map(fault => fault.text.code), [what.includes('alias') && !what.startsWith('very') ? 'yaml-alias' : 'yaml-too-deep'])
  }
})

t.test('very many keys are compared in linear time', t => {
  const keys = Array.from({ length: 25_000 }, (_, i) => `k${i}: 1`).join('\n')
  t.same(parseYaml(keys).faults, [])
  t.equal(parseYaml(`${keys}\nk7: 2`).faults.length, 1)
  t.end()
})

t.test('a value that holds itself is no trouble', t => {
  const { value, faults } = parseYaml('site: &s { name: *s }')
  t.same(faults, [])
  const site = (value as { site: { name: unknown } }).site
  t.equal(site.name, site)
  t.end()
})

t.test('a full configuration is far inside the bounds', t => {
  const camera = (i: number) => `  - id: camera-${i}
    name: 走廊 ${i}
    onvif:
      host: 10.0.0.1
    streams:
${Array.from({ length: 8 }, (_, j) => `      s${j}:\n        url: "rtsp://10.0.0.1/${j}" # comment`).join('\n')}`
  t.same(parseYaml(`cameras:\n${Array.from({ length: 256 }, (_, i) => camera(i)).join('\n')}\n`).faults, [])
  t.end()
})
