import type { Db } from '../../platform/catalogue.ts'

/** What the catalogue holds of the volumes that were surveyed. */
export interface Stock {
  readonly cameras: number
  readonly streams: number
  readonly segments: number
  readonly openSegments: number
  readonly records: number
  /** Sum over all streams. */
  readonly footageMs: number
  readonly bytes: number
  readonly oldestAt: number | null
  readonly newestAt: number | null
  readonly freeSlots: number
  readonly quarantinedSlots: number
  readonly holds: number
}

/** Counts what stands in the catalogue of the volumes in `survey_volume`; open segments as far as the survey walked them. */
export function stockTaking(db: Db): Stock {
  const mine = 'volume_uuid IN (SELECT uuid FROM survey_volume)'
  const footage = db.prepare<[], Omit<Stock, 'freeSlots' | 'quarantinedSlots' | 'holds' | 'streams'>>(`
    SELECT count(DISTINCT segment.camera_uuid) AS cameras, count(*) AS segments, coalesce(sum(sealed_at IS NULL), 0) AS openSegments, coalesce(sum(coalesce(segment.records, s.records)), 0) AS records,
      coalesce(sum(coalesce(segment.end_at, s.end_at, segment.start_at) - segment.start_at), 0) AS footageMs, coalesce(sum(coalesce(segment.used_bytes, s.used_bytes)), 0) AS bytes,
      min(segment.start_at) AS oldestAt, max(coalesce(segment.end_at, s.end_at)) AS newestAt
    FROM segment LEFT JOIN survey_slot AS s USING (volume_uuid, slot, generation) WHERE segment.ended_at IS NULL AND segment.${mine}`).get()!
  const streams = db.prepare<[], { n: number }>(`SELECT count(*) AS n FROM (SELECT DISTINCT camera_uuid, stream FROM segment WHERE ended_at IS NULL AND ${mine})`).get()!.n
  const slots = db.prepare<[], { free: number, out: number }>(`SELECT coalesce(sum(state = 'free'), 0) AS free, coalesce(sum(state = 'quarantined'), 0) AS out FROM slot WHERE ${mine}`).get()!
  const holds = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM hold WHERE ended_at IS NULL').get()!.n
  return { ...footage, streams, freeSlots: slots.free, quarantinedSlots: slots.out, holds }
}
