import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { frameCheck } from '../support/recorder/frame-check.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'
import { SmallDisk } from '../support/recorder/small-disk.ts'

/** Too small for the reserve of the audit log: nothing can be given up. */
const DISK_MIB = 40
const MINUTE_MS = 60_000

interface Office extends AsyncDisposable {
  readonly disk: SmallDisk
  readonly recorder: RealRecorder
  /** Records on the volume with frames newer than that. */
  recordsSince(sinceMs: number): Promise<number>
  /** As systemd gives one with PrivateTmp: a new one at each start. */
  forgetTemporaryFiles(): void
}

/** A recorder whose state, temporary files and compiled code lie on one small disk, and its volume elsewhere. */
async function openOffice(t: Test): Promise<Office> {
  await using parts = new AsyncDisposableStack()
  const server = parts.use(await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }] }))
  // a fixture folder could not be swept while something is mounted in it
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-full-start-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const disk = new SmallDisk(t, path.join(folder, 'state'), DISK_MIB)
  const temporary = path.join(disk.folder, 'tmp')
  mkdirSync(temporary)
  const recorder = parts.use(await RealRecorder.create({
    folder, cameras: [{ id: 'lobby', url: server.url('/lobby') }],
    env: { TMPDIR: temporary, NODE_COMPILE_CACHE: path.join(disk.folder, 'cache') },
  }))
  const open = parts.move()
  return {
    disk, recorder, [Symbol.asyncDispose]: () => open.disposeAsync(),
    recordsSince: async sinceMs => (await recorder.rescueList())
      .filter(({ to }) => Date.parse(to) > sinceMs).reduce((sum, { records }) => sum + records, 0),
    forgetTemporaryFiles: () => {
      rmSync(temporary, { recursive: true })
      mkdirSync(temporary)
    },
  }
}

/** Started on the full disk it records; what is wrong is told as critical, with the disk by name. */
async function recordsFull(t: Test, { recorder, recordsSince }: Office, told: readonly string[]): Promise<void> {
  const since = Date.now()
  await recorder.start()
  await recorder.untilRecordedFor('lobby', 3000, MINUTE_MS)
  const { level, reasons } = await recorder.until('told', ({ reasons }) =>
    told.every(code => reasons.some(reason => reason.code === code)))
  t.equal(level, 'critical', reasons.map(({ code }) => code).join(' '))
  t.ok(await recordsSince(since) > 0)
}

/** With room again: everything is entered, others can look, gaps are ended, no frame is there twice. */
async function isWellAgain(t: Test, { disk, recorder }: Office): Promise<void> {
  disk.makeRoom()
  const { streams } = await recorder.until('well again', ({ catalogue, audit, reasons }) =>
    catalogue.state === 'ok' && audit.state === 'ok'
      && !reasons.some(({ code }) => ['catalogue-unshared', 'state-disk-full'].includes(code)), MINUTE_MS)
  t.match(streams, [{ state: 'recording' }])
  t.equal((await recorder.command(['audit', 'verify', '--config', recorder.configFile])).code, 0)
  await recorder.untilRecordedFor('lobby', 1000)
  t.equal(await recorder.stop(), 0)
  t.notMatch([...recorder.logText, ...recorder.errText].join('\n'), /ALREADY_RUNNING|cannot go on|garbage collection/)
  for (const file of await recorder.rescue('lobby', 'lobby.mp4')) {
    t.match(await frameCheck([file], [CLIPS.h264Small]), { missing: [], doubled: [] })
  }
  t.same(recorder.gaps('lobby').filter(({ endAt }) => endAt === null).map(({ cause }) => cause),
    ['recorder-stopped'], 'every gap but the one of now ended')
}

t.test('the temporary files have no room either', { timeout: 220_000 }, async t => {
  await using office = await openOffice(t)
  const { disk, recorder } = office
  await recorder.start()
  await recorder.untilRecordedFor('lobby', 1000)
  await t.test('after a stop in good order', async t => {
    t.equal(await recorder.stop(), 0)
    office.forgetTemporaryFiles()
    disk.fill()
    t.equal(disk.freeBytes, 0)
    await recordsFull(t, office, ['state-disk-full', 'catalogue-failed', 'catalogue-unshared', 'audit-unwritable'])
  })
  await t.test('and after a kill', async t => {
    await recorder.crash()
    await recorder.childrenGone(5000)
    office.forgetTemporaryFiles()
    disk.fill()
    await recordsFull(t, office, ['state-disk-full', 'catalogue-failed'])
  })
  await t.test('once there is room', t => isWellAgain(t, office))
})

t.test('no file can be made on it', { timeout: 220_000 }, async t => {
  await using office = await openOffice(t)
  const { disk, recorder } = office
  await recorder.start()
  await recorder.untilRecordedFor('lobby', 1000)
  await t.test('after a stop in good order', async t => {
    t.equal(await recorder.stop(), 0)
    office.forgetTemporaryFiles()
    disk.fillInodes()
    t.equal(disk.freeInodes, 0)
    await recordsFull(t, office, ['state-disk-full', 'catalogue-unshared'])
  })
  await t.test('and after another', async t => {
    t.equal(await recorder.stop(), 0)
    disk.fillInodes()
    await recordsFull(t, office, ['state-disk-full', 'catalogue-unshared'])
  })
  await t.test('and after a kill', async t => {
    await recorder.crash()
    await recorder.childrenGone(5000)
    disk.fillInodes()
    await recordsFull(t, office, ['state-disk-full'])
  })
  await t.test('once there is room', t => isWellAgain(t, office))
})

t.test('full before the first start ever: nothing is recorded, the disk is named, and it begins by itself',
  { timeout: 220_000 }, async t => {
  await using office = await openOffice(t)
  const { disk, recorder } = office
  disk.fill()
  await recorder.start()
  const { level, streams } = await recorder.until('told', ({ reasons }) => ['state-disk-full', 'catalogue-failed', 'no-usable-volume']
    .every(code => reasons.some(reason => reason.code === code)))
  t.equal(level, 'critical')
  t.match(streams, [{ state: 'waiting' }])
  t.same(await recorder.rescueList(), [])
  disk.makeRoom()
  await recorder.untilRecordedFor('lobby', 2000, 2 * MINUTE_MS)
  await isWellAgain(t, office)
})
