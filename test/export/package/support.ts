import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import Database from 'better-sqlite3'
import { AuditLog, CheckpointBook, entryTable, openSigningKey, RecorderCertificate, type AuditEntry, type EvidenceCheckpoints, type SigningKey } from '../../../src/audit/index.ts'
import { cameraId, cameraUuid, epochMs, generation, isoOf, SYSTEM, slotNumber, streamName, volumeUuid, type CameraUuid, type EpochMs, type StreamName, type TimeRange } from '../../../src/domain/index.ts'
import { auditEvidence, gapsOf, packageIdOf, sealPackage, takeVideos, type FootageShelf, type SealFacts, type Taken, type TimestampHook } from '../../../src/export/index.ts'
import { SegmentGoneError, VolumeAwayError, type Footage as FootagePort, type NotedGap, type SegmentRow } from '../../../src/footage/index.ts'
import { migrate, type Db } from '../../../src/platform/catalogue.ts'
import type { LeaveVerdict } from '../../../src/requests/index.ts'
import type { SlotFootage } from '../../../src/slots/index.ts'
import { encodeSlotStart, freeHeader } from '../../../src/slots/slot-format.ts'
import { readSlot } from '../../../src/slots/slot-walk.ts'
import { SlotWriter } from '../../../src/storage/slot-writer.ts'
import { timedFragment, type Footage } from '../../support/fragments.ts'
import { MemoryFileSystem } from '../../support/memory-file-system.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

export const execute = promisify(execFile)
export const LOBBY = cameraUuid('a'.repeat(32)), DOOR = cameraUuid('b'.repeat(32))
export const MAIN = streamName('main')
export const START_MS = Date.parse('2026-11-20T01:00:00.000Z')
export const CASE = '115-調-0001'
export const at = (ms: number): EpochMs => epochMs(START_MS + ms)
export const span = (fromMs: number, toMs: number): TimeRange => ({ startAt: at(fromMs), endAt: at(toMs) })

/** One fragment as it is recorded: which of the footage, in which run, how long after START_MS. */
export interface Put { readonly position: number, readonly run: number, readonly atMs: number }
const SLOT_BYTES = 4 << 20

/** Slots in memory, each a real one, read as the recorder's are. */
export class Shelf implements FootageShelf {
  readonly #slots: { readonly row: SegmentRow, readonly footage: SlotFootage, readonly bytes: () => Buffer }[] = []
  /** What stood behind the camera: the last one that came before the instant. */
  readonly devices: { readonly fromMs: number, readonly maker: string, readonly model: string, readonly firmware: string }[] = [{ fromMs: -86_400_000, maker: 'ACME', model: 'X1', firmware: '1.2.3' }]
  /** Positions whose bytes are spoilt. */
  readonly rotten = new Set<string>()
  /** Slots whose disk is pulled. */
  readonly away = new Set<number>()
  /** How many records one opening gives before its lease lapses, as after a minute without a read; by opening, the last for all that follow. */
  readsByOpening: readonly number[] = [Infinity]
  opened = 0
  closed = 0

  async add(footage: Footage, puts: readonly Put[], { camera = LOBBY, id = 'lobby', isSealed = true, slotBytes = SLOT_BYTES } = {}): Promise<void> {
    const slot = this.#slots.length, fs = new MemoryFileSystem(), startAt = at(puts[0]!.atMs)
    const header = {
      volumeUuid: volumeUuid('d'.repeat(32)), slot: slotNumber(slot), generation: generation(1), cameraId: cameraId(id), cameraUuid: camera, stream: MAIN, startAt, floorRule: '31d Asia/Taipei', slotSizeBytes: slotBytes,
    }
    await fs.createAllocated('/slot', slotBytes, 'test')
    const file = await fs.open('/slot', 'read-write', 'test'), start = encodeSlotStart(header, footage.init.ftyp, footage.init.moov)
    await file.write(Buffer.concat([start, freeHeader(slotBytes - start.length)]), 0, 'test')
    const writer = new SlotWriter({ file, slot: header.slot, generation: header.generation, startAt, init: footage.init, slotSizeBytes: slotBytes, endByte: start.length })
    for (const put of puts) await writer.append(timedFragment(footage.init, footage.fragment(put.position), { runId: put.run, startAt: at(put.atMs), cameraClockOffsetMs: 40 }))
    if (isSealed) await writer.seal(endAt => endAt)
    const content = await readSlot(file, slotBytes)
    if (content.kind !== 'footage') throw new Error(`slot is ${content.kind}`)
    const row = { ...header, endAt: isSealed ? content.sealed!.endAt : null, keepUntil: null, newestAt: null, records: null, usedBytes: null, merkleRoot: null } as SegmentRow
    this.#slots.push({ row, footage: content, bytes: () => fs.bytesOf('/slot') })
  }

  async device(_: CameraUuid, instant: EpochMs) {
    const device = this.devices.findLast(({ fromMs }) => at(fromMs) <= instant)
    return device === undefined ? null : { serial: null, firstSeenAt: at(device.fromMs), lastSeenAt: at(device.fromMs), ...device }
  }
  /** What was noted of spans that were not recorded. */
  noted: (...of: Parameters<FootagePort['gaps']>) => Promise<readonly NotedGap[]> = async () => []
  /** Asked before each piece that is read. */
  busy: () => boolean = () => false
  get isBusy(): boolean { return this.busy() }
  async gaps(...of: Parameters<FootagePort['gaps']>): Promise<readonly NotedGap[]> { return await this.noted(...of) }
  async segments(camera: CameraUuid, stream: StreamName, { startAt, endAt }: TimeRange): Promise<SegmentRow[]> {
    return this.#slots.map(({ row }) => row).filter(row => row.cameraUuid === camera && row.stream === stream && row.startAt < endAt && (row.endAt === null || row.endAt > startAt))
  }
  async open(segment: SegmentRow) {
    const slot = this.#slots.find(({ row }) => row === segment)!
    if (this.away.has(segment.slot)) throw new VolumeAwayError()
    let left = this.readsByOpening[Math.min(this.opened, this.readsByOpening.length - 1)]!
    this.opened += 1
    if (left < 0) throw new SegmentGoneError('the slot holds another generation')
    return {
      footage: slot.footage,
      read: async (position: number) => {
        const { at: from, sizeBytes } = slot.footage.entries[position]!
        left -= 1
        if (left < 0) throw new SegmentGoneError('the lease lapsed')
        if (this.rotten.has(`${segment.slot}/${position}`)) throw new SegmentGoneError('its bytes rotted')
        return Buffer.from(slot.bytes().subarray(from, from + sizeBytes))
      },
      [Symbol.asyncDispose]: async () => { this.closed += 1 },
    }
  }
  /** The recorded bytes of every record, for comparison. */
  *records(): Generator<{ readonly footage: SlotFootage, readonly position: number, readonly bytes: Buffer }> {
    for (const { footage, bytes } of this.#slots) for (const [position, entry] of footage.entries.entries()) yield { footage, position, bytes: bytes().subarray(entry.at, entry.at + entry.sizeBytes) }
  }
}

/** Fragments one after another from `fromMs`, as long as each lasts. */
export function inARow(footage: Footage, count: number, { run = 1, fromMs = 0, from = 0 } = {}): Put[] {
  let atMs = fromMs
  return Array.from({ length: count }, (_, i) => {
    const position = (from + i) % footage.count
    const put = { position, run, atMs }
    atMs += timedFragment(footage.init, footage.fragment(position), { startAt: 0 }).durationMs
    return put
  })
}

export const openFence = (range: TimeRange, preRollMs = 0) => (instant: EpochMs): LeaveVerdict =>
  instant >= range.startAt && instant < range.endAt ? { ok: true, isPreRoll: false } : instant >= range.startAt - preRollMs && instant < range.startAt ? { ok: true, isPreRoll: true } : { ok: false, why: 'outside-range' }

export interface TakeChanges { readonly range?: TimeRange, readonly preRollMs?: number, readonly leave?: (instant: EpochMs) => LeaveVerdict, readonly signal?: AbortSignal, readonly camera?: CameraUuid, readonly location?: string | null }
export const take = (shelf: FootageShelf, folder: string, { range = span(0, 60_000), preRollMs = 0, leave = openFence(range, preRollMs), signal = new AbortController().signal, camera = LOBBY, location = '一樓大廳' }: TakeChanges = {}): Promise<Taken> =>
  takeVideos({
    folder, shelf, camera, stream: MAIN, range, preRollMs, leave, signal, pace: () => Promise.resolve(), onBytes: () => undefined,
    subject: { cameraId: camera === LOBBY ? 'lobby' : 'door', cameraUuid: camera, cameraName: '大廳', location, stream: 'main', unitName: 'Custos 信義區戶政事務所', operator: '林承辦', exportedAt: at(86_400_000) },
  })

/** A recorder's log, key and certificate, as far as a package needs them. */
export class Recorder {
  readonly clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  readonly db: Db
  readonly log: AuditLog
  readonly checkpoints: CheckpointBook
  readonly stateDir: string
  readonly key: SigningKey
  certificate!: RecorderCertificate

  private constructor(t: Test, stateDir: string) {
    this.stateDir = stateDir
    mkdirSync(stateDir, { recursive: true })
    this.db = new Database(':memory:')
    migrate(this.db, this.clock.wallNow())
    t.teardown(() => { this.db.close() })
    this.log = new AuditLog({ db: this.db, clock: this.clock })
    this.checkpoints = new CheckpointBook({ db: this.db, log: this.log, clock: this.clock })
    this.checkpoints.openKey(stateDir)
    this.key = openSigningKey(stateDir, this.clock.wallNow()).key
  }
  static async open(t: Test, stateDir: string): Promise<Recorder> {
    const recorder = new Recorder(t, stateDir)
    recorder.certificate = await RecorderCertificate.open(stateDir, recorder.key, '信義區戶政事務所')
    return recorder
  }
  note(action: string, application: string | null, detail: Record<string, string | string[]> = {}): number { return this.log.append({ action, actor: SYSTEM, object: null, application, result: 'done', detail }).seq }
  /** The newest checkpoint leaves the machine. */
  leave(): void { this.checkpoints.witnessed(this.checkpoints.make('entries'), 'print') }
  entries(): AuditEntry[] { return entryTable(this.db).after(0, 10_000) }
}

/** Whose log, checkpoints and certificate a package has. */
export interface Packer extends Pick<Recorder, 'note' | 'log' | 'db' | 'clock' | 'certificate'> {
  readonly checkpoints: EvidenceCheckpoints
  leave(): void | Promise<unknown>
}

export interface Made { readonly folder: string, readonly taken: Taken, readonly facts: SealFacts }

/** A whole package of a taken range, sealed by a recorder whose log has other cases too and whose last checkpoint but one left the machine. */
export async function makePackage(recorder: Packer, parent: string, taken: Taken, { range = span(0, 60_000), timestamp = null as TimestampHook | null, folder = path.join(parent, packageIdOf(CASE, 1)) } = {}): Promise<Made> {
  for (let i = 0; i < 5; i++) recorder.note('application.received', i % 2 === 0 ? CASE : '115-調-0002')
  await recorder.leave()
  const roots = taken.videos.flatMap(video => video.segments.map(({ merkleRoot }) => merkleRoot))
  const auditSeq = recorder.note('copy.taken', CASE, { roots })
  const videos = taken.videos.map(video => ({ ...video, segments: video.segments.map(segment => ({ ...segment, auditSeq })) }))
  const { log, db, checkpoints } = recorder
  const facts: SealFacts = {
    packageId: packageIdOf(CASE, 1), timezone: 'Asia/Taipei', intent: 'release', office: '信義區戶政事務所', createdAt: recorder.clock.wallNow(),
    application: {
      number: CASE, form: 'form-2', formTitle: '附件2', legalBasis: '刑事訴訟法第230條', agency: '臺北市政府警察局信義分局', purpose: '偵辦竊盜案', preRollAllowed: false,
      scope: [['lobby', LOBBY, '大廳'], ['door', DOOR, '大門']].map(([cameraId = '', cameraUuid = '', cameraName = '']) => ({ cameraId, cameraUuid, cameraName, from: isoOf(range.startAt), to: isoOf(range.endAt) })), approvals: [{ post: '主任', name: '張主任', at: isoOf(at(1)), decision: 'agree' }], ruleSet: 'xinyi-113-09-30@1',
    },
    exporter: { account: 'lin', name: '林承辦', role: '管理人員' }, witness: { account: 'chen', name: '陳課長', role: '課長' }, recorder: { make: 'Custos', model: 'Custos', serial: checkpoints.table.logId(), version: '0.0.0' },
    time: { stampedBy: { zh: '錄影機', en: 'the recorder' }, utcOffset: '+08:00', sync: null, recorderOffsetMs: null, uncertaintyMs: null, atExport: isoOf(recorder.clock.wallNow()), cameraOffsets: [], comparison: null },
    videos, gaps: gapsOf({ range, taken, noted: [], of: { cameraId: 'lobby', cameraName: '大廳', stream: 'main' } }),
    playback: [], custody: [{ at: at(0), step: 'requested', by: '趙警員', words: '申請' }], evidence: await auditEvidence({ log, entries: entryTable(db), checkpoints, application: CASE }), forms: [{ name: '附件2.pdf', bytes: Buffer.from('%PDF-1.7 form 2\n') }],
  }
  await sealPackage(folder, facts, { signer: recorder.certificate, timestamp, signal: new AbortController().signal })
  return { folder, taken, facts }
}
