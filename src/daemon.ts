import { AuditKeeper, AuditLog } from './audit/index.ts'
import { OrderOfSacrifice, RingLoad } from './capacity/index.ts'
import type { Config } from './config/index.ts'
import { ConfigReload } from './daemon/config-reload.ts'
import { LaterHouse } from './daemon/later-house.ts'
import { recorderFacts } from './daemon/recorder-facts.ts'
import { CapacityReport, HealthServer, SystemdReport } from './health/index.ts'
import { Ingest } from './ingest/index.ts'
import { openCatalogue } from './platform/catalogue.ts'
import type { Clock } from './platform/clock.ts'
import { realFileSystem } from './platform/file-system.ts'
import type { Logger } from './platform/logger.ts'
import { openSchedule } from './platform/schedule.ts'
import { openSystemdNotify } from './platform/systemd-notify.ts'
import { DeviceBook, Storage } from './storage/index.ts'
import { newestFootageIn, openHostClock, TrustedTime } from './trusted-time/index.ts'

export { loadHouse } from './daemon/later-house.ts'
export interface DaemonOptions {
  readonly config: Config
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/** The one composition root: builds the parts in order, hands each what it needs, and takes them down in reverse when `signal` aborts. */
export async function runDaemon({ config, clock, random, log }: DaemonOptions, signal: AbortSignal): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const notify = parts.use(openSystemdNotify({ env: process.env, log }))
  const catalogue = parts.use(openCatalogue(config.state.dir, clock.wallNow()))
  const audit = new AuditLog({ db: catalogue.db, clock })
  const auditKeeper = parts.use(AuditKeeper.open({ db: catalogue.db, log: audit, stateDir: config.state.dir, witness: config.witness, timezone: config.site.timezone, fs: realFileSystem, clock, logger: log }))
  const trustedTime = parts.use(await TrustedTime.open({
    db: catalogue.db, audit, clock, log, hostClock: openHostClock({ chronyc: process.env['CUSTOS_CHRONYC'], timedatectl: process.env['CUSTOS_TIMEDATECTL'] }),
    newestFootageAt: () => newestFootageIn(catalogue.db), countsDays: config.retention.floor.kind === 'calendar-days',
  }))
  audit.setClockState(() => { const { trustedAt, state } = trustedTime.status(); return { at: trustedAt, state } })
  const floor = { floor: config.retention.floor, timezone: config.site.timezone }
  const storage = parts.use(await Storage.open({ catalogue, audit, trustedTime, volumes: config.volumes, floor, fs: realFileSystem, clock, log }))
  const watch = new AbortController() // begins only now: storage moves footage when trusted time is advanced
  const watching = trustedTime.run(watch.signal)
  parts.defer(async () => { watch.abort(); await watching })
  const devices = new DeviceBook({ catalogue, audit, clock, log })
  const ingest = parts.use(new Ingest({ lane: (camera, stream) => storage.lane(camera, stream), onDevice: (camera, device) => { devices.heard(camera, device) }, clock, random, log }))
  const ringLoad = new RingLoad(catalogue.db)
  const sacrifice = parts.use(new OrderOfSacrifice({
    catalogue, audit, floor, trustedNow: () => trustedTime.now(), ring: () => ringLoad.read(storage.volumeStatus()), streams: () => ingest.report(),
    setModes: modes => { ingest.setModes(modes) }, clock, log,
  }))
  const capacity: CapacityReport = new CapacityReport({ config: () => reload.current, floor, ring: () => ringLoad.read(storage.volumeStatus()), trustedNow: () => trustedTime.now(), clock, log })
  const reload = new ConfigReload(config, {
    audit, clock, log, decide: next => capacity.decide(next),
    apply: async next => {
      for (const { id: cameraId, streams } of next.cameras) for (const { name: stream, declaredBps } of streams) storage.expectRate({ cameraId, stream }, declaredBps)
      await ingest.configure(next.cameras)
      await storage.retireAllBut(new Set(next.cameras.map(camera => camera.id)))
      sacrifice.configure(next.cameras)
    },
  })
  await reload.start()
  sacrifice.start()
  const scrubber = storage.scrubber(random)
  const scrubbing = new AbortController()
  const scrubbed = scrubber.run(scrubbing.signal)
  parts.defer(async () => { scrubbing.abort(); await scrubbed })
  const house = parts.use(new LaterHouse({ config: () => reload.current, catalogue, audit, auditKeeper, trustedTime, storage, clock, log, signal, streams: () => ingest.report() }))
  const facts = recorderFacts({ storage, scrubber, ingest, sacrifice, capacity, reload, trustedTime, auditKeeper, house: () => house.facts() })
  parts.use(facts.source)
  const server = parts.use(await HealthServer.open({ ...config.listen, facts: facts.read, clock, log }))
  parts.use(SystemdReport.open({ notify, assess: () => server.assess(), clock, log }))
  parts.use(reload.watch())
  parts.use(openSchedule([
    { name: 'camera clocks', when: '17 * * * *', run: () => ingest.sampleClocks(signal) },
    { name: 'overwrite record', when: '20 0 * * *', run: async () => { storage.overwrites.writeDue(trustedTime.now()) } },
    { name: 'catalogue upkeep', when: '23 3 * * *', run: async () => { storage.upkeep() } },
  ], { timezone: config.site.timezone, log }))
  storage.overwrites.writeDue(trustedTime.now()) // of the days the recorder was off
  log.info({ port: server.port, cameras: config.cameras.length }, 'recorder started')
  notify.ready()
  house.open()
  await Promise.race([aborted(signal), ingest.failed])
  notify.stopping()
  log.info('recorder stopping')
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  signal.addEventListener('abort', () => { resolve() }, { once: true })
  return promise
}
