import { writeSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { ansiOf, columnsOf, type Line } from './text-line.ts'

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
// A terminal that knows the mode shows a frame at once; others ignore it.
const [BEGIN_FRAME, END_FRAME] = ['\x1b[?2026h', '\x1b[?2026l']
const DEFAULT_SIZE = { columns: 80, rows: 24 }
const CTRL_C = '\x03'
const CTRL_D = '\x04'

/** The alternate screen, redrawn in place: only lines that changed are written. Disposal gives the terminal back as it was. */
export class Terminal implements Disposable {
  #shown: string[] = []
  #isOpen = true
  readonly #leave = () => { this[Symbol.dispose]() }
  readonly #resized = () => { this.#shown = [] }
  readonly #onKey: (key: string) => void

  private constructor(onKey: (key: string) => void) { this.#onKey = onKey }

  /** Keys arrive one by one; Ctrl-C and Ctrl-D as `q`. */
  static open(onKey: (key: string) => void): Terminal {
    const terminal = new Terminal(onKey)
    process.stdout.on('resize', terminal.#resized)
    process.on('exit', terminal.#leave) // also when the demo breaks
    if (process.stdin.isTTY) process.stdin.setRawMode(true)
    process.stdin.setEncoding('utf8').on('data', terminal.#read)
    terminal.#write(ENTER)
    return terminal
  }

  get size(): { columns: number, rows: number } {
    const { columns, rows } = process.stdout
    return columns > 0 && rows > 0 ? { columns, rows } : DEFAULT_SIZE
  }

  draw(lines: readonly Line[]): void {
    if (!this.#isOpen) return
    const { columns, rows } = this.size
    const next = lines.slice(0, rows).map(line => ansiOf(line, columns))
    const changes = next.flatMap((text, index) => text === this.#shown[index] ? [] : [`\x1b[${index + 1};1H${text}${restOf(text, columns)}`])
    const below = this.#shown.length === 0 || next.length < this.#shown.length ? [`\x1b[${next.length + 1};1H\x1b[J`] : []
    if (next.length >= rows) below.length = 0
    this.#shown = next
    if (changes.length + below.length > 0) this.#write(BEGIN_FRAME + changes.join('') + below.join('') + END_FRAME)
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    process.stdout.off('resize', this.#resized)
    process.off('exit', this.#leave)
    process.stdin.off('data', this.#read)
    if (process.stdin.isTTY) process.stdin.setRawMode(false)
    process.stdin.pause()
    this.#write(LEAVE)
  }

  readonly #read = (text: string | Buffer): void => {
    for (const key of String(text)) this.#onKey(key === CTRL_C || key === CTRL_D ? 'q' : key.toLowerCase())
  }

  #write(text: string): void {
    try {
      writeSync(1, text)
    } catch {
      // The terminal was closed, or is too slow for this frame: the next one draws it all.
      this.#shown = []
    }
  }
}

/** Clears what is right of `text`; behind a full line that would take its last character away. */
const restOf = (text: string, columns: number): string => columnsOf(stripVTControlCharacters(text)) < columns ? '\x1b[K' : ''
