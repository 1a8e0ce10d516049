import type { ArchiveMedium } from './archive-disk.ts'
import type { SimDisk } from './disk.ts'
import type { EventQueue } from './event-queue.ts'
import type { Life } from './life.ts'
import type { Machine } from './machine.ts'
import type { Oracle } from './oracle/oracle.ts'
import type { SentBy, SimStream } from './sim-camera.ts'
import type { Trace } from './trace.ts'

/** A volume of the configuration, and the disk that belongs there; null while there is none. */
export interface VolumeSite { readonly id: string, readonly path: string, home: SimDisk | null }

/** What the parts of a simulated site share: the machine, its configuration, and who watches. */
export interface Site {
  readonly seed: number
  readonly queue: EventQueue
  readonly machine: Machine
  readonly trace: Trace
  readonly oracle: Oracle
  readonly stateDir: string
  readonly archive: ArchiveMedium
  readonly volumes: readonly VolumeSite[]
  /** Of the configuration file, as it stands. */
  readonly floorDays: number
  readonly streams: readonly SimStream[]
  sentBy(stream: SimStream): SentBy
  /** The recorder ended by itself. */
  crashed(life: Life, why: string): void
}
