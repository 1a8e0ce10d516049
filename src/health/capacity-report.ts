import type { Config } from '../config/index.ts'
import { streamKeyText, type EpochMs } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { CapacityWatch, fitOf, type Fit, type FloorRule, type Forecast, type VolumeFact, type VolumeLoad } from '../retention/index.ts'
import { floorViewOf } from './floor-view.ts'
import type { FloorView, StreamView, VolumeView } from './views.ts'

export interface CapacityReportOptions {
  /** The configuration in force. */
  readonly config: () => Config
  readonly floor: FloorRule
  /** The volumes in use with their footage by age, as they are now. Asked once a minute at most, more often under a trial floor. */
  readonly ring: () => Promise<readonly VolumeLoad[]>
  /** Trusted; null while time is in doubt. */
  readonly trustedNow: () => EpochMs | null
  readonly clock: Clock
  readonly log: Logger
}

type StreamPart = Omit<StreamView, 'forecastDays'>
type VolumePart = Omit<VolumeView, 'forecastDays'>

/** Puts the forecast beside what streams and volumes tell. Ask it at each look, about once a second: it measures the rates by that. */
export class CapacityReport {
  readonly #options: CapacityReportOptions
  readonly #watch: CapacityWatch
  readonly #modes = new Map<string, string>()
  #known: { readonly volumes: readonly VolumeLoad[], readonly forecast: Forecast, readonly now: EpochMs | null } | null = null
  #looking: Promise<void> | null = null
  #failing = false

  constructor(options: CapacityReportOptions) {
    this.#options = options
    this.#watch = new CapacityWatch(options.floor)
  }

  /** Whether this configuration keeps its floor on the volumes in use; for a start, or a reload that is to be decided. Waits for a look at the ring if there was none. */
  async decide(config: Config): Promise<Fit> {
    return this.#fitOf(config, this.#known?.volumes ?? await this.#options.ring())
  }

  #fitOf(config: Config, volumes: readonly VolumeLoad[]): Fit {
    return fitOf(config, config.volumes.map(({ id }): VolumeFact => {
      const load = volumes.find(volume => volume.id === id)
      return { id, size: load === undefined ? null : { slotSizeBytes: load.slotSizeBytes, slots: load.slots.total - load.slots.quarantined - load.holds.reduce((sum, { slots }) => sum + slots, 0) } }
    }), this.#watch.measuredBps())
  }

  view(streams: readonly StreamPart[], volumes: readonly VolumePart[], ringStoppedByFloor: boolean): { streams: StreamView[], volumes: VolumeView[], floor: FloorView } {
    const { config: configOf, floor, clock } = this.#options
    const config = configOf()
    this.#measure(config, streams)
    if (this.#looking === null && this.#watch.isDue(clock.monoNow())) this.#looking = this.#look().finally(() => { this.#looking = null })
    const known = this.#known
    return {
      streams: streams.map(stream => ({ ...stream, forecastDays: known?.forecast.streams.find(({ key }) => key === streamKeyText(stream))?.forecastDays ?? null })),
      volumes: volumes.map(volume => ({ ...volume, forecastDays: known?.forecast.volumes.find(({ id }) => id === volume.id)?.forecastDays ?? null })),
      floor: floorViewOf({
        floor, forecast: known?.forecast ?? null, fit: known === null ? null : this.#fitOf(config, known.volumes), now: known?.now ?? null, insisted: config.retention.insist !== null, ringStoppedByFloor,
      }),
    }
  }

  #measure(config: Config, streams: readonly StreamPart[]): void {
    const declared = new Map(config.cameras.flatMap(camera => camera.streams.map(({ name, declaredBps }) => [streamKeyText({ cameraId: camera.id, stream: name }), declaredBps])))
    for (const stream of streams) {
      const key = streamKeyText(stream)
      // What was measured in another mode says nothing of this one.
      if ((this.#modes.get(key) ?? stream.mode) !== stream.mode) this.#watch.forget(key)
      this.#modes.set(key, stream.mode)
    }
    this.#watch.look(this.#options.clock.monoNow(), streams.map(stream => {
      const key = streamKeyText(stream)
      return { key, bitrateBps: stream.bitrateBps, isRecording: stream.state === 'recording', declaredBps: stream.mode === 'full' ? declared.get(key) ?? null : null, oldestAt: stream.oldestFrameAt }
    }).filter(({ key }) => this.#modes.get(key) !== 'stopped')) // one that was stopped for the floor takes nothing
  }

  /** Never rejects: a catalogue that cannot be read is its own reason, and the last forecast stands. */
  async #look(): Promise<void> {
    const { ring, trustedNow, clock, log } = this.#options
    try {
      const volumes = await ring()
      const now = trustedNow()
      this.#known = { volumes, now, forecast: this.#watch.forecast(clock.monoNow(), volumes, now) }
      this.#failing = false
    } catch (error) {
      if (!this.#failing) log.warn({ err: error }, 'no forecast can be made')
      this.#failing = true
    }
  }
}
