import { LIMITS } from './defaults.ts'
import { texts, type Bilingual, type ProblemText } from './texts.ts'

export type Severity = 'error' | 'warning'
/** Keys and list positions from the top of the file. */
export type Steps = readonly (string | number)[]
/** Both count from 1. */
export interface Position { readonly line: number, readonly column: number }

/** One thing wrong with the configuration or the secrets file. Never holds a value of a setting. */
export interface Problem {
  readonly severity: Severity
  /** Stable name of the kind of problem. */
  readonly code: string
  readonly file: string
  /** `cameras[1].streams.main.url`; empty when the whole file is meant. */
  readonly path: string
  /** Null when the whole file is meant. */
  readonly line: number | null
  readonly column: number | null
  readonly message: Bilingual
  /** A value that would do, or a command that mends it. */
  readonly example: string
}

export interface Finding {
  readonly steps: Steps
  /** Point at the key instead of its value. */
  readonly at?: 'key'
  readonly text: ProblemText
  readonly example: string
  readonly severity?: Severity
  /** Where the steps alone cannot tell. */
  readonly position?: Position | null
  /** Shown instead of the steps, where a key may be a secret that slipped out of its place. */
  readonly path?: string
}

const PLAIN_KEY = /^[\p{L}\p{N}_-]{1,60}$/u

/** A key is shown only when it looks like one: `password:hunter2` is a key to YAML, and a password to its author. */
export const keyText = (key: string): string => PLAIN_KEY.test(key) ? key : '…'

export function pathText(steps: Steps): string {
  return steps.reduce<string>((path, step) =>
    typeof step === 'number' ? `${path}[${step}]` : path === '' ? keyText(step) : `${path}.${keyText(step)}`, '')
}

/** Gathers every problem of one file, bounded, and puts them into the order of its lines. */
export class ProblemList {
  readonly #file: string
  readonly #locate: (finding: Finding) => Position | null
  readonly #problems: Problem[] = []
  readonly #seen = new Set<string>()
  #dropped = 0
  #hasErrors = false

  constructor(file: string, locate: (finding: Finding) => Position | null = () => null) {
    this.#file = file
    this.#locate = locate
  }

  get hasErrors(): boolean { return this.#hasErrors }

  add(finding: Finding): void {
    const severity = finding.severity ?? 'error'
    this.#hasErrors ||= severity === 'error'
    if (this.#problems.length >= LIMITS.problems) { this.#dropped += 1; return }
    const position = finding.position === undefined ? this.#locate(finding) : finding.position
    const path = finding.path ?? pathText(finding.steps)
    const identity = JSON.stringify([path, position, finding.text])
    if (this.#seen.has(identity)) return // an archive around two volumes is one mistake
    this.#seen.add(identity)
    this.#problems.push({
      severity, code: finding.text.code, file: this.#file, path,
      line: position?.line ?? null, column: position?.column ?? null,
      message: { zh: finding.text.zh, en: finding.text.en }, example: finding.example,
    })
  }

  all(): Problem[] {
    const ordered = this.#problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
    if (this.#dropped === 0) return ordered
    const { code, zh, en } = texts.moreProblems(this.#dropped)
    return [...ordered, { severity: this.#hasErrors ? 'error' : 'warning', code, file: this.#file, path: '', line: null, column: null,
      message: { zh, en }, example: 'custos check-config --config FILE' }]
  }
}
