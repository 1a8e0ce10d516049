import { monitorEventLoopDelay } from 'node:perf_hooks'
import { watch } from 'chokidar'
import { AuditLog } from './audit/index.ts'
import { diffCameras, formatProblems, loadConfig, type Config } from './config/index.ts'
import type { EpochMs } from './domain/index.ts'
import { HealthServer, SystemdReport, type RecorderFacts } from './health/index.ts'
import { Ingest } from './ingest/index.ts'
import { openCatalogue } from './platform/catalogue.ts'
import type { Clock } from './platform/clock.ts'
import { realFileSystem } from './platform/file-system.ts'
import type { Logger } from './platform/logger.ts'
import { openSchedule } from './platform/schedule.ts'
import { openSystemdNotify } from './platform/systemd-notify.ts'
import { Storage } from './storage/index.ts'
import { TrustedTime } from './trusted-time/index.ts'

export interface DaemonOptions {
  readonly config: Config
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

const LOOP_SAMPLE_MS = 100 // each sample wakes the process; delays that matter are longer
const RELOAD_SETTLE_MS = 300 // an editor writes a file in several steps

/** The one composition root: builds the parts in order, hands each what it needs, and takes them down in reverse when `signal` aborts. */
export async function runDaemon({ config, clock, random, log }: DaemonOptions, signal: AbortSignal): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const notify = parts.use(openSystemdNotify({ env: process.env, log }))
  const catalogue = parts.use(openCatalogue(config.state.dir, clock.wallNow()))
  const audit = new AuditLog(catalogue.db)
  const trustedTime = new TrustedTime(clock)
  const floor = { floor: config.retention.floor, timezone: config.site.timezone }
  const storage = parts.use(await Storage.open({ catalogue, audit, trustedTime, volumes: config.volumes, floor, fs: realFileSystem, clock, log }))
  const ingest = parts.use(new Ingest({ lane: (camera, stream) => storage.lane(camera, stream), clock, random, log }))
  const reload = new ConfigReload(config, clock, log, async next => {
    await ingest.configure(next.cameras)
    await storage.retireAllBut(new Set(next.cameras.map(camera => camera.id)))
  })
  await reload.apply(config)
  const facts = recorderFacts({ config, storage, ingest, reload })
  parts.use(facts.source)
  const server = parts.use(await HealthServer.open({ ...config.listen, facts: facts.read, clock, log }))
  parts.use(SystemdReport.open({ notify, assess: () => server.assess(), clock, log }))
  parts.use(reload.watch())
  parts.use(openSchedule([
    { name: 'camera clocks', when: '17 * * * *', run: () => ingest.sampleClocks(signal) },
    { name: 'catalogue upkeep', when: '23 3 * * *', run: async () => { storage.upkeep() } },
  ], { timezone: config.site.timezone, log }))
  log.info({ port: server.port, cameras: config.cameras.length }, 'recorder started')
  notify.ready()
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

/** Takes over a changed configuration while running; a bad one changes nothing and shows in health. */
class ConfigReload {
  #current: Config
  readonly #clock: Clock
  readonly #log: Logger
  readonly apply: (config: Config) => Promise<void>
  rejected: { rejectedAt: EpochMs, problems: number } | null = null

  constructor(current: Config, clock: Clock, log: Logger, apply: (config: Config) => Promise<void>) {
    this.#current = current
    this.#clock = clock
    this.#log = log
    this.apply = apply
  }

  /** The event is a hint only: what counts is what the file says when it is read. */
  watch(): AsyncDisposable {
    const files = [this.#current.file, ...(this.#current.secrets === null ? [] : [this.#current.secrets.file])]
    const watcher = watch(files, { ignoreInitial: true, awaitWriteFinish: { stabilityThreshold: RELOAD_SETTLE_MS, pollInterval: 100 } })
    let reading: Promise<void> = Promise.resolve()
    watcher.on('all', () => { reading = reading.then(() => this.#read()) })
    watcher.on('error', error => { this.#log.warn({ err: error }, 'configuration cannot be watched') })
    return { [Symbol.asyncDispose]: async () => { await watcher.close(); await reading } }
  }

  async #read(): Promise<void> {
    const result = await loadConfig(this.#current.file)
    if (!result.ok) {
      this.rejected = { rejectedAt: this.#clock.wallNow(), problems: result.problems.length }
      this.#log.error({ problems: formatProblems(result.problems) }, 'new configuration refused, the old one goes on')
      return
    }
    this.rejected = null
    const change = diffCameras(this.#current, result.config)
    if (change.needsRestart.length > 0) this.#log.warn({ sections: change.needsRestart }, 'changed sections take effect at the next start')
    this.#log.info({ added: change.added.map(camera => camera.id), removed: change.removed, changed: change.changed.map(({ after }) => after.id) }, 'configuration taken over')
    this.#current = result.config
    await this.apply(result.config)
  }
}

/** What health looks at: gathered from the parts each time it is asked for. */
function recorderFacts({ config, storage, ingest, reload }: { config: Config, storage: Storage, ingest: Ingest, reload: ConfigReload }) {
  const delay = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS })
  delay.enable()
  const read = (): RecorderFacts => {
    const eventLoopDelayMs = Math.max(0, Math.round(delay.max / 1e6) - LOOP_SAMPLE_MS)
    delay.reset()
    const streams = ingest.report().map(report => {
      const gap = storage.gapNow(report.cameraId, report.stream)
      return { ...report, oldestFrameAt: storage.oldestFrameAt(report.cameraId, report.stream), openGapSince: gap?.startAt ?? null, openGapCause: gap?.cause ?? null }
    })
    const volumes = storage.volumeStatus().map(({ slots, lastSyncMs, worstSyncMs, ...status }) => ({
      ...status,
      slots: { total: slots.free + slots.preparing + slots.open + slots.sealed + slots.quarantined, free: slots.free, open: slots.open + slots.preparing, sealed: slots.sealed, held: 0, quarantined: slots.quarantined },
      syncMs: { last: lastSyncMs, worst: worstSyncMs },
    }))
    return {
      streams, volumes,
      floor: { required: config.retention.floor, forecastDays: null, wrapsAt: null, ringStoppedByFloor: streams.some(stream => stream.state !== 'recording' && stream.lastEndReason === 'storage-full') },
      catalogue: storage.catalogueStatus(),
      process: { rssBytes: process.memoryUsage.rss(), eventLoopDelayMs, uptimeMs: Math.round(process.uptime() * 1000) },
      configReload: reload.rejected,
    }
  }
  return { read, source: { [Symbol.dispose]: () => { delay.disable() } } }
}
