import path from 'node:path'
import {
  AuditKeeper, AuditLog, giveUpReserve, RecorderCertificate, SigningKeyAwayError, type ClockState,
} from './audit/index.ts'
import { OrderOfSacrifice, RingLoad } from './capacity/index.ts'
import { loadStartConfig, type StartConfig } from './config/index.ts'
import { applyCameras } from './daemon/apply-cameras.ts'
import { closedFacts } from './daemon/closed-facts.ts'
import { ConfigReload } from './daemon/config-reload.ts'
import { requestsFor } from './daemon/link-requests.ts'
import { OfficeProcess } from './daemon/office-process.ts'
import { OfficeTold } from './daemon/office-told.ts'
import { recorderFacts } from './daemon/recorder-facts.ts'
import { Upkeep } from './daemon/upkeep.ts'
import { CustosError } from './domain/index.ts'
import { CapacityReport, HealthServer, SystemdReport, type RecorderFacts } from './health/index.ts'
import { CameraRelay, Ingest } from './ingest/index.ts'
import { LinkServer } from './link/index.ts'
import { aborted } from './platform/aborted.ts'
import { openCatalogue } from './platform/catalogue.ts'
import type { Clock } from './platform/clock.ts'
import { FailureLog } from './platform/failure-log.ts'
import { realFileSystem } from './platform/file-system.ts'
import { LastKnown } from './platform/last-known.ts'
import { PROGRAM_VERSION } from './platform/program-version.ts'
import type { Logger } from './platform/logger.ts'
import { isStateDiskFull } from './platform/state-disk.ts'
import { openSystemdNotify } from './platform/systemd-notify.ts'
import { CameraTraits, DeviceBook, Storage, type Scrubber } from './storage/index.ts'
import { newestFootageIn, openHostClock, TrustedTime } from './trusted-time/index.ts'
import { LatePart } from './platform/late-part.ts'
import { PartFaults } from './platform/part-faults.ts'

export interface DaemonOptions {
  readonly start: StartConfig
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Starts the office as a child; else it is a service of its own. */
  readonly isWithOffice: boolean
}

/** Before a recorder that could not be opened is tried again: a disk is back in seconds, a person later. */
const OPEN_AGAIN_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000] as const

/**
 * The recorder, until `signal` aborts. One that cannot be opened, mostly for its catalogue, is tried again
 * for ever while health tells of it; see docs/design/0018-start.md. Throws when another recorder has the
 * state folder, or when a part that runs broke.
 */
export async function runDaemon(options: DaemonOptions, signal: AbortSignal): Promise<void> {
  const { start: first, clock, random, log, isWithOffice } = options
  await using parts = new AsyncDisposableStack()
  const notify = parts.use(openSystemdNotify({ env: process.env, log }))
  const since = clock.wallNow()
  let start = first, detail = '', recorder: Recorder | null = null
  parts.defer(async () => { await recorder?.[Symbol.asyncDispose]() })
  const seen = parts.use(new AsyncDisposableStack())
  let server: HealthServer | null = null
  const openHealth = async (): Promise<void> => {
    if (server !== null) return
    const facts = () => recorder?.facts() ?? closedFacts({ start, since, detail })
    const opened = server = seen.use(await HealthServer.open({ ...start.config.listen, facts, clock, log }))
    seen.use(SystemdReport.open({ notify, assess: () => opened.assess(), clock, log }))
  }
  for (let failures = 0; recorder === null; failures++) {
    try { recorder = await openRecorder({ start, clock, random, log, isWithOffice }, signal) } catch (error) {
      // Later it is a command, such as a rebuild, that has the folder for a while.
      if (failures === 0 && error instanceof CustosError && error.code === 'CUSTOS_ALREADY_RUNNING') {
        throw error
      }
      detail = error instanceof Error ? error.message : String(error)
      log.error({ err: error, failures }, 'the recorder cannot be opened and is tried again')
      await openHealth()
      notify.ready() // it says what is wrong; a unit that does not come up would be started again for nothing
      await clock.wait(OPEN_AGAIN_MS[Math.min(failures, OPEN_AGAIN_MS.length - 1)]!, signal)
      if (signal.aborted) return
      const again = await loadStartConfig(start.config.file)
      if (again.config !== null) start = again
    }
  }
  await openHealth()
  log.info({ port: start.config.listen.port, cameras: start.config.cameras.length }, 'recorder started')
  notify.ready()
  recorder.started()
  await Promise.race([aborted(signal), recorder.failed])
  notify.stopping()
  log.info('recorder stopping')
}

/** All of it, recording. */
interface Recorder extends AsyncDisposable {
  readonly facts: () => RecorderFacts
  /** Rejects when a stream's supervisor broke. */
  readonly failed: Promise<never>
  /** What serves people is started. */
  started(): void
}

/**
 * The one composition root: builds the parts in order, hands each what it needs, and takes them down in
 * reverse. Recording comes first; what it does not need may fail and is tried again.
 */
async function openRecorder(options: DaemonOptions, signal: AbortSignal): Promise<Recorder> {
  const { start, clock, random, log, isWithOffice } = options
  await using parts = new AsyncDisposableStack()
  const faults = new PartFaults(clock), { config } = start, { state, site: { timezone }, retention } = config
  const makeRoom = (): boolean => giveUpReserve(state.dir)
  const catalogue = parts.use(openCatalogue(state.dir, clock.wallNow(), { makeRoom }))
  const unlocked = faults.teller('state-unlocked'), unshared = faults.teller('catalogue-unshared')
  if (catalogue.lockFault !== null) {
    unlocked.tell()
    log.error({ fault: catalogue.lockFault }, 'whether another recorder runs cannot be told')
  }
  if (!catalogue.isShared) {
    unshared.tell()
    log.error('no room for the shared index of the catalogue: no command can look at it')
  }
  const sharing = new FailureLog({
    clock, log, failed: 'the catalogue cannot be shared yet', recovered: 'other commands can look at the catalogue',
  })
  const share = (): void => {
    if (catalogue.isShared) return
    try { catalogue.share() } catch (error) { sharing.failure({ err: error }); return }
    unshared.clear()
    sharing.success()
  }
  const { db } = catalogue
  const audit = new AuditLog({ db, clock })
  const auditKeeper = parts.use(AuditKeeper.open({
    db, log: audit, stateDir: state.dir, witness: config.witness, timezone, fs: realFileSystem, clock,
    logger: log, onRoom: share,
  }))
  const { CUSTOS_CHRONYC: chronyc, CUSTOS_TIMEDATECTL: timedatectl } = process.env
  const hostClock = openHostClock({ chronyc, timedatectl }), { bootId } = hostClock
  const trustedTime = parts.use(await TrustedTime.open({
    db, audit, clock, log, hostClock,
    newestFootageAt: () => newestFootageIn(db), countsDays: retention.floor.kind === 'calendar-days',
  }))
  const clockState = (): ClockState => {
    const { trustedAt, state: told } = trustedTime.status()
    return { at: trustedAt, state: told }
  }
  audit.setClockState(clockState)
  const floor = { floor: retention.floor, timezone }
  const storage = parts.use(await Storage.open({
    catalogue, audit, trustedTime, volumes: config.volumes, floor, fs: realFileSystem, clock, log,
  }))
  const watch = new AbortController() // begins only now: storage moves footage when trusted time is advanced
  const watching = trustedTime.run(watch.signal)
  parts.defer(async () => { watch.abort(); await watching })
  const devices = new DeviceBook({ catalogue, audit, clock, log })
  const traits = new CameraTraits({ catalogue, audit, clock, log })
  const relay = parts.use(await CameraRelay.open())
  const ingest = parts.use(new Ingest({
    relay, traits,
    lane: (camera, stream) => storage.lane(camera, stream),
    onDevice: (camera, device) => { devices.heard(camera, device) }, clock, random, log,
  }))
  const ringLoad = new RingLoad(db)
  const sacrifice = parts.use(new OrderOfSacrifice({
    catalogue, audit, floor, trustedNow: () => trustedTime.now(),
    ring: () => ringLoad.read(storage.volumeStatus()), streams: () => ingest.report(),
    setModes: modes => { ingest.setModes(modes) }, clock, log,
  }))
  const capacity: CapacityReport = new CapacityReport({
    config: () => reload.current, floor, ring: () => ringLoad.read(storage.volumeStatus()),
    trustedNow: () => trustedTime.now(), clock, log,
  })
  const reload = new ConfigReload(start, {
    audit, clock, log, faults, decide: next => capacity.decide(next),
    apply: next => applyCameras(next.cameras, { storage, ingest, sacrifice }),
  })
  await reload.start()
  sacrifice.start()
  const told = new OfficeTold(clock, faults.teller('office-away'))
  const certificate = (): Promise<RecorderCertificate> => {
    const { key } = auditKeeper.checkpoints
    if (key === null) throw new SigningKeyAwayError()
    return RecorderCertificate.open(state.dir, key, reload.current.site.name)
  }
  parts.use(LinkServer.open({
    folder: state.dir, version: PROGRAM_VERSION, takesRoles: ['command', 'office'], clock, log,
    handlers: requestsFor({ storage, trustedTime, auditKeeper, audit, certificate, told, bootId, clock }),
  }))
  const scrubbing = parts.use(await LatePart.open({
    code: 'upkeep-failed', values: { jobs: 'scrubber' }, faults, clock, log,
    open: () => Promise.resolve(scrub(storage.scrubber(random), log)),
  }))
  const known = new LastKnown()
  const facts = recorderFacts({
    storage, isStateDiskFull: () => isStateDiskFull(state.dir), scrubber: () => scrubbing.part?.scrubber ?? null,
    ingest, sacrifice, capacity, reload,
    trustedTime, auditKeeper, told: () => told.facts(), known, faults: () => faults.all(),
    cameraChanges: () => [traits, devices].flatMap(book => book.changedWithin(CHANGES_TOLD_MS)),
  })
  parts.use(facts.source)
  parts.use(reload.watch())
  parts.use(Upkeep.open({ jobs: [
    { name: 'camera clocks', when: '17 * * * *', run: () => ingest.sampleClocks(signal) },
    { // also of the days it was off
      name: 'overwrite record', when: '20 0 * * *', atStart: true,
      run: async () => { storage.overwrites.writeDue(trustedTime.now()) },
    },
    { name: 'catalogue upkeep', when: '23 3 * * *', run: async () => { storage.upkeep() } },
  ], timezone, faults, clock, log }))
  const open = parts.move()
  return {
    facts: facts.read, failed: ingest.failed,
    started: () => {
      if (!isWithOffice) return
      open.use(OfficeProcess.start({
        // One that still loads its code does not hear its standard input end.
        program: 'setpriv', args: [
          '--pdeathsig', 'TERM', '--', 'nice', '-n', OFFICE_NICENESS, process.execPath, ...process.execArgv, MAIN, 'office', '--child',
          '--config', config.file,
        ],
        env: officeEnv(process.env, bootId), after: signal => camerasHeard(ingest, clock, signal), fault: faults.teller('office-failed'), clock, random, log,
      }))
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

/** Recording comes first on this machine [G9]. */
const OFFICE_NICENESS = '5'
const LOOK_EACH_MS = 250
/** A camera that does not answer keeps nobody out for longer. */
const HEARD_MOST_MS = 10_000

/** Loading the office's code takes two seconds of processor time, which after a crash belong to the cameras [G4]. */
async function camerasHeard(ingest: Ingest, clock: Clock, signal: AbortSignal): Promise<void> {
  const until = clock.monoNow() + HEARD_MOST_MS
  const areConnecting = (): boolean => ingest.report().some(({ state }) => state === 'connecting')
  while (!signal.aborted && clock.monoNow() < until && areConnecting()) await clock.wait(LOOK_EACH_MS, signal)
}

const MAIN = path.join(import.meta.dirname, 'main.ts')

/** Neither the words of the service manager nor what it handed over are the office's; the boot is the same. */
function officeEnv(env: NodeJS.ProcessEnv, bootId: string): NodeJS.ProcessEnv {
  const { NOTIFY_SOCKET: _n, WATCHDOG_USEC: _u, WATCHDOG_PID: _p, CREDENTIALS_DIRECTORY: _c, ...rest } = env
  return { ...rest, CUSTOS_BOOT_ID: bootId }
}

/** Reads what is recorded again until it is disposed of. */
function scrub(scrubber: Scrubber, log: Logger): { readonly scrubber: Scrubber } & AsyncDisposable {
  const stop = new AbortController()
  const done = scrubber.run(stop.signal)
    .catch((error: unknown) => { log.error({ err: error }, 'where the scrubber stands could not be kept') })
  return { scrubber, [Symbol.asyncDispose]: async () => { stop.abort(); await done } }
}

/** A board is looked at in working hours: a change of a camera is told over a week with its holidays. */
const CHANGES_TOLD_MS = 7 * 86_400_000
