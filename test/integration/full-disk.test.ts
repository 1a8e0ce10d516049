import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { frameCheck } from '../support/recorder/frame-check.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'
import { SmallDisk } from '../support/recorder/small-disk.ts'

/** The reserve of the audit log is kept on a disk with four times its size. */
const DISK_MIB = 112
const MINUTE_MS = 60_000

t.test('a recorder starts and records on a system disk that is full to the last byte', { timeout: 220_000 },
  async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }] })
  // a fixture folder could not be swept while something is mounted in it
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-full-disk-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const disk = new SmallDisk(t, path.join(folder, 'state'), DISK_MIB)
  await using recorder =
    await RealRecorder.create({ folder, cameras: [{ id: 'lobby', url: server.url('/lobby') }] })
  await recorder.start()
  await recorder.until('the reserve is kept', ({ audit }) => audit.reserve === 'kept')
  await recorder.untilRecordedFor('lobby', 1000)
  t.equal(await recorder.stop(), 0)

  const records = async (sinceMs: number) => (await recorder.rescueList())
    .filter(({ to }) => Date.parse(to) > sinceMs).reduce((sum, each) => sum + each.records, 0)
  await t.test('the reserve makes room for the start', async t => {
    disk.fill()
    t.equal(disk.freeBytes, 0)
    const since = Date.now()
    await recorder.start()
    await recorder.untilRecordedFor('lobby', 2000)
    t.match((await recorder.until('told',
      ({ reasons }) => reasons.some(({ code }) => code === 'audit-reserve-used'))).audit, { state: 'ok' })
    t.ok(await records(since) > 0)
  })

  await t.test('without any reserve it stops in good order, starts again, stays and records', async t => {
    disk.fill()
    t.equal(await recorder.stop(), 0)
    disk.fill()
    t.equal(disk.freeBytes, 0)
    const since = Date.now()
    await recorder.start()
    await recorder.untilRecordedFor('lobby', 5000, MINUTE_MS)
    const { level, reasons } = (await recorder.health())!
    t.equal(level, 'critical')
    t.ok(['catalogue-unshared', 'audit-unwritable']
      .every(code => reasons.some(reason => reason.code === code)), reasons.map(({ code }) => code).join(' '))
    t.ok(await records(since) > 0)
  })

  await t.test('and also after it was killed', async t => {
    await recorder.crash()
    await recorder.childrenGone(5000)
    disk.fill()
    const since = Date.now()
    await recorder.start()
    await recorder.untilRecordedFor('lobby', 3000, MINUTE_MS)
    t.ok(await records(since) > 0)
    await wait(3000)
    t.match(await recorder.health(), { streams: [{ state: 'recording' }] }, 'and goes on')
  })

  await t.test('once there is room all is entered, and others may look again', async t => {
    disk.makeRoom()
    const well = await recorder.until('well again', ({ catalogue, audit, reasons }) =>
      catalogue.state === 'ok' && audit.state === 'ok' && audit.reserve === 'kept'
        && !reasons.some(({ code }) => code === 'catalogue-unshared'), MINUTE_MS)
    t.match(well.streams, [{ state: 'recording' }])
    t.equal((await recorder.command(['audit', 'verify', '--config', recorder.configFile])).code, 0)
    await recorder.untilRecordedFor('lobby', 1000)
    t.equal(await recorder.stop(), 0)
  })
  const said = [...recorder.logText, ...recorder.errText].join('\n')
  t.notMatch(said, /ALREADY_RUNNING|cannot go on|garbage collection/)
  const files = await recorder.rescue('lobby', 'lobby.mp4')
  for (const file of files) t.match(await frameCheck([file], [CLIPS.h264Small]), { missing: [], doubled: [] })
  t.same(recorder.gaps('lobby').filter(({ endAt }) => endAt === null).map(({ cause }) => cause),
    ['recorder-stopped'], 'every gap but the one of now ended')
})
