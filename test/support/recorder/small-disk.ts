import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, truncateSync, writeSync } from 'node:fs'
import path from 'node:path'
import type { Test } from 'tap'

/** A small ext4 of its own, as the system disk of a recorder. Gone when the test ends. */
export class SmallDisk {
  readonly folder: string
  readonly #filler: string
  readonly #files: string

  constructor(t: Test, folder: string, mebibytes: number) {
    this.folder = folder
    this.#filler = path.join(folder, 'filler')
    this.#files = path.join(folder, 'filled')
    const image = `${folder}.img`
    mkdirSync(folder, { recursive: true })
    closeSync(openSync(image, 'w'))
    truncateSync(image, mebibytes * 2 ** 20)
    execFileSync('mkfs.ext4', ['-q', '-m', '0', image])
    execFileSync('mount', ['-o', 'loop', image, folder])
    t.teardown(() => { execFileSync('umount', ['-l', folder]) })
    mkdirSync(this.#files)
  }

  /** To the last byte. */
  fill(): void {
    const file = openSync(this.#filler, 'a')
    try {
      for (const size of [1 << 20, 4096, 512, 1]) {
        untilFull(() => { for (;;) writeSync(file, Buffer.alloc(size)) })
      }
    } finally { closeSync(file) }
  }

  /** To the last file that can be made; there is space left. */
  fillInodes(): void {
    untilFull(() => {
      for (let i = this.#made; ; i++) {
        closeSync(openSync(path.join(this.#files, String(i)), 'w'))
        this.#made = i + 1
      }
    })
  }
  #made = 0

  get freeBytes(): number { const { bavail, bsize } = statfsSync(this.folder); return bavail * bsize }
  get freeInodes(): number { return statfsSync(this.folder).ffree }

  makeRoom(): void {
    rmSync(this.#filler, { force: true })
    rmSync(this.#files, { recursive: true })
    mkdirSync(this.#files)
  }
}

function untilFull(work: () => void): void {
  try { work() } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
