import path from 'node:path'
import t from 'tap'
import { RESCUE_LOG } from '../../src/storage/index.ts'
import { RecorderRig } from '../support/recorder-rig.ts'

const line = (minute: number, user = 'root') => `${JSON.stringify({
  at: `2026-11-22T09:${String(minute).padStart(2, '0')}:00.000Z`, user, camera: 'lobby', stream: 'main', from: '2026-11-22T08:00:00.000Z', to: '2026-11-22T08:01:00.000Z', reason: '系統碟損壞', out: 'clip.mp4',
})}\n`
const logOf = (rig: RecorderRig, volume = 0) => path.join(rig.volumes[volume]!.path, RESCUE_LOG)
const append = (rig: RecorderRig, text: string, volume = 0) => rig.memory.appendTextDurably(logOf(rig, volume), text)
const audited = (rig: RecorderRig) => rig.rows<{ action: string, actor: string | null, detail: string }>("SELECT * FROM audit_entry WHERE action LIKE 'footage.rescued' OR action LIKE 'rescue-log.%' ORDER BY seq")
const actions = (rig: RecorderRig) => audited(rig).map(row => row.action)

t.test('a rescue becomes an audit entry within ten seconds, once, though it stands on every volume', async t => {
  const rig = await RecorderRig.open(t, { volumes: ['disk1', 'disk2'] })
  t.same(rig.storage.rescues(), { count: 0, newestAt: null })
  for (const volume of [0, 1]) await append(rig, line(1), volume)
  await rig.recheck()
  await rig.recheck()
  t.same(actions(rig), ['footage.rescued'])
  t.match(JSON.parse(audited(rig)[0]!.detail), { reason: '系統碟損壞', from: '2026-11-22T08:00:00.000Z', out: 'clip.mp4' })
  t.match(rig.storage.rescues(), { count: 1 })
  await append(rig, line(2, 'alice'))
  await rig.restart()
  t.same(actions(rig), ['footage.rescued', 'footage.rescued'], 'also what came while the recorder was down')
  rig.clock.drift(8 * 86_400_000, 0)
  t.equal(rig.storage.rescues().count, 0, 'told for a week')
})

t.test('a line that is not finished is left for the next time', async t => {
  const rig = await RecorderRig.open(t)
  await append(rig, line(1).slice(0, 40))
  await rig.recheck()
  t.same(actions(rig), [])
  await append(rig, line(1).slice(40))
  await rig.recheck()
  t.same(actions(rig), ['footage.rescued'])
})

t.test('a log that was shortened, taken away or written over is told, and what is new in it taken', async t => {
  const rig = await RecorderRig.open(t)
  await append(rig, line(1) + line(2))
  await rig.recheck()
  await rig.memory.publishText(logOf(rig), line(2))
  await rig.recheck()
  t.same(actions(rig).slice(2), ['rescue-log.altered'])
  await rig.memory.publishText(logOf(rig), line(3))
  await rig.recheck()
  t.same(actions(rig).slice(3), ['rescue-log.altered', 'footage.rescued'])
  await rig.memory.publishText(logOf(rig), '')
  await rig.recheck()
  await rig.recheck()
  t.same(actions(rig).slice(5), ['rescue-log.altered'])
})

t.test('what nobody understands is kept as it stands, and counts', async t => {
  const rig = await RecorderRig.open(t)
  await append(rig, 'rm -rf\n{"at":1}\n')
  await rig.recheck()
  t.same(actions(rig), ['rescue-log.not-understood', 'rescue-log.not-understood'])
  t.equal(rig.storage.rescues().count, 2)
})

t.test('while the audit log cannot be written nothing is taken, and later all of it', async t => {
  const rig = await RecorderRig.open(t)
  await append(rig, line(1))
  rig.isAuditBroken = true
  await rig.recheck()
  t.same(actions(rig), [])
  rig.isAuditBroken = false
  await rig.recheck()
  t.same(actions(rig), ['footage.rescued'])
})
