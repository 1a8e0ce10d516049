import { setTimeout as sleep } from 'node:timers/promises'
import type { RecorderProcess } from './recorder-process.ts'

/** What campaigns read of a health snapshot. */
export interface Snapshot {
  readonly level: string
  readonly reasons: readonly { readonly code: string, readonly subject: string | null }[]
  readonly volumes: readonly { readonly id: string, readonly state: string }[]
  readonly streams: readonly StreamShown[]
}
export interface StreamShown {
  readonly camera: string
  readonly state: string
  readonly lastFrameAgeMs: number | null
}
export type HealthTest = (health: Snapshot | null) => boolean
/** `at` is wall time; `health` null while nobody answered. */
export interface Look { readonly at: number, readonly health: Snapshot | null }
export interface SeenReason {
  readonly code: string
  readonly subject: string | null
  readonly firstAt: number
  readonly lastAt: number
}

const LOOK_EVERY_MS = 500
const FRESH_MS = 3_000

/** Asks the recorder's health again and again and keeps all answers. */
export class HealthWatch {
  readonly looks: Look[] = []
  readonly #recorder: RecorderProcess
  constructor(recorder: RecorderProcess) { this.#recorder = recorder }

  async look(): Promise<Snapshot | null> {
    const health = await this.#recorder.health() as Snapshot | null
    this.looks.push({ at: Date.now(), health })
    return health
  }

  /** Looks for so long, or until `isEnough`. False: it never was, or the recorder ended. */
  async during(durationMs: number, isEnough: HealthTest = () => false): Promise<boolean> {
    const endAt = Date.now() + durationMs
    while (Date.now() < endAt) {
      await sleep(Math.min(LOOK_EVERY_MS, Math.max(0, endAt - Date.now())))
      if (!this.#recorder.isRunning) return false
      if (isEnough(await this.look())) return true
    }
    return false
  }

  get last(): Snapshot | null { return this.looks.at(-1)?.health ?? null }

  /** Reasons that health gave in this span, in the order in which they came. */
  reasons(fromMs: number, toMs = Infinity): SeenReason[] {
    const seen = new Map<string, SeenReason>()
    for (const { at, health } of this.looks) {
      if (at < fromMs || at > toMs) continue
      for (const { code, subject } of health?.reasons ?? []) {
        const key = `${code} ${subject ?? ''}`
        seen.set(key, { code, subject, firstAt: seen.get(key)?.firstAt ?? at, lastAt: at })
      }
    }
    return [...seen.values()]
  }
}

/** Every stream gives frames now. */
export const allRecording = (health: Snapshot | null): boolean =>
  health !== null && health.streams.length > 0 && health.streams.every(isLive)

export const isLive = ({ state, lastFrameAgeMs }: StreamShown): boolean =>
  state === 'recording' && (lastFrameAgeMs ?? Infinity) < FRESH_MS

export const stateOf = (health: Snapshot | null, volume: string): string =>
  health?.volumes.find(({ id }) => id === volume)?.state ?? 'unknown'
