import path from 'node:path'
import { openCatalogue, openCatalogueBeside, openOwn, type Catalogue, type Db } from '../../src/platform/catalogue.ts'
import { Dice } from './dice.ts'
import type { Life } from './life.ts'
import { ProcessClock } from './process-clock.ts'
import { watchConnection } from './process-db.ts'
import { ProcessFileSystem } from './process-fs.ts'
import type { Site } from './site.ts'

/** Processes of the simulation share one real one, which the kernel's lock cannot tell apart. */
const NO_LOCK = { fault: null, close: () => undefined }

/** A process and its doors to the machine: the recorder's, or those of a command beside it. */
export class Program {
  readonly life: Life
  readonly clock: ProcessClock
  readonly fs: ProcessFileSystem
  readonly dice: Dice
  readonly #site: Site
  readonly #opened: Catalogue[] = []

  constructor(site: Site, life: Life) {
    const { queue, machine, trace } = site
    this.#site = site
    this.life = life
    this.dice = new Dice(site.seed, `process ${life.name}`)
    this.clock = new ProcessClock(queue, machine, life)
    this.fs = new ProcessFileSystem({ life, queue, mounts: machine, dice: this.dice, trace })
  }

  /** `own`: as the one recorder of the state folder. */
  openCatalogue(as: 'own' | 'beside'): Catalogue {
    const { stateDir } = this.#site
    const catalogue = as === 'own' ? openCatalogue(stateDir, this.clock.wallNow(), { lock: () => NO_LOCK }) : openCatalogueBeside(stateDir, 'write')
    this.#opened.push(catalogue)
    this.#watch(catalogue.db)
    return catalogue
  }

  /** The office's, which is the same process here. */
  openOffice(): Catalogue {
    const office = openOwn(path.join(this.#site.stateDir, 'office.db'), this.clock.wallNow(), 'office')
    this.#opened.push(office)
    this.#watch(office.db)
    return office
  }

  #watch(db: Db): void {
    const { queue, machine, trace } = this.#site
    watchConnection(db, {
      life: this.life, trouble: machine.catalogue, now: () => queue.now, block: ms => { queue.block(ms) },
      chance: share => this.dice.chance(share), note: line => { trace.note(line) },
    })
  }

  /** Gives back what the kernel takes from a process that is gone. */
  release(): void {
    for (const database of this.#opened.splice(0)) database[Symbol.dispose]()
  }
}
