import { createHash } from 'node:crypto'
import { epochMs, isoOf, type EpochMs, type TimeRange } from '../domain/index.ts'
import {
  fitPictures, parseMovieFragment, patchDecodeTime, patchSequenceNumber, type InitSegment, type TrackFragment
} from '../media/index.ts'
import { RECORD_HEAD_BYTES, roomTicksOf, type IndexEntry, type SlotFootage } from '../slots/index.ts'

/** Footage of one slot generation, and how to read its records. */
export interface FootageSource {
  readonly footage: SlotFootage
  /** The record's bytes as recorded; may throw when they are gone. */
  read(position: number): Promise<Buffer>
}

/** A record that goes into a clip: which source, which position. */
interface Piece { readonly source: FootageSource, readonly position: number }

/** Footage that fits one file: one init segment, time only forward. */
export interface ClipPart {
  readonly init: InitSegment
  readonly startAt: EpochMs
  readonly endAt: EpochMs
  readonly pieces: readonly Piece[]
}

/**
 * Why footage inside the range that was asked for is in no part: it was recorded, and the key frame that it
 * refers to is gone.
 */
export interface LeftOut { readonly startAt: EpochMs, readonly endAt: EpochMs, readonly why: 'no-key-frame' }
export interface ClipPlan { readonly parts: readonly ClipPart[], readonly leftOut: readonly LeftOut[] }

interface PlannedPiece extends Piece { readonly entry: IndexEntry }

/**
 * The records of a range, cut at key frames: each part starts with the key frame at or before the range's
 * start, so that every frame asked for can be shown. A new part begins where the pictures' format changes, or
 * where a run begins before the end of the one before (the clock was set): spans are never merged. Within a
 * run records follow each other, whatever their times.
 */
export function planClip(sources: readonly FootageSource[], range: TimeRange): ClipPlan {
  const piecesOf = (source: FootageSource): PlannedPiece[] =>
    source.footage.entries.map((entry, position) => ({ source, position, entry }))
  const pieces = sources.flatMap(piecesOf)
  const parts: PlannedPiece[][] = [], leftOut: LeftOut[] = []
  let part: PlannedPiece[] | null = null, sinceKey: PlannedPiece[] = [], before: PlannedPiece | null = null
  for (const piece of pieces) {
    const { entry } = piece, endAt = epochMs(entry.startAt + entry.durationMs)
    if (before !== null && breaks(before, piece)) { part = null; sinceKey = [] }
    before = piece
    if (entry.startsWithKey) sinceKey = []
    sinceKey.push(piece)
    if (entry.startAt >= range.endAt || endAt <= range.startAt) continue
    if (part === null && sinceKey[0]?.entry.startsWithKey !== true) { // no decoder could show it
      leftOut.push({ startAt: entry.startAt, endAt, why: 'no-key-frame' })
      continue
    }
    if (part === null) parts.push(part = [])
    part.push(...sinceKey)
    sinceKey = []
  }
  return { parts: parts.map(partOf), leftOut }
}

function breaks(before: PlannedPiece, { source, entry }: PlannedPiece): boolean {
  if (!source.footage.init.moov.equals(before.source.footage.init.moov)) return true
  return entry.runId !== before.entry.runId
    && entry.startAt < before.entry.startAt + before.entry.durationMs - CLOCK_NOISE_MS
}

const partOf = (chosen: readonly PlannedPiece[]): ClipPart => ({
  init: chosen[0]!.source.footage.init, startAt: chosen[0]!.entry.startAt, pieces: chosen,
  endAt: epochMs(Math.max(...chosen.map(({ entry }) => entry.startAt + entry.durationMs))),
})

/** Runs of one stream follow each other; instants are rounded. */
const CLOCK_NOISE_MS = 20

/** What a clip's manifest says of one record: enough to find it in its slot and to check it against the slot's Merkle root. */
export interface ClipRecord {
  readonly volume: string
  readonly slot: number
  readonly generation: number
  readonly sequence: number
  readonly at: string
  readonly durationMs: number
  readonly run: number
  readonly sha256: string
  /** Its frames stood into the next record, and their durations were shortened: it cannot be hashed again. */
  readonly shortened?: true
}

export interface ClipResult { readonly bytes: number, readonly sha256: string, readonly records: readonly ClipRecord[] }

/**
 * Writes `part` as one MP4 through `write`: the init segment, then each record with its times moved to the clip's start. Pictures are copied bit for bit.
 * Undoing the move gives the recorded bytes, whose SHA-256 the manifest lists: the pictures' `tfdt` back to the media time in `prft`, another track's back by as
 * much in its own ticks (rounded), and the sequence number to the record's own, which counts from 1.
 */
export async function writeClip(part: ClipPart, write: (bytes: Buffer) => Promise<void>): Promise<ClipResult> {
  const digest = createHash('sha256')
  const records: ClipRecord[] = []
  const timeline = new ClipTimeline(part.startAt)
  let bytes = 0
  const put = async (chunk: Buffer) => {
    digest.update(chunk)
    bytes += chunk.length
    await write(chunk)
  }
  await put(Buffer.concat([part.init.ftyp, part.init.moov]))
  for (const { source, position } of part.pieces) {
    const record = await source.read(position)
    const { header, entries } = source.footage
    const entry = entries[position]!
    const isShortened = timeline.place(record, source.footage, position, records.length + 1)
    records.push({
      volume: header.volumeUuid, slot: header.slot, generation: header.generation, sequence: position, at: isoOf(entry.startAt), durationMs: entry.durationMs,
      run: entry.runId, sha256: entry.sha256.toString('hex'), ...isShortened ? { shortened: true } : {},
    })
    await put(record)
  }
  return { bytes, sha256: digest.digest('hex'), records }
}

/** A run goes on from slot to slot without a break; wall times of two slots, which are slewed, may differ by this much at the seam. */
const SEAM_MS = 100

/** Places records of many slots on one timeline that starts at the clip's start and only moves forward. */
export class ClipTimeline {
  readonly #startAt: EpochMs
  #footage: SlotFootage | null = null
  #runId = 0
  #shiftTicks = 0 // of the video track, whole: else what a rounded move of the pictures was could not be told from them
  #endTicks = 0

  constructor(startAt: EpochMs) { this.#startAt = startAt }

  /**
   * Moves the record's `tfdt`s and gives it the sequence number. `record` is changed in place. True: its
   * frames stood into the next record of its run, and were shortened.
   */
  place(record: Buffer, footage: SlotFootage, position: number, sequence: number): boolean {
    const media = record.subarray(RECORD_HEAD_BYTES), entry = footage.entries[position]!
    const { video, tracks } = footage.init
    const isShortened = fitPictures(media, video.trackId, roomTicksOf(footage, position))
    const parts = parseMovieFragment(media, media.length).map(track => ({ track, timescale: tracks.find(known => known.trackId === track.trackId)!.timescale }))
    this.#enter(footage, entry, parts)
    const behindTicks = Math.max(0, this.#endTicks - (Number(entry.decodeTimeTicks) + this.#shiftTicks))
    for (const { track, timescale } of parts) {
      const shift = Math.round((this.#shiftTicks + behindTicks) * timescale / video.timescale)
      const moved = Number(track.decodeTimeTicks) + shift
      patchDecodeTime(media, 0, track, BigInt(Math.max(0, moved)))
      if (track.trackId === video.trackId) this.#endTicks = moved + track.durationTicks
    }
    this.#runId = entry.runId
    patchSequenceNumber(media, 0, media.readUInt32BE(0), sequence)
    return isShortened
  }

  /**
   * Decides how far the records of a run in a slot generation are moved, at its first one. By its wall time:
   * media times of a slot only grow, and lag behind where runs overlapped.
   */
  #enter(
    footage: SlotFootage, entry: IndexEntry,
    parts: readonly { readonly track: TrackFragment, readonly timescale: number }[]
  ): void {
    if (footage === this.#footage && entry.runId === this.#runId) return
    const { timescale: videoScale } = footage.init.video
    if (this.#footage === null) { // sound may begin a moment before the first picture
      const starts = parts.map(part => Number(part.track.decodeTimeTicks) * videoScale / part.timescale)
      this.#shiftTicks = -Math.floor(Math.min(...starts))
    } else {
      const wantedTicks = Math.round((entry.startAt - this.#startAt) * videoScale / 1000)
      this.#shiftTicks = wantedTicks - Number(entry.decodeTimeTicks)
      const seamTicks = this.#endTicks - (Number(entry.decodeTimeTicks) + this.#shiftTicks)
      const goesOn = entry.runId === this.#runId && Math.abs(seamTicks) < SEAM_MS * videoScale / 1000
      if (goesOn || seamTicks > 0) this.#shiftTicks += seamTicks
    }
    this.#footage = footage
  }
}
