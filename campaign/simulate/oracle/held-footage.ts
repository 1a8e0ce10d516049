/** A hold as its placer knows it. Times are by the wall clock, as it was asked for. */
export interface KnownHold {
  readonly id: string
  readonly cameraUuid: string
  readonly fromAt: number
  readonly toAt: number
  /** `ending`: somebody asked that it end, and was not told yet that it has. */
  state: 'in-force' | 'ending' | 'ended'
}

/** Holds that were acknowledged. What was only asked for, and never answered, promises nothing. */
export class HeldFootage {
  readonly #holds = new Map<string, KnownHold>()

  placed(hold: Omit<KnownHold, 'state'>): void { this.#holds.set(hold.id, { ...hold, state: 'in-force' }) }
  ending(id: string): void { this.#set(id, 'ending') }
  ended(id: string): void { this.#set(id, 'ended') }
  #set(id: string, state: KnownHold['state']): void {
    const hold = this.#holds.get(id)
    if (hold !== undefined) hold.state = state
  }

  get inForce(): readonly KnownHold[] { return [...this.#holds.values()].filter(hold => hold.state === 'in-force') }

  /** The hold that keeps footage of this camera and time; null when none does. */
  keeping(cameraUuid: string, startAt: number, endAt: number): KnownHold | null {
    for (const hold of this.#holds.values()) {
      if (hold.state === 'in-force' && hold.cameraUuid === cameraUuid && hold.fromAt < endAt && hold.toAt > startAt) return hold
    }
    return null
  }

  /** Nobody can keep a promise whose every copy is gone: the catalogue was lost and no volume knew it. */
  forget(id: string): void { this.#holds.delete(id) }
}
