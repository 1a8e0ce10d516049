import t from 'tap'
import { RetryableError, streamName } from '../../src/domain/index.ts'
import { SYNC_INTERVAL_MS } from '../../src/storage/sync-loop.ts'
import type { FloorRule } from '../../src/retention/index.ts'
import type { Hang, HeldCall, Release } from '../support/faulty-file-system.ts'
import { builtInit } from '../support/fragments.ts'
import { checkInvariants, nameIn, RecorderRig } from '../support/recorder-rig.ts'
import { judgeFootage } from '../support/rig-judge.ts'
import { ended, outcomeWithin, pass, wake } from '../support/rig-time.ts'
import { seededRandom } from '../support/seeded-random.ts'
import type { TestOwner } from '../support/virtual-clock.ts'

const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 1000 }, timezone: 'Asia/Taipei' }
const LONG = { dataBytes: 220_000 } // four of them fill a slot
const DISKS = ['disk1', 'disk2']
const GOES_ON_MS = 10_000 // within this a stream is recorded again, on another disk if need be
const TAKEN_BACK_MS = 65_000 // a disk that was given up is looked at each minute at least
const STOP_MS = 15_000 // systemd kills after 20
const SEED = 20261129

const volumeOf = (rig: RecorderRig) => rig.lane.openSlot!.volume
const statusOf = (rig: RecorderRig, wanted: string) =>
  rig.storage.volumeStatus().find(({ id }) => id === wanted)!

/** Makes another stream the one that the rig appends to. */
function takeStream(rig: RecorderRig, name: string): void {
  rig.lane = rig.storage.lane(rig.camera, streamName(name))
  rig.run = null
}

/** Two streams of one camera, each on a disk of its own, each with a fragment. `main` is on the first. */
async function onTwoDisks(owner: TestOwner) {
  const rig = await RecorderRig.open(owner, { volumes: DISKS, slots: 6, floor: SHORT })
  await rig.append(1)
  const main = rig.lane, hung = volumeOf(rig)
  takeStream(rig, 'sub')
  await rig.append(1)
  const sub = rig.lane, healthy = volumeOf(rig)
  if (hung.identity.id === healthy.identity.id) throw new Error('both streams are on one disk')
  await pass(rig, SYNC_INTERVAL_MS + 100)
  return { rig, main, sub, hung, healthy }
}

/** What is wrong with footage and catalogue, where a disk that failed may have lost what a gap tells of. */
const judge = (rig: RecorderRig) => ended(rig, 'looking at all', (async () =>
  [...await judgeFootage(rig, { mayLose: true }), ...await checkInvariants(rig)])())

async function restarted(rig: RecorderRig): Promise<void> {
  await ended(rig, 'the restart', rig.restart())
  await ended(rig, 'recovery', rig.lane.recover())
}

/** As ingest does it: a run that storage refuses ends, and a second later the camera is asked again. */
async function recordWithin(rig: RecorderRig, boundMs: number): Promise<string> {
  const untilMono = rig.clock.monoNow() + boundMs
  while (rig.clock.monoNow() < untilMono) {
    const outcome = await outcomeWithin(rig, rig.append(1, LONG), untilMono - rig.clock.monoNow())
    if (outcome.kind === 'done') return 'recorded'
    if (outcome.kind === 'hangs') return 'hangs'
    if (!(outcome.error instanceof RetryableError)) return `ends the recorder: ${String(outcome.error)}`
    if (rig.run !== null) rig.endRun('storage-failed')
    await pass(rig, 1_000)
  }
  return 'refused'
}

// ---- a sync that does not return

t.test('a sync that does not return keeps no other disk from being synced, and its age is told', async t => {
  const { rig, main, sub, hung, healthy } = await onTwoDisks(t)
  const hang = rig.fs.break({ step: 'append sync', mode: 'hang', under: hung.path, lasts: true })
  rig.lane = main
  await rig.append(1)
  await pass(rig, 1_000)
  await hang.arrived()
  const hungSinceMono = rig.clock.monoNow()
  rig.lane = sub
  for (let i = 0; i < 10; i++) {
    await rig.append(1)
    await pass(rig, SYNC_INTERVAL_MS + 100)
    t.equal(sub.openSlot!.writer.isDirty, false, `the other disk is synced within its interval, ${i}`)
  }
  const hungForMs = rig.clock.monoNow() - hungSinceMono
  t.ok(statusOf(rig, hung.identity.id).worstSyncMs >= hungForMs, `the sync in flight counts ${hungForMs} ms`)
  t.ok(statusOf(rig, healthy.identity.id).worstSyncMs < 1_000, 'the other has nothing to tell')
  t.equal(rig.storage.isBusy, false, 'nothing is recorded there just now that reading from the other could hold up')
  await hang.release()
  await pass(rig, 3_000)
  t.equal(main.openSlot?.writer.isDirty ?? false, false, 'it is synced as soon as the disk answers')
})

t.test('a power cut while one disk hangs costs the streams of the other two seconds at most', async t => {
  const { rig, main, sub, hung } = await onTwoDisks(t)
  rig.lane = main
  await rig.append(1)
  rig.fs.break({ mode: 'hang', under: hung.path })
  await pass(rig, 1_000)
  rig.lane = sub
  const first = rig.appended.length
  for (let i = 0; i < 20; i++) {
    await rig.append(1)
    await wake(rig)
  }
  const cutAt = rig.clock.wallNow()
  const isSafe = ({ startAt }: { startAt: number }) => startAt + 500 < cutAt - 2_000
  const safe = rig.appended.slice(first).filter(isSafe).map(({ name }) => name)
  t.ok(safe.length > 10)
  rig.freeze(rig.memory.afterPowerCut(seededRandom(SEED)))
  await rig.reopen()
  takeStream(rig, 'sub')
  await rig.lane.recover()
  const names = await foundOf(rig, 'sub')
  t.same(safe.filter(name => !names.includes(name)), [])
})

async function foundOf(rig: RecorderRig, stream: string) {
  const found: string[] = []
  const range = { startAt: 0, endAt: 253402300799000 } as Parameters<typeof rig.storage.segmentsIn>[2]
  for (const segment of rig.storage.segmentsIn(rig.camera, streamName(stream), range)) {
    await using reader = await rig.storage.openReader(segment)
    for (const [position] of reader.footage.entries.entries()) found.push(nameIn(await reader.read(position)))
  }
  return found
}

// ---- a disk that does not answer

for (const as of ['applied', 'failed'] as const) {
  t.test(`a stream whose append hangs goes on elsewhere in 10 s; the disk comes back (${as})`, async t => {
    const { rig, main, hung, healthy } = await onTwoDisks(t)
    rig.lane = main
    await rig.beginRun()
    await rig.append(1)
    const disk = rig.fs.break({ mode: 'hang', under: hung.path })
    t.equal(await recordWithin(rig, GOES_ON_MS), 'recorded')
    t.equal(main.openSlot?.volume.identity.id, healthy.identity.id)
    for (let i = 0; i < 10; i++) await ended(rig, 'an append on the other disk', rig.append(1))
    const { state, worstSyncMs } = statusOf(rig, hung.identity.id)
    t.ok(state !== 'ok' || worstSyncMs > 5_000, 'health can tell')
    await disk.release({ as })
    await pass(rig, TAKEN_BACK_MS)
    t.equal(statusOf(rig, hung.identity.id).state, 'ok', 'it is taken back by itself')
    await ended(rig, 'an append', rig.append(2))
    t.same(await judge(rig), [])
    await restarted(rig)
    t.same(await judge(rig), [])
  })
}

t.test('a recorder that is killed while a disk hangs finds what it had accepted', async t => {
  const { rig, main, hung } = await onTwoDisks(t)
  rig.lane = main
  await rig.append(2)
  rig.fs.break({ mode: 'hang', under: hung.path })
  t.equal(await recordWithin(rig, GOES_ON_MS), 'recorded')
  await ended(rig, 'an append on the other disk', rig.append(3))
  await rig.killAndReopen()
  await rig.lane.recover()
  t.same(await judge(rig), [])
  t.equal(await recordWithin(rig, 1_000), 'recorded')
})

t.test('a stop does not wait for a disk that hangs', async t => {
  const { rig, main, hung } = await onTwoDisks(t)
  rig.lane = main
  await rig.append(1)
  rig.fs.break({ mode: 'hang', under: hung.path })
  const stopping = rig.storage[Symbol.asyncDispose]()
  t.equal((await outcomeWithin(rig, stopping, STOP_MS)).kind, 'done')
})

t.test('a stop does not wait for a disk that hangs, whichever call of it does not return', async t => {
  const prepared = async () => {
    const rig = await RecorderRig.open(t, { volumes: DISKS, slots: 4, floor: SHORT })
    await rig.append(6, LONG)
    await rig.append(1)
    rig.fs.steps.length = 0
    return rig
  }
  const plain = await prepared()
  await ended(plain, 'a stop', plain.storage[Symbol.asyncDispose]())
  const steps = new Set(plain.fs.steps)
  t.ok(['append sync', 'seal trailer', 'seal free sync'].every(step => steps.has(step)), [...steps].join(', '))
  for (const step of steps) {
    const rig = await prepared()
    const hang = rig.fs.break({ step, mode: 'hang', lasts: true })
    const stopping = rig.storage[Symbol.asyncDispose]()
    t.equal((await outcomeWithin(rig, stopping, STOP_MS)).kind, 'done', step)
    t.ok(rig.fs.hasBroken, `"${step}" was reached`)
    await hang.release()
    await restarted(rig)
    t.same(await judge(rig), [], step)
  }
})

t.test('a slot that cannot be sealed in the catalogue leaves no file open', async t => {
  const rig = await RecorderRig.open(t, { slots: 6, floor: SHORT })
  await rig.append(6, LONG)
  await pass(rig, 1_000)
  const before = rig.memory.openFiles
  for (const kind of ['full', 'busy', 'full-at-commit', 'io-write'] as const) {
    rig.catalogueFaults.break({ kind, lasts: true })
    for (let i = 0; i < 8; i++) {
      await recordWithin(rig, 2_000)
      await wake(rig)
    }
    rig.catalogueFaults.heal()
    await pass(rig, 5_000)
    t.equal(rig.memory.openFiles, before, `${kind}: as many as before`)
  }
})

t.test('calls into a disk that hangs leave threads for the others', async t => {
  const STREAMS = 24, THREADS = 16, LEFT = 4
  const rig = await RecorderRig.open(t, { volumes: DISKS, slots: 14 })
  const lanes = []
  for (let i = 0; i < STREAMS; i++) {
    takeStream(rig, `s${i}`)
    await rig.append(1)
    lanes.push({ lane: rig.lane, run: rig.run, isBusy: false })
  }
  const disk = rig.fs.break({ mode: 'hang', under: '/volumes/disk1' })
  let most = 0
  for (let round = 0; round < 5; round++) {
    for (const each of lanes.filter(({ isBusy }) => !isBusy)) {
      rig.lane = each.lane
      rig.run = each.run
      each.isBusy = true
      void rig.append(1).catch(() => undefined).finally(() => { each.isBusy = false })
    }
    await pass(rig, 1_000)
    most = Math.max(most, disk.calls.length)
  }
  t.ok(most > 0)
  t.ok(most <= THREADS - LEFT, `${most} calls were in flight at once`)
})

// ---- at the start, and while volumes are looked at

t.test('a start does not wait for a disk that hangs, whichever call of it does not return', async t => {
  const base = await RecorderRig.open(t, { volumes: DISKS, slots: 4, floor: SHORT })
  await base.append(6, LONG)
  await pass(base, 1_000)
  await base.killAndReopen()
  await base.lane.recover()
  const steps = new Set(base.fs.steps)
  t.ok(['volume list', 'mark publish', 'recover open'].every(step => steps.has(step)), [...steps].join(', '))
  for (const step of [null, ...steps]) {
    for (const hung of DISKS) {
      const rig = await RecorderRig.fork(t, base)
      const holds: Hang[] = []
      const arm = (fs: typeof rig.fs) => {
        const which = step === null ? {} : { step, lasts: true }
        holds.push(fs.break({ mode: 'hang', under: `/volumes/${hung}`, ...which }))
      }
      const what = `${step ?? 'every call'} on ${hung}`
      const start = await outcomeWithin(rig, rig.killAndReopen({ arm, mayHang: true }), GOES_ON_MS)
      t.equal(start.kind, 'done', `the start returns: ${what}`)
      if (start.kind === 'done') {
        t.equal(await recordWithin(rig, GOES_ON_MS), 'recorded', `and records: ${what}`)
      }
      await holds[0]!.release()
      await pass(rig, TAKEN_BACK_MS)
      if (start.kind === 'done') {
        const states = rig.storage.volumeStatus().map(({ state }) => state)
        t.same(states, ['ok', 'ok'], `and takes it back: ${what}`)
        t.same(await judge(rig), [], what)
      }
      await ended(rig, `stopping: ${what}`, rig.close())
    }
  }
})

t.test('a disk that hangs while it is looked at keeps none that came back from being used', async t => {
  const rig = await RecorderRig.open(t, { volumes: DISKS, slots: 4, floor: SHORT })
  await rig.append(2, LONG)
  const [other] = DISKS.filter(id => id !== volumeOf(rig).identity.id)
  const giveBack = rig.memory.takeAway(`/volumes/${other}`)
  await pass(rig, 11_000)
  t.equal(statusOf(rig, other!).state, 'missing')
  const hang = rig.fs.break({ mode: 'hang', step: 'volume list', under: volumeOf(rig).path, lasts: true })
  await pass(rig, 11_000)
  await hang.arrived()
  giveBack()
  await pass(rig, 21_000)
  t.equal(statusOf(rig, other!).state, 'ok')
})

// ---- each call by itself

const RECORDING_STEPS = [
  'prepare look', 'close prepare look', 'prepare zero', 'prepare open', 'prepare zero sync', 'prepare header',
  'prepare header sync', 'append body', 'append head', 'append sync', 'seal trailer', 'seal trailer sync',
  'seal free', 'seal free sync', 'close prepare open',
]

for (const step of RECORDING_STEPS) {
  for (const as of ['applied', 'failed'] as const satisfies readonly Release[]) {
    t.test(`recording survives that "${step}" does not return for half a minute (${as})`, async t => {
      const rig = await RecorderRig.open(t, { volumes: DISKS, slots: 3, floor: SHORT })
      await rig.append(6, LONG)
      await pass(rig, 1_000)
      const hang = rig.fs.break({ step, mode: 'hang', until: rig.clock.alarm(30_000), as })
      const ends: string[] = []
      for (let i = 0; i < 32; i++) { // the ring turns while it hangs
        ends.push(await recordWithin(rig, GOES_ON_MS))
        if (ends.at(-1) !== 'recorded') break
        await wake(rig)
      }
      t.ok(rig.fs.hasBroken, 'the step was reached')
      t.same(ends.filter(end => end !== 'recorded'), [], 'the stream goes on')
      await hang.release({ as })
      await pass(rig, TAKEN_BACK_MS)
      t.same(await judge(rig), [])
      t.equal(await recordWithin(rig, 2_000), 'recorded')
      await restarted(rig)
      t.same(await judge(rig), [])
    })
  }
}

// ---- two syncs at once

const ORDERS = [
  { name: 'the first fails, and is told first', fails: 0, order: [0, 1] },
  { name: 'the first fails, and is told last', fails: 0, order: [1, 0] },
  { name: 'the second fails, and is told first', fails: 1, order: [1, 0] },
  { name: 'the second fails, and is told last', fails: 1, order: [0, 1] },
] as const

for (const { name, fails, order } of ORDERS) {
  t.test(`of two syncs of one slot ${name}: only what was synced before is claimed`, async t => {
    const rig = await RecorderRig.open(t, { slots: 4 })
    await rig.append(1)
    await pass(rig, SYNC_INTERVAL_MS + 100)
    await rig.append(2)
    const { writer, row } = rig.lane.openSlot!
    const overlap = rig.fs.break({ step: 'append sync', mode: 'overlap' })
    await pass(rig, SYNC_INTERVAL_MS) // the loop syncs
    await overlap.arrived()
    rig.endRun()
    rig.init = builtInit({ width: 128 })
    await rig.beginRun() // another picture: the slot is sealed in the background
    await wake(rig)
    const held: (HeldCall | undefined)[] = [...overlap.calls]
    // Whoever lets only one sync of a file be in flight has one call here, and everybody waits for it.
    const failing = held[fails] ?? held[0]!
    for (const at of order) await held[at]?.end(held[at] === failing ? 'failed' : 'applied')
    await pass(rig, 2_000)
    t.not(writer.failure, null)
    const [sealed] = rig.rows<{ records: number, end_at: number }>(
      `SELECT records, end_at FROM segment WHERE slot = ${row.slot} AND generation = ${row.generation}`)
    t.equal(sealed?.records, 1)
    t.equal(sealed?.end_at, rig.appended[1]!.startAt)
    const gaps = rig.rows("SELECT * FROM gap WHERE cause = 'storage-failed'")
    t.match(gaps, [{ start_at: rig.appended[1]!.startAt, end_at: rig.appended[2]!.startAt + 500 }])
    const [entry] = rig.rows("SELECT * FROM audit_entry WHERE action = 'segment.sealed'")
    t.match(entry, { result: 'failed', detail: /"records":1[,}]/ })
    t.same((await rig.found()).map(record => record.name), [rig.appended[0]!.name])
    t.same(await checkInvariants(rig), [])
  })
}
