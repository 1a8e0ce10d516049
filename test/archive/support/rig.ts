import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import pino from 'pino'
import { atMachine, type Act, type Acting } from '../../../src/access/index.ts'
import { Archive, initArchive, realArchiveDisk, type ArchiveDisk, type ArchiveFacts, type ArchiveOptions, type ArchiveReading, type ArchiveRule, type ItemNo } from '../../../src/archive/index.ts'
import { AuditLog } from '../../../src/audit/index.ts'
import { cameraId, cameraUuid, epochMs, type EpochMs } from '../../../src/domain/index.ts'
import { migrate, type Db } from '../../../src/platform/catalogue.ts'
import { TrustedTime } from '../../../src/trusted-time/index.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

export const START = '2026-11-26T10:00:00+08:00'
export const DAY_MS = 86_400_000
const LOOK_MS = DAY_MS
export const at = (text: string): EpochMs => epochMs(Date.parse(text.length === 10 ? `${text}T00:00:00+08:00` : `${text}+08:00`))
export const ACTING: Acting = atMachine({ kind: 'machine-user', name: '王小明', role: null, source: 'login root' })
const log = pino({ level: 'silent' })

export const facts = (change: Partial<ArchiveFacts> = {}): ArchiveFacts => ({
  application: '115-0001', kind: 'copy-master', reason: '偵辦竊盜案，有繼續保存之必要', requester: '趙警員', approver: '李主任', footageSha256: 'c'.repeat(64),
  ranges: [{ cameraUuid: cameraUuid('a'.repeat(32)), cameraId: cameraId('lobby'), cameraName: '大廳', from: at('2026-11-20T09:00:00'), to: at('2026-11-20T10:00:00') }], ...change,
})

interface Owner { testdir(): string, teardown(work: () => unknown): void }

/** A catalogue, an archive in a real folder, real trusted time; what happens to disk and clock is the test's to say. */
export class ArchiveRig {
  readonly folder: string
  readonly clock = new VirtualClock(START)
  db: Db
  audit: AuditLog
  time!: TrustedTime
  archive!: Archive
  rule: ArchiveRule = { period: { years: 1 }, from: 'copied' }
  quotaBytes = 2 ** 30
  bootId = 'boot-1'
  disk: ArchiveDisk = realArchiveDisk
  more: Partial<ArchiveOptions> = {}
  #sources = 0

  private constructor(owner: Owner) {
    this.folder = owner.testdir()
    this.db = new Database(':memory:')
    migrate(this.db, this.clock.wallNow())
    this.audit = new AuditLog({ db: this.db, clock: this.clock })
    owner.teardown(() => { this.db.close() })
  }

  static async open(owner: Owner, change: (rig: ArchiveRig) => void = () => undefined): Promise<ArchiveRig> {
    const rig = new ArchiveRig(owner)
    change(rig)
    await initArchive(realArchiveDisk, rig.dir, START)
    await rig.startTime()
    await rig.start()
    return rig
  }

  get dir(): string { return path.join(this.folder, 'archive') }
  get stateDir(): string { return path.join(this.folder, 'state') }

  async startTime(): Promise<void> {
    this.time = await TrustedTime.open({
      db: this.db, audit: this.audit, clock: this.clock, countsDays: true, newestFootageAt: () => null, log,
      hostClock: { bootId: this.bootId, askSync: () => Promise.resolve({ source: 'chrony', isSynchronised: true, referenceOffsetMs: 0.1 }) },
    })
    this.time.tick()
  }

  /** As a new process over what disk and catalogue hold. */
  async start(): Promise<Archive> {
    this.archive = await Archive.open({
      db: this.db, audit: this.audit, rights: { requireRight: (_acting: Acting, _act: Act) => undefined }, trustedTime: this.time, time: { wallNow: () => this.clock.wallNow(), steadyNow: () => this.clock.monoNow() },
      rule: () => this.rule, dir: this.dir, quotaBytes: this.quotaBytes, stateDir: this.stateDir, disk: this.disk, log, ...this.more,
    })
    return this.archive
  }

  /** The catalogue is gone; a new one begins. */
  async loseCatalogue(): Promise<void> {
    this.db.close()
    this.db = new Database(':memory:')
    migrate(this.db, this.clock.wallNow())
    this.audit = new AuditLog({ db: this.db, clock: this.clock })
    await this.startTime()
    await this.start()
  }

  /** Running time, both clocks alike, looked at once a day at least. */
  pass(durationMs: number): void {
    for (let left = durationMs; left > 0; left -= LOOK_MS) {
      this.clock.drift(Math.min(left, LOOK_MS), 0)
      this.time.tick()
    }
  }
  passTo(instant: EpochMs): void { this.pass(instant - this.clock.wallNow()) }

  /** A folder to put in; its bytes follow from the seed. */
  source(files: Readonly<Record<string, Buffer | string>> = { 'manifest.json': '{"format":"custos-evidence/1"}', 'video/lobby.mp4': bytesOf(3 * 2 ** 20 + 17, 'lobby') }): string {
    const folder = path.join(this.folder, `source-${++this.#sources}`)
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
      writeFileSync(path.join(folder, name), content)
    }
    return folder
  }

  async put(change: Partial<ArchiveFacts> = {}, files?: Readonly<Record<string, Buffer | string>>): Promise<ItemNo> {
    return (await this.archive.put(ACTING, { folder: this.source(files), facts: facts(change) })).itemNo
  }

  itemFile(itemNo: ItemNo, name: 'payload' | 'sidecar.json'): string { return path.join(this.dir, 'items', itemNo, name) }
  entries(action: string): { readonly object: string | null, readonly result: string, readonly detail: string, readonly name: string, readonly at: number }[] {
    return this.db.prepare<[string], { object: string | null, result: string, detail: string, name: string, at: number }>('SELECT object, result, detail, actor_name AS name, at FROM audit_entry WHERE action = ? ORDER BY seq').all(action)
  }
}

/** Reads a whole item. */
export async function contentOf(reading: ArchiveReading): Promise<Record<string, Buffer>> {
  await using open = reading
  const found: Record<string, Buffer> = {}
  for await (const file of open.files) {
    const pieces: Buffer[] = []
    for await (const piece of file.content) pieces.push(Buffer.from(piece))
    found[file.path] = Buffer.concat(pieces)
  }
  return found
}

/** Bytes that look random, the same for the same seed. */
export function bytesOf(length: number, seed: string): Buffer {
  const block = Buffer.concat(Array.from({ length: 64 }, (_, i) => createHash('sha512').update(`${seed}${i}`).digest()))
  return Buffer.alloc(length, block)
}

export const flip = (file: string, position: number): void => {
  const content = readFileSync(file)
  content[position] = (content[position] ?? 0) ^ 1
  writeFileSync(file, content)
}
