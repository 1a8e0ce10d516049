import type { FileStep, StorageFault } from '../src/platform/file-system.ts'
import type { FloorRule } from '../src/retention/index.ts'
import { initVolume } from '../src/storage/index.ts'
import type { FaultMode, FaultyFileSystem } from '../test/support/faulty-file-system.ts'
import { checkInvariants, RecorderRig } from '../test/support/recorder-rig.ts'
import { seededRandom } from '../test/support/seeded-random.ts'
import type { TestOwner } from '../test/support/virtual-clock.ts'

const SHORT: FloorRule = { floor: { kind: 'plain', durationMs: 1000 }, timezone: 'Asia/Taipei' }
const LONG = { dataBytes: 220_000 } // four of them fill a slot
const SLOTS = 6
const MODES: readonly FaultMode[] = ['not-applied', 'applied-then-failed', 'half-applied']
const ERRNOS: readonly StorageFault[] = ['io', 'no-space', 'read-only', 'short-write']
const OCCURRENCES = 2

interface StepFault { readonly step: FileStep, readonly mode: FaultMode, readonly occurrence: number, readonly fault: StorageFault }
/** What may not be missing afterwards but by the ring's own turn, and what lies under an acknowledged hold. `wrong`: what was noticed on the way. */
interface Acted { readonly safe: Set<string>, readonly held: ReadonlySet<string>, readonly fs: FaultyFileSystem, readonly wrong: string[] }

/** A stretch of the recorder's life in which each file call is broken once. `fault` null: to learn the calls. */
interface Phase { readonly name: string, prepare(owner: TestOwner): Promise<RecorderRig>, act(rig: RecorderRig, fault: StepFault | null): Promise<Acted> }

export interface StepFigures { readonly cases: number, readonly labels: readonly string[], readonly problems: readonly string[] }

/**
 * Breaks every file call by its label, not applied, applied and then failed, or half applied, with one errno after the other. The labels are learnt from a run in which nothing fails, so that a new call is covered by itself.
 * With `sample` below 1 only that share, drawn by `seed`, each label at least once.
 */
export async function stepMatrix({ seed, sample }: { seed: number, sample: number }): Promise<StepFigures> {
  const random = seededRandom(seed)
  const labels = new Set<string>()
  const problems: string[] = []
  let cases = 0
  for (const phase of await phases()) {
    const known = await within(owner => learn(phase, owner))
    for (const [step, times] of known) {
      labels.add(`${phase.name}: ${step}`)
      const all = MODES.flatMap(mode => Array.from({ length: Math.min(times, OCCURRENCES) }, (_, i) => ({ step, mode, occurrence: i + 1 })))
      const sure = all[Math.floor(random() * all.length)]
      for (const each of all.filter(one => one === sure || random() < sample)) {
        const fault = { ...each, fault: ERRNOS[cases % ERRNOS.length]! }
        cases++
        const wrong = await within(owner => tryCase(phase, fault, owner)).catch((error: unknown) => [`threw ${(error as Error).stack ?? String(error)}`.slice(0, 600)])
        problems.push(...wrong.map(what => `${phase.name}, "${step}" ${fault.mode} (use ${fault.occurrence}, ${fault.fault}): ${what}`))
      }
    }
  }
  return { cases, labels: [...labels], problems }
}

async function within<Result>(use: (owner: TestOwner) => Promise<Result>): Promise<Result> {
  const work: (() => unknown)[] = []
  try { return await use({ teardown: each => { work.push(each) } }) } finally { for (const each of work.reverse()) await each() }
}

async function learn(phase: Phase, owner: TestOwner): Promise<Map<FileStep, number>> {
  const acted = await phase.act(await phase.prepare(owner), null)
  const times = new Map<FileStep, number>()
  for (const step of acted.fs.steps) times.set(step, (times.get(step) ?? 0) + 1)
  return times
}

async function tryCase(phase: Phase, fault: StepFault, owner: TestOwner): Promise<string[]> {
  const rig = await phase.prepare(owner)
  const { fs, safe, held, wrong } = await phase.act(rig, fault)
  if (!fs.hasBroken) return [...wrong, 'the call was not reached']
  await rig.lane.recover()
  wrong.push(...await lost(rig, safe, held), ...await checkInvariants(rig), ...await goesOn(rig))
  await rig.restart()
  await rig.lane.recover()
  return [...wrong, ...await checkInvariants(rig), ...await goesOn(rig)]
}

/** Synced records that are gone though nothing tells it: no gap, no slot set aside (its file is kept for rescue), no turn of the ring. */
async function lost(rig: RecorderRig, safe: ReadonlySet<string>, held: ReadonlySet<string>): Promise<string[]> {
  const spans = rig.rows<{ start_at: number, end_at: number | null }>(`SELECT start_at, end_at FROM gap WHERE cause IN ('storage-failed', 'recorder-killed')
    UNION ALL SELECT start_at, NULL FROM segment WHERE ended_at IS NOT NULL AND sealed_at IS NULL AND slot IN (SELECT slot FROM slot WHERE state = 'quarantined')
    UNION ALL SELECT start_at, end_at FROM segment WHERE freed_trusted_at IS NOT NULL`)
  const isTold = (startAt: number) => spans.some(span => startAt >= span.start_at && startAt < (span.end_at ?? Infinity))
  const found = await rig.found()
  const names = new Set(found.map(record => record.name))
  return [
    ...names.size === found.length ? [] : ['a record is there twice'],
    ...rig.appended.filter(({ name, startAt }) => safe.has(name) && !names.has(name) && !isTold(startAt)).map(({ name }) => `${name} was synced, is gone, and nothing tells it`),
    ...[...held].filter(name => !names.has(name)).map(name => `${name} was under a hold and is gone`),
  ]
}

async function goesOn(rig: RecorderRig): Promise<string[]> {
  const before = rig.appended.length
  for (let tries = 0; tries < 3 && rig.appended.length === before; tries++) await rig.append(1, LONG).catch(() => undefined) // ingest tries again too
  await rig.sync()
  const names = new Set((await rig.found()).map(record => record.name))
  return rig.appended.length > before && rig.appended.slice(before).every(({ name }) => names.has(name)) ? [] : ['recording does not go on']
}

/** Records and syncs; what was synced is safe. A call that fails is the fault; its fragment is not. */
async function record(rig: RecorderRig, count: number, safe: Set<string>, fs: FaultyFileSystem): Promise<void> {
  for (let i = 0; i < count; i++) {
    const wasBroken = fs.hasBroken
    await rig.append(1, LONG).catch(() => undefined)
    await rig.sync()
    if (!fs.hasBroken || wasBroken) for (const { name } of rig.appended) safe.add(name)
  }
}

const BY = { kind: 'machine-user', name: 'campaign', role: null, source: null } as const
const cameraOf = (rig: RecorderRig) => { const { camera_uuid: uuid } = rig.rows<{ camera_uuid: string }>('SELECT camera_uuid FROM segment LIMIT 1')[0]!; return { id: rig.camera, uuid: uuid as never } }

async function phases(): Promise<Phase[]> {
  const recorded = async (owner: TestOwner): Promise<RecorderRig> => {
    const rig = await RecorderRig.open(owner, { slots: SLOTS, floor: SHORT })
    await rig.append(SLOTS * 4 + 2, LONG) // the ring has turned once: footage lies under everything that is written
    await rig.sync()
    return rig
  }
  return [{
    name: 'recording, turning over, holding, sealing',
    prepare: recorded,
    async act(rig, fault) {
      const { fs } = rig
      const safe = new Set(rig.appended.map(({ name }) => name)), held = new Set<string>()
      const old = rig.segments()[2]!
      const inIt = (await rig.found()).filter(({ segment }) => segment.slot === old.slot).map(({ name }) => name)
      fs.steps.length = 0 // the recorder's from here on, not our looking
      if (fault !== null) fs.break(fault)
      await record(rig, 2, safe, fs)
      const request = { camera: cameraOf(rig), stream: null, fromAt: old.startAt, toAt: old.endAt!, authority: 'campaign', application: null, by: BY }
      const hold = await rig.storage.holds.place(request).catch(() => null)
      if (hold !== null) for (const name of inIt) held.add(name)
      const [newest] = rig.segments().slice(-1)
      const passing = await rig.storage.holds.place({ ...request, fromAt: newest!.startAt, toAt: rig.nextAt }).catch(() => null)
      if (passing !== null) await rig.storage.holds.end(passing.holdId, BY, 'campaign').catch(() => undefined)
      await record(rig, 5, safe, fs)
      const wrong = fs.hasBroken ? await lost(rig, safe, held) : [] // before the ring turns over the place of the fault
      await record(rig, 12, safe, fs) // past what is held
      rig.endRun()
      await rig.restart() // seals
      return { safe, held, fs, wrong }
    },
  }, {
    name: 'starting after a kill',
    async prepare(owner) {
      const rig = await recorded(owner)
      await rig.append(1, LONG)
      await rig.sync()
      rig.fs.break({ step: 'prepare header', mode: 'crash', onCrash: () => { rig.freeze(rig.memory.afterKill()) } })
      while (rig.frozenMemory === null) await rig.append(1, LONG).catch(() => undefined)
      return rig
    },
    async act(rig, fault) {
      const safe = new Set(rig.appended.map(({ name }) => name))
      let broken = rig.fs
      const wrong: string[] = []
      const files = rig.frozenMemory!, arm = (fs: FaultyFileSystem) => { broken = fs; if (fault !== null) fs.break(fault) }
      await rig.reopen({ arm }).catch((error: unknown) => { wrong.push(`the start ended: ${(error as Error).message}`) })
      if (wrong.length > 0) { rig.freeze(files); await rig.reopen() }
      await rig.lane.recover().catch(() => undefined)
      await rig.recheck() // a volume that was refused once is looked at again
      return { safe, held: new Set<string>(), fs: broken, wrong }
    },
  }, {
    name: 'a new volume',
    async prepare(owner) {
      const rig = await RecorderRig.open(owner, { slots: SLOTS, floor: SHORT, volumes: ['disk1', 'disk2'] })
      await rig.append(1, LONG)
      await rig.sync()
      rig.freeze(rig.memory.afterKill())
      return rig
    },
    async act(rig, fault) {
      const safe = new Set(rig.appended.map(({ name }) => name))
      let broken = rig.fs
      const wrong: string[] = []
      const used = rig.segments()[0]!.volumeUuid
      const files = rig.frozenMemory!
      const unused = rig.volumes.findIndex(volume => volume.identity.uuid !== used)
      const { path: folder, identity: { uuid, id, slotSizeBytes } } = rig.volumes[unused]!
      files.takeAway(folder)
      rig.volumes[unused] = await initVolume(files, { folder, id, sizeBytes: SLOTS * slotSizeBytes, slotSizeBytes, now: new Date(rig.clock.wallNow()) })
      const forget = () => { rig.catalogue(db => { db.exec(`PRAGMA foreign_keys = OFF; DELETE FROM slot WHERE volume_uuid = '${uuid}'; DELETE FROM volume_mark WHERE volume_uuid = '${uuid}'; DELETE FROM volume WHERE uuid = '${uuid}'`) }) }
      await rig.reopen({ before: forget, arm: fs => { broken = fs; if (fault !== null) fs.break(fault) } }).catch((error: unknown) => { wrong.push(`the start ended: ${(error as Error).message}`) })
      if (wrong.length > 0) { rig.freeze(files); await rig.reopen() }
      await rig.lane.recover().catch(() => undefined)
      await rig.recheck()
      return { safe, held: new Set<string>(), fs: broken, wrong }
    },
  }]
}
