import path from 'node:path'
import type { Test } from 'tap'
import { Archive, initArchive, realArchiveDisk } from '../../../src/archive/index.ts'
import { CheckpointBook, openSigningKey, RecorderCertificate } from '../../../src/audit/index.ts'
import type { Book } from '../../../src/book/index.ts'
import type { ConsoleParts } from '../../../src/console/index.ts'
import { cameraId, epochMs } from '../../../src/domain/index.ts'
import { CopyDesk, Courier, printedForms } from '../../../src/export/index.ts'
import { SegmentGoneError } from '../../../src/footage/index.ts'
import { PaperPress } from '../../../src/paper/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { RuleShelf, type RuleSet } from '../../../src/rules/index.ts'
import { openViewing } from '../../../src/viewing/index.ts'
import { Shelf } from '../../export/package/support.ts'
import { DOOR, LOBBY, type FrontDesk } from '../../requests/support/front-desk.ts'
import { agreedTime } from '../../support/archive-time.ts'

const NAMES = new Map([[LOBBY, { id: cameraId('lobby'), name: '大廳' }], [DOOR, { id: cameraId('door'), name: '大門' }]])
const OFFICE = '臺北市信義區戶政事務所'

/** Screens, copies, archive and papers of the test's office, for real, over a shelf that the test may put footage on. What a screen waits for is real time; its rights and grants go by the office's clock, and the archive's trusted time may run ahead of it. */
export async function servicesOf(t: Test, front: FrontDesk, book: Book, rules: RuleSet): Promise<Pick<ConsoleParts, 'viewing' | 'copies' | 'press'> & { readonly archive: Archive, readonly shelf: Shelf, readonly archiveTime: { aheadMs: number } }> {
  const { db, audit, access, clock } = front.office, { stateDir, desk } = front
  const shelf = new Shelf(), press = new PaperPress()
  const cameraName = (camera: typeof LOBBY): string => NAMES.get(camera)?.name ?? camera
  const viewing = openViewing({
    db, audit, access, time: { wallNow: () => clock.wallNow(), steadyNow: () => clock.monoNow() }, clock: systemClock, log: createLogger({ level: 'silent' }), stateDir, book: book.log, requests: desk, rules: new RuleShelf([rules]), cameraName,
    footage: shelf,
    lane: () => { throw new SegmentGoneError('nothing is recorded here') }, cameras: () => [...NAMES].map(([uuid, { id, name }]) => ({ uuid, id, name, streams: [] })),
  })
  const dir = path.join(stateDir, 'archive-volume'), archiveTime = { aheadMs: 0 }, trusted = () => epochMs(clock.wallNow() + archiveTime.aheadMs)
  await initArchive(realArchiveDisk, dir, 'now')
  const archive = await Archive.open({
    db, audit, rights: access.sessions, time: { wallNow: () => clock.wallNow(), steadyNow: () => clock.monoNow() }, trustedTime: agreedTime(trusted), rule: () => ({ period: { years: 1 }, from: 'copied' }), dir, quotaBytes: 2 ** 30, stateDir, log: createLogger({ level: 'silent' }),
  })
  const checkpoints = new CheckpointBook({ db, log: audit, clock })
  checkpoints.openKey(stateDir)
  const { key } = openSigningKey(stateDir, clock.wallNow())
  const copies = new CopyDesk({
    db, audit, clock, rights: access.sessions, grants: desk.grants, book: book.log, footage: shelf, checkpoints, signer: () => RecorderCertificate.open(stateDir, key, OFFICE), timestamp: () => null,
    camera: uuid => { const known = NAMES.get(uuid); return known === undefined ? null : { ...known, location: null, maker: null, model: null, firmware: null } },
    archive, destinations: new Courier(), papers: printedForms({ press, office: OFFICE, cameraName }), time: () => ({ sync: null, recorderOffsetMs: null, uncertaintyMs: null, comparison: null }),
    own: () => [stateDir], folder: path.join(stateDir, 'copies'), office: OFFICE, timezone: 'Asia/Taipei', version: '0.1.0',
  })
  t.teardown(async () => { await viewing[Symbol.asyncDispose](); await press[Symbol.asyncDispose]() })
  return { viewing, copies, archive, press, shelf, archiveTime }
}
