import { appendFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import pino from 'pino'
import t from 'tap'
import { atMachine, openAccess } from '../../src/access/index.ts'
import { Archive, archiveRules } from '../../src/archive/index.ts'
import { AuditLog } from '../../src/audit/index.ts'
import { openOfficeOf } from '../support/office-database.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { facts } from '../archive/support/rig.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'
import { agreedTime } from '../support/archive-time.ts'

/** What copying does, while no recorder runs. */
async function putIn(recorder: RealRecorder, dir: string): Promise<string> {
  const stateDir = path.join(recorder.folder, 'state'), source = path.join(recorder.folder, 'package')
  await mkdir(source)
  await writeFile(path.join(source, 'manifest.json'), 'x'.repeat(100_000))
  using catalogue = await openOfficeOf(stateDir)
  const { db } = catalogue, audit = new AuditLog({ db, clock: systemClock }), time = { wallNow: () => systemClock.wallNow(), steadyNow: () => systemClock.wallNow() }, now = () => systemClock.wallNow()
  const store = await Archive.open({
    db, audit, rights: openAccess({ db, audit, time, stateDir, officeName: 'x', mayCombine: () => null }).sessions, trustedTime: agreedTime(now), time, rule: await archiveRules(now), dir, quotaBytes: 2 ** 30, stateDir, log: pino({ level: 'silent' }),
  })
  return (await store.put(atMachine({ kind: 'machine-user', name: '林承辦', role: null, source: 'login root' }), { folder: source, facts: facts() })).itemNo
}

t.test('the recorder with an archive: without its volume it records and says so; once made it is well; what is deleted from outside is told at the next sweep', { timeout: 240_000 }, async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }] })
  await using recorder = await RealRecorder.create({ folder: t.testdir({}), cameras: [{ id: 'lobby', url: server.url('/lobby') }] })
  const dir = path.join(recorder.folder, 'archive')
  await appendFile(recorder.configFile, `archive: { dir: ${dir}, quota: 1GiB }\n`)
  const archiveCodes = (health: { readonly reasons: readonly { readonly code: string }[] }): string[] => health.reasons.map(({ code }) => code).filter(code => code.startsWith('archive-'))

  await recorder.start()
  await recorder.untilRecordedFor('lobby', 2000)
  const missing = await recorder.until('the missing archive shows', ({ reasons }) => reasons.some(({ code }) => code === 'archive-missing'))
  t.match(missing.reasons.find(({ code }) => code === 'archive-missing'), { level: 'critical' })
  await mkdir(dir)
  t.equal((await recorder.command(['archive', 'init', '--config', recorder.configFile])).code, 0)
  t.same(archiveCodes(await recorder.until('it is in use within a minute, without a new start', health => archiveCodes(health).length === 0, 90_000)), [])
  t.equal(await recorder.stop(), 0)
  const item = await putIn(recorder, dir)
  await recorder.start()
  await recorder.untilRecording(['lobby'])
  t.same(archiveCodes(await recorder.until('the archive is in use', health => archiveCodes(health).length === 0)), [])
  t.match((await recorder.command(['archive', 'list', '--config', recorder.configFile])).output.toString(), `${item}  115-0001  `, 'beside the recorder')
  t.equal(await recorder.stop(), 0)

  await rename(path.join(dir, 'items', item), path.join(recorder.folder, 'taken-away'))
  await recorder.start()
  const lost = await recorder.until('the loss shows', ({ reasons }) => reasons.some(({ code }) => code === 'archive-item-lost'))
  t.match(lost.reasons.find(({ code }) => code === 'archive-item-lost'), { level: 'critical', text: new RegExp(item) })
  await recorder.untilRecordedFor('lobby', 1000)
  t.equal(await recorder.stop(), 0)
  t.equal(recorder.audit().filter(({ action, object }) => action === 'archive.item-lost' && object === item).length, 1)

  await rm(dir, { recursive: true })
  await recorder.start()
  await recorder.until('the whole volume is gone', health => archiveCodes(health).includes('archive-missing'))
  await recorder.untilRecording(['lobby'])
})
