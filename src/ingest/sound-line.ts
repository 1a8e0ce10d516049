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

/**
 * Sound between its session and the pictures' records, on the pictures' timeline. Samples follow each other
 * at their own length; where that leads away from their arrival, for sound was lost or the camera's clock
 * stepped, they are placed by arrival.
 */
export class SoundLine {
  readonly #timescale: number
  #waiting: Waiting[] = []
  #endTicks: number | null = null
  #takenTicks = -Infinity

  constructor(timescale: number) { this.#timescale = timescale }

  /** `arrivedMs`: when the fragment was there, on the pictures' timeline. */
  add({ buffer, moofAt, tracks: [track] }: Fragment, arrivedMs: number): void {
    if (track === undefined) return
    const lengths = track.samples.map(({ durationTicks }) => durationTicks).sort((a, b) => a - b)
    const usualTicks = Math.max(1, lengths[lengths.length >> 1] ?? 1)
    const byArrivalTicks = Math.round(arrivedMs * this.#timescale / 1000) - track.samples.length * usualTicks
    const offTicks = Math.abs(byArrivalTicks - (this.#endTicks ?? -Infinity))
    let atTicks = offTicks > MOST_OFF_MS * this.#timescale / 1000
      ? Math.max(byArrivalTicks, this.#endTicks ?? byArrivalTicks) : this.#endTicks!
    // more sound than time: a camera that repeats itself
    if (atTicks - byArrivalTicks > 2 * MOST_OFF_MS * this.#timescale / 1000) return
    for (const sample of track.samples) {
      const data = Buffer.from(
        buffer.subarray(moofAt + sample.dataAt, moofAt + sample.dataAt + sample.sizeBytes)
      )
      this.#waiting.push(
        {
          sample: { ...sample, durationTicks: usualTicks, isKey: true, compositionOffsetTicks: 0 }, data,
          atTicks,
        }
      )
      atTicks += usualTicks
    }
    this.#endTicks = atTicks
    this.#waiting.splice(0, this.#waiting.length - MOST_WAITING)
  }

  /** What begins before `endMs`, and lies side by side; null where nothing does. */
  takeUntil(endMs: number): SoundPart | null {
    const endTicks = endMs * this.#timescale / 1000
    this.#waiting = this.#waiting.filter(({ atTicks }) => atTicks >= this.#takenTicks)
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
    const last = taken.at(-1)!
    this.#takenTicks = last.atTicks + last.sample.durationTicks
    return { startTicks: first.atTicks, samples, data: Buffer.concat(taken.map(({ data }) => data)) }
  }
}
