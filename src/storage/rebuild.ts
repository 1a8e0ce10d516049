import {
  epochMs, isoOf, slotNumber, SYSTEM, type AuditActor, type AuditEvent, type AuditSink, type CameraId,
  type CameraUuid, type EpochMs, type SlotNumber, type VolumeId,
} from '../domain/index.ts'
import { slotPath } from '../footage/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { VolumeFileSystem } from '../platform/file-system.ts'
import { timeTables } from '../trusted-time/index.ts'
import { CatalogueMarks, readMark } from './catalogue-mark.ts'
import { HoldBook } from './hold-book.ts'
import { planTime, type TimedVolume } from './rebuild-time.ts'
import { factsOf, spansOf, surveySlot, type SlotSurvey } from './slot-survey.ts'
import { readSlot } from '../slots/index.ts'
import { cameraTable } from './tables/cameras.ts'
import { holdTable } from './tables/holds.ts'
import { markTable } from './tables/marks.ts'
import { reconcile, type Contradiction, type ReconciledCounts } from './tables/reconciliation.ts'
import { stockTaking, type Stock } from './tables/stock.ts'
import { surveyTables, type CameraTrace } from './tables/survey.ts'
import { readTimeCopy } from './time-file.ts'
import { checkVolume, type Volume } from './volume.ts'

export interface RebuildOptions {
  readonly catalogue: Catalogue
  readonly audit: AuditSink
  readonly volumes: readonly { readonly id: VolumeId, readonly path: string }[]
  /** Those of the configuration: the others' footage comes back too, under a retired name. */
  readonly cameras: readonly CameraId[]
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  /** The kernel's name of this boot. */
  readonly bootId: string
  readonly by?: AuditActor
  /** Called now and then while slots are read. */
  readonly onProgress?: (volume: VolumeId, done: number, of: number) => void
}

/** All are counted, some are named. */
export interface Named { readonly count: number, readonly examples: readonly string[] }
/** `unread`: of the damaged ones, those that the disk did not give. */
export interface SurveyedVolume {
  readonly id: VolumeId
  readonly isRead: boolean
  readonly detail: string
  readonly slots: number
  readonly damaged: Named
  readonly doubts: Named
  readonly unread: number
}

export interface RebuildReport {
  readonly volumes: readonly SurveyedVolume[]
  /** What the catalogue holds of the volumes that were read, afterwards. */
  readonly stock: Stock
  readonly counts: ReconciledCounts
  readonly holdsImported: number
  /** Files of holds that could not be read or written, by volume: what they held may be reused. */
  readonly holdFaults: readonly string[]
  /** Volumes that did not take the new mark; the old one is accepted once more. */
  readonly unmarked: readonly VolumeId[]
  readonly contradictions: readonly Contradiction[]
}

/** Before each further try of slots that the disk did not give: most that fail are back within seconds. */
const READ_AGAIN_AFTER_MS = [2_000, 10_000, 45_000]
const SLOTS_AT_ONCE = 12 // of one volume: enough to keep a disk array busy, few enough for libuv's threads to take turns
const BATCH = 500
const MAX_NAMED = 20

/**
 * Recreates the footage part of the catalogue from the volumes, or brings one from a backup into line with them. Nobody may record meanwhile: the caller
 * holds the state folder. All that was read is taken over in one transaction, with its audit entry; then the volumes are marked with this catalogue again.
 * Writes nothing to a volume but its mark and its file of holds. What could not be read is in the report, never a throw.
 */
export async function rebuildCatalogue(options: RebuildOptions): Promise<RebuildReport> {
  const { catalogue: { db }, audit, fs, clock } = options
  const survey = surveyTables(db)
  const told: SurveyedVolume[] = []
  const volumes: Volume[] = []
  const marks = new Map<Volume, Awaited<ReturnType<typeof readMark>>>()
  const timed: TimedVolume[] = []
  try {
    for (const { id, path } of options.volumes) {
      const check = await checkVolume(fs, path, id)
      if (check.kind === 'refused') {
        const { detail } = check
        told.push({ id, isRead: false, detail, slots: 0, damaged: NONE, doubts: NONE, unread: 0 })
        continue
      }
      const { volume } = check
      marks.set(volume, await readMark(fs, volume).catch(() => ({ kind: 'damaged' as const })))
      timed.push({ uuid: volume.identity.uuid, copy: await readTimeCopy(fs, volume).catch(() => null) })
      survey.addVolume(volume.identity)
      told.push(await readVolume(options, volume, surveys => { survey.add(volume.identity.uuid, surveys) }))
      volumes.push(volume)
    }
    await cutBackOvertaken(fs, volumes, survey)
    const now = clock.wallNow()
    const table = markTable(db)
    const { counts, contradictions, stock } = db.transaction(() => {
      const time = takeTime(options, timed, survey)
      const traces = survey.cameras()
      const reconciled = reconcile(db, { volumes: volumes.map(volume => volume.identity), cameras: traces, ...decideNames(traces, new Set(options.cameras), now), now })
      for (const [volume, mark] of marks) if (mark.kind === 'start') table.setMark(volume.identity.uuid, table.adopt(mark.startId, now))
      const stock = stockTaking(db)
      audit.append({
        action: 'catalogue.rebuilt', actor: options.by ?? SYSTEM, object: null, application: null, result: told.every(each => each.isRead) ? 'done' : 'failed',
        detail: {
          volumes: told.map(({ id, isRead, detail, slots, damaged, doubts }) => ({ id, isRead, detail: detail.slice(0, 300), slots, damaged: damaged.count, doubts: doubts.count })),
          ...stock, ...reconciled.counts, time, oldest: stock.oldestAt === null ? null : isoOf(epochMs(stock.oldestAt)), newest: stock.newestAt === null ? null : isoOf(epochMs(stock.newestAt)),
          contradictions: reconciled.contradictions.map(({ kind, count, examples }) => ({ kind, count, examples: [...examples] })),
        },
      })
      return { ...reconciled, stock }
    }).immediate()
    const holds = await importHolds(options, volumes)
    const own = new CatalogueMarks(table, now)
    const unmarked: VolumeId[] = []
    for (const volume of volumes) await own.publish(volume, fs).catch(() => unmarked.push(volume.identity.id)) // the report says so; recording there will be refused or not by the mark that stands
    return { volumes: told, stock: { ...stock, holds: holdTable(db).inForce().length }, counts, contradictions, ...holds, unmarked }
  } finally { survey.drop() }
}

/**
 * Goes on from the trusted time that the volumes kept, where the catalogue has none or an older one, and
 * moves the stamps of footage that aged by another. For the audit entry: what was taken and moved.
 */
function takeTime(
  { catalogue: { db }, clock, bootId }: RebuildOptions, volumes: readonly TimedVolume[],
  survey: ReturnType<typeof surveyTables>,
): AuditEvent['detail'] {
  const tables = timeTables(db), saved = tables.load()
  const own = saved === null ? null : { timeline: tables.timeline(), time: saved }
  const hasFootage = db.prepare('SELECT 1 FROM segment WHERE ended_at IS NULL LIMIT 1').get() !== undefined
  const reading = { wallMs: clock.wallNow(), monoMs: clock.monoNow(), bootId, isSynchronised: false }
  const { take, moves, rest } = planTime({ own, advances: tables.advances(), hasFootage }, volumes, reading)
  if (take !== null) tables.take(take)
  for (const [volume, move] of moves) survey.move(volume, move)
  survey.moveUnread(rest)
  return {
    takenFromVolume: take !== null,
    withoutCopy: volumes.filter(({ copy }) => copy === null).map(({ uuid }) => uuid),
    moved: [...moves].map(([volume, { advances, shiftMs }]) =>
      ({ volume, shiftMs: Math.round(shiftMs), advances: advances.length })),
  }
}

/** Several slots at a time, answers taken over in batches. */
async function readVolume(options: RebuildOptions, volume: Volume, take: (surveys: readonly SlotSurvey[]) => void): Promise<SurveyedVolume> {
  const { id, slotCount } = volume.identity
  const damaged: Told[] = [], doubts: Told[] = []
  let unread: SlotNumber[] = [], done = 0, waiting: SlotSurvey[] = []
  const note = (survey: SlotSurvey, isLast: boolean): void => {
    if (survey.kind === 'damaged') {
      if (survey.isUnread) unread.push(survey.slot)
      if (isLast || !survey.isUnread) {
        damaged.push({ slot: survey.slot, text: `${id}/${survey.slot}: ${survey.why}` })
      }
    }
    if (survey.kind === 'footage') {
      for (const doubt of survey.doubts) doubts.push({ slot: survey.slot, text: `${id}/${survey.slot}: ${doubt}` })
    }
    waiting.push(survey)
    if (waiting.length < BATCH) return
    take(waiting)
    waiting = []
    options.onProgress?.(id, Math.min(done, slotCount), slotCount)
  }
  const read = async (slots: Iterator<number>, isLast: boolean): Promise<void> => {
    const reader = async (): Promise<void> => {
      for (let next = slots.next(); next.done !== true; next = slots.next()) {
        done++
        note(await surveySlot(options.fs, volume, slotNumber(next.value)), isLast)
      }
    }
    await Promise.all(Array.from({ length: SLOTS_AT_ONCE }, reader))
  }
  await read(Array(slotCount).keys(), false)
  for (const [round, afterMs] of READ_AGAIN_AFTER_MS.entries()) {
    if (unread.length === 0) break
    await options.clock.wait(afterMs)
    const again = unread
    unread = []
    await read(again.values(), round === READ_AGAIN_AFTER_MS.length - 1)
  }
  take(waiting)
  options.onProgress?.(id, slotCount, slotCount)
  return {
    id, isRead: true, detail: '', slots: slotCount, damaged: named(damaged), doubts: named(doubts),
    unread: unread.length,
  }
}

const NONE: Named = { count: 0, examples: [] }
interface Told { readonly slot: number, readonly text: string }
const named = (told: readonly Told[]): Named => ({ count: told.length, examples: told.toSorted((a, b) => a.slot - b.slot).slice(0, MAX_NAMED).map(each => each.text) })

/** A slot that failed and whose last fragment was written to another one too: only up to there is it footage, and it stays out of use. */
async function cutBackOvertaken(fs: VolumeFileSystem, volumes: readonly Volume[], survey: ReturnType<typeof surveyTables>): Promise<void> {
  for (const { volumeUuid, slot, nextStart } of survey.overtaken()) {
    const volume = volumes.find(each => each.identity.uuid === volumeUuid)!
    const file = await fs.open(slotPath(volume, slot), 'read', 'survey open')
    try {
      const content = await readSlot(file, volume.identity.slotSizeBytes)
      if (content.kind !== 'footage') continue
      const entries = content.entries.filter(entry => entry.startAt < nextStart)
      survey.addFailed(volumeUuid, { kind: 'footage', slot, header: content.header, video: content.init.video, spans: spansOf(entries), facts: factsOf(content.header, entries), isSealed: false, isIndexLost: false, doubts: [] },
        'its stream went on in another slot while this one was being written: it had failed')
    } finally { await file.close() }
  }
}

export interface Names {
  readonly retire: ReadonlyMap<CameraUuid, EpochMs>
  readonly activate: readonly CameraUuid[]
  /** From a uuid that was minted while the catalogue was lost, and never recorded, to the one it stands for. */
  readonly replaced: ReadonlyMap<CameraUuid, CameraUuid>
}

/**
 * Which uuid a configured name belongs to: where several had it, the one that was recorded last, by the numbers of runs,
 * for its clock may have been behind. Pure. A camera that the catalogue has retired stays so
 * unless there is footage of later and no other has its name and footage; a name that nobody configured is retired
 * with its last frame.
 */
export function decideNames(traces: readonly CameraTrace[], configured: ReadonlySet<CameraId>, now: EpochMs): Names {
  const winners = new Map<CameraId, CameraTrace>()
  const inUse = new Set(traces.flatMap(({ id, known, newestAt }) =>
    known !== null && known.retiredAt === null && newestAt !== null ? [id] : []))
  for (const trace of traces) {
    const { id, known } = trace
    if (!configured.has(id)) continue
    // Footage that seems to be of later may come from a clock that was ahead.
    if (known?.retiredAt != null && (newest(trace) <= known.retiredAt || inUse.has(id))) continue
    const best = winners.get(id)
    if (best === undefined || isLater(trace, best)) winners.set(id, trace)
  }
  const retire = new Map<CameraUuid, EpochMs>(), replaced = new Map<CameraUuid, CameraUuid>()
  for (const trace of traces) {
    const winner = winners.get(trace.id)
    if (winner === trace || trace.known?.retiredAt != null) continue
    retire.set(trace.uuid, trace.newestAt ?? now)
    if (winner !== undefined && trace.newestAt === null) replaced.set(trace.uuid, winner.uuid)
  }
  return { retire, activate: [...winners.values()].map(each => each.uuid), replaced }
}

const newest = ({ newestAt }: CameraTrace): number => newestAt ?? -Infinity
/** Of one number, or none, the footage that ends later. */
const isLater = (a: CameraTrace, b: CameraTrace): boolean =>
  a.newestRun !== b.newestRun ? a.newestRun > b.newestRun : newest(a) > newest(b)

async function importHolds({ catalogue, audit, fs, clock }: RebuildOptions, volumes: readonly Volume[]): Promise<{ holdsImported: number, holdFaults: string[] }> {
  const { db } = catalogue
  const readable: Volume[] = []
  const book = new HoldBook({ catalogue, holds: holdTable(db), cameras: cameraTable(db), audit, fs, clock, volumes: () => readable })
  let holdsImported = 0
  const holdFaults: string[] = []
  for (const volume of volumes) {
    const { imported, fault } = await book.import(volume)
    holdsImported += imported
    if (fault === null) readable.push(volume) // a file that cannot be read is left for a person, not written over
    else holdFaults.push(`${volume.identity.id}: ${fault}`)
  }
  await book.publish().catch((error: unknown) => holdFaults.push((error as Error).message))
  return { holdsImported, holdFaults }
}
