import { unlinkSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { blamesNoDisk, ringMiBFor, untilOver, untilReady, type OutageOptions } from './catalogue-lock.ts'
import type { Trial, TrialPlan } from './core-trial.ts'
import { fill, makeDisk, type Disk } from './disk-mounts.ts'

/** Room for the audit log's reserve too, which is made only where four times as much is free. */
const STATE_MIB = 128
const FILL_EVERY_MS = 1_000
const BETWEEN_MS = 15_000

/**
 * Something else fills the disk of state.dir to its last byte and takes whatever becomes free, then gives all
 * back. `restarted`: meanwhile the recorder is stopped and started, and killed and started.
 */
export function stateDiskFull(options: OutageOptions & { readonly restarted?: boolean }): TrialPlan {
  const { seconds, cameras = 8, restarted = false } = options
  let disk: Disk
  return {
    name: `state-disk-full${restarted ? '-restart' : ''}`, floorS: 3,
    async site(folder, resources) {
      disk = resources.use(await makeDisk('ext4', folder, { name: 'state', sizeMiB: STATE_MIB }))
      const volumes = [{ id: 'disk', sizeMiB: ringMiBFor(options) }]
      return { cameras, volumes, stateDir: path.join(disk.mountPoint, 'custos') }
    },
    async act(trial) {
      await trial.start()
      await untilReady(trial)
      trial.strike()
      const filler = trial.resources.use(await Filler.start(disk))
      if (restarted) await stoppedAndKilled(trial)
      await trial.lasting(Math.max(BETWEEN_MS, trial.struckAt + seconds * 1000 - Date.now()))
      await filler[Symbol.asyncDispose]()
      trial.mend()
      trial.expectTold(/^(catalogue-failed|audit-unwritable|audit-reserve-used)/, 'the full disk')
      await untilOver(trial)
      await trial.lasting(10_000)
      blamesNoDisk(trial)
      const seen = ((trial.mendedAt - trial.struckAt) / 1000).toFixed(0)
      return `full for ${seen} s${restarted ? ', stopped and started, killed and started in it' : ''}`
    },
  }
}

async function stoppedAndKilled(trial: Trial): Promise<void> {
  await trial.lasting(BETWEEN_MS)
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await trial.kill(signal)
    await trial.start()
    await trial.lasting(BETWEEN_MS)
  }
}

/** Grows on a disk as a log without a limit would. Disposal ends it and makes room. */
class Filler implements AsyncDisposable {
  readonly #disk: Disk
  readonly #stop = new AbortController()
  #growing: Promise<void> = Promise.resolve()
  private constructor(disk: Disk) { this.#disk = disk }

  static async start(disk: Disk): Promise<Filler> {
    const filler = new Filler(disk)
    await fill(disk)
    filler.#growing = filler.#grow()
    return filler
  }

  async #grow(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await sleep(FILL_EVERY_MS, undefined, { signal }).catch(() => undefined)
      if (!signal.aborted) await fill(this.#disk)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    await this.#growing
    unlinkSync(path.join(this.#disk.mountPoint, 'filler'))
  }
}
