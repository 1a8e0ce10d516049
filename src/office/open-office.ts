import { openAccess, type Access, type AccessTime } from '../access/index.ts'
import { Archive, archiveCredential, archiveRules } from '../archive/index.ts'
import { AuditLog, OfficeCheckpoints, OfficeLogKeeper, partLog, type ClockState } from '../audit/index.ts'
import type { Config } from '../config/index.ts'
import type { OfficeFacts } from '../domain/index.ts'
import { Inbox, InboxFolder, InboxKeys } from '../inbox/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { LastKnown } from '../platform/last-known.ts'
import type { Logger } from '../platform/logger.ts'
import { openOfficeDatabase } from '../platform/office-database.ts'
import { openSchedule, type ScheduledJob } from '../platform/schedule.ts'
import type { LinkedTime } from '../recorder-client/index.ts'
import { archiveReader, glassReader } from './facts.ts'
import { openFrontOffice, usedApplications } from './front-office.ts'
import { LiveRules } from './live-rules.ts'
import { openProcedure, type Procedure } from './procedure.ts'
import type { Recorder } from './recorder.ts'
import { LatePart } from '../platform/late-part.ts'
import type { PartFaults } from '../platform/part-faults.ts'

export interface OpenOfficeOptions {
  readonly config: () => Config
  /** Has told the time. */
  readonly recorder: Recorder
  readonly faults: PartFaults
  readonly clock: Clock
  readonly log: Logger
  /** Ends what runs at night. */
  readonly signal: AbortSignal
}
export interface Office extends AsyncDisposable { facts(): OfficeFacts }

/**
 * All that serves people: accounts, the office's procedure, inbox, archive, and what people come to. Throws
 * FatalError where its database cannot be used.
 */
export async function openOffice(options: OpenOfficeOptions): Promise<Office> {
  const { config, recorder, faults, clock, log, signal } = options
  await using parts = new AsyncDisposableStack()
  const { state, site, office: { ruleSets } } = config()
  const rules = new LiveRules({ folder: ruleSets, log })
  await rules.reload() // without any the office is closed
  const database = parts.use(await openOfficeDatabase(state.dir, { nowMs: clock.wallNow(), partLog })), { db } = database
  const time = timeOf(recorder.time, clock)
  const audit = new AuditLog({ db, clock, trusted: () => clockStateOf(recorder.time) })
  const logKeeper = parts.use(OfficeLogKeeper.open({ db, log: audit, recorder: recorder.heads, clock, logger: log }))
  const checkpoints = new OfficeCheckpoints({ db, log: audit, clock, signer: recorder.heads })
  const access = openAccess({
    db, audit, time, stateDir: state.dir, officeName: site.name,
    mayCombine: roles => rules.mayCombine(roles, clock.wallNow()),
  })
  const procedure = await openProcedure({
    catalogue: database, audit, access, holds: recorder.holds, footage: recorder.footage, config: config(),
    rules, time, clock, log, used: () => usedApplications(db),
  })
  const inbox = inboxOf(config(), { database, audit, access, procedure, time, clock, log })
  const archive = await archiveOf(config(), { database, audit, access, recorder, time, clock, log })
  parts.use(await LatePart.open({
    code: 'office-failed', faults, clock, log,
    open: () => openFrontOffice({
      config, catalogue: database, audit, checkpoints, recorder, access, time, procedure, archive, faults, clock, log,
    }),
  }))
  parts.use(procedure.watch())
  parts.use(procedure.keepHolds())
  if (inbox !== null) parts.use(inbox.watch())
  const jobs: ScheduledJob[] = [
    { name: 'accounts', when: '*/5 * * * *', run: async () => { access.sweep() } },
    { name: 'office', when: '*/5 * * * *', run: () => procedure.sweep() },
    { name: 'log book', when: '37 3 * * *', run: () => procedure.nightly(signal) },
    { name: 'archive', when: '*/5 * * * *', run: async () => { await archive?.sweep() } },
    {
      name: 'archive looked at again', when: '* * * * *',
      run: async () => { if (archive?.isUsable === false) await archive.sweep() },
    },
    { name: 'archive read again', when: '41 2 * * *', run: async () => { await archive?.verifyNext() } },
  ]
  parts.use(openSchedule(jobs, { timezone: site.timezone, log }))
  void archive?.sweep().catch((error: unknown) => {
    log.error({ err: error }, 'the archive could not be swept at start')
  })
  const known = new LastKnown()
  const glass = glassReader(access, known), archived = archiveReader(archive, config().archive, known)
  const open = parts.move()
  return {
    facts: () => {
      known.begin()
      return {
        auditFailedSince: logKeeper.failedSince, glass: glass(), archive: archived(),
        office: { ...procedure.view(), inbox: inbox?.status() ?? NO_INBOX },
      }
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

const NO_INBOX = { state: 'off', waiting: 0, rejected: 0, rejectedAt: null } as const

/** The recorder has told the time before anything asks for it. */
function timeOf(time: LinkedTime, clock: Clock): AccessTime {
  return {
    wallNow: () => clock.wallNow(),
    steadyNow: () => {
      const now = time.steadyNow()
      if (now === null) throw new TypeError('the recorder has not told the time')
      return now
    },
  }
}

function clockStateOf(time: LinkedTime): ClockState {
  const told = time.status()
  return { at: time.now(), state: told?.state ?? 'recorder-away' }
}

interface Around {
  readonly database: Catalogue
  readonly audit: AuditLog
  readonly access: Access
  readonly time: AccessTime
  readonly clock: Clock
  readonly log: Logger
}

function inboxOf(
  { inbox }: Config, { database: { db }, audit, access, procedure, time, clock, log }: Around & { readonly procedure: Procedure },
): Inbox | null {
  if (inbox === null) return null
  const keys = new InboxKeys({ db, audit, rights: access.sessions, time })
  return new Inbox({
    db, audit, keys, desk: procedure.desk, folder: new InboxFolder(inbox.dir), clock,
    log: log.child({ cap: 'inbox' }),
  })
}

/** Null also where it cannot be opened, which is told. */
async function archiveOf(
  { archive, state }: Config, { database: { db }, audit, access, recorder, time, clock, log }: Around & { readonly recorder: Recorder },
): Promise<Archive | null> {
  if (archive === null) return null
  try {
    const rule = await archiveRules(() => clock.wallNow())
    return await Archive.open({
      db, audit, rights: access.sessions, trustedTime: recorder.time, time, rule, dir: archive.dir,
      quotaBytes: archive.quotaBytes, stateDir: state.dir, credential: () => archiveCredential(process.env), log,
    })
  } catch (error) {
    log.error({ err: error }, 'the archive cannot be opened')
    return null
  }
}
