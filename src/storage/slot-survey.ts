import { epochMs, type EpochMs, type Generation, type RunId, type SlotNumber } from '../domain/index.ts'
import { slotPath } from '../footage/index.ts'
import type { VideoTrack } from '../media/index.ts'
import { StorageError, type VolumeFile, type VolumeFileSystem } from '../platform/file-system.ts'
import { merkleRoot } from '../platform/merkle.ts'
import { keepUntil, latestRecordedAt, parseFloorRule } from '../retention/index.ts'
import {
  endOfFootage, mfraBytesOf, readSlot, readTrailer, type IndexEntry, type SlotFootage, type SlotHeader,
} from '../slots/index.ts'
import type { Volume } from './volume.ts'

/** Longer than this between two records of one run is lost time; shorter is a camera that skips frames. */
export const HOLE_IN_RUN_MS = 1500

/** Footage of one run in one slot, without a hole. */
export interface Span { readonly runId: RunId, readonly startAt: EpochMs, readonly endAt: EpochMs }

/** What stands in the row of a sealed segment, as far as the slot itself knows. */
export interface SealedFacts {
  readonly endAt: EpochMs
  /** The newest frame at the latest, by its own time or by what the index says, whichever is later. */
  readonly trustedEndAt: EpochMs
  readonly keepUntil: EpochMs
  readonly records: number
  readonly usedBytes: number
  readonly merkleRoot: Buffer
  /** By the index alone: the trusted time of then. Null without an index. */
  readonly stampAt: EpochMs | null
}

/** Why a slot stays out of use of which nothing is known but that the disk did not give it. */
export const UNREAD = 'the disk did not give it'

/** What one slot file says of itself, without its pictures. */
export type SlotSurvey =
  | { readonly kind: 'blank', readonly slot: SlotNumber }
  /** Holds something that cannot be told. `generation` where at least its index still stands. */
  | {
    readonly kind: 'damaged', readonly slot: SlotNumber, readonly why: string
    readonly generation: Generation | null, readonly isUnread: boolean
  }
  | SurveyedFootage

export interface SurveyedFootage {
  readonly kind: 'footage'
  readonly slot: SlotNumber
  readonly header: SlotHeader
  readonly video: VideoTrack
  readonly spans: readonly Span[]
  /** By what was found; of a slot that was never sealed it goes as far as its records hold. */
  readonly facts: SealedFacts
  readonly isSealed: boolean
  /**
   * It ends like a sealed slot, but its index does not hold: its records are found one by one, up to the
   * first that rotted.
   */
  readonly isIndexLost: boolean
  /** What does not go together inside the slot, in words. */
  readonly doubts: readonly string[]
}

/** Reads one slot. A slot that cannot be read is an answer, never a throw. */
export async function surveySlot(fs: VolumeFileSystem, volume: Volume, slot: SlotNumber): Promise<SlotSurvey> {
  const { slotSizeBytes, uuid } = volume.identity
  try {
    const file = await fs.open(slotPath(volume, slot), 'read', 'survey open')
    try {
      const content = await readSlot(file, slotSizeBytes)
      if (content.kind === 'blank') return { kind: 'blank', slot }
      if (content.kind === 'damaged') {
        const generation = await generationByIndex(file, slotSizeBytes, slot)
        return { kind: 'damaged', slot, why: content.why, generation, isUnread: false }
      }
      const { header } = content
      if (header.volumeUuid !== uuid || header.slot !== slot) {
        const why = `it holds slot ${header.slot} of volume ${header.volumeUuid}`
        return { kind: 'damaged', slot, why, generation: null, isUnread: false }
      }
      return footageOf(slot, content, content.sealed === null && await endsSealed(file, slotSizeBytes))
    } finally { await file.close() }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return { kind: 'damaged', slot, why: `${UNREAD}: ${error.message}`, generation: null, isUnread: true }
  }
}

async function endsSealed(file: VolumeFile, slotSizeBytes: number): Promise<boolean> {
  const last = Buffer.alloc(16)
  return await file.read(last, slotSizeBytes - last.length, 'survey end') === last.length && mfraBytesOf(last) !== null
}

async function generationByIndex(file: VolumeFile, slotSizeBytes: number, slot: SlotNumber): Promise<Generation | null> {
  const index = await readTrailer(file, slotSizeBytes).catch(() => null) // the header was the news; this only helps to name it
  return index?.slot === slot ? index.generation : null
}

function footageOf(slot: SlotNumber, { header, init, entries, sealed }: SlotFootage, isIndexLost: boolean): SurveyedFootage {
  const facts = factsOf(header, entries)
  const shared = { kind: 'footage', slot, header, video: init.video, spans: spansOf(entries) } as const
  if (sealed === null) return { ...shared, facts, isSealed: false, isIndexLost, doubts: [] }
  const doubts: string[] = []
  if (!facts.merkleRoot.equals(sealed.merkleRoot)) doubts.push('the root in its index is not that of its records')
  if (facts.endAt !== sealed.endAt) doubts.push(`its index ends at ${sealed.endAt}, its records at ${facts.endAt}`)
  if (facts.keepUntil > sealed.keepUntil) doubts.push('its index keeps it shorter than its floor')
  const until = epochMs(Math.max(facts.keepUntil, sealed.keepUntil))
  return {
    ...shared, isSealed: true, isIndexLost: false, doubts,
    facts: {
      ...facts, merkleRoot: sealed.merkleRoot, keepUntil: until,
      trustedEndAt: epochMs(Math.max(facts.endAt, latestOf(header.floorRule, facts.endAt, until))),
      stampAt: latestOf(header.floorRule, facts.endAt, sealed.keepUntil),
    },
  }
}

/** The facts of a segment that ends with the last of `entries`. */
export function factsOf(header: SlotHeader, entries: readonly IndexEntry[]): SealedFacts {
  const endAt = epochMs(Math.max(endOfFootage(entries) ?? header.startAt, header.startAt))
  const rule = parseFloorRule(header.floorRule)
  const last = entries.at(-1)
  return {
    endAt, trustedEndAt: endAt, stampAt: null, keepUntil: rule === null ? endAt : keepUntil(rule, endAt),
    records: entries.length, usedBytes: last === undefined ? 0 : last.at + last.sizeBytes, merkleRoot: merkleRoot(entries.map(entry => entry.sha256)),
  }
}

const ORDER_DIVISOR = 1000
const MOST_BEFORE_MS = 86_400

/**
 * The newest frame by trusted time is not on disk; keepUntil, which was reckoned from it, is. Taken is the
 * latest instant that gives this keepUntil, so that
 * no other floor can let it go too early. Calendar floors send a whole day to one instant: within its last
 * minute and a half the order of recording is kept,
 * else the ring would take the segments of a day in no order.
 */
function latestOf(floorRule: string, endAt: EpochMs, until: EpochMs): EpochMs {
  const rule = parseFloorRule(floorRule)
  if (rule === null) return endAt
  const latest = latestRecordedAt(rule, until)
  const before = rule.floor.kind === 'plain' ? 0
    : Math.max(0, Math.min(MOST_BEFORE_MS, Math.floor((latest - endAt) / ORDER_DIVISOR)))
  return epochMs(latest - before)
}

export function spansOf(entries: readonly IndexEntry[]): Span[] {
  const spans: { runId: RunId, startAt: EpochMs, endAt: EpochMs }[] = []
  for (const { runId, startAt, durationMs } of entries) {
    const last = spans.at(-1)
    const endAt = epochMs(startAt + durationMs)
    if (last?.runId === runId && startAt - last.endAt <= HOLE_IN_RUN_MS) last.endAt = epochMs(Math.max(last.endAt, endAt))
    else spans.push({ runId, startAt, endAt })
  }
  return spans
}
