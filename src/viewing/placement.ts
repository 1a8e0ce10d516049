import type { EpochMs } from '../domain/index.ts'
import { buildFragment } from '../media/index.ts'
import type { Cut } from './cut-record.ts'

/** Wall times of records are slewed: they and a run's own media time may differ by this much before a piece is placed anew. */
export const SEAM_MS = 100

/**
 * One timeline for all cameras of a session: media time is wall time since `originAt`, so cameras are in step by themselves. It only moves forward: where the
 * clock was set back, what follows stands behind what came before, and the piece's own wall time tells.
 */
export class Placement {
  readonly #originAt: EpochMs
  #place: { readonly key: string, readonly shiftMs: number } | null = null
  #endMs: number | null = null
  #sequence = 0
  constructor(originAt: EpochMs) { this.#originAt = originAt }

  /** `key` names the slot generation and run that the record's decode times count in. */
  build(cut: Cut, key: string): { readonly bytes: Buffer, readonly mediaMs: number } {
    const lead = cut.tracks[0]!
    const ownMs = cut.decodeTimeTicks * 1000 / lead.timescale, wantedMs = Math.max(0, cut.startAt - this.#originAt)
    const goesOnMs = [this.#place?.key === key ? ownMs + this.#place.shiftMs : null, this.#endMs].find(at => at !== null && Math.abs(at - wantedMs) < SEAM_MS) ?? null
    const placedMs = Math.max(goesOnMs ?? wantedMs, this.#endMs ?? 0)
    const startTicks = Math.round(placedMs * lead.timescale / 1000)
    const mediaMs = startTicks * 1000 / lead.timescale
    // Kept unrounded: a rounded shift would leave holes between fragments.
    this.#place = { key, shiftMs: placedMs - ownMs }
    this.#endMs = placedMs + cut.durationMs
    const parts = cut.tracks.map(({ track, timescale, samples, decodeTimeTicks }) => ({
      trackId: track.trackId, samples, data: cut.media, decodeTimeTicks: BigInt(Math.max(0, Math.round(decodeTimeTicks + (placedMs - ownMs) * timescale / 1000))),
    }))
    return { bytes: buildFragment(++this.#sequence, parts), mediaMs }
  }
}
