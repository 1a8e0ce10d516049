import type { TrackPart } from './boxes.ts'
import type { FootageRecord } from './footage.ts'

/** One frame on the player's own timeline: seconds since the common origin, and the wall time it was recorded. */
export interface Frame { readonly record: number, readonly index: number, readonly atS: number, readonly durationS: number, readonly wallMs: number, readonly key: boolean }

/** The pictures of a record in the order they are shown. Wall times are the whole milliseconds for which the recorder's fence was asked: their fractions are cut off, not rounded. */
export function frameTable(pictures: TrackPart, timescale: number, { atMs }: Pick<FootageRecord, 'atMs'>, record: number, offsetS: number): readonly Frame[] {
  return pictures.frames.toSorted((a, b) => a.pts - b.pts).map((frame, index) => ({
    record, index, key: frame.isKey, atS: frame.pts / timescale + offsetS, durationS: Math.max(frame.duration, 1) / timescale,
    wallMs: atMs + Math.floor((frame.pts - pictures.decodeTime) * 1000 / timescale),
  }))
}
