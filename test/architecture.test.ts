import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'

const ROOT = path.join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')
const SOURCES = globSync('src/**/*.ts', { cwd: ROOT }).sort()

/** From the bottom up. A part may import those on lower rungs, never one beside it. */
const LADDER = [
  ['domain'], ['platform'], ['config', 'media', 'link'], ['slots'], ['footage'], ['retention', 'rules', 'recorder-client'], ['audit'], ['trusted-time'], ['storage'], ['ingest', 'access'], ['capacity'], ['requests', 'book'], ['paper', 'archive'], ['viewing', 'export', 'inbox'], ['health'],
  ['console'], ['daemon', 'office'], ['cli', 'main'],
]
/**
 * Two processes: a part of one is never a part of the other. What is on neither list is of both. The command
 * line works on either's state.
 */
const OF_RECORDER = ['retention', 'trusted-time', 'storage', 'ingest', 'capacity', 'health', 'daemon']
const OF_OFFICE = [
  'rules', 'recorder-client', 'access', 'requests', 'book', 'paper', 'archive', 'viewing', 'export', 'inbox',
  'console', 'office',
]
/** The office looks for cameras and at them as a person asks, with what that person types. */
const THROUGH_THE_WALL = ['src/console/parts.ts', 'src/console/routes/camera-survey.ts', 'src/office/front-office.ts']
/** The command line puts parts together itself; main only picks the command. */
const ALLOWED: ReadonlyMap<string, readonly string[]> = new Map(LADDER.flatMap((parts, rung) =>
  parts.map(part => [part, [...LADDER.slice(0, rung).flat(), ...(part === 'main' ? ['cli'] : [])]] as const)))
/** Each of its files is a door of its own, imported directly. */
const WITHOUT_INDEX = ['platform']
/** Folders inside a part that only the part itself imports, through their own index. */
const INNER = ['src/ingest/onvif', 'src/ingest/rtsp']
/** The only place that may import a package that time or replacement will touch. */
const DOORS: ReadonlyMap<string, readonly string[]> = new Map([
  ['fluent-ffmpeg', ['src/platform/ffmpeg.ts']], ['pino', ['src/platform/logger.ts']],
  ['onvif', ['src/ingest/onvif/']],
  ['better-sqlite3', ['catalogue', 'office-database', 'migrations'].map(name => `src/platform/${name}.ts`)],
])

/** Module names in `import`, `export ... from` and `import()`, also those of types. */
function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  return [...code.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)(['"])([^'"\n]+)\1/g)].map(match => match[2] ?? '')
}

/** `src/storage/ring.ts` is of `storage`, `src/daemon.ts` of `daemon`. */
const partOf = (file: string): string => (file.split('/')[1] ?? '').replace(/\.ts$/, '')
const innerOf = (file: string): string | undefined => INNER.find(folder => file.startsWith(`${folder}/`))

function faultOf(file: string, imported: string): string | null {
  const refuse = (why: string): string => `${file} imports ${imported}: ${why}`
  if (!imported.startsWith('.')) {
    const [name] = imported.split('/'), doors = name === undefined ? undefined : DOORS.get(name)
    return doors?.some(door => file.startsWith(door)) ?? true ? null : refuse(`only ${doors?.join(', ')} may`)
  }
  const target = path.join(path.dirname(file), imported)
  if (!target.startsWith('src/')) return refuse('it is outside src')
  const [from, to] = [partOf(file), partOf(target)]
  const inner = innerOf(target)
  if (inner !== undefined && innerOf(file) !== inner) {
    if (from !== to) return refuse(`only src/${to} may look inside ${inner}`)
    return target === `${inner}/index.ts` ? null : refuse(`past ${inner}/index.ts`)
  }
  if (from === to) return null
  const isThroughWall = [[OF_RECORDER, OF_OFFICE], [OF_OFFICE, OF_RECORDER]].some(([one, other]) =>
    one?.includes(from) === true && other?.includes(to) === true)
  if (isThroughWall && !THROUGH_THE_WALL.includes(file)) {
    return refuse(`${from} and ${to} are of two processes, which have only the link between them`)
  }
  const allowed = ALLOWED.get(from)
  if (allowed === undefined) return refuse(`${from} has no rung on the ladder; give it one in test/architecture.test.ts`)
  if (!allowed.includes(to)) return refuse(`upward or sideways; ${from} may import: ${allowed.join(', ') || 'nothing'}`)
  const isFace = target === `src/${to}/index.ts` || target === `src/${to}.ts` || WITHOUT_INDEX.includes(to)
  // A command's module is loaded only when it is the one asked for.
  return isFace || (from === 'main' && to === 'cli') ? null : refuse(`past src/${to}/index.ts`)
}

t.test('imports point down the ladder, through index.ts, and to packages only at their doors', async t => {
  t.ok(SOURCES.length > 50, 'the sources were found')
  const faults = SOURCES.flatMap(file => importsOf(read(file)).map(imported => faultOf(file, imported)).filter(fault => fault !== null))
  t.equal(faults.join('\n'), '')
})

t.test('the rule sees what it is meant to see', async t => {
  t.match(faultOf('src/domain/a.ts', '../storage/index.ts'), /upward or sideways; domain may import: nothing/)
  t.match(faultOf('src/ingest/a.ts', '../capacity/index.ts'), /sideways; ingest may import: domain, platform, config/)
  t.match(faultOf('src/daemon.ts', './storage/ring.ts'), /past src\/storage\/index\.ts/)
  t.match(faultOf('src/ingest/a.ts', './onvif/soap-answer.ts'), /past src\/ingest\/onvif\/index\.ts/)
  t.match(faultOf('src/health/a.ts', '../ingest/onvif/index.ts'), /only src\/ingest may/)
  t.match(faultOf('src/ingest/a.ts', 'fluent-ffmpeg'), /only src\/platform\/ffmpeg\.ts may/)
  t.match(faultOf('src/brandnew/a.ts', '../domain/index.ts'), /has no rung/)
  for (const [file, imported] of [
    ['src/export/clip.ts', '../footage/index.ts'], ['src/storage/a.ts', '../platform/clock.ts'], ['src/ingest/a.ts', './onvif/index.ts'],
    ['src/ingest/onvif/a.ts', '../../domain/index.ts'], ['src/cli/run.ts', '../daemon.ts'], ['src/main.ts', './cli/run.ts'], ['src/platform/catalogue.ts', 'better-sqlite3'],
  ] as const) t.equal(faultOf(file, imported), null, `${file} may import ${imported}`)
  t.same(importsOf(`import a from 'a'\nimport type { B } from "./b.ts"\nexport { c } from './c.ts'\nawait import('./d.ts')\nimport 'e'\n// import x from 'x'`), ['a', './b.ts', './c.ts', './d.ts', 'e'])
})

/** Programs beside the project, which try cameras and attacks on a checkout, import these. */
const KEPT_PLACES: readonly (readonly [string, readonly string[]])[] = [
  ['src/storage/index.ts', ['readSlot', 'slotPath', 'SegmentReader', 'parseIdentity', 'IDENTITY_FILE']],
  ['src/storage/tables/holds.ts', ['holdTable']],
  ['src/export/package/take-videos.ts', ['takeVideos']],
  ['src/platform/file-system.ts', ['realFileSystem']],
  ['src/platform/catalogue.ts', ['migrate']],
  ['src/domain/index.ts', ['slotNumber', 'streamName']],
  ['src/access/totp.ts', ['codeAt', 'STEP_MS']],
  ['src/viewing/index.ts', ['decodeFrame']],
  ['test/support/cameras/camera-server.ts', ['CameraServer']],
  ['test/support/cameras/make-clips.ts', ['clip', 'CLIPS']],
  ['campaign/frame-ledger.ts', ['FrameLedger']],
  ['campaign/recorder-process.ts', ['RecorderProcess']],
  ['campaign/faked-clock.ts', ['FakedClock']],
]

t.test('what programs beside the project import stands where it stood', async t => {
  for (const [file, names] of KEPT_PLACES) {
    const module = await import(path.join(ROOT, file)) as Record<string, unknown>
    t.same(names.filter(name => module[name] === undefined), [], file)
  }
})

t.test('every error code is in the runbook, and the runbook has no other', async t => {
  const isVariable = (text: string, at: number): boolean => /env(?:\[|\.)$/.test(text.slice(Math.max(0, at - 8), at))
  const codes = new Set(SOURCES.flatMap(file => {
    const text = read(file)
    return [...text.matchAll(/['"`](CUSTOS_[A-Z0-9_]+)['"`]/g)].filter(match => !isVariable(text, match.index)).map(match => match[1] ?? '')
  }))
  const headings = [...read('docs/operating/runbook.md').matchAll(/^#+ (CUSTOS_[A-Z0-9_]+)$/gm)].map(match => match[1] ?? '')
  t.same([...codes].filter(code => !headings.includes(code)).sort(), [], 'codes without a heading in docs/operating/runbook.md')
  t.same(headings.filter(code => !codes.has(code)).sort(), [], 'headings of docs/operating/runbook.md that no source uses')
  t.same(headings.filter((code, index) => headings.indexOf(code) !== index), [], 'no heading twice')
})

t.test('links between documents lead somewhere', async t => {
  const documents = globSync(['*.md', 'docs/**/*.md', 'test/**/*.md', 'bench/**/*.md', 'demo/**/*.md'], { cwd: ROOT })
  const anchorOf = (heading: string): string => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-')
  const broken = documents.flatMap(document => [...read(document).replace(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(match => match[1] ?? '')
    .filter(link => !/^[a-z]+:/.test(link)).filter(link => {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? document : path.join(path.dirname(document), decodeURI(file))
      if (!existsSync(path.join(ROOT, target))) return true
      return anchor !== undefined && !read(target).split('\n').filter(line => line.startsWith('#')).some(line => anchorOf(line.replace(/^#+ /, '')) === decodeURI(anchor))
    }).map(link => `${document}: ${link}`))
  t.equal(broken.join('\n'), '')
})

interface Manifest { readonly dependencies: Record<string, string>, readonly devDependencies: Record<string, string>, readonly optionalDependencies: Record<string, string> }

t.test('versions are exact, and the lock names no registry', async t => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json')) as Manifest
  const loose = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
  t.same(loose, [])
  t.notMatch(read('package-lock.json'), /"resolved":/)
})

/** Below these a known fault can be reached; stands in for an audit where none can be asked. */
const FLOORS: readonly (readonly [string, string, string])[] = [
  ['ws', '8.21.0', 'memory exhaustion by tiny fragments'],
  ['fastify', '5.8.5', 'body validation that can be got round'],
]
const isAtLeast = (version: string, floor: string): boolean => version.localeCompare(floor, 'en', { numeric: true }) >= 0

t.test('packages are not older than their last known fault', async t => {
  for (const [name, floor, why] of FLOORS) {
    const { version } = JSON.parse(read(`node_modules/${name}/package.json`)) as { version: string }
    t.ok(isAtLeast(version, floor), `${name} ${version} is at least ${floor} (${why})`)
  }
  using database = disposable(new Database(':memory:'))
  const version = database.db.prepare<[], string>('SELECT sqlite_version()').pluck().get() ?? ''
  t.ok(isAtLeast(version, '3.51.3'), `SQLite ${version} is at least 3.51.3 (corruption when the write-ahead log is reset)`)
  t.notOk(isAtLeast('3.9.0', '3.51.3'), 'versions are compared as numbers')
})

const disposable = (db: Database.Database) => ({ db, [Symbol.dispose]: () => { db.close() } })

t.test('the programs a checkout starts can be executed', async t => {
  for (const file of ['bin/custos', 'libexec/ffmpeg-child', 'scripts/setup.sh', 'scripts/with-setup.sh', '.ci/run']) {
    t.doesNotThrow(() => execFileSync('test', ['-x', path.join(ROOT, file)]), file)
  }
  for (const file of ['scripts/setup.sh', 'scripts/with-setup.sh', '.ci/run']) t.doesNotThrow(() => execFileSync('bash', ['-n', path.join(ROOT, file)]), `${file} is sound`)
})
