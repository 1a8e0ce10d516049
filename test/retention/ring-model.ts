import { epochMs, volumeId, type EpochMs } from '../../src/domain/index.ts'
import { slotMs } from '../../src/retention/capacity.ts'
import { chooseSlot, keepUntil, type FloorRule, type ForecastInput, type ReuseCandidate } from '../../src/retention/index.ts'

export interface ModelSlot extends ReuseCandidate { readonly volume: number, newestFrameAt: EpochMs, keepUntil: EpochMs, held: boolean, leased: boolean }
export interface ModelVolume { readonly slotSizeBytes: number, readonly slots: number }
export interface ModelStream { readonly bitrateBps: number, /** Of its first slot's length: when it opens the second. */ readonly phase: number }
export interface Overwrite { readonly at: EpochMs, readonly slot: ModelSlot }

/** A ring of slots that streams of constant rate fill: chooses as the recorder does, knows nothing of forecasts. */
export class RingModel {
  readonly volumes: ModelVolume[]
  readonly free: number[]
  readonly sealed: ModelSlot[][]
  floor: FloorRule
  now: EpochMs
  stoppedAt: EpochMs | null = null
  readonly overwrites: Overwrite[] = []
  readonly #streams: { bitrateBps: number, openVolume: number | null, nextAt: number }[]
  readonly #phases: readonly number[]

  constructor(options: { volumes: readonly ModelVolume[], streams: readonly ModelStream[], floor: FloorRule, startAt: EpochMs }) {
    this.volumes = [...options.volumes]
    this.free = options.volumes.map(volume => volume.slots)
    this.sealed = options.volumes.map(() => [])
    this.floor = options.floor
    this.now = options.startAt
    this.#phases = options.streams.map(({ phase }) => phase)
    this.#streams = options.streams.map(({ bitrateBps }) => ({ bitrateBps, openVolume: null, nextAt: options.startAt }))
  }

  /** Goes on until `until`, or until no slot can be had. */
  run(until: EpochMs): void {
    while (this.stoppedAt === null) {
      const next = this.#streams.reduce((a, b) => b.nextAt < a.nextAt ? b : a)
      if (next.nextAt > until) break
      this.now = epochMs(next.nextAt)
      const first = next.openVolume === null
      if (next.openVolume !== null) this.#seal(next.openVolume)
      const volume = this.#take()
      if (volume === null) { this.stoppedAt = this.now; next.openVolume = null; break }
      next.openVolume = volume
      const wholeMs = slotMs([next.bitrateBps], this.volumes[volume]!.slotSizeBytes)
      next.nextAt += first ? wholeMs * (this.#phases[this.#streams.indexOf(next)] ?? 1) : wholeMs
    }
    if (this.stoppedAt === null) this.now = until
  }

  #seal(volume: number): void {
    this.sealed[volume]!.push({ volume, newestFrameAt: this.now, keepUntil: keepUntil(this.floor, this.now), held: false, leased: false })
  }

  #take(): number | null {
    const volumes = this.volumes.map((volume, index) => ({ id: volumeId(`v${index}`), freeSlots: this.free[index]!, totalSlots: volume.slots, candidates: this.#candidates(index) }))
    const choice = chooseSlot(volumes, this.floor, this.now)
    if (choice.kind === 'none') return null
    const index = volumes.findIndex(volume => volume.id === choice.volume)
    if (choice.kind === 'free') this.free[index]!--
    else {
      this.sealed[index]!.splice(this.sealed[index]!.indexOf(choice.candidate), 1)
      this.overwrites.push({ at: this.now, slot: choice.candidate })
    }
    return index
  }

  /** The oldest few and all that are held: a queue need not be sorted whole at each opening. */
  #candidates(volume: number): ModelSlot[] {
    let unheld = 0
    return this.sealed[volume]!.filter(slot => slot.held || unheld++ < 4)
  }

  /** What storage and ingest would tell of it. */
  facts(unit: 'slot' | 'day' = 'slot'): ForecastInput {
    const open = (index: number) => this.#streams.filter(stream => stream.openVolume === index).length
    return {
      now: this.now, floor: this.floor,
      streams: this.#streams.map(({ bitrateBps }, index) => ({ key: `s${index}/main`, bitrateBps, oldestAt: null })),
      volumes: this.volumes.map(({ slotSizeBytes, slots }, index) => {
        const unheld = this.sealed[index]!.filter(slot => !slot.held)
        const groups = unit === 'slot' ? unheld.map(slot => [slot]) : [...Map.groupBy(unheld, slot => slot.keepUntil).values()]
        return {
          id: volumeId(`v${index}`), slotSizeBytes, slots: { total: slots, free: this.free[index]!, open: open(index), quarantined: 0 },
          sealed: groups.map(group => ({ newestFrameAt: group.at(-1)!.newestFrameAt, keepUntil: group.at(-1)!.keepUntil, slots: group.length })),
          holds: this.sealed[index]!.some(slot => slot.held) ? [{ slots: this.sealed[index]!.filter(slot => slot.held).length, until: null }] : [],
        }
      }),
    }
  }
}
