import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const CHECKER = path.join(import.meta.dirname, '../test/support/cameras/check-frames.py')

/** What the checker, which shares no code with the recorder, says of one clip. */
interface Verdict {
  readonly frames: number
  readonly faults: string[]
  readonly wrongSize: number[]
  readonly worstTimeErrorMs: number
}

/** `seconds` in the clip, from its beginning; `wallMs` when the camera captured it. */
export interface FoundFrame { readonly counter: number, readonly wallMs: number, readonly seconds: number }

/** What was sent in the last moments before a stop may be on its way still. */
const TAIL_MS = 2_000
/**
 * Frames are dated by their arrival, evened by the camera's stamps (docs/design/0019-picture-times.md): right
 * within this on a steady line. A machine that is short of time lets frames come late.
 */
const TIME_TOLERANCE_MS = 250
const PYTHON = '/usr/bin/python3'
const ASKED = { encoding: 'utf8', maxBuffer: 64 << 20 } as const

/** All frames of one camera that were found, by the counter the camera put into each. */
export class FrameLedger {
  readonly #found = new Map<number, number>() // counter -> wall ms at the camera
  readonly #torn = new Set<number>()
  readonly #clip: string
  faults: string[] = []
  worstTimeErrorMs = 0
  unnumbered = 0
  /** The last frame that was sent, where that is known: what lacks up to it is a hole too. */
  sentTo: { readonly counter: number, readonly wallMs: number } | null = null

  readonly #harmless: ReadonlySet<string>
  readonly #more: readonly string[]

  /** `resends`: the network breaks, and after each reconnect the camera begins with the group of pictures that it was in: the same frames come twice. */
  constructor(clip: string, { resends = false } = {}) {
    this.#clip = clip
    this.#more = resends ? ['--reconnects'] : []
    this.#harmless = new Set(['wrongSize', 'withoutCounter', ...(resends ? ['doubled'] : [])])
  }

  /** Frames of a clip file; the first seconds may overlap what is known, as clips begin at a key frame. */
  add(file: string, label: string): void {
    let text: string
    try { text = execFileSync(PYTHON, this.#ask(file), ASKED) }
    catch (error) { text = String((error as { stdout?: unknown }).stdout ?? '') } // exit 1: the verdict says what is wrong
    this.#enter(file, label, text)
  }

  /** As `add`, while other work goes on. Returns the frames of this clip. */
  async addBeside(file: string, label: string): Promise<FoundFrame[]> {
    const text = await new Promise<string>(resolve => { execFile(PYTHON, this.#ask(file), ASKED, (_, stdout) => { resolve(stdout) }) })
    return this.#enter(file, label, text)
  }

  /** Frames of a file that is no part of what was fetched; nothing of it is entered. Beside the file nothing is left. */
  async asideOf(file: string): Promise<FoundFrame[]> {
    const aside = new FrameLedger(this.#clip), link = path.join(mkdtempSync(path.join(tmpdir(), 'custos-aside-')), path.basename(file))
    symlinkSync(file, link)
    try {
      const frames = await aside.addBeside(link, file)
      if (aside.faults.length > 0) throw new Error(aside.faults.join('; '))
      return frames
    } finally { rmSync(path.dirname(link), { recursive: true }) }
  }

  #ask(file: string): string[] {
    const tolerance = ['--tolerance-ms', String(TIME_TOLERANCE_MS)]
    return [CHECKER, '--clip', this.#clip, '--any-gap', ...tolerance, ...this.#more, '--list', `${file}.csv`, file]
  }

  #enter(file: string, label: string, text: string): FoundFrame[] {
    const csv = `${file}.csv`
    const verdict = JSON.parse(text) as Verdict
    const frames: FoundFrame[] = []
    if (verdict.faults.some(fault => !this.#harmless.has(fault))) this.faults.push(`${label}: ${text.slice(0, 600)}`)
    for (const counter of verdict.wrongSize) this.#torn.add(counter)
    this.worstTimeErrorMs = Math.max(this.worstTimeErrorMs, verdict.worstTimeErrorMs)
    const [head, ...lines] = readFileSync(csv, 'utf8').trim().split('\n')
    const columns = head!.split(',')
    const [counterAt, wallAt, secondsAt] = [columns.indexOf('counter'), columns.findIndex(name => /wall/i.test(name)), columns.indexOf('seconds')]
    if (counterAt < 0 || wallAt < 0 || secondsAt < 0) throw new Error(`unknown columns: ${head}`)
    for (const line of lines) {
      const cells = line.split(',')
      const [counter, wallMs] = [Number(cells[counterAt]), Number(cells[wallAt])]
      if (Number.isFinite(counter) && Number.isFinite(wallMs)) {
        this.#found.set(counter, wallMs)
        frames.push({ counter, wallMs, seconds: Number(cells[secondsAt]) })
      } else this.unnumbered++ // cut by the network before its number
    }
    return frames
  }

  /** Frames that the camera captured in this span of its wall time and that were found once. */
  foundBetween(fromMs: number, toMs: number): number[] { return [...this.#found].filter(([, wallMs]) => wallMs >= fromMs && wallMs < toMs).map(([counter]) => counter) }

  /** Frames that the network cut in the middle: the last before a hole. Any other frame of a wrong size is a fault. */
  tornFrames(): { atHoles: number, elsewhere: number[] } {
    const elsewhere = [...this.#torn].filter(counter => this.#found.has(counter + 1))
    return { atHoles: this.#torn.size - elsewhere.length, elsewhere }
  }

  get frames(): number { return this.#found.size }

  /** Frames that were sent since the first one found. */
  get sent(): number {
    const counters = [...this.#found.keys()]
    if (counters.length === 0) return 0
    const first = counters.reduce((least, each) => Math.min(least, each))
    const last = counters.reduce((most, each) => Math.max(most, each))
    return Math.max(last, this.#tail(last)?.counter ?? last) - first + 1
  }

  #tail(last: number): { readonly counter: number, readonly wallMs: number } | null {
    return this.sentTo !== null && this.sentTo.wallMs - this.#found.get(last)! > TAIL_MS ? this.sentTo : null
  }

  /** Holes from the first frame found to the last one found or sent, with the camera's wall times around. */
  holes(): { fromCounter: number, frames: number, lastBeforeMs: number, firstAfterMs: number }[] {
    const counters = [...this.#found.keys()].sort((a, b) => a - b)
    const holes = []
    for (const [i, counter] of counters.entries()) {
      const before = counters[i - 1]
      if (before !== undefined && counter !== before + 1) {
        holes.push({ fromCounter: before + 1, frames: counter - before - 1, lastBeforeMs: this.#found.get(before)!, firstAfterMs: this.#found.get(counter)! })
      }
    }
    const last = counters.at(-1), tail = last === undefined ? null : this.#tail(last)
    if (tail !== null) {
      const frames = tail.counter - last!, lastBeforeMs = this.#found.get(last!)!
      holes.push({ fromCounter: last! + 1, frames, lastBeforeMs, firstAfterMs: tail.wallMs })
    }
    return holes
  }
}
