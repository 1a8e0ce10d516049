/** What a camera filmed, piece by piece, and what became of each. Instants are of true time but for `wallAt`. */
export interface SentFragment {
  readonly name: string
  /** `lobby/main`. */
  readonly key: string
  /** Which device: a name that comes back is another one. */
  readonly device: number
  readonly startAt: number
  readonly endAt: number
  /** When its last byte left the camera. */
  readonly sentAt: number
  /** Wall clock minus true time when it was sent. */
  readonly wallOffsetMs: number
  /** The configuration wanted it recorded. */
  readonly isWanted: boolean
  /** The floor in force while it was recorded; null while the recorder was not running. */
  readonly floorDays: number | null
  /** Storage said that it has it. */
  ackedAt: number | null
  /** Sound records of it on disks that exist, mounted or not. */
  copies: number
  /** How many of them the medium has. */
  durable: number
  /** Why it may be gone; null while nothing excuses it. */
  excuse: string | null
}

/** A stream's fragments in the order they were sent. The oldest are forgotten once they are gone and told. */
export class SentFootage {
  readonly byName = new Map<string, SentFragment>()
  readonly byKey = new Map<string, SentFragment[]>()

  add(fragment: SentFragment): void {
    this.byName.set(fragment.name, fragment)
    const known = this.byKey.get(fragment.key)
    if (known === undefined) this.byKey.set(fragment.key, [fragment])
    else known.push(fragment)
  }

  /** Forgets what ended before `atMs` and is on no disk. */
  forgetBefore(atMs: number): void {
    for (const [key, fragments] of this.byKey) {
      const kept = fragments.filter(fragment => fragment.endAt >= atMs || fragment.copies > 0)
      if (kept.length === fragments.length) continue
      const left = new Set(kept)
      for (const fragment of fragments) if (!left.has(fragment)) this.byName.delete(fragment.name)
      this.byKey.set(key, kept)
    }
  }

  *after(atMs: number): Generator<SentFragment> {
    for (const fragments of this.byKey.values()) {
      for (let i = fragments.length - 1; i >= 0 && fragments[i]!.endAt >= atMs; i--) yield fragments[i]!
    }
  }
}
