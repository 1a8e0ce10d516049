import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t from 'tap'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { withEnv } from '../support/recorder/environment.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'

const ACCOUNT = { username: 'viewer', password: 'hunter2' }
const server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small, ...ACCOUNT }] })
t.teardown(() => server[Symbol.asyncDispose]())
const LOBBY = { id: 'lobby', url: server.url('/lobby'), credential: ACCOUNT }

const codesOf = ({ reasons }: { readonly reasons: readonly { readonly code: string }[] }) =>
  reasons.map(({ code }) => code)
t.test('a configuration that is missing, wrong, or whose secrets are refused at a start: the last good one records', { timeout: 240_000 }, async t => {
  await using recorder = await RealRecorder.create({ folder: t.testdir({}), cameras: [LOBBY] })
  // State where a service has its own, as the unit says.
  const env = { STATE_DIRECTORY: path.join(recorder.folder, 'state') }
  await withEnv(env, () => recorder.start())
  await recorder.untilRecordedFor('lobby', 1000)
  t.equal(await recorder.stop(), 0)
  const good = await readFile(recorder.configFile, 'utf8')
  const breaks: readonly (readonly [string, () => Promise<void>, () => Promise<void>])[] = [
    ['secrets that others can read', () => chmod(recorder.secretsFile, 0o644),
      () => chmod(recorder.secretsFile, 0o600)],
    ['no file', () => rm(recorder.configFile), () => writeFile(recorder.configFile, good)],
    ['a file that is no configuration', () => writeFile(recorder.configFile, 'site: [\n'),
      () => writeFile(recorder.configFile, good.replace('Test office', 'Office'))],
  ]
  for (const [what, spoil, mend] of breaks) {
    await t.test(what, async t => {
      await spoil()
      await withEnv(env, () => recorder.start())
      await recorder.untilRecordedFor('lobby', 1000)
      const health = await recorder.until('told', health => codesOf(health).includes('config-rejected'))
      t.match(health, { level: 'critical', configReload: { problems: Number, fromLastGood: true } })
      t.match(recorder.errText.join('\n'), /\[錯誤\]/, 'and printed')
      await mend()
      await recorder.until('taken over by itself', ({ configReload }) => configReload === null, 60_000)
      t.equal(await recorder.stop(), 0)
    })
  }
  t.notMatch([...recorder.logText, ...recorder.errText].join('\n'), /hunter2/)
  t.match(recorder.audit().filter(({ action, result }) => action === 'config.changed' && result === 'refused')
    .map(({ detail }) => detail['fromLastGood']), [true, true, true])
  t.match(await recorder.command(['check-config', '--config', path.join(recorder.folder, 'nowhere.yaml')]),
    { code: 2 })
  t.match(await recorder.command(['run', '--config', path.join(recorder.folder, 'nowhere.yaml')]),
    { code: 2, errors: /找不到檔案/ }, 'never in force')
})

t.test('a catalogue that cannot be used: the recorder stays up, says so, overwrites nothing, and records once it can', { timeout: 120_000 }, async t => {
  await using recorder = await RealRecorder.create({ folder: t.testdir({}), cameras: [LOBBY] })
  await recorder.start()
  await recorder.untilRecordedFor('lobby', 1000)
  t.equal(await recorder.stop(), 0)
  const before = await recorder.rescueList(), catalogue = path.join(recorder.folder, 'state', 'catalogue.db')
  await rename(catalogue, `${catalogue}.good`)
  await writeFile(catalogue, 'this is no catalogue '.repeat(1000))
  const filesNow = async () => (await readdir(path.join(recorder.folder, 'state')))
    .filter(name => name.startsWith('catalogue.db')).sort()
  const files = await filesNow()
  await recorder.start()
  t.match(await recorder.until('told', health => codesOf(health).includes('catalogue-failed')),
    { level: 'critical', catalogue: { state: 'failed' }, streams: [{ camera: 'lobby', state: 'waiting' }] })
  await wait(3000)
  t.same(await recorder.rescueList(), before)
  t.match(await readFile(catalogue, 'utf8'), /^this is no catalogue/)
  t.same(await filesNow(), files, 'nothing was made beside it')
  t.equal(await recorder.stop(), 0, 'it stops when asked')
  await recorder.start()
  await rename(`${catalogue}.good`, catalogue)
  await recorder.untilRecordedFor('lobby', 1000)
  t.notOk(codesOf((await recorder.health())!).includes('catalogue-failed'))
  t.equal(await recorder.stop(), 0)
})

t.test('a catalogue that another program has for a while at the start costs at most that while',
  { timeout: 120_000 }, async t => {
  await using recorder = await RealRecorder.create({ folder: t.testdir({}), cameras: [LOBBY] })
  await recorder.start()
  await recorder.untilRecordedFor('lobby', 1000)
  t.equal(await recorder.stop(), 0)
  const other = new Database(path.join(recorder.folder, 'state', 'catalogue.db'))
  other.exec('BEGIN IMMEDIATE')
  const child = spawn('sleep', ['5'])
  const ended = once(child, 'exit').then(() => { other.close() })
  await recorder.start()
  await recorder.untilRecordedFor('lobby', 1000)
  await ended
  t.notMatch(recorder.logText.join('\n'), /ALREADY_RUNNING|cannot go on/)
  t.equal(await recorder.stop(), 0)
})
