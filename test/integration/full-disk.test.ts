import { execFileSync } from 'node:child_process'
import {
  closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, truncateSync, writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { frameCheck } from '../support/recorder/frame-check.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'

/** The reserve of the audit log is kept on a disk with four times its size. */
const DISK_MIB = 112
const MINUTE_MS = 60_000

/** A small ext4 of its own, as the system disk of a recorder. */
class SmallDisk {
  readonly folder: string
  readonly #filler: string
  constructor(t: Test, folder: string) {
    this.folder = folder
    this.#filler = path.join(folder, 'filler')
    const image = `${folder}.img`
    mkdirSync(folder, { recursive: true })
    closeSync(openSync(image, 'w'))
    truncateSync(image, DISK_MIB * 2 ** 20)
    execFileSync('mkfs.ext4', ['-q', '-m', '0', image])
    execFileSync('mount', ['-o', 'loop', image, folder])
    t.teardown(() => { execFileSync('umount', ['-l', folder]) })
  }

  /** To the last byte. */
  fill(): void {
    const file = openSync(this.#filler, 'a')
    try {
      for (const size of [1 << 20, 4096, 512, 1]) {
        try { for (;;) writeSync(file, Buffer.alloc(size)) } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        }
      }
    } finally { closeSync(file) }
  }
  get freeBytes(): number { const { bavail, bsize } = statfsSync(this.folder); return bavail * bsize }
  makeRoom(): void { rmSync(this.#filler) }
}

t.test('a recorder starts and records on a system disk that is full to the last byte', { timeout: 220_000 },
  async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }] })
  // a fixture folder could not be swept while something is mounted in it
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-full-disk-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const disk = new SmallDisk(t, path.join(folder, 'state'))
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
