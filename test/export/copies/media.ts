import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Test } from 'tap'

const run = (program: string, ...args: readonly string[]): string => execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

/** A medium of so many bytes, as root mounts one. */
export function medium(t: Test, folder: string, sizeBytes = 64 << 20): string {
  mkdirSync(folder)
  run('mount', '-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder)
  t.teardown(() => { run('umount', folder) })
  return folder
}

/** A stick with a file system of its own on a block device: pulled out, put in again, and broken. */
export class Stick {
  readonly folder: string
  readonly #image: string
  #isIn = false
  #hangs = false

  constructor(t: Test, folder: string) {
    this.folder = folder
    this.#image = `${folder}.image`
    mkdirSync(path.dirname(folder), { recursive: true })
    mkdirSync(folder)
    this.#format()
    this.plug()
    t.teardown(() => { this.answer(); this.pull() })
  }

  #format(): void {
    rmSync(this.#image, { force: true })
    run('truncate', '-s', '32M', this.#image)
    run('mkfs.ext4', '-q', '-m', '0', this.#image)
  }
  plug(): void {
    // Of a broken one the kernel's own look at the journal, each 5 s, makes a file system that is read-only.
    run('mount', '-o', 'loop,commit=300', this.#image, this.folder)
    rmSync(path.join(this.folder, 'lost+found'), { recursive: true, force: true })
    this.#isIn = true
  }
  /** As a hand pulls it: what is open stays open on it, and the path leads to the empty folder below. */
  pull(): void {
    if (this.#isIn) run('umount', '-l', this.folder)
    this.#isIn = false
  }
  /** Its device answers nothing any more, as a broken one. */
  break(): void {
    const device = run('findmnt', '-n', '-o', 'SOURCE', this.folder)
    run('truncate', '-s', '4096', this.#image)
    run('losetup', '-c', device)
  }
  /** Whoever writes to it waits, and cannot be ended, as with a stick or server that does not answer. */
  hang(): void { run('fsfreeze', '--freeze', this.folder); this.#hangs = true }
  answer(): void { if (this.#hangs) run('fsfreeze', '--unfreeze', this.folder); this.#hangs = false }
  /** Another stick at the same place. */
  replace(): void {
    this.pull()
    this.#format()
    this.plug()
  }
  remount(mode: 'ro' | 'rw'): void { run('mount', '-o', `remount,${mode}`, this.folder) }
}
