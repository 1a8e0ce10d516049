import { once } from 'node:events'
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { withEnv } from '../support/recorder/environment.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'

const PLANT = new URL('../support/recorder/plant-faults.ts', import.meta.url).href
const ACCOUNT = { username: 'viewer', password: 'hunter2' }
const server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small, ...ACCOUNT }] })
t.teardown(() => server[Symbol.asyncDispose]())
const LOBBY = { id: 'lobby', url: server.url('/lobby'), credential: ACCOUNT }

/** With more in its configuration. */
async function change(recorder: RealRecorder, more: object): Promise<void> {
  const config = parse(await readFile(recorder.configFile, 'utf8')) as object
  await writeFile(recorder.configFile, stringify({ ...config, ...more }))
}

const codesOf = ({ reasons }: { readonly reasons: readonly { readonly code: string }[] }) =>
  reasons.map(({ code }) => code)
/** Everything but ffmpeg and what records. */
async function fewTools(t: Test): Promise<string> {
  const folder = path.join(t.testdirName, 'tools')
  await mkdir(folder)
  for (const tool of ['sh', 'bash', 'env', 'uname', 'readlink', 'dirname', 'ffmpeg', 'ffprobe', 'fallocate', 'setpriv', 'prlimit', 'nice', 'ionice', 'mkfifo', 'cat', 'sed']) {
    const found = ['/usr/bin', '/bin', '/usr/sbin'].map(dir => path.join(dir, tool))
    for (const file of found) if (await stat(file).then(() => true, () => false)) {
      await symlink(file, path.join(folder, tool))
      break
    }
  }
  return folder
}

t.test('with everything broken that recording does not need it records, and says what is broken',
  { timeout: 120_000 }, async t => {
  const folder = t.testdir({ file: 'no folder' })
  await using recorder = await RealRecorder.create({ folder, cameras: [LOBBY] })
  await writeFile(path.join(folder, 'state', 'keys'), 'no folder either') // no key can be read or made
  await change(recorder, {
    archive: { dir: path.join(folder, 'archive'), quota: '1GiB' },
      witness: { command: ['/nowhere/mail-checkpoint'] }, inbox: { dir: path.join(folder, 'file', 'inbox') },
    office: { ruleSets: path.join(folder, 'nowhere'), calendar: path.join(folder, 'file', 'calendar') },
      package: { timestamp: { command: ['/nowhere/stamp'], ca: '/nowhere/ca.pem' } },
  })
  const ports = [createServer((_request, response) => { response.writeHead(404).end() })
    .listen(recorder.port, '127.0.0.1'), createServer().listen(recorder.consolePort, '127.0.0.1')]
  await Promise.all(ports.map(port => once(port, 'listening')))
  t.teardown(() => { for (const port of ports) port.close() })
  const starting =
    withEnv({ PATH: await fewTools(t), CUSTOS_CHRONYC: '/nowhere/chronyc',
    CUSTOS_TIMEDATECTL: '/nowhere/timedatectl' }, () => recorder.start())
  const runs = () => {
    try { return recorder.runs('lobby').length } catch { return 0 } // no catalogue yet, or one without tables
  }
  for (let i = 0; i < 150
    && (runs() === 0 || !recorder.logText.join().includes('CUSTOS_HEALTH_PORT_IN_USE')); i++) await wait(100)
  t.equal(runs(), 1, 'it records while nobody can ask how it is')
  ports[0]?.close()
  ports[0]?.closeAllConnections()
  await starting
  const broken = [
    'state-unlocked', 'audit-key-unusable', 'archive-missing', 'office-closed', 'inbox-failed', 'console-failed',
  ]
  const health = await recorder.until(`told: ${broken.join(', ')}`,
    health => broken.every(code => codesOf(health).includes(code)))
  t.equal(health.streams[0]?.state, 'recording')
  t.equal(await recorder.stop(), 0)
})

const FAULTS: readonly (readonly [what: string, planted: { match: string, code: string, forMs?: number }])[] =
  [
  ['trusted time cannot be read', { match: 'FROM trusted_time', code: 'SQLITE_CORRUPT' }],
  ['the steps in force cannot be read',
    { match: 'FROM recording_step|FROM step|FROM sacrifice', code: 'SQLITE_IOERR_READ' }],
  ['the overwrite record cannot be written', { match: 'overwrite', code: 'SQLITE_IOERR_READ' }],
  ['checkpoints cannot be made', { match: 'audit_checkpoint', code: 'SQLITE_IOERR_READ' }],
  ['the audit log cannot be written', { match: 'INTO audit_entry', code: 'SQLITE_FULL' }],
  ['cameras cannot be entered or retired for a while',
    { match: 'INTO camera|UPDATE camera', code: 'SQLITE_BUSY', forMs: 8_000 }],
  ['the capacity cannot be told', { match: 'min\\(floor_rule\\)', code: 'SQLITE_IOERR_READ' }],
  ['accounts cannot be read', { match: 'account|session', code: 'SQLITE_CORRUPT' }],
  ['what the scrubber did cannot be read', { match: 'scrub_', code: 'SQLITE_IOERR_READ' }],
]

t.test('a catalogue that does not answer what recording does not need keeps nobody from recording',
  { timeout: 240_000 }, async t => {
  await using recorder = await RealRecorder.create({ folder: t.testdir({}), cameras: [LOBBY] })
  await recorder.start()
  await recorder.untilRecordedFor('lobby', 1000)
  t.equal(await recorder.stop(), 0)
  for (const [what, planted] of FAULTS) {
    await t.test(what, async t => {
      await withEnv({ NODE_OPTIONS: `--import ${PLANT}`, CUSTOS_TEST_FAULT: JSON.stringify(planted) },
        () => recorder.start())
      await recorder.untilRecordedFor('lobby', 1500)
      t.pass('it records')
      await recorder.stop()
    })
  }
})
