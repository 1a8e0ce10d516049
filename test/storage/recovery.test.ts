import t, { type Test } from 'tap'
import type { FloorRule } from '../../src/retention/index.ts'
import { FAULT_MODES, type Fault } from '../support/faulty-file-system.ts'
import { checkInvariants, picturesOf, RecorderRig } from '../support/recorder-rig.ts'
import { pass } from '../support/rig-time.ts'
import { seededRandom } from '../support/seeded-random.ts'
import type { TestOwner } from '../support/virtual-clock.ts'

const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 1000 }, timezone: 'Asia/Taipei' }
const LONG = { dataBytes: 220_000 } // four of them fill a slot
const SEED = 20261122
const HOUR_MS = 3_600_000

/** Every file call of preparing a slot, appending to it and sealing it. */
const RECORDING_STEPS = [
  'prepare look', 'prepare zero', 'prepare open', 'prepare zero sync', 'prepare header', 'prepare header sync',
  'append body', 'append head', 'append sync', 'seal trailer', 'seal trailer sync', 'seal free', 'seal free sync',
]
/** Every file call of bringing slots back at a start. */
const RECOVERY_STEPS = [
  'recover open', 'read slot start', 'read record head', 'recover zero', 'recover zero sync', 'recover kept read',
  'recover kept write', 'recover kept sync', 'recover tail', 'recover free', 'recover sync', 'seal trailer',
  'seal free sync',
]

/** The ring has turned once: footage lies under everything that is written, and two fragments of the newest segment are synced. */
const base = await RecorderRig.open(t, { slots: 3, floor: SHORT })
await base.append(18, LONG)
await base.sync()
const recorded = (owner: TestOwner): Promise<RecorderRig> => RecorderRig.fork(owner, base)

interface Expected { readonly safe: ReadonlySet<string>, readonly order: readonly string[] }

/** What may not be missing: all that was safe and that the ring did not give away since. And what may not be there: anything twice, out of order, or changed. */
async function checkFootage(rig: RecorderRig, { safe, order }: Expected): Promise<string[]> {
  const wrong: string[] = []
  const found = await rig.found()
  const names = found.map(record => record.name)
  const kept = new Set(names)
  const given = rig.rows<{ n: number }>('SELECT count(*) AS n FROM segment WHERE ended_at IS NOT NULL AND sealed_at IS NOT NULL')[0]!.n
  const first = order.findIndex(name => kept.has(name))
  for (const name of order.slice(first)) if (safe.has(name) && !kept.has(name)) wrong.push(`${name} was safe and is gone`)
  if (first > given * 4) wrong.push(`${first} records are gone though the ring gave away ${given} segments of four`)
  if (kept.size !== names.length) wrong.push('a record is there twice')
  const positions = names.map(name => order.indexOf(name))
  if (positions.some((position, i) => position < 0 || position < (positions[i - 1] ?? -1))) wrong.push(`out of order or strange: ${names.join(' ')}`)
  for (const { name, bytes } of found) {
    if (!picturesOf(bytes).equals(Buffer.alloc(picturesOf(bytes).length, `${name} `))) wrong.push(`${name} is not what was recorded`)
  }
  return wrong
}

/** What a failed call lost is known to the catalogue: see the gaps. */
function forgetTold(rig: RecorderRig, safe: Set<string>): void {
  for (const gap of rig.rows<{ start_at: number, end_at: number }>("SELECT start_at, end_at FROM gap WHERE cause = 'storage-failed'")) {
    for (const { name, startAt } of rig.appended) if (startAt >= gap.start_at && startAt < gap.end_at) safe.delete(name)
  }
}

const orderOf = (rig: RecorderRig, tried: readonly string[] = []) => [...new Set([...rig.appended.map(({ name }) => name), ...tried])]

async function goesOn(rig: RecorderRig): Promise<string[]> {
  const before = rig.appended.length
  await rig.append(5, LONG)
  await rig.sync()
  const names = (await rig.found()).map(record => record.name)
  const wanted = rig.appended.slice(before).map(({ name }) => name)
  return wanted.every(name => names.includes(name)) ? [] : [`of ${wanted.join(' ')} only ${names.filter(name => wanted.includes(name)).join(' ')}`]
}

/** Records until the fault came and a bit beyond. Returns the names that were stored before it, and the one that was under way. */
async function recordThrough(rig: RecorderRig): Promise<{ safe: Set<string>, order: string[] }> {
  const synced = new Set(rig.appended.map(({ name }) => name))
  let underWay: string | null = null
  let beyond = 0
  for (let i = 0; i < 8 && beyond < 3; i++) {
    if (rig.fs.hasBroken) beyond++
    const broken = rig.fs.hasBroken
    const name = `f${String(rig.appended.length).padStart(5, '0')}`
    try {
      await rig.append(1, LONG)
      await rig.sync()
      if (!rig.fs.hasBroken || broken) for (const each of rig.appended) synced.add(each.name)
    } catch { underWay ??= name }
    if (rig.frozenMemory !== null) break
  }
  return { safe: synced, order: orderOf(rig, underWay === null ? [] : [underWay]) }
}

for (const step of RECORDING_STEPS) {
  for (const mode of FAULT_MODES) {
    t.test(`recording survives "${step}" ${mode}`, async t => {
      const rig = await recorded(t)
      const fault: Fault = { step, mode, onCrash: () => { rig.freeze(rig.memory.afterKill()) } }
      rig.fs.break(fault)
      const expected = await recordThrough(rig)
      t.ok(rig.fs.hasBroken, 'the step was reached')
      if (mode === 'crash' || mode === 'crash-after') {
        await rig.reopen()
        await rig.lane.recover()
      } else forgetTold(rig, expected.safe)
      t.same(await checkFootage(rig, expected), [])
      t.same(await checkInvariants(rig), [])
      t.same(await goesOn(rig), [])
      await rig.restart()
      await rig.lane.recover()
      t.same(await checkInvariants(rig), [])
    })
  }
}

for (const step of [...RECORDING_STEPS]) {
  t.test(`recording survives a power cut at "${step}", whatever sectors were written (seed ${SEED})`, async t => {
    const random = seededRandom(SEED)
    for (let round = 0; round < 2; round++) {
      const rig = await recorded(t)
      rig.fs.break({ step, mode: round % 2 === 0 ? 'crash-after' : 'crash', occurrence: 1 + Math.floor(random() * 2), onCrash: () => { rig.freeze(rig.memory.afterPowerCut(random)) } })
      const expected = await recordThrough(rig)
      t.ok(rig.fs.hasBroken, 'the step was reached')
      await rig.reopen()
      await rig.lane.recover()
      t.same(await checkFootage(rig, expected), [], `round ${round}`)
      t.same(await checkInvariants(rig), [])
      t.same(await goesOn(rig), [])
    }
  })
}

for (const step of RECOVERY_STEPS) {
  for (const mode of FAULT_MODES) {
    t.test(`a start survives "${step}" ${mode}`, async t => {
      const rig = await recorded(t)
      const sealing = step.startsWith('seal'), preparing = step.startsWith('recover zero')
      rig.fs.break({ step: sealing ? 'seal free' : preparing ? 'prepare header' : 'append head', mode: 'crash', onCrash: () => { rig.freeze(rig.memory.afterKill()) } })
      const expected = await recordThrough(rig)
      const frozen = rig.frozenMemory!
      await rig.close().catch(() => undefined)
      let broken = false
      await rig.reopen({ arm: fs => { fs.break({ step, mode, onCrash: () => { broken = true; rig.freeze(frozen.afterKill()) } }) } })
      await rig.lane.recover().catch(() => undefined)
      t.ok(broken || rig.fs.hasBroken, 'the step was reached')
      if (broken) {
        await rig.reopen()
        await rig.lane.recover()
      }
      for (let i = 0; i < 3; i++) await rig.recheck() // what could not be read is read then
      if (step.startsWith('recover kept')) forgetTold(rig, expected.safe)
      t.same(await checkFootage(rig, expected), [])
      t.same(await checkInvariants(rig), [])
      t.same(await goesOn(rig), [])
    })
  }
}

t.test('a process that dies between two rows never leaves a slot that the next start cannot bring back', async t => {
  for (const [table, step, mode] of [['segment', 'prepare header', 'not-applied'], ['slot', 'prepare header', 'not-applied']] as const) {
    const rig = await recorded(t)
    rig.fs.break({ step, mode })
    rig.catalogue(db => { db.exec(`CREATE TRIGGER death BEFORE UPDATE ON ${table} WHEN ${table === 'segment' ? 'NEW.ended_at IS NOT NULL AND OLD.sealed_at IS NULL' : "NEW.state = 'quarantined'"} BEGIN SELECT RAISE(ABORT, 'killed here'); END`) })
    await t.rejects(rig.append(8, LONG), { message: /killed here/ })
    rig.freeze(rig.memory.afterKill())
    await rig.reopen({ before: () => { rig.catalogue(db => { db.exec('DROP TRIGGER death') }) } })
    await rig.lane.recover()
    t.same(await checkInvariants(rig), [])
    t.same(await goesOn(rig), [])
  }
})

t.test('a start that dies between two rows while it frees a slot can be repeated', async t => {
  const rig = await recorded(t)
  rig.fs.break({ step: 'prepare header', mode: 'crash', onCrash: () => { rig.freeze(rig.memory.afterKill()) } })
  await recordThrough(rig)
  const death = "CREATE TRIGGER death BEFORE UPDATE ON segment WHEN NEW.ended_at IS NOT NULL AND OLD.sealed_at IS NULL BEGIN SELECT RAISE(ABORT, 'killed here'); END"
  await rig.reopen({ before: () => { rig.catalogue(db => { db.exec(death) }) } }).catch(() => undefined)
  rig.freeze(rig.memory.afterKill())
  await rig.reopen({ before: () => { rig.catalogue(db => { db.exec('DROP TRIGGER death') }) } })
  await rig.lane.recover()
  t.same(await checkInvariants(rig), [])
  t.same(await goesOn(rig), [])
})

t.test('a slot that was sealed on disk but not in the catalogue is sealed to the same bytes', async t => {
  const rig = await recorded(t)
  const slot = rig.segments().at(-1)!.slot
  rig.fs.break({ step: 'seal free sync', mode: 'crash-after', onCrash: () => { rig.freeze(rig.memory.afterKill()) } })
  await recordThrough(rig)
  const bytes = Buffer.from(rig.frozenMemory!.bytesOf([...new Set(rig.volumes)].map(volume => `${volume.path}/slots/0000/${String(slot).padStart(7, '0')}.mp4`)[0]!))
  await rig.reopen()
  await rig.lane.recover()
  t.equal(Buffer.compare(rig.rawSlot(slot), bytes), 0)
  t.same(await checkInvariants(rig), [])
})

t.test('a slot whose tail cannot be cleaned at the start keeps its footage in the catalogue', async t => {
  const rig = await recorded(t)
  const names = rig.appended.slice(-2).map(({ name }) => name)
  rig.freeze(rig.memory.afterKill())
  await rig.reopen({ arm: fs => { fs.break({ step: 'recover tail', mode: 'not-applied' }) } })
  await rig.lane.recover()
  t.ok(rig.fs.hasBroken)
  t.same((await rig.found()).slice(-2).map(record => record.name), names)
  t.same(rig.rows('SELECT state FROM slot').filter(row => (row as { state: string }).state === 'quarantined').length, 1)
})

/** Which of the last fragments are found after a kill, by a start that cannot sync what it finds. */
async function foundUnsyncable(test: Test, rig: RecorderRig, last: number): Promise<RecorderRig['appended']> {
  rig.freeze(rig.memory.afterKill())
  await rig.reopen({ arm: fs => { fs.break({ step: 'recover kept sync', mode: 'not-applied' }) } })
  await rig.lane.recover()
  test.ok(rig.fs.hasBroken)
  const names = (await rig.found()).map(({ name }) => name)
  return rig.appended.slice(-last).filter(({ name }) => names.includes(name))
}

t.test('what a killed recorder had not synced, and a start cannot sync either, is a gap and no footage', async t => {
  const rig = await recorded(t)
  await rig.append(6)
  await rig.sync()
  const syncedTo = rig.nextAt
  await rig.append(4)
  t.same(await foundUnsyncable(t, rig, 8), rig.appended.slice(-8, -4))
  t.match(rig.rows("SELECT start_at, end_at FROM gap WHERE cause = 'storage-failed'"), [{ start_at: syncedTo, end_at: rig.nextAt }])
  t.match(rig.rows("SELECT start_at FROM gap WHERE cause = 'recorder-killed'").at(-1), { start_at: rig.nextAt })
  t.same(await checkInvariants(rig), [])
  t.same(await goesOn(rig), [])
})

t.test('what had not been synced when the clock was set is no footage either when a start cannot sync it', async t => {
  const rig = await recorded(t)
  await rig.append(6)
  await rig.sync()
  await rig.append(3)
  rig.endRun()
  rig.clock.stepWall(HOUR_MS)
  await rig.append(1)
  t.same(await foundUnsyncable(t, rig, 10), rig.appended.slice(-10, -4))
})

t.test('a failed write-back that only the killed recorder was told of costs no later record', async t => {
  const rig = await recorded(t)
  await rig.append(4)
  await rig.sync()
  await rig.append(2)
  rig.memory.loseWriteBack()
  rig.freeze(rig.memory)
  await rig.reopen()
  await rig.lane.recover()
  await rig.append(2)
  await rig.sync()
  const names = (await rig.found()).map(({ name }) => name)
  rig.freeze(rig.memory.afterPowerCut(() => 0.999)) // nothing that was not synced stays
  await rig.reopen()
  await rig.lane.recover()
  t.same((await rig.found()).map(({ name }) => name), names)
  t.same(names.slice(-8), rig.appended.slice(-8).map(({ name }) => name))
  t.same(await checkInvariants(rig), [])
})

t.test('recording goes on in the slot that was open when the recorder was killed', async t => {
  const rig = await recorded(t)
  const open = rig.segments().at(-1)!
  await rig.killAndReopen()
  await rig.append(1, LONG)
  t.same(rig.segments().map(segment => [segment.slot, segment.generation]).at(-1), [open.slot, open.generation])
  t.equal((await rig.found()).at(-1)?.name, rig.appended.at(-1)?.name)
})

t.test('kills one after another, at any step, lose nothing that was synced (seed in the name of the test)', async t => {
  const random = seededRandom(SEED + 1)
  const rig = await recorded(t)
  const safe = new Set(rig.appended.map(({ name }) => name))
  const tried: string[] = []
  for (let round = 0; round < 12; round++) {
    const step = RECORDING_STEPS[Math.floor(random() * RECORDING_STEPS.length)]!
    rig.fs.break({ step, mode: random() < 0.5 ? 'crash' : 'crash-after', occurrence: 1 + Math.floor(random() * 3), onCrash: () => { rig.freeze(random() < 0.5 ? rig.memory.afterKill() : rig.memory.afterPowerCut(random)) } })
    const expected = await recordThrough(rig)
    for (const name of expected.safe) safe.add(name)
    tried.push(...expected.order)
    if (rig.frozenMemory === null) rig.freeze(rig.memory.afterKill())
    await rig.reopen()
    await rig.lane.recover()
    const order = [...new Set(tried)].sort()
    const wrong = [...await checkFootage(rig, { safe, order }), ...await checkInvariants(rig)]
    t.same(wrong, [], `round ${round}: ${step}`)
    if (wrong.length > 0) return
  }
})

for (const how of ['fails', 'hangs for 20 s'] as const) {
  t.test(`a slot whose row says that it was being prepared keeps its footage where the first read ${how}`, async t => {
    const rig = await RecorderRig.open(t, { slots: 6 })
    await rig.beginRun()
    rig.catalogueFaults.break({ kind: 'busy', at: 'BEGIN IMMEDIATE', occurrence: 2, lasts: true })
    await rig.append(6)
    await rig.sync()
    t.match(rig.rows("SELECT state FROM slot WHERE state = 'preparing'"), [{ state: 'preparing' }])
    rig.freeze(rig.memory.afterKill())
    rig.catalogueFaults.heal()
    const opening = rig.reopen({ mayHang: true, arm: fs => {
      if (how === 'fails') fs.break({ step: 'recover open', mode: 'not-applied' })
      else fs.break({ step: 'recover open', mode: 'hang', until: rig.clock.alarm(20_000) })
    } })
    await pass(rig, 30_000)
    await opening
    await rig.lane.recover()
    t.ok(rig.fs.hasBroken)
    await pass(rig, 90_000)
    t.equal((await rig.found()).length, 6)
    t.same(rig.rows("SELECT state FROM slot WHERE state = 'quarantined'"), [])
  })
}

t.test('a read fault of the catalogue while such a slot is asked again leaves it for the next look', async t => {
  const rig = await RecorderRig.open(t, { slots: 6 })
  await rig.beginRun()
  rig.catalogueFaults.break({ kind: 'busy', at: 'BEGIN IMMEDIATE', occurrence: 2, lasts: true })
  await rig.append(6)
  await rig.sync()
  rig.freeze(rig.memory.afterKill())
  rig.catalogueFaults.heal()
  const isUnsealed = ({ source }: { source: string }) => source.endsWith('sealed_at IS NULL AND ended_at IS NULL')
  const { source } = rig.catalogueFaults.statements().find(isUnsealed)!
  await rig.reopen({ arm: (fs, catalogue) => {
    fs.break({ step: 'recover open', mode: 'not-applied' })
    catalogue.break({ kind: 'io-read', at: source, occurrence: 2 }) // the start asks once, then the first look
  } })
  await rig.lane.recover()
  t.ok(rig.fs.hasBroken && rig.catalogueFaults.hasBroken)
  rig.catalogueFaults.heal()
  for (let i = 0; i < 3; i++) await rig.recheck()
  t.equal((await rig.found()).length, 6)
  t.same(rig.rows('SELECT slot FROM segment WHERE sealed_at IS NULL'), [])
})
