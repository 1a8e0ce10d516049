import { openAccess, steadyTime, type Access } from '../access/index.ts'
import { Archive, archiveCredential, archiveRules } from '../archive/index.ts'
import {
  AuditLog, OfficeCheckpoints, OfficeLogKeeper, partLog, type AuditKeeper, type ClockState, type WholeHead,
} from '../audit/index.ts'
import type { Config } from '../config/index.ts'
import type { EpochMs } from '../domain/index.ts'
import type { RecorderFacts } from '../health/index.ts'
import { Inbox, InboxFolder, InboxKeys } from '../inbox/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { LastKnown } from '../platform/last-known.ts'
import type { Logger } from '../platform/logger.ts'
import { openOfficeDatabase } from '../platform/office-database.ts'
import { openSchedule, type ScheduledJob } from '../platform/schedule.ts'
import { holdsPort } from '../requests/index.ts'
import type { Storage } from '../storage/index.ts'
import { openHostClock, type TrustedTime } from '../trusted-time/index.ts'
import { openFrontOffice, usedApplications } from './front-office.ts'
import { archiveReader, glassReader } from './house-facts.ts'
import { LatePart } from './late-part.ts'
import { ownHolds } from './link-requests.ts'
import { LiveRules } from './live-rules.ts'
import { openOffice } from './office.ts'
import type { PartFaults } from './part-faults.ts'

export interface HouseOptions {
  readonly config: () => Config
  /** The recorder's, for trusted time as it was written down. */
  readonly catalogue: Catalogue
  readonly auditKeeper: AuditKeeper
  readonly clockState: () => ClockState
  readonly trustedTime: TrustedTime
  readonly storage: Storage
  readonly known: LastKnown
  readonly faults: PartFaults
  readonly clock: Clock
  readonly log: Logger
  /** Of the recorder: ends what runs at night. */
  readonly signal: AbortSignal
}
export type HouseFacts = Pick<RecorderFacts, 'glass' | 'office' | 'archive'> & {
  /** Since when the office's acts cannot be written down; null while they can. */
  readonly auditFailedSince: EpochMs | null
}
export interface House extends AsyncDisposable { facts(): HouseFacts }

/** All of the recorder that serves people: accounts, the office's procedure, inbox, archive, and the front office. Opened once the cameras are seen to, and nothing in it keeps them from being recorded [G9]. */
export async function openHouse(options: HouseOptions): Promise<House> {
  const { config, auditKeeper, clockState, trustedTime, storage, known, faults } = options
  const { clock, log, signal } = options
  await using parts = new AsyncDisposableStack()
  const { state, site, office: { ruleSets }, inbox: inboxAt, archive: archiveAt } = config()
  const rules = new LiveRules({ folder: ruleSets, log })
  await rules.reload() // without any the office is closed
  const database = parts.use(await openOfficeDatabase(state.dir, { nowMs: clock.wallNow(), partLog })), { db } = database
  const audit = new AuditLog({ db, clock, trusted: clockState }), { otherLogs } = auditKeeper
  const recorder = { tell: async (head: WholeHead) => { otherLogs.tell(head) } }
  const logKeeper = parts.use(OfficeLogKeeper.open({ db, log: audit, recorder, clock, logger: log }))
  const checkpoints = new OfficeCheckpoints({ db, log: audit, clock, signer: otherLogs })
  const time = steadyTime(options.catalogue.db, clock, openHostClock().bootId)
  const access: Access = openAccess({ db, audit, time, stateDir: state.dir, officeName: site.name, mayCombine: roles => rules.mayCombine(roles, clock.wallNow()) })
  const office = await openOffice({ catalogue: database, audit, access, holds: holdsPort(ownHolds(storage.holdDesk, clock)), footage: storage.footage, config: config(), rules, time, clock, log, used: () => usedApplications(db) })
  const inbox = inboxAt === null ? null : new Inbox({
    db, audit, keys: new InboxKeys({ db, audit, rights: access.sessions, time }), desk: office.desk, folder: new InboxFolder(inboxAt.dir), clock, log: log.child({ cap: 'inbox' }),
  })
  const archive = archiveAt === null ? null : await archiveRules(() => clock.wallNow()).then(rule => Archive.open({
    db, audit, rights: access.sessions, trustedTime, time, rule, dir: archiveAt.dir, quotaBytes: archiveAt.quotaBytes, stateDir: state.dir, credential: () => archiveCredential(process.env), log,
  })).catch((error: unknown) => { log.error({ err: error }, 'the archive cannot be opened'); return null })
  parts.use(await LatePart.open({
    code: 'office-failed', faults, clock, log,
    open: () => openFrontOffice({
      config, catalogue: database, audit, checkpoints, signingKey: () => auditKeeper.checkpoints.key, trustedTime, access, time, storage, office, archive, faults,
      clock, log,
    }),
  }))
  parts.use(office.watch())
  parts.use(office.keepHolds())
  if (inbox !== null) parts.use(inbox.watch())
  const jobs: ScheduledJob[] = [
    { name: 'accounts', when: '*/5 * * * *', run: async () => { access.sweep() } },
    { name: 'office', when: '*/5 * * * *', run: () => office.sweep() },
    { name: 'log book', when: '37 3 * * *', run: () => office.nightly(signal) },
    { name: 'archive', when: '*/5 * * * *', run: async () => { await archive?.sweep() } },
    { name: 'archive looked at again', when: '* * * * *', run: async () => { if (archive?.isUsable === false) await archive.sweep() } },
    { name: 'archive read again', when: '41 2 * * *', run: async () => { await archive?.verifyNext() } },
  ]
  parts.use(openSchedule(jobs, { timezone: site.timezone, log }))
  void archive?.sweep().catch((error: unknown) => { log.error({ err: error }, 'the archive could not be swept at start') })
  const glass = glassReader(access, known), archived = archiveReader(archive, archiveAt, known)
  const open = parts.move()
  return {
    facts: () => ({
      auditFailedSince: logKeeper.failedSince, glass: glass(), archive: archived(), office: { ...office.view(), inbox: inbox?.status() ?? { state: 'off', waiting: 0, rejected: 0, rejectedAt: null } },
    }),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
