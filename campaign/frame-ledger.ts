import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'

const CHECKER = path.join(import.meta.dirname, '../test/support/cameras/check-frames.py')

/** What the checker, which shares no code with the recorder, says of one clip. */
interface Verdict {
  readonly frames: number
  readonly faults: string[]
  readonly wrongSize: number[]
  readonly worstTimeErrorMs: number
}

/** All frames of one camera that were found, by the counter the camera put into each. */
export class FrameLedger {
  readonly #found = new Map<number, number>() // counter -> wall ms at the camera
  readonly #torn = new Set<number>()
  readonly #clip: string
  faults: string[] = []
  worstTimeErrorMs = 0
  unnumbered = 0

  constructor(clip: string) { this.#clip = clip }

  /** Frames of a clip file; the first seconds may overlap what is known, as clips begin at a key frame. */
  add(file: string, label: string): void {
    const csv = `${file}.csv`
    let text: string
    try {
      text = execFileSync('/usr/bin/python3', [CHECKER, '--clip', this.#clip, '--any-gap', '--list', csv, file], { encoding: 'utf8', maxBuffer: 64 << 20 })
    } catch (error) { text = String((error as { stdout?: unknown }).stdout ?? '') } // exit 1: the verdict says what is wrong
    const verdict = JSON.parse(text) as Verdict
    if (verdict.faults.some(fault => fault !== 'wrongSize' && fault !== 'withoutCounter')) this.faults.push(`${label}: ${text.slice(0, 600)}`)
    for (const counter of verdict.wrongSize) this.#torn.add(counter)
    this.worstTimeErrorMs = Math.max(this.worstTimeErrorMs, verdict.worstTimeErrorMs)
    const [head, ...lines] = readFileSync(csv, 'utf8').trim().split('\n')
    const columns = head!.split(',')
    const [counterAt, wallAt] = [columns.indexOf('counter'), columns.findIndex(name => /wall/i.test(name))]
    if (counterAt < 0 || wallAt < 0) throw new Error(`unknown columns: ${head}`)
    for (const line of lines) {
      const cells = line.split(',')
      const [counter, wallMs] = [Number(cells[counterAt]), Number(cells[wallAt])]
      if (Number.isFinite(counter) && Number.isFinite(wallMs)) this.#found.set(counter, wallMs)
      else this.unnumbered++ // cut by the network before its number
    }
  }

  /** Frames that the network cut in the middle: the last before a hole. Any other frame of a wrong size is a fault. */
  tornFrames(): { atHoles: number, elsewhere: number[] } {
    const elsewhere = [...this.#torn].filter(counter => this.#found.has(counter + 1))
    return { atHoles: this.#torn.size - elsewhere.length, elsewhere }
  }

  get frames(): number { return this.#found.size }

  /** Holes between the first and the last frame found, with the camera's wall times around them. */
  holes(): { fromCounter: number, frames: number, lastBeforeMs: number, firstAfterMs: number }[] {
    const counters = [...this.#found.keys()].sort((a, b) => a - b)
    const holes = []
    for (const [i, counter] of counters.entries()) {
      const before = counters[i - 1]
      if (before !== undefined && counter !== before + 1) {
        holes.push({ fromCounter: before + 1, frames: counter - before - 1, lastBeforeMs: this.#found.get(before)!, firstAfterMs: this.#found.get(counter)! })
      }
    }
    return holes
  }
}
