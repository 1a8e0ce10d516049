import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { keyOf, openApiOf, ROUTES } from '../../src/console/index.ts'
import { Console } from './support/caller.ts'

const FILE = path.join(import.meta.dirname, '../../docs/operating/openapi.json')

t.test('the document in docs/operating is the one the routes make, and the one they serve', async t => {
  const made = `${JSON.stringify(openApiOf(ROUTES), null, 1)}\n`
  if (process.env['UPDATE'] === '1') writeFileSync(FILE, made)
  t.equal(readFileSync(FILE, 'utf8'), made, 'run it with UPDATE=1 after a change of a route')
  const console = await Console.open(t)
  t.same((await (await console.as('lin', null)).get('/api/openapi.json')).body, JSON.parse(made))
})

t.test('routes are declared well', async t => {
  const keys = ROUTES.map(keyOf)
  t.same(keys.filter((key, index) => keys.indexOf(key) !== index), [], 'none twice')
  for (const route of ROUTES) {
    const names = [...route.url.matchAll(/:([A-Za-z0-9]+)/g)].map(match => match[1])
    t.same(Object.keys((route.params as { properties?: object } | null)?.properties ?? {}), names, `${keyOf(route)} declares its parameters`)
    t.ok(route.method !== 'GET' || (route.body === null && !route.idempotent), `${keyOf(route)} reads only`)
    t.ok(/\p{Script=Han}/u.test(route.summary.zh) && !/\p{Script=Han}/u.test(route.summary.en), `${keyOf(route)} has words in both languages`)
  }
})
