import fc from 'fast-check'
import t from 'tap'
import type { Role } from '../../src/access/index.ts'
import { keyOf, ROUTES } from '../../src/console/index.ts'
import { MINUTE_MS } from '../access/support/office.ts'
import { CLERK, CUSTODIAN, DIRECTOR, party, police } from '../requests/support/front-desk.ts'
import { Console, type Caller, type Method } from './support/caller.ts'
import { Counter, good } from './support/procedure.ts'
import { SAMPLES, urlOf, type Sample } from './support/samples.ts'

/** What ends the session the others need. */
const LEFT_OUT = new Set(['DELETE /api/session', 'POST /api/session/factor'])

/** A sample with some of its values replaced, dropped or added: near enough to pass a check that is too weak. */
function mutated(value: unknown): fc.Arbitrary<unknown> {
  const odd = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom<unknown>(null, '', -1, 0, 1.5, 1e308, Number.MAX_SAFE_INTEGER, '\u0000', '\ud800', '𡍼', 'x'.repeat(5000), [], {}, true, '../../etc/passwd', "' OR 1=1 --", '__proto__'), fc.string({ unit: 'binary', maxLength: 40 }))
  if (Array.isArray(value)) return fc.oneof({ weight: 3, arbitrary: fc.tuple(...value.map(each => mutated(each))) as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: fc.array(odd, { maxLength: 4 }) })
  if (typeof value !== 'object' || value === null) return fc.oneof({ weight: 5, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: odd })
  const entries = Object.entries(value)
  return fc.tuple(fc.tuple(...entries.map(([key, each]) => fc.tuple(fc.constant(key), mutated(each), fc.integer({ min: 0, max: 12 })))), fc.option(fc.tuple(fc.string({ maxLength: 8 }), odd), { freq: 8 }))
    .map(([pairs, extra]) => Object.fromEntries([...pairs.filter(([, , drop]) => drop > 0).map(([key, each]) => [key, each] as const), ...(extra === null ? [] : [extra])]))
}

const ROUTE = new Map(ROUTES.map(route => [keyOf(route), route]))
const caseOf = (key: string): fc.Arbitrary<{ readonly key: string, readonly sample: Sample, readonly body: unknown }> =>
  fc.constantFrom(...SAMPLES[key]!).chain(sample => fc.record({
    key: fc.constant(key), body: fc.oneof({ weight: 6, arbitrary: mutated(sample.body) }, { weight: 1, arbitrary: fc.jsonValue() }),
    sample: fc.record({ path: fc.record(Object.fromEntries(Object.entries(sample.path ?? {}).map(([name, each]) => [name, fc.oneof({ weight: 4, arbitrary: name === 'number' ? fc.constantFrom('115-調-0001', '115-調-0002', each) : fc.constant(each) }, { weight: 1, arbitrary: fc.oneof(fc.string({ maxLength: 30 }).filter(text => text !== ''), fc.integer()) })]))), query: fc.oneof(fc.constant(sample.query ?? ''), fc.webQueryParameters()) }) as fc.Arbitrary<Sample>,
  }))

t.test('whatever is sent to whatever route, by whom it is let through: never a fault, and every refusal has its form', async t => {
  const console = await Console.open(t)
  // Cases that exist, so that commands reach one.
  for (const content of [police(), party()]) good(await new Counter(console).receive(CLERK, content), 201)
  const callers = new Map<string, Caller>()
  const runs = Number(process.env['FC_RUNS'] ?? 900)
  const keys = [...ROUTE.keys()].filter(key => !LEFT_OUT.has(key))
  let refused = 0, done = 0
  await fc.assert(fc.asyncProperty(fc.constantFrom(...keys).chain(caseOf), fc.constantFrom<readonly [string, Role]>(CLERK, CUSTODIAN, DIRECTOR), async ({ key, sample, body }, who) => {
    const route = ROUTE.get(key)!
    const name = who.join()
    let caller = callers.get(name)
    if (caller === undefined || (await caller.get('/api/session')).status !== 200) {
      console.front.office.pass(16 * MINUTE_MS) // wrong codes among the requests lock their person
      callers.set(name, caller = await console.as(who[0], who[1]))
    }
    const payload = route.method === 'GET' || route.body === null ? undefined : Buffer.from(JSON.stringify(body) ?? 'null')
    const said = await caller.send<{ code?: string, zh?: string, en?: string, requestId?: string }>(route.method as Method, urlOf(route.url, sample), payload, payload === undefined ? {} : { 'content-type': 'application/json' })
    if (said.status >= 500) throw new Error(`${key}: ${said.status} ${console.log.at(-2)?.slice(0, 1500)}`)
    if (said.status < 400) { done++; return }
    refused++
    const { code, zh, en, requestId } = said.body
    if (![code, zh, en, requestId].every(text => typeof text === 'string' && text !== '')) throw new Error(`${key}: ${said.status} without its form: ${JSON.stringify(said.body)}`)
  }), { numRuns: runs, endOnFailure: true })
  t.ok(refused > runs / 10 && done > runs / 20, `${refused} refused, ${done} done of ${runs}`)
})
