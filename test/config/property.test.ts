import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { stringify } from 'yaml'
import { formatProblems, loadConfig } from '../../src/config/index.ts'
import { LIMITS } from '../../src/config/defaults.ts'
import { yamlOf } from './support.ts'

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
const run = { seed, numRuns: Number(process.env['FC_RUNS'] ?? 60) }
t.comment(`seed ${seed}`)
t.setTimeout(900_000) // of many runs on a busy machine

const folder = t.testdir({})
const configFile = join(folder, 'custos.yaml')
const secretsFile = join(folder, 'secrets.yaml')

/** Loads what is given and returns all that people or programs would see of its problems. */
async function shownOf(yaml: string | Uint8Array, secrets: string | Uint8Array = 'door: { username: u, password: p }'): Promise<{ ok: boolean, shown: string }> {
  await writeFile(configFile, yaml)
  await writeFile(secretsFile, secrets, { mode: 0o600 })
  await chmod(secretsFile, 0o600)
  const result = await loadConfig(configFile)
  const problems = result.ok ? result.warnings : result.problems
  for (const problem of problems) {
    if (problem.example === '' || problem.message.zh === '' || (problem.line !== null && !(problem.line >= 1 && (problem.column ?? 0) >= 1))) throw new Error(`incomplete: ${JSON.stringify(problem)}`)
  }
  if (!result.ok && !problems.some(problem => problem.severity === 'error')) throw new Error('refused without an error')
  if (problems.length > 2 * (LIMITS.problems + 1)) throw new Error('not bounded')
  return { ok: result.ok, shown: formatProblems(problems) + JSON.stringify(problems) + (result.ok ? JSON.stringify(result.config) : '') }
}

const scalar = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.double())
const key = fc.oneof(fc.constantFrom('site', 'name', 'state', 'dir', 'volumes', 'id', 'path', 'cameras', 'streams', 'main', 'url', 'profile', 'onvif', 'host', 'port', 'tls', 'cert', 'inbox', 'audio', 'credential', 'secrets', 'file', '__proto__', 'constructor', 'toString'), fc.string())
const anyValue = fc.letrec(tie => ({
  value: fc.oneof({ depthSize: 'medium' }, scalar, fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(key, tie('value'), { maxKeys: 6 })),
})).value

const SOUND = yamlOf({
  secrets: '{ file: secrets.yaml }', console: '{ tls: { cert: /c, key: /k } }', archive: '{ dir: /srv/archive, quota: 1GiB }',
  cameras: '[ { id: a, name: A, credential: door, onvif: { host: h }, streams: { main: {}, web: { url: "rtsp://h/s" } } } ]',
})
const mutated = (text: string) => fc.tuple(fc.nat(text.length), fc.nat(12), fc.oneof(fc.string(), fc.constantFrom('\t', '\n', '"', '{', '}', '[', ']', ': ', '- ', '&a ', '*a', '!', '#', '%', '|', '\r', '\0', '? ')))
  .map(([at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut))

t.test('arbitrary text and bytes are answered, never thrown at', async t => {
  await fc.assert(fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.uint8Array({ maxLength: 200 })), async text => { await shownOf(text); await shownOf(SOUND, text) }), run)
  t.pass()
})

t.test('arbitrary YAML, whole and in place of a section, is answered', async t => {
  await fc.assert(fc.asyncProperty(anyValue, async value => { await shownOf(stringify(value)) }), run)
  const section = fc.constantFrom('site', 'state', 'listen', 'console', 'volumes', 'archive', 'retention', 'inbox', 'secrets', 'cameras')
  await fc.assert(fc.asyncProperty(section, anyValue, async (name, value) => {
    await shownOf(stringify({ site: { name: 'x' }, state: { dir: '/s' }, volumes: [{ id: 'a', path: '/a' }], cameras: [], [name]: value }))
  }), run)
  t.pass()
})

t.test('a sound file with one spot changed is answered', async t => {
  t.equal((await shownOf(SOUND)).ok, true)
  await fc.assert(fc.asyncProperty(mutated(SOUND), async text => { await shownOf(text) }), run)
  t.pass()
})

// Nothing of these stands in any text of ours, so that finding it means it leaked.
const secret = fc.tuple(fc.string({ unit: fc.constantFrom(...'QXZ7'), minLength: 8, maxLength: 12 }), fc.constantFrom('', '!', ': ', '@', '#', '/', ' ', '"', `'`, '{', '%', '&', '*', '\\', '中'))
  .map(([core, mark]) => ({ core, text: core.slice(0, 4) + mark + core }))

t.test('no secret is echoed, wherever it was put and however the file is broken', async t => {
  const secretsText = secret.chain(({ core, text }) => {
    const entry = stringify({ door: { username: text, password: text }, [core.toLowerCase()]: { username: 'u', password: text }, [core]: core })
    return fc.oneof(fc.constant(entry), mutated(entry)).map(file => ({ core, file }))
  })
  await fc.assert(fc.asyncProperty(secretsText, async ({ core, file }) => {
    const { shown } = await shownOf(SOUND, file)
    if (shown.toUpperCase().includes(core)) throw new Error(`leaked from the secrets file: ${shown}`)
  }), run)

  const misplaced = fc.tuple(secret, fc.constantFrom(
    'site: { name: x, timezone: SECRET }', 'site: SECRET', 'listen: { host: SECRET }', 'console: { tls: SECRET }', 'retention: { floor: SECRET }', 'inbox: SECRET',
    'cameras: [ { id: a, name: A, streams: { main: { url: SECRET } } } ]', 'cameras: [ { id: SECRET, name: 1, onvif: { host: h } } ]', 'cameras: [ { id: a, name: A, password: SECRET, audio: SECRET } ]',
    'cameras: [ { id: a, name: A, onvif: { host: SECRET, port: SECRET }, streams: { main: { profile: SECRET } } } ]', 'cameras: [ SECRET ]', 'cameras: [ { id: a, name: A, credential: SECRET } ]', 'state: { dir: SECRET }', 'archive: { dir: SECRET, quota: SECRET }',
  ), fc.constantFrom('SECRET', 'rtsp://admin:SECRET@10.0.0.1/s', 'admin:SECRET@10.0.0.1', 'rtsp://10.0.0.1/s?password=SECRET'))
  await fc.assert(fc.asyncProperty(misplaced, async ([{ core, text }, place, form]) => {
    const { shown } = await shownOf(place.replaceAll('SECRET', JSON.stringify(form.replace('SECRET', text))))
    if (shown.includes(core)) throw new Error(`leaked from the configuration: ${shown}`)
  }), run)

  const brokenUrl = secret.chain(({ core, text }) => mutated(yamlOf({ cameras: `\n  - { id: a, name: A, streams: { main: { url: "rtsp://admin:${text}@10.0.0.1/s" } } }` })).map(yaml => ({ core, yaml })))
  await fc.assert(fc.asyncProperty(brokenUrl, async ({ core, yaml }) => {
    const { ok, shown } = await shownOf(yaml)
    if (!ok && shown.includes(core)) throw new Error(`leaked from a broken file: ${shown}`)
  }), run)
  t.pass()
})
