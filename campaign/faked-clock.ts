import { execFileSync } from 'node:child_process'
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const LIBRARIES = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1']
const READ_CLOCKS = 'process.stdout.write(JSON.stringify([Date.now(), Number(process.hrtime.bigint() / 1000000n)]))'

/** The wall clock of processes started with `env`, set at will while they run; their running time stays the machine's. */
export class FakedClock {
  readonly env: Readonly<Record<string, string>>
  readonly #file: string
  /** Every offset that was in force, by this process's own wall clock. */
  readonly history: { readonly fromMs: number, readonly offsetMs: number }[] = []

  /** Throws unless libfaketime is installed and really fakes one clock and not the other. */
  constructor(folder: string) {
    const library = LIBRARIES.find(each => existsSync(each))
    if (library === undefined) throw new Error('libfaketime is not installed (Debian package libfaketime)')
    this.#file = path.join(folder, 'faketime')
    this.env = { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: this.#file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', NO_FAKE_STAT: '1' }
    this.set(3650 * 86_400_000)
    const [wallMs, monoMs] = JSON.parse(execFileSync(process.execPath, ['-e', READ_CLOCKS], { encoding: 'utf8', env: { ...process.env, ...this.env } })) as [number, number]
    if (Math.abs(wallMs - Date.now() - 3650 * 86_400_000) > 5_000) throw new Error('libfaketime does not fake the wall clock here')
    if (Math.abs(monoMs - Number(process.hrtime.bigint() / 1_000_000n)) > 5_000) throw new Error('libfaketime fakes running time too: nothing could be shown with it')
    this.history.length = 0
    this.set(0)
  }

  get offsetMs(): number { return this.history.at(-1)?.offsetMs ?? 0 }

  /** From now on the faked wall clock is the real one plus this. Whole seconds. */
  set(offsetMs: number): void {
    const seconds = Math.round(offsetMs / 1000)
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`)
    renameSync(`${this.#file}.new`, this.#file)
    this.history.push({ fromMs: Date.now(), offsetMs: seconds * 1000 })
  }
}
