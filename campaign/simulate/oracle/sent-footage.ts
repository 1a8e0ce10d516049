/** What a camera filmed, piece by piece, and what became of each. Instants are of true time. */
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
  /** The recorder had heard of its camera when it was filmed. */
  readonly isKnownCamera: boolean
  /** The floor in force while it was recorded; null while the recorder was not running. */
  readonly floorDays: number | null
  /** Storage said that it has it. */
  ackedAt: number | null
  /** Sound records of it on disks that exist, mounted or not. */
  copies: number
  /** How many of them are on disks that are pulled out just now. */
  away: number
  /** How many of them the medium has. */
  durable: number
  /** In how many slots the catalogue lets somebody find it. */
  found: number
  /** Why it may be gone; null while nothing excuses it. */
  excuse: string | null
}

/** Every stream's fragments in the order they were sent. The oldest are forgotten once they are gone. */
export class SentFootage {
  readonly byName = new Map<string, SentFragment>()
  readonly byKey = new Map<string, SentFragment[]>()

  add(fragment: SentFragment): void {
    this.byName.set(fragment.name, fragment)
    const known = this.byKey.get(fragment.key)
    if (known === undefined) this.byKey.set(fragment.key, [fragment])
    else known.push(fragment)
  }

  /** Forgets what was sent before `atMs` and is on no disk. */
  forgetBefore(atMs: number): void {
    for (const [key, fragments] of this.byKey) {
      const kept = fragments.filter(fragment => {
        const isKept = fragment.sentAt >= atMs || fragment.copies > 0
        if (!isKept) this.byName.delete(fragment.name)
        return isKept
      })
      if (kept.length < fragments.length) this.byKey.set(key, kept)
    }
  }

  /** Of one stream, newest first. */
  *after(key: string, atMs: number): Generator<SentFragment> {
    const fragments = this.byKey.get(key) ?? []
    for (let i = fragments.length - 1; i >= 0 && fragments[i]!.sentAt >= atMs; i--) yield fragments[i]!
  }
  *all(): Generator<SentFragment> { for (const fragments of this.byKey.values()) yield* fragments }
}
