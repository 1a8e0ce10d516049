import { streamKeyText, SYSTEM, type AuditSink, type CameraConfig, type EpochMs, type MonoMs, type RecordingMode, type StreamConfig, type StreamKey } from '../domain/index.ts'
import type { StreamReport } from '../ingest/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import {
  decideSacrifice, FRESH_MEMORY, isWorse, outlookOn, plannedSpanMs, sacrificeLimits, type FloorRule, type ModeChange, type SacrificeDecision, type SacrificeMemory, type SacrificeStream, type VolumeLoad,
} from '../retention/index.ts'
import { stepTable, type Step } from './step-table.ts'
import { StreamRates } from './stream-rates.ts'

const LONGEST_LOOK_MS = 60_000
const SHORTEST_LOOK_MS = 1_000
/** Of the floor, how often the ring is looked at. */
const LOOKS_A_FLOOR = 4096
/** Rates are averaged over this, or over a share of a floor that is shorter than some days. */
const RATE_SPAN_MS = 3_600_000
const RATE_SPANS_A_FLOOR = 16
/** A run that has just begun may bring what the camera had stored up. */
const SETTLED_MS = 1_500

export interface OrderOfSacrificeOptions {
  readonly catalogue: Catalogue
  readonly audit: AuditSink
  readonly floor: FloorRule
  readonly trustedNow: () => EpochMs | null
  readonly ring: () => Promise<readonly VolumeLoad[]>
  readonly streams: () => readonly StreamReport[]
  /** By `streamKeyText`; streams that are not named are recorded in full. */
  readonly setModes: (modes: ReadonlyMap<string, RecordingMode>) => void
  readonly clock: Clock
  readonly log: Logger
}

/** A stream that is recorded less than in full. */
export interface StepView extends StreamKey { readonly mode: Exclude<RecordingMode, 'full'>, readonly since: EpochMs, readonly reason: string }
export interface SacrificeView {
  readonly steps: readonly StepView[]
  /** Until no slot could be had with the modes of now, by the last look; null: never, or it cannot be told. */
  readonly headroomMs: number | null
  /** Streams that take more than a quarter above what they declared, averaged over an hour. */
  readonly overBudget: readonly (StreamKey & { readonly measuredBps: number, readonly declaredBps: number })[]
}

interface Watched { readonly camera: CameraConfig, readonly stream: StreamConfig, readonly rates: StreamRates }

/**
 * Carries out the order of sacrifice: looks at the ring, asks the pure decision, writes steps and audit entries in one transaction, and only then has the streams
 * recorded otherwise. Steps outlive a restart. Reuses and erases nothing.
 */
export class OrderOfSacrifice implements AsyncDisposable {
  readonly #options: OrderOfSacrificeOptions
  readonly #table: ReturnType<typeof stepTable>
  readonly #log: Logger
  readonly #stop = new AbortController()
  readonly #rateSpanMs: number
  readonly #watched = new Map<string, Watched>()
  readonly #steps = new Map<string, Step>()
  #isKnown = false
  #memory: SacrificeMemory = FRESH_MEMORY
  #headroomMs: number | null = null
  #lookedAt: MonoMs
  #loop: Promise<void> = Promise.resolve()

  /** Takes up the steps that were in force when the recorder last ended, before the first stream is started. */
  constructor(options: OrderOfSacrificeOptions) {
    this.#options = options
    this.#log = options.log.child({ cap: 'capacity' })
    this.#table = stepTable(options.catalogue.db)
    this.#rateSpanMs = Math.min(RATE_SPAN_MS, plannedSpanMs(options.floor) / RATE_SPANS_A_FLOOR)
    this.#lookedAt = options.clock.monoNow()
    try { this.#takeUp() } catch (error) {
      this.#log.error({ err: error }, 'the steps in force cannot be read; until they can all is recorded')
    }
  }

  /** Throws what the catalogue throws: nothing is decided before what was in force is known. */
  #takeUp(): void {
    if (this.#isKnown) return
    for (const step of this.#table.inForce()) this.#steps.set(streamKeyText(step), step)
    this.#isKnown = true
    if (this.#steps.size > 0) this.#memory = { ...FRESH_MEMORY, changedAt: this.#lookedAt }
    this.#setModes()
  }

  /** The cameras in force. Steps of streams that are no longer recorded end. */
  configure(cameras: readonly CameraConfig[]): void {
    this.#takeUp()
    const now = this.#options.clock.wallNow()
    const before = new Map(this.#watched)
    this.#watched.clear()
    for (const camera of cameras) {
      for (const stream of camera.streams) {
        const key = streamKeyText({ cameraId: camera.id, stream: stream.name })
        const known = before.get(key)
        const rates = known?.stream.declaredBps === stream.declaredBps ? known.rates : new StreamRates(stream.declaredBps, this.#rateSpanMs, this.#steps.get(key)?.fullBps ?? null)
        this.#watched.set(key, { camera, stream, rates })
      }
    }
    for (const [key, { cameraId, stream }] of [...this.#steps]) {
      if (this.#watched.has(key)) continue
      this.#table.end(cameraId, stream, now, 'removed-from-config')
      this.#steps.delete(key)
    }
    this.#table.endRetired(now)
    this.#setModes()
  }

  /** Looks now and again until disposal. */
  start(): void {
    const { clock, floor } = this.#options
    const everyMs = Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, plannedSpanMs(floor) / LOOKS_A_FLOOR))
    this.#loop = (async () => {
      while (!this.#stop.signal.aborted) {
        await clock.wait(everyMs, this.#stop.signal)
        if (this.#stop.signal.aborted) return
        await this.look().catch((error: unknown) => { this.#log.error({ err: error }, 'the order of sacrifice could not be looked after; it is tried again') })
      }
    })()
  }

  /** One look, and what follows from it. Throws when the steps or the audit log cannot be written: then nothing has changed. */
  async look(): Promise<void> {
    const { clock, trustedNow, floor } = this.#options
    this.#takeUp()
    this.#measure()
    const now = trustedNow()
    if (now === null) return // nothing may be reused while time is in doubt, and no mode would change that
    const volumes = await this.#options.ring()
    if (volumes.length === 0) return // without a disk there is nothing to share out; that is its own alarm
    const decision = decideSacrifice({
      at: clock.monoNow(), now, streams: this.#streams(), outlook: outlookOn({ volumes, floor, now }), limits: sacrificeLimits(floor.floor), memory: this.#memory,
    })
    this.#headroomMs = decision.headroomMs
    if (decision.changes.length > 0) this.#apply(decision)
    this.#memory = decision.memory
  }

  #measure(): void {
    const { clock, streams } = this.#options
    const at = clock.monoNow()
    const passedMs = at - this.#lookedAt
    this.#lookedAt = at
    for (const report of streams()) {
      const watched = this.#watched.get(streamKeyText(report))
      if (watched === undefined || report.state !== 'recording' || report.mode === 'stopped' || report.bitrateBps <= 0 || clock.wallNow() - report.stateSince < SETTLED_MS) continue
      watched.rates.add(report.mode, passedMs, report.bitrateBps)
    }
  }

  #streams(): SacrificeStream[] {
    return [...this.#watched].map(([key, { camera, stream, rates }]) => ({
      key, camera: camera.id, priority: camera.priority, mode: this.#steps.get(key)?.mode ?? 'full', hasLower: stream.lower !== null, overBudget: rates.overBudget, bps: rates.bps(),
    }))
  }

  #apply({ changes, headroomMs }: SacrificeDecision): void {
    const { catalogue, clock } = this.#options
    const at = clock.wallNow()
    const next = new Map(this.#steps)
    catalogue.db.transaction(() => { for (const change of changes) this.#write(change, at, headroomMs, next) }).immediate()
    this.#steps.clear()
    for (const [key, step] of next) this.#steps.set(key, step)
    this.#log.warn({ changes: changes.map(({ key, from, to, reason }) => ({ key, from, to, reason })), headroomS: seconds(headroomMs) }, 'order of sacrifice')
    this.#setModes()
  }

  #write({ key, from, to, reason }: ModeChange, at: EpochMs, headroomMs: number | null, next: Map<string, Step>): void {
    const { camera: { id: cameraId, priority }, stream: { name: stream }, rates } = this.#watched.get(key)!
    const fullBps = rates.measuredFullBps === null ? null : Math.round(rates.measuredFullBps)
    if (from !== 'full') this.#table.end(cameraId, stream, at, reason)
    next.delete(key)
    if (to !== 'full') {
      const step = { cameraId, stream, mode: to, reason, startedAt: at, fullBps }
      this.#table.begin(step)
      next.set(key, step)
    }
    this.#options.audit.append({
      action: isWorse(to, from) ? 'recording.stepped-down' : 'recording.stepped-up', actor: SYSTEM, object: key, application: null, result: 'done',
      detail: { from, to, reason, priority, headroomS: seconds(headroomMs), fullBps },
    })
  }

  #setModes(): void { this.#options.setModes(new Map([...this.#steps].map(([key, { mode }]) => [key, mode]))) }

  view(): SacrificeView {
    return {
      steps: [...this.#steps.values()].map(({ cameraId, stream, mode, startedAt, reason }) => ({ cameraId, stream, mode, since: startedAt, reason })),
      headroomMs: this.#headroomMs,
      overBudget: [...this.#watched.values()].flatMap(({ camera, stream, rates }) => {
        const measuredBps = rates.measuredFullBps
        return stream.declaredBps === null || measuredBps === null || !rates.overBudget ? [] : [{ cameraId: camera.id, stream: stream.name, measuredBps, declaredBps: stream.declaredBps }]
      }),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }
}

const seconds = (durationMs: number | null): number | null => durationMs === null ? null : Math.round(durationMs / 1000)
