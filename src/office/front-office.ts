import path from 'node:path'
import type { Access, AccessTime } from '../access/index.ts'
import type { Archive } from '../archive/index.ts'
import type { AuditLog, EvidenceCheckpoints } from '../audit/index.ts'
import type { Config } from '../config/index.ts'
import { openConsole, type ConsoleParts } from '../console/index.ts'
import { RetryableError, type CameraId, type CameraUuid } from '../domain/index.ts'
import { CopyDesk, Courier, printedForms, releasedApplications, type CopyDeskOptions, type MasterArchive, type TimestampHook } from '../export/index.ts'
import { cameraOf } from '../footage/index.ts'
import { CameraSurvey } from '../ingest/index.ts'
import { PaperPress } from '../paper/index.ts'
import type { Catalogue, Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { PROGRAM_VERSION } from '../platform/program-version.ts'
import { openViewing, viewedApplications } from '../viewing/index.ts'
import type { Procedure } from './procedure.ts'
import type { Recorder } from './recorder.ts'
import { LatePart } from '../platform/late-part.ts'
import type { PartFaults } from '../platform/part-faults.ts'

export interface FrontOfficeOptions {
  readonly config: () => Config
  readonly catalogue: Catalogue
  readonly audit: AuditLog
  readonly checkpoints: EvidenceCheckpoints
  readonly recorder: Recorder
  readonly access: Access
  readonly time: AccessTime
  readonly procedure: Procedure
  readonly archive: Archive | null
  readonly faults: PartFaults
  readonly clock: Clock
  readonly log: Logger
}

/** Applications whose own records, apart from book and audit log, say that they were used (R44); each part tells its own. */
export function* usedApplications(db: Db): Generator<string> {
  yield* viewedApplications(db)
  yield* releasedApplications(db)
}

/** What people come to: screens, copies, papers, and the console that serves them. Loaded once the cameras are asked; nothing in here keeps the recorder from recording [G9]. */
export async function openFrontOffice(options: FrontOfficeOptions): Promise<AsyncDisposable> {
  const {
    config, catalogue: { db }, audit, checkpoints, recorder, access, time, procedure, archive,
    faults, clock, log,
  } = options
  await using parts = new AsyncDisposableStack()
  const { site, state } = config()
  const { desk, book: { log: book } } = procedure
  const named = (id: CameraId): string => config().cameras.find(camera => camera.id === id)?.name ?? id
  const placeOf = (id: CameraId): string | null => config().cameras.find(camera => camera.id === id)?.place ?? null
  const { footage } = recorder
  const idOf = (uuid: CameraUuid): CameraId | null => cameraOf(footage, uuid)?.id ?? null
  const cameraName = (uuid: CameraUuid): string => { const id = idOf(uuid); return id === null ? uuid : named(id) }
  const press = parts.use(new PaperPress())
  const viewing = parts.use(openViewing({
    db, audit, access, time, clock, log: log.child({ cap: 'viewing' }), stateDir: state.dir, book, requests: desk, rules: procedure.shelf, footage, lane: recorder.live, cameraName,
    cameras: () => footage.cameras().flatMap(({ id, uuid, isRetired }) => {
      const configured = isRetired ? undefined : config().cameras.find(camera => camera.id === id)
      return configured === undefined ? [] : [{ id, uuid, name: configured.name, streams: configured.streams.map(({ name }) => name).sort((a, b) => Number(b === 'main') - Number(a === 'main')) }]
    }),
  }))
  const copies = new CopyDesk({
    db, audit, clock, rights: access.sessions, grants: desk.grants, book, footage,
    camera: uuid => { const id = idOf(uuid); return id === null ? null : { id, name: named(id), location: placeOf(id) } },
    checkpoints, timestamp: () => timestampHook(config()), archive: archive ?? NO_ARCHIVE, destinations: new Courier(), papers: printedForms({ press, office: site.name, cameraName }),
    signer: recorder.signer,
    time: () => clockFacts(recorder.time),
    own: () => { const { volumes, archive: archiveAt } = config(); return [state.dir, ...volumes.map(volume => volume.path), ...archiveAt === null ? [] : [archiveAt.dir], '/etc'] },
    folder: path.join(state.dir, 'copies'), office: site.name, timezone: site.timezone, version: PROGRAM_VERSION,
  })
  const stop = new AbortController()
  const copying = copies.run(stop.signal).catch((error: unknown) => { log.error({ err: error }, 'copies are not made any more until the recorder starts again') })
  parts.defer(async () => { stop.abort(); await copying })
  const console: ConsoleParts = {
    site, db, audit, access, desk, book: procedure.book, shelf: procedure.shelf, calendar: procedure.calendar, footage, wallNow: () => clock.wallNow(), clock, viewing, copies, archive, press,
    survey: new CameraSurvey(clock),
    cameras: () => footage.cameras().map(({ uuid, id }) => ({
      uuid, id, name: named(id), location: placeOf(id) ?? '', device: footage.lastDevice(uuid),
    })),
  }
  parts.use(await LatePart.open({
    code: 'console-failed', faults, clock, log,
    open: () => openConsole(config(), console, { clock, log: log.child({ cap: 'console' }) }),
  }))
  return parts.move()
}

/** What is known of the clock of this machine (E5). */
function clockFacts(time: Recorder['time']): ReturnType<CopyDeskOptions['time']> {
  const sync = time.status()?.sync ?? { source: 'none', isSynchronised: null, referenceOffsetMs: null }
  return {
    sync: {
      source: sync.source, state: sync.isSynchronised === true ? 'synchronised' : 'not-synchronised', stratum: null,
    },
    recorderOffsetMs: sync.referenceOffsetMs, uncertaintyMs: null, comparison: null,
  }
}

function timestampHook({ package: { timestamp } }: Config): TimestampHook | null {
  if (timestamp === null) return null
  const { command, ca } = timestamp
  return { command, ca: ca === null ? null : ca.pem === null ? 'unusable' : { pem: ca.pem } }
}

const NO_ARCHIVE: MasterArchive = {
  put: () => Promise.reject(new RetryableError('CUSTOS_COPY_REFUSED', '沒有存檔區，Master 無處保存 / there is no archive to keep the Master in', { remedy: '設定 archive 並執行 custos archive init。/ Configure `archive` and run `custos archive init`.' })),
}
