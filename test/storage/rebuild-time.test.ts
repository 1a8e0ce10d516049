import t, { type Test } from 'tap'
import { volumeUuid } from '../../src/domain/index.ts'
import { planTime, type KnownTime, type TimePlan } from '../../src/storage/rebuild-time.ts'
import { TIME_FILE } from '../../src/storage/time-file.ts'
import { parseTimeCopy, timeCopyText, timeTables, type TimeCopy } from '../../src/trusted-time/index.ts'
import { RecorderRig } from '../support/recorder-rig.ts'
import { rebuild as rebuildWith } from './support/rebuilding.ts'

const DAY_MS = 86_400_000
interface Row { readonly newest_at: number, readonly keep_until: number }
const rows = (rig: RecorderRig) => rig.rows<Row>(
  `SELECT newest_at, keep_until FROM segment
   WHERE ended_at IS NULL AND sealed_at IS NOT NULL ORDER BY start_at`)

const rebuild = (rig: RecorderRig) => rebuildWith(rig, [rig.camera])

/** Its machine was off while its clock stood still: it and trusted time are behind by the same. */
async function behind(t: Test): Promise<RecorderRig> {
  const rig = await RecorderRig.open(t)
  await rig.append(4)
  rig.endRun()
  await rig.sync()
  return rig
}

async function loseCatalogue(rig: RecorderRig, t: Test): Promise<void> {
  await rig.close()
  rig.stateDir = t.testdir()
}

t.test('footage whose clock and trusted time were both behind is kept as much longer after a rebuild [G1]',
  async t => {
    const rig = await behind(t)
    rig.clock.stepWall(40 * DAY_MS) // a time service sets it: trusted time stays where it is
    rig.time.tick()
    await rig.recheck()
    const left = () => rows(rig)[0]!.keep_until - rig.time.now()!
    await rig.lane.close()
    const before = left()
    await rig.close()
    rig.stateDir = t.testdir()
    await rig.restart() // begins with the wall clock: the volume is strange to it
    t.match(rig.storage.volumeStatus(), [{ state: 'foreign' }])
    t.equal(rig.time.status().state, 'agreed')
    await rig.close()
    await rebuild(rig)
    await rig.restart()
    t.equal(rig.time.status().state, 'disagrees', 'as before the catalogue was lost')
    t.ok(left() > before - 60_000 && left() < before + 2 * DAY_MS, `${left()} of ${before} ms are left`)
  })

for (const isRead of [true, false]) {
  t.test(`footage that a catalogue from a backup recorded to another volume ages no earlier than by the time of before, ${isRead ? 'read' : 'away'} at the rebuild [G1]`, async t => {
    const rig = await RecorderRig.open(t, { volumes: ['disk1', 'disk2'] })
    await rig.append(2)
    rig.endRun()
    await rig.sync()
    const backup = t.testdir()
    rig.copyCatalogue(backup)
    rig.clock.drift(20 * DAY_MS, 0)
    rig.time.tick()
    await rig.append(2)
    const { id } = rig.lane.openSlot!.volume.identity
    rig.endRun()
    await rig.recheck()
    await rig.close()
    const giveBack = rig.memory.takeAway(`/volumes/${id}`)
    rig.stateDir = backup
    rig.bootId = 'another boot'
    await rig.restart()
    rig.time.tick()
    const recordedAt = rig.nextAt = rig.clock.wallNow()
    await rig.append(2)
    rig.endRun()
    await rig.recheck()
    await rig.close()
    giveBack()
    if (!isRead) rig.memory.takeAway(`/volumes/${id === 'disk1' ? 'disk2' : 'disk1'}`)
    await rebuild(rig)
    const [last] = rig.rows<Row>('SELECT newest_at, keep_until FROM segment WHERE ended_at IS NULL AND start_at >= ' + String(recordedAt))
    t.ok(last!.newest_at >= rig.clock.wallNow() - DAY_MS, `stamped ${(rig.clock.wallNow() - last!.newest_at) / DAY_MS} days ago`)
  })
}

t.test('a rebuild goes on from the trusted time that the volumes kept, whatever the clock shows', async t => {
  const rig = await behind(t)
  await rig.recheck()
  const timeline = rig.time.copy()!.timeline
  await loseCatalogue(rig, t)
  rig.clock.stepWall(3650 * DAY_MS)
  await rebuild(rig)
  await rig.restart()
  t.match(rig.storage.volumeStatus(), [{ state: 'ok' }])
  t.equal(rig.time.copy()!.timeline, timeline)
  t.equal(rig.time.status().state, 'disagrees')
  t.ok(rig.time.now()! < rig.clock.wallNow() - 3649 * DAY_MS, 'ten years that did not pass do not count')
})

t.test('where trusted time went forward at once, a rebuild moves the stamps that slots keep', async t => {
  const rig = await behind(t)
  rig.clock.stepWall(40 * DAY_MS)
  rig.time.tick()
  await rig.append(4)
  rig.endRun()
  await rig.lane.close()
  for (const name of ['Chen', 'Lin']) {
    rig.catalogue(db => timeTables(db).addConfirmation({
      name, reason: 'seen', login: name, bootId: rig.bootId,
      wallMs: rig.clock.wallNow(), monoMs: rig.clock.monoNow(),
    }))
  }
  rig.time.takeConfirmations()
  t.equal(rig.time.status().state, 'agreed')
  await rig.recheck()
  const known = rows(rig)
  await loseCatalogue(rig, t)
  await rebuild(rig)
  const found = rows(rig)
  t.equal(found.length, known.length)
  found.forEach((row, i) => t.ok(row.keep_until >= known[i]!.keep_until, `segment ${i}`))
  t.ok(found.at(-1)!.keep_until <= known.at(-1)!.keep_until + 2 * DAY_MS, 'and not much longer')
  await rig.restart()
  await rig.close()
  const again = rows(rig)
  await rebuild(rig)
  t.same(rows(rig), again, 'once is enough')
})

t.test('a copy of trusted time is read back as it was written, and nothing else is taken for one', t => {
  const time = {
    trustedMs: 1.5e12, monoMs: 12.5, bootId: 'boot', wallMs: 1.5e12, isKnown: true, claimMs: null,
    allowanceMs: 7, doubtSinceMs: 0, told: 'agreed',
  } as const
  const copy: TimeCopy = { timeline: 'a'.repeat(32), time, advances: [{ sinceMs: 1, atMs: 2, byMs: 3 }] }
  t.same(parseTimeCopy(timeCopyText(copy)), copy)
  const wrong = (change: object) => JSON.stringify({ ...JSON.parse(timeCopyText(copy)) as object, ...change })
  for (const change of [
    { format: 2 }, { timeline: 'b' }, { time: null }, { time: { ...time, trustedMs: '1' } },
    { advances: [{}] }, { advances: [{ sinceMs: 1, atMs: 2, byMs: 0.5 }] },
    { advances: [{ sinceMs: 1, atMs: 2, byMs: 0 }] },
    { time: { ...time, told: 'sure' } }, { time: { ...time, monoMs: 1e300 } },
    { advances: Array.from({ length: 201 }, () => copy.advances[0]) },
  ]) t.equal(parseTimeCopy(wrong(change)), null, JSON.stringify(change).slice(0, 60))
  for (const text of ['', '{', 'null', '[]']) t.equal(parseTimeCopy(text), null)
  t.end()
})

const at = (days: number, more: Partial<TimeCopy['time']> = {}): TimeCopy['time'] => ({
  trustedMs: days * DAY_MS + 1.8e12, monoMs: 0, bootId: `boot-${days}`, wallMs: days * DAY_MS + 1.8e12,
  isKnown: true, claimMs: null, allowanceMs: 7 * DAY_MS, doubtSinceMs: null, told: 'agreed', ...more,
})
const [MINE, OTHERS] = ['a'.repeat(32), 'b'.repeat(32)]
const copyOf = (timeline: string, time: TimeCopy['time']): TimeCopy => ({ timeline, time, advances: [] })
const [DISK1, DISK2] = [volumeUuid('1'.repeat(32)), volumeUuid('2'.repeat(32))]

t.test('which trusted time a rebuilt catalogue goes on from, and what is moved into it', t => {
  const reading = { ...at(100), isSynchronised: false }
  const own = { timeline: MINE, time: at(100) }
  const used = { own, advances: [], hasFootage: true }
  const plan = (known: KnownTime, ...copies: (TimeCopy | null)[]) =>
    planTime(known, copies.map((copy, i) => ({ uuid: [DISK1, DISK2][i]!, copy })), reading)
  const shiftOf = (each: TimePlan, uuid = DISK1) => each.moves.get(uuid)?.shiftMs

  const image = plan(used, copyOf(MINE, at(10)))
  t.match([image.take, shiftOf(image)], [null, 0], 'an older image of a volume in use')
  const stranger = plan(used, copyOf(OTHERS, at(98)))
  t.match([stranger.take, shiftOf(stranger)], [null, 2 * DAY_MS], 'nobody knows how long a stranger was away')
  const ahead = plan(used, copyOf(OTHERS, at(120)))
  t.match([ahead.take, shiftOf(ahead)], [null, 0], 'what is stamped ahead stays so')

  const fresh = { ...used, hasFootage: false }
  const theirs = copyOf(OTHERS, at(60))
  const begun = plan(fresh, theirs, copyOf(OTHERS, at(59)))
  t.equal(begun.take, theirs, 'where nothing aged by its own time, the newest copy counts')
  t.match([shiftOf(begun), shiftOf(begun, DISK2)], [0, 0], 'for every volume of that timeline')
  t.equal(plan({ own: null, advances: [], hasFootage: false }, theirs).take, theirs)
  t.equal(plan({ own: null, advances: [], hasFootage: false }, null).take, null, 'no copy')
  t.equal(plan(fresh, null).moves.size, 1, 'a volume whose copy is gone goes with the only timeline there is')
  t.equal(plan(used, null, theirs).moves.size, 1, 'and is left as it is where there are two')

  const newer = copyOf(MINE, { ...at(100), bootId: 'boot-x' })
  const backup = { ...used, own: { ...own, time: at(90, { trustedMs: 89 * DAY_MS + 1.8e12 }) } }
  t.equal(plan(backup, newer).take, newer, 'a backup takes what came later')
  const advance = { sinceMs: at(89).trustedMs, atMs: at(89).trustedMs, byMs: 5 * DAY_MS }
  const parted = plan({ ...used, advances: [advance] }, copyOf(MINE, at(97)))
  t.match([parted.take, shiftOf(parted)], [null, 3 * DAY_MS], 'a backup that believed something else')
  t.end()
})

for (const isAway of [false, true]) {
  const when = isAway ? ', one of which was away at the first' : ''
  t.test(`footage of two volumes is kept as long as before the catalogue was lost${when}`, async t => {
    const rig = await RecorderRig.open(t, { volumes: ['disk1', 'disk2'], slots: 6 })
    rig.clock.stepWall(20 * DAY_MS)
    rig.time.tick()
    await rig.recheck()
    await rig.append(12, { dataBytes: 220_000 })
    rig.endRun()
    await rig.lane.close()
    await rig.recheck()
    const left = () => rows(rig).map(row => row.keep_until - rig.time.now()!)
    const before = left()
    await loseCatalogue(rig, t)
    await rig.restart()
    await rig.close()
    const giveBack = isAway ? rig.memory.takeAway('/volumes/disk2') : () => undefined
    await rebuild(rig)
    giveBack()
    await rig.restart()
    await rig.close()
    await rebuild(rig)
    await rig.restart()
    const after = left()
    t.equal(after.length, before.length)
    const isKept = (ms: number, i: number) => ms > before[i]! - 60_000 && ms < before[i]! + 2 * DAY_MS
    t.ok(after.every(isKept), `${after.join(' ')} of ${before.join(' ')} ms are left`)
  })
}

t.test('each volume in use has the copy, again when something changes, and within the hour', async t => {
  const rig = await RecorderRig.open(t, { volumes: ['disk1', 'disk2'] })
  const written = () => rig.fs.steps.filter(step => step === 'time copy').length
  await rig.recheck()
  const copies = () => Promise.all(rig.volumes.map(async ({ path }) =>
    parseTimeCopy(await rig.memory.readText(`${path}/${TIME_FILE}`, 1 << 16, 'test'))))
  t.match(await copies(), [{ time: { told: 'agreed' } }, { time: { told: 'agreed' } }])
  const first = written()
  await rig.recheck()
  t.equal(written(), first, 'nothing changed')
  rig.clock.stepWall(DAY_MS)
  rig.time.tick()
  await rig.recheck()
  t.match(await copies(), [{ time: { told: 'disagrees' } }, { time: { told: 'disagrees' } }])
  const second = written()
  rig.clock.drift(3_700_000, 0)
  await rig.recheck()
  t.equal(written(), second + 2)
})
