import type { Fragment, Sample } from '../media/index.ts'

/** Sound that waits for pictures to go out with, in ticks of its own track. */
interface Waiting { readonly sample: Sample, readonly data: Buffer, readonly atTicks: number }

/** Sound samples that go into a fragment beside pictures. */
export interface SoundPart {
  readonly startTicks: number
  readonly samples: readonly Sample[]
  readonly data: Buffer
}

/** Sound further from its arrival than this is placed anew. */
const MOST_OFF_MS = 200
/** What pictures do not take is dropped: a camera that sends sound alone has nothing to show it with. */
const MOST_WAITING = 512
/** Eight seconds at 64 kbit/s. No sound may make a record too long for its slot. */
const MOST_WAITING_BYTES = 64 << 10

/**
 * Sound between its session and the pictures' records, on the pictures' timeline. Samples follow each other
 * at their own length; where that leads away from their arrival, for sound was lost or the camera's clock
 * stepped, they are placed by arrival.
 */
export class SoundLine {
  readonly #timescale: number
  #waiting: Waiting[] = []
  #endTicks: number | null = null
  #waitingBytes = 0

  constructor(timescale: number) { this.#timescale = timescale }

  /** `arrivedMs`: when the fragment was there, on the pictures' timeline. */
  add({ buffer, moofAt, tracks: [track] }: Fragment, arrivedMs: number): void {
    if (track === undefined) return
    const lengths = track.samples.map(({ durationTicks }) => durationTicks).sort((a, b) => a - b)
    const usualTicks = Math.max(1, lengths[lengths.length >> 1] ?? 1)
    const byArrivalTicks = Math.round(arrivedMs * this.#timescale / 1000) - track.samples.length * usualTicks
    const offTicks = Math.abs(byArrivalTicks - (this.#endTicks ?? -Infinity))
    const mostTicks = MOST_OFF_MS * this.#timescale / 1000
    const follows = this.#endTicks !== null && offTicks <= mostTicks
    let atTicks = follows ? this.#endTicks! : Math.max(byArrivalTicks, this.#endTicks ?? byArrivalTicks)
    if (atTicks - byArrivalTicks > 2 * mostTicks) return // more sound than time: a camera that repeats itself
    for (const sample of track.samples) {
      const from = moofAt + sample.dataAt, data = Buffer.from(buffer.subarray(from, from + sample.sizeBytes))
      const even = { ...sample, durationTicks: usualTicks, isKey: true, compositionOffsetTicks: 0 }
      this.#waiting.push({ sample: even, data, atTicks })
      this.#waitingBytes += data.length
      atTicks += usualTicks
    }
    this.#endTicks = atTicks
    while (this.#waiting.length > MOST_WAITING || this.#waitingBytes > MOST_WAITING_BYTES) this.#drop()
  }

  #drop(): void { this.#waitingBytes -= this.#waiting.shift()?.data.length ?? 0 }

  /** What begins before `endMs`, and lies side by side; null where nothing does. */
  takeUntil(endMs: number): SoundPart | null {
    const endTicks = endMs * this.#timescale / 1000
    const [first] = this.#waiting
    if (first === undefined || first.atTicks >= endTicks) return null
    let nextTicks = first.atTicks
    const parting = this.#waiting.findIndex(({ atTicks, sample: { durationTicks } }) => {
      const isPart = atTicks === nextTicks && atTicks < endTicks
      nextTicks = atTicks + durationTicks
      return !isPart
    })
    const taken = this.#waiting.splice(0, parting < 0 ? this.#waiting.length : parting)
    let dataAt = 0
    const samples = taken.map(({ sample, data }) => {
      const placed = { ...sample, dataAt }
      dataAt += data.length
      return placed
    })
    this.#waitingBytes -= dataAt
    return { startTicks: first.atTicks, samples, data: Buffer.concat(taken.map(({ data }) => data)) }
  }
}
