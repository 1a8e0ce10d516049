import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import type { Test } from 'tap'
import { Archive, initArchive, realArchiveDisk } from '../../../src/archive/index.ts'
import { CheckpointBook, openSigningKey, RecorderCertificate } from '../../../src/audit/index.ts'
import { LogBook } from '../../../src/book/index.ts'
import { cameraId } from '../../../src/domain/index.ts'
import { CopyDesk, type CopyDeskOptions, type CopyJob, type CopyTarget, type Destinations, type HandOver, type MasterFacts, type Papers, type Released } from '../../../src/export/index.ts'
import type { Application, Content, ScopeLine } from '../../../src/requests/index.ts'
import { deliver, deliverSheets, publish, verified, withdraw, type Forget } from '../../../src/export/courier/destination.ts'
import { LocalFootage } from '../../../src/storage/index.ts'
import { TrustedTime } from '../../../src/trusted-time/index.ts'
import { realFootage } from '../../support/fragments.ts'
import { CHIEF, CUSTODIAN, done, FrontDesk, OUTSIDE, party, police } from '../../requests/support/front-desk.ts'
import { at, inARow, LOBBY, Shelf } from '../package/support.ts'
import { Steps } from './steps.ts'

export const HAND_OVER: HandOver = { recipient: { name: '趙警員', unit: '信義分局', idType: '服務證' }, forInquiry: true, other: null, medium: null, password: null }
/** Of a queue that nobody stops. */
export const never = new AbortController().signal
export const LINE: ScopeLine = { camera: LOBBY, from: at(0), to: at(3_400) }
export const FOOTAGE = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })

/** What a released copy has at its destination. */
export const namesOf = (packageId: string, kind: CopyTarget['kind'] = 'medium'): string[] => kind === 'here' ? [] : [kind === 'zip' ? `${packageId}.zip` : packageId, `${packageId}.隨附文件`].sort()
/** In place of what a press prints, which takes a second; `sheets.test.ts` has the real ones. */
export const PAPERS: Papers = { forms: async () => [], sheets: async ({ bookLine }) => [{ name: '保管移轉紀錄及收據.pdf', bytes: Buffer.from(`第 ${bookLine} 行`) }] }

const errandsOf = (forget?: Forget): Destinations => ({
  verify: (folder, fingerprint) => verified(folder, { fingerprint }),
  deliver: delivery => deliver(delivery, () => undefined, forget),
  deliverSheets: (delivery, folder) => deliverSheets(delivery, folder, () => undefined, forget),
  publish, withdraw,
})
/** What a courier does, in this process: a courier of its own takes a fifth of a second for each errand. */
export const DIRECTLY = errandsOf()
/**
 * The same without a program for each file, which a large process starts slowly: what was written is read
 * back from the page cache. For whoever has no medium of its own.
 */
export const THROUGH_CACHE = errandsOf(() => Promise.resolve())

/** The whole office with footage, a desk for copies, and an archive in memory that notes what it was given. */
export class CopyOffice {
  readonly front: FrontDesk
  readonly desk: CopyDesk
  readonly shelf = new Shelf()
  readonly root: string
  readonly stored: { readonly folder: string, readonly facts: MasterFacts }[] = []
  readonly book: LogBook
  archiveFault: Error | null = null
  readonly options: CopyDeskOptions
  #trustedTime: TrustedTime | null = null

  private constructor(front: FrontDesk, root: string, destinations: Destinations) {
    this.front = front
    this.root = root
    const { db, audit, clock, access } = front.office, stateDir = path.join(root, 'state')
    mkdirSync(stateDir, { recursive: true })
    const checkpoints = new CheckpointBook({ db, log: audit, clock })
    checkpoints.openKey(stateDir)
    const { key } = openSigningKey(stateDir, clock.wallNow())
    const certificate = RecorderCertificate.open(stateDir, key, '信義區戶政事務所')
    this.book = new LogBook({ db, audit, rights: access.sessions, time: clock })
    this.options = {
      db, audit, clock, rights: access.sessions, grants: front.desk.grants, book: this.book, footage: this.shelf, checkpoints, signer: () => certificate, timestamp: () => null,
      camera: uuid => uuid === LOBBY ? { id: cameraId('lobby'), name: '大廳', location: '一樓' } : null,
      archive: { put: async (_, ask) => { if (this.archiveFault !== null) throw this.archiveFault; this.stored.push(ask); return { itemNo: 'A115-0001' } } },
      destinations, papers: PAPERS, time: () => ({ sync: null, recorderOffsetMs: null, uncertaintyMs: null, comparison: null }), own: () => [stateDir, path.join(root, 'copies')], folder: path.join(root, 'copies'), office: '信義區戶政事務所', timezone: 'Asia/Taipei', version: '0.1.0',
    }
    const recorded = new LocalFootage(db, { isBusy: false, openReader: segment => this.shelf.open(segment) })
    this.shelf.noted = (...of) => recorded.gaps(...of)
    this.desk = new CopyDesk(this.options)
  }
  static async open(t: Test, footage = FOOTAGE, destinations = DIRECTLY): Promise<CopyOffice> {
    return CopyOffice.at(await FrontDesk.open(t), path.join(t.testdir(), 'office'), footage, destinations)
  }
  static async at(
    front: FrontDesk, root: string, footage = FOOTAGE, destinations = DIRECTLY,
  ): Promise<CopyOffice> {
    const office = new CopyOffice(front, root, destinations)
    await Promise.all([office.shelf.add(footage, inARow(footage, footage.count)), office.options.signer()]) // written before a short test is over
    return office
  }
  /** As a new process over what disk and catalogue hold: archive and desk opened anew. The archive is the real one. */
  async afresh(quotaBytes = 2 ** 30): Promise<{ readonly desk: CopyDesk, readonly archive: Archive }> {
    const { db, audit, clock, access } = this.front.office, dir = path.join(this.root, 'archive'), stateDir = path.join(this.root, 'state'), log = pino({ level: 'silent' })
    if (this.#trustedTime === null) {
      if (!existsSync(dir)) await initArchive(realArchiveDisk, dir, '2026-11-22T08:00:00.000Z')
      this.#trustedTime = await TrustedTime.open({ db, audit, clock, countsDays: true, newestFootageAt: () => null, log, hostClock: { bootId: 'boot-1', askSync: () => Promise.resolve({ source: 'chrony', isSynchronised: true, referenceOffsetMs: 0.1 }) } })
      this.#trustedTime.tick()
    }
    const archive = await Archive.open({
      db, audit, rights: access.sessions, trustedTime: this.#trustedTime, time: { wallNow: () => clock.wallNow(), steadyNow: () => clock.monoNow() }, rule: () => ({ period: { years: 1 }, from: 'copied' }), dir, quotaBytes, stateDir, log,
    })
    await archive.sweep()
    return { desk: new CopyDesk({ ...this.options, archive }), archive }
  }
  /** Asked for by the custodian under a grant of its own, and made. */
  async made(target: CopyTarget, desk = this.desk): Promise<CopyJob> {
    const { number } = await this.approved()
    const { copyId } = desk.ask(await this.front.as(...CUSTODIAN), { application: number, target })
    await desk.runNext(never)
    return desk.get(copyId)!
  }
  /** Signs in anew for each, so that the factor is fresh. */
  async release(copyId: string, { desk = this.desk, handOver = HAND_OVER, steps = new Steps() } = {}): Promise<Released | null> {
    const chief = await this.front.as(...CHIEF)
    return steps.of(() => desk.release(chief, copyId, handOver))
  }
  async cancel(copyId: string, desk = this.desk): Promise<CopyJob> { return desk.cancel(await this.front.as(...CUSTODIAN), copyId, '不再需要') }
  /** Names in the desk's own folder. */
  staged(): string[] { return existsSync(this.options.folder) ? readdirSync(this.options.folder) : [] }
  /** A bit of the footage that was read turns over on the recorder's own disk. */
  spoil(copyId: string): void {
    const { packageId } = this.desk.get(copyId)!, folder = path.join(this.options.folder, copyId, packageId, 'video')
    const file = path.join(folder, readdirSync(folder)[0]!), bytes = readFileSync(file)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(file, bytes)
  }
  /** No entry of this action is taken, as on a disk that fills up just then; with none named the whole catalogue takes nothing. Until what it gives is called. */
  refuseEntries(action: string | null = null): () => void {
    const { db } = this.front.office
    if (action === null) db.pragma('query_only = ON')
    else db.exec(`CREATE TEMP TRIGGER refused BEFORE INSERT ON audit_entry WHEN new.action = '${action}' BEGIN SELECT RAISE(ABORT, 'cut off'); END`)
    return () => { if (action === null) db.pragma('query_only = OFF'); else db.exec('DROP TRIGGER refused') }
  }
  /** 申請保存, signed by all. */
  async preserved(): Promise<Application> { return done(await this.front.signAll(done(await this.front.receive(party({ acts: { view: true, copy: false, preserve: true }, asked: [LINE] }))).application, OUTSIDE)).application }
  /** Received, signed by all, statement signed. */
  async approved(content: Content = police({ asked: [LINE] })): Promise<Application> {
    const received = done(await this.front.receive(content)).application
    const signed = done(await this.front.signAll(received, OUTSIDE)).application
    return done(await this.front.act(CUSTODIAN, signed, { kind: 'sign-statement', name: '趙警員' })).application
  }
}
