import path from 'node:path'
import type { Clock } from '../platform/clock.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import { parseTimeCopy, timeCopyText, type TimeCopy, type TrustedTime } from '../trusted-time/index.ts'
import type { Volume } from './volume.ts'

/** At a volume's root: the trusted time that its footage ages by, for a rebuild [G1]. */
export const TIME_FILE = 'custos-time.json'
const MAX_FILE_BYTES = 1 << 16
/** While nothing changes but the time itself. */
const WRITE_EVERY_MS = 3_600_000

interface Written { readonly facts: string, readonly mono: number }
export interface TimeFileOptions {
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  readonly trustedTime: Pick<TrustedTime, 'copy'>
}

/** Keeps a copy of trusted time on every volume in use. */
export class TimeFile {
  readonly #options: TimeFileOptions
  readonly #written = new Map<string, Written>()
  constructor(options: TimeFileOptions) { this.#options = options }

  /** It was away, or is another: nobody knows what stands there. */
  forget(volume: Volume): void { this.#written.delete(volume.identity.uuid) }

  /**
   * Writes it where it says something else than trusted time does now. Throws StorageError.
   */
  async catchUp(volume: Volume): Promise<void> {
    const { fs, clock, trustedTime } = this.#options
    const copy = trustedTime.copy()
    if (copy === null) return
    const now = { facts: factsOf(copy), mono: clock.monoNow() }
    const last = this.#written.get(volume.identity.uuid)
    if (last?.facts === now.facts && now.mono - last.mono < WRITE_EVERY_MS) return
    await fs.publishText(path.join(volume.path, TIME_FILE), timeCopyText(copy), 'time copy')
    this.#written.set(volume.identity.uuid, now)
  }
}

/** What may not be an hour old. */
const factsOf = ({ timeline, time, advances }: TimeCopy): string => {
  const { bootId, isKnown, told, doubtSinceMs, claimMs } = time
  return JSON.stringify([timeline, bootId, isKnown, told, doubtSinceMs, claimMs !== null, advances.length])
}

/** Null where there is none, or none that was written by this program. Throws StorageError. */
export async function readTimeCopy(fs: VolumeFileSystem, volume: Volume): Promise<TimeCopy | null> {
  try {
    return parseTimeCopy(await fs.readText(path.join(volume.path, TIME_FILE), MAX_FILE_BYTES, 'time copy'))
  } catch (error) {
    if (error instanceof StorageError && error.fault === 'missing') return null
    throw error
  }
}
