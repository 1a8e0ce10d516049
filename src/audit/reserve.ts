import { existsSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import type { VolumeFileSystem } from '../platform/file-system.ts'

/** Room for some 30,000 entries (457 bytes each, measured) and the database's own needs: weeks for an office. */
export const RESERVE_BYTES = 16 * 2 ** 20
/** The reserve is put back only when it costs nobody anything. */
const PUT_BACK_WHEN_FREE_BYTES = 4 * RESERVE_BYTES

/** `checking` until the first look; `used`: given up and not back yet; `absent`: there never was room for it. */
export type ReserveState = 'checking' | 'kept' | 'used' | 'absent'

const reserveFile = (stateDir: string): string => path.join(stateDir, 'audit-reserve')

/**
 * Frees the reserve of a state folder, also before any log is open: a catalogue needs room to be opened at
 * all. False when there was none.
 */
export function giveUpReserve(stateDir: string): boolean {
  const file = reserveFile(stateDir)
  if (!existsSync(file)) return false
  // a disk that takes no writes frees nothing either
  try { rmSync(file, { force: true }) } catch { return false }
  return true
}

/** A file beside the database that is given up when the disk is full, so that acts can still be written down while somebody makes room (R73). */
export class AuditReserve {
  readonly #file: string
  readonly #folder: string
  readonly #fs: VolumeFileSystem
  #state: ReserveState = 'checking'

  constructor(stateDir: string, fs: VolumeFileSystem) {
    this.#folder = stateDir
    this.#file = reserveFile(stateDir)
    this.#fs = fs
  }

  get state(): ReserveState { return this.#state }

  /** At once and without waiting, because the act that needs the room is about to be refused. */
  release(): void {
    if (this.#state !== 'kept' && this.#state !== 'checking') return
    if (giveUpReserve(this.#folder)) this.#state = 'used'
  }

  /** Puts it in place when there is room. Never throws: a reserve that cannot be is a matter for health. */
  async restore(): Promise<void> {
    if (this.#state === 'kept') return
    try {
      if (this.#isWhole()) { this.#state = 'kept'; return }
      rmSync(this.#file, { force: true }) // half of one, from a disk that was full
      if (await this.#fs.freeBytes(this.#folder, 'audit reserve') < PUT_BACK_WHEN_FREE_BYTES) return
      await this.#fs.createAllocated(this.#file, RESERVE_BYTES, 'audit reserve')
      this.#state = 'kept'
    } catch { /* tried again at the next look */ } finally {
      if (this.#state === 'checking') this.#state = 'absent'
    }
  }

  #isWhole(): boolean {
    const facts = statSync(this.#file, { throwIfNoEntry: false })
    return facts !== undefined && facts.size === RESERVE_BYTES && facts.blocks * 512 >= RESERVE_BYTES
  }
}
