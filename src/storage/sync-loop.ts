import type { Clock } from '../platform/clock.ts'
import type { OpenSlot } from './ring.ts'
import type { VolumeSet } from './volume-set.ts'

/**
 * With fragments of 0.5 s, at most 0.1 s each in relay and pipe, and a batch below 0.5 s this bounds the loss
 * at a power cut to 2 s [G4].
 */
export const SYNC_INTERVAL_MS = 800

/** `openSlots` are those of one volume: a disk that hangs holds up no other. */
export interface SyncLoopOptions { readonly clock: Clock, readonly volumes: VolumeSet, readonly openSlots: () => Iterable<OpenSlot> }

/**
 * Syncs every slot that was written since its last sync. A failure marks the slot's writer; the lane
 * notices at its next append.
 */
export async function syncOnce({ clock, volumes, openSlots }: SyncLoopOptions): Promise<void> {
  const dirty = [...openSlots()].filter(open => open.writer.isDirty)
  await Promise.all(dirty.map(async open => {
    const startedAt = clock.monoNow()
    try {
      await open.writer.sync()
      volumes.noteSync(open.volume, clock.monoNow() - startedAt)
    } catch { /* kept in writer.failure, which decides what becomes of the slot */ }
  }))
}

export async function runSyncLoop(options: SyncLoopOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const startedAt = options.clock.monoNow()
    await syncOnce(options)
    await options.clock.wait(SYNC_INTERVAL_MS - (options.clock.monoNow() - startedAt), signal)
  }
}
