import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Test } from 'tap'
import { CheckpointBook, openSigningKey } from '../../../src/audit/index.ts'
import { LogBook } from '../../../src/book/index.ts'
import { cameraId } from '../../../src/domain/index.ts'
import { CopyDesk, printedForms, RecorderCertificate, type CopyDeskOptions, type MasterFacts } from '../../../src/export/index.ts'
import { PaperPress } from '../../../src/paper/index.ts'
import type { Application, Content, ScopeLine } from '../../../src/requests/index.ts'
import { gapFinder } from '../../../src/storage/index.ts'
import { realFootage } from '../../support/fragments.ts'
import { CUSTODIAN, done, FrontDesk, OUTSIDE, police } from '../../requests/support/front-desk.ts'
import { at, inARow, LOBBY, Shelf } from '../package/support.ts'

export const LINE: ScopeLine = { camera: LOBBY, from: at(0), to: at(3_400) }
const press = new PaperPress()
export const FOOTAGE = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 })

/** A medium of so many bytes, as root mounts one. */
export function medium(t: Test, folder: string, sizeBytes: number): string {
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder])
  t.teardown(() => { execFileSync('umount', [folder]) })
  return folder
}

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

  private constructor(front: FrontDesk, root: string) {
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
      db, audit, clock, rights: access.sessions, grants: front.desk.grants, book: this.book, shelf: this.shelf, gaps: gapFinder(db), checkpoints, certificate: () => certificate, timestamp: () => null,
      camera: uuid => uuid === LOBBY ? { id: cameraId('lobby'), name: '大廳', location: '一樓', maker: null, model: null, firmware: null } : null,
      archive: { put: async (_, ask) => { if (this.archiveFault !== null) throw this.archiveFault; this.stored.push(ask); return { itemNo: 'A115-0001' } } },
      papers: printedForms({ press, office: '信義區戶政事務所', cameraName: uuid => uuid === LOBBY ? '大廳' : uuid }), time: () => ({ sync: null, recorderOffsetMs: null, uncertaintyMs: null, comparison: null }), isBusy: () => false, own: () => [stateDir, path.join(root, 'copies')], folder: path.join(root, 'copies'), office: '信義區戶政事務所', timezone: 'Asia/Taipei', version: '0.1.0',
    }
    this.desk = new CopyDesk(this.options)
  }
  static async open(t: Test, footage = FOOTAGE): Promise<CopyOffice> {
    const office = new CopyOffice(await FrontDesk.open(t), path.join(t.testdir(), 'office'))
    await office.shelf.add(footage, inARow(footage, footage.count))
    return office
  }
  /** Received, signed by all, statement signed. */
  async approved(content: Content = police({ asked: [LINE] })): Promise<Application> {
    const received = done(await this.front.receive(content)).application
    const signed = done(await this.front.signAll(received, OUTSIDE)).application
    return done(await this.front.act(CUSTODIAN, signed, { kind: 'sign-statement', name: '趙警員' })).application
  }
}
