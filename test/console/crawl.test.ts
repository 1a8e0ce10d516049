import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { hasRight, ROLE_NAMES, ROLES, type Role } from '../../src/access/index.ts'
import { keyOf, ROUTES, type Route } from '../../src/console/index.ts'
import { DAY_MS, type Member } from '../access/support/office.ts'
import { Console, type Caller, type Method, type Said } from './support/caller.ts'
import { SAMPLES, urlOf, type Sample } from './support/samples.ts'

const FILE = path.join(import.meta.dirname, '../../docs/operating/rights-over-http.md')
/** Refusals for who somebody is; any other answer means that they were let through, to whatever the act itself says. */
const WHO_REFUSALS = new Set(['CUSTOS_SESSION_ENDED', 'CUSTOS_RIGHT_MISSING', 'CUSTOS_CONSOLE_ROLE', 'CUSTOS_CONSOLE_FOREIGN', 'CUSTOS_FACTOR_NEEDED'])
const COLUMNS = ['nobody', 'no role', ...ROLES] as const
type Column = (typeof COLUMNS)[number]

const ask = (caller: Caller, { method, url }: Route, sample: Sample): Promise<Said<{ code?: string }>> =>
  caller.send(method as Method, urlOf(url, sample), sample.bytes?.[1] ?? sample.body, sample.bytes === undefined ? {} : { 'content-type': sample.bytes[0] })

t.test('every route asked by nobody, by somebody in no role, and in every role: as declared, and as the table says', { timeout: 120_000 }, async t => {
  t.same(ROUTES.map(keyOf).filter(key => SAMPLES[key] === undefined), [], 'a route without a sample is not crawled')
  t.same(Object.keys(SAMPLES).filter(key => !ROUTES.some(route => keyOf(route) === key)), [], 'a sample without a route')
  const console = await Console.open(t), { office } = console.front
  const members = new Map<Column, Member>()
  for (const role of ROLES) {
    office.directorActing = await console.front.as('boss', 'director')
    const visit = role === 'vendor' ? { endsAtMs: office.clock.wallNow() + 6 * DAY_MS, custodianId: 'lin' } : {}
    members.set(role, await office.person(`r-${role}`, [role], visit))
  }
  const callerFor = (column: Column): Promise<Caller> | Caller => column === 'nobody' ? console.stranger() : column === 'no role' ? console.as('lin', null) : console.signedIn(members.get(column)!, column)

  const rows = new Map<string, string>(), faults: string[] = []
  // Sessions and factors are torn down last.
  for (const route of ROUTES.toSorted((a, b) => Number(a.tag === 'session') - Number(b.tag === 'session'))) {
    for (const sample of SAMPLES[keyOf(route)] ?? []) {
      const cells: string[] = []
      for (const column of COLUMNS) {
        const said = await ask(await callerFor(column), route, sample)
        const isLetThrough = !WHO_REFUSALS.has(said.body?.code ?? '')
        if (said.status >= 500) faults.push(`${keyOf(route)} as ${column}: ${said.status} ${JSON.stringify(said.body)}`)
        if (said.status === 400) faults.push(`${keyOf(route)} as ${column}: the sample is malformed ${JSON.stringify(said.body)}`)
        const declared = isDeclared(route, column)
        if (isLetThrough && !declared) faults.push(`${keyOf(route)} lets ${column} through and does not declare it`)
        if (!isLetThrough && declared && sample.label === undefined) faults.push(`${keyOf(route)} declares ${column} and refuses it: ${JSON.stringify(said.body)}`)
        cells.push(isLetThrough ? '●' : said.status === 401 ? '×' : '·')
      }
      rows.set(`${keyOf(route)}${sample.label === undefined ? '' : ` ${sample.label}`}`, cells.join(' | '))
    }
  }
  t.same(faults, [])
  const inOrder = ROUTES.flatMap(route => (SAMPLES[keyOf(route)] ?? []).map(({ label }) => `${keyOf(route)}${label === undefined ? '' : ` ${label}`}`)).map(key => `| \`${key}\` | ${rows.get(key)} |`)
  const made = `# 各職務於介面上之權限 / Who may what over HTTP

由 \`test/console/crawl.test.ts\` 以每一職務實際呼叫每一路徑所得，請勿手改。● 可進入（結果仍由該動作之規則決定） · 職務不符（403） × 未登入（401）。
Made by \`test/console/crawl.test.ts\`, which asks every route in every role; not written by hand. ● let through (the act's own rules then decide) · refused for the role (403) × nobody is signed in (401).

| | nobody | 未選職務 no role | ${ROLES.map((role: Role) => `${ROLE_NAMES[role].zh} ${role}`).join(' | ')} |
|---|${COLUMNS.map(() => '---').join('|')}|
${inOrder.join('\n')}
`
  if (process.env['UPDATE'] === '1') writeFileSync(FILE, made)
  t.equal(readFileSync(FILE, 'utf8'), made, 'read what changed, then run it with UPDATE=1')
  for (const key of ['POST /api/applications/:number/commands decide', 'POST /api/account-requests/:request/decision']) t.notMatch(made.split('\n').find(line => line.includes(key))?.split(' | ')[COLUMNS.indexOf('system-admin') + 1], '●', 'R67: the administrator decides nothing')
})

function isDeclared({ who }: Route, column: Column): boolean {
  if (who === 'anyone') return true
  if (column === 'nobody') return false
  if (who === 'session') return true
  if (column === 'no role') return false
  return who === 'role' || who.some(act => hasRight(column, act))
}
