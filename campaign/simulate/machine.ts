import type { HostClock, SyncAnswer } from '../../src/trusted-time/index.ts'
import type { SimDisk } from './disk.ts'
import type { EventQueue } from './event-queue.ts'
import type { MachineClocks } from './process-clock.ts'
import { CatalogueTrouble } from './process-db.ts'
import type { Mounts } from './process-fs.ts'
import { WallClockHistory } from './wall-clock.ts'

/** The computer: its clocks, what is mounted where, its system disk. */
export class Machine implements Mounts, MachineClocks {
  readonly #queue: EventQueue
  #wallOffsetMs = 0
  bootedAt: number
  #boots = 0
  isOn = true
  #isSynchronised: boolean | null = true
  readonly wallClock = new WallClockHistory()
  readonly catalogue = new CatalogueTrouble()
  readonly mounts = new Map<string, SimDisk | null>()

  constructor(queue: EventQueue) {
    this.#queue = queue
    this.bootedAt = queue.now - 5_000
    this.#noteClock()
  }

  get wallOffsetMs(): number { return this.#wallOffsetMs }
  set wallOffsetMs(offsetMs: number) {
    this.#wallOffsetMs = offsetMs
    this.#noteClock()
  }
  /** What a time service says of the wall clock. */
  get isSynchronised(): boolean | null { return this.#isSynchronised }
  set isSynchronised(isSynchronised: boolean | null) {
    this.#isSynchronised = isSynchronised
    this.#noteClock()
  }
  #noteClock(): void { this.wallClock.set(this.#queue.now, this.#wallOffsetMs, this.#isSynchronised === true) }

  get wallNow(): number { return this.#queue.now + this.wallOffsetMs }

  boot(): void {
    this.#boots++
    this.bootedAt = this.#queue.now - 5_000
    this.isOn = true
  }

  hostClock(): HostClock {
    const answer = (): SyncAnswer => ({
      source: this.isSynchronised === null ? 'none' : 'chrony', isSynchronised: this.isSynchronised, referenceOffsetMs: this.isSynchronised === true ? 0 : null,
    })
    return { bootId: `boot-${this.#boots}`, askSync: () => Promise.resolve(answer()) }
  }

  find(path: string): { readonly disk: SimDisk | null, readonly inside: string } {
    for (const [folder, disk] of this.mounts) {
      if (path === folder) return { disk, inside: '' }
      if (path.startsWith(`${folder}/`)) return { disk, inside: path.slice(folder.length + 1) }
    }
    return { disk: null, inside: path }
  }
}
