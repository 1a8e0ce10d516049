import { epochMs, isoOf, SYSTEM, type AuditSink, type EpochMs } from '../domain/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { merkleRoot } from '../platform/merkle.ts'
import { overwriteTable, type ErasedSegment, type OverwriteRecord } from './tables/overwrites.ts'

export interface OverwriteBookOptions { readonly catalogue: Catalogue, readonly audit: AuditSink, readonly clock: Clock, readonly timezone: string }

/** The daily 循環覆蓋紀錄 (R25): per camera the span that was overwritten, its hashes, and what is the oldest left. Days are local days of trusted time. */
export class OverwriteBook {
  readonly #options: OverwriteBookOptions
  readonly #table
  constructor(options: OverwriteBookOptions) {
    this.#options = options
    this.#table = overwriteTable(options.catalogue.db)
  }

  /** Writes the records of every whole day up to `trustedNow` that has none yet. Idempotent. Returns how many lines it wrote. */
  writeDue(trustedNow: EpochMs | null): number {
    if (trustedNow === null) return 0
    const today = this.#dateOf(trustedNow)
    const last = this.#table.lastDay()
    let lines = 0
    let from = last === null ? epochMs(0) : this.#startOf(Temporal.PlainDate.from(last).add({ days: 1 }))
    for (let next = this.#table.firstErasedFrom(from); next !== null; next = this.#table.firstErasedFrom(from)) {
      const day = this.#dateOf(next)
      if (Temporal.PlainDate.compare(day, today) >= 0) break
      lines += this.#write(day)
      from = this.#startOf(day.add({ days: 1 }))
    }
    return lines
  }

  /** What was overwritten on a local day, slot by slot, with what made each free to go. */
  erasedOn(day: string): ErasedSegment[] {
    const date = Temporal.PlainDate.from(day)
    return this.#table.erasedBetween(this.#startOf(date), this.#startOf(date.add({ days: 1 })))
  }

  /** The record as it was written the day after; empty before that, and for a day on which nothing was overwritten. */
  recordsOf(day: string): OverwriteRecord[] { return this.#table.records(day) }

  #write(date: Temporal.PlainDate): number {
    const { catalogue, audit, clock } = this.#options
    const day = date.toString()
    const byCamera = Map.groupBy(this.erasedOn(day), segment => segment.cameraUuid)
    catalogue.db.transaction(() => {
      for (const [camera, segments] of byCamera) {
        const first = segments[0]!
        const facts = {
          segments: segments.length, fromAt: epochMs(Math.min(...segments.map(each => each.startAt))), toAt: epochMs(Math.max(...segments.map(each => each.endAt))),
          bytes: segments.reduce((sum, each) => sum + each.usedBytes, 0), merkleRoot: rootOf(segments), oldestLeftAt: this.#table.oldestLeft(camera),
        }
        const { seq } = audit.append({
          action: 'overwrite.recorded', actor: SYSTEM, object: first.cameraId, application: null, result: 'done',
          detail: {
            day, cameraUuid: camera, segments: facts.segments, from: isoOf(facts.fromAt), to: isoOf(facts.toAt), bytes: facts.bytes, root: facts.merkleRoot,
            oldestLeft: facts.oldestLeftAt === null ? null : isoOf(facts.oldestLeftAt),
          },
        })
        this.#table.insert({ day, cameraId: first.cameraId, cameraUuid: camera, ...facts, writtenAt: clock.wallNow(), auditSeq: seq })
      }
    }).immediate()
    return byCamera.size
  }

  #dateOf(at: EpochMs): Temporal.PlainDate { return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(this.#options.timezone).toPlainDate() }
  #startOf(date: Temporal.PlainDate): EpochMs { return epochMs(date.toZonedDateTime(this.#options.timezone).epochMilliseconds) }
}

/** Merkle root over the roots of the segments, in the order they were overwritten; 64 hex digits. */
export const rootOf = (segments: readonly Pick<ErasedSegment, 'merkleRoot'>[]): string => merkleRoot(segments.map(each => Buffer.from(each.merkleRoot, 'hex'))).toString('hex')
