import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '../..')
const NUMBERS = Object.entries({ R: 82, E: 18, P: 14 }).flatMap(([kind, last]) => Array.from({ length: last }, (_, index) => `${kind}${index + 1}`))
const NOTHING = '-'

interface Row { readonly number: string, readonly asks: string, readonly state: string, readonly code: string, readonly test: string }

function rowsOf(page: string): readonly Row[] {
  return page.split('\n').filter(line => /^\| [A-Z]\d/.test(line)).map(line => {
    const cells = line.split('|').slice(1, -1).map(cell => cell.trim())
    const [number = '', asks = '', state = '', code = '', test = ''] = cells
    return { number, asks, state: cells.length === 5 ? state : `${cells.length} cells`, code, test }
  })
}

/** `built`, `part`, `not yet` or `not built`; null for anything else. `part` says what lacks and `not built` why, `not yet` may say more. */
const kindOf = (state: string): string | null => /^(?:(built)|(part): \S.*|(not yet)(?:: \S.*)?|(not built), because \S.*)$/.exec(state)?.slice(1).find(kind => kind !== undefined) ?? null

/** Whether the file is in the tree, as a file of the tree is written: no way out of it. */
const exists = (file: string): boolean => !file.includes('..') && existsSync(path.join(ROOT, file))

/** Strict on purpose: a cell is a list of citations and holds nothing that is not checked. */
function codeFaults(cell: string): readonly string[] {
  return cell.split('; ').flatMap(cited => {
    const file = /^`([^`\s]+)`$/.exec(cited)?.[1]
    if (file === undefined) return [`${cited} is no file`]
    return exists(file) ? [] : [`${file} does not exist`]
  })
}

const CITED_TEST = /`([^`\s]+)` "([^"]+)"/g
function testFaults(cell: string): readonly string[] {
  const rest = cell.replaceAll(CITED_TEST, '').replaceAll('; ', '')
  return [...rest === '' ? [] : [`${rest} is no citation`], ...[...cell.matchAll(CITED_TEST)].flatMap(([, file = '', title = '']) => {
    if (!/^test\/.*\.test\.ts$/.test(file) || !exists(file)) return [`${file} does not exist`]
    const text = readFileSync(path.join(ROOT, file), 'utf8').replaceAll("\\'", "'")
    return ["'", '`'].some(quote => text.includes(`test(${quote}${title}${quote}`)) ? [] : [`${file} has no test "${title}"`]
  })]
}

function faultsOf({ number, asks, state, code, test }: Row): readonly string[] {
  const kind = kindOf(state)
  if (kind === null) return [`${number}: no state: ${state}`]
  const isThere = kind === 'built' || kind === 'part'
  return [
    ...asks === '' ? ['does not say what it asks'] : [],
    ...code === NOTHING ? isThere ? ['cites no code'] : [] : codeFaults(code),
    ...test === NOTHING ? isThere ? ['cites no test'] : [] : testFaults(test),
  ].map(fault => `${number}: ${fault}`)
}

const ROWS = rowsOf(readFileSync(path.join(ROOT, 'docs/requirements.md'), 'utf8'))

t.test('every R, E and P has one row, in order', async t => {
  t.same(ROWS.map(row => row.number), NUMBERS)
})

t.test('every row has a state, and cites files and tests that exist', async t => {
  t.same(ROWS.flatMap(faultsOf), [])
  const counts = Object.entries(Object.groupBy(ROWS, row => kindOf(row.state) ?? 'no state')).map(([kind, rows]) => `${rows?.length} ${kind}`)
  t.comment(`${ROWS.length} requirements: ${counts.join(', ')}`)
})

t.test('the check sees what it is meant to see', async t => {
  const sound: Row = { number: 'R1', asks: 'x', state: 'built', code: '`src/main.ts`', test: '`test/docs/requirements.test.ts` "every R, E and P has one row, in order"' }
  t.same(faultsOf(sound), [])
  t.same(faultsOf({ ...sound, state: 'not yet', code: NOTHING, test: NOTHING }), [])
  t.same(faultsOf({ ...sound, state: 'not built, because nobody asked', code: NOTHING, test: NOTHING }), [])
  for (const state of ['', 'done', 'part', 'part: ', 'not built', 'not built, because ', 'builtin']) t.match(faultsOf({ ...sound, state }), [/no state/], `"${state}" is no state`)
  for (const state of ['built', 'part: the rest']) t.match(faultsOf({ ...sound, state, code: NOTHING, test: NOTHING }), [/no code/, /no test/])
  t.match(faultsOf({ ...sound, asks: '' }), [/what it asks/])
  t.match(faultsOf({ ...sound, code: '`src/none.ts`' }), [/does not exist/])
  t.match(faultsOf({ ...sound, code: '`src/main.ts`; and more' }), [/is no file/])
  t.match(faultsOf({ ...sound, test: '`test/none.test.ts` "x"' }), [/does not exist/])
  t.match(faultsOf({ ...sound, test: '`src/main.ts` "x"' }), [/does not exist/])
  t.match(faultsOf({ ...sound, test: sound.test.replace(', in order', '') }), [/has no test/], 'a title is cited whole')
  t.match(faultsOf({ ...sound, test: '`test/docs/requirements.test.ts`' }), [/is no citation/])
  t.match(rowsOf('| R1 | a | b | built | - | - |'), [{ state: '6 cells' }], 'a stroke inside a cell is noticed')
})
