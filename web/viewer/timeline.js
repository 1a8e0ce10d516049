/** Granted ranges one after another, without the time between them: what a person can go to, and nothing else. Instants in milliseconds. */
export class Timeline {
  /** In order, none touching the next: together what is granted of any camera. */
  #spans = []
  #totalMs = 0
  constructor(cameras) {
    for (const { from, to } of cameras.flatMap(camera => camera.ranges).toSorted((a, b) => a.from - b.from)) {
      const last = this.#spans.at(-1)
      if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to)
      else this.#spans.push({ from, to })
    }
    this.#totalMs = this.#spans.reduce((sum, { from, to }) => sum + to - from, 0)
  }

  get spans() { return this.#spans }
  get beginsAt() { return this.#spans[0].from }
  get endsAt() { return this.#spans.at(-1).to }

  /** From 0 to 1; an instant between two ranges stands at the begin of the next. */
  shareOf(wall) {
    let before = 0
    for (const { from, to } of this.#spans) {
      if (wall < to) return (before + Math.max(0, wall - from)) / this.#totalMs
      before += to - from
    }
    return 1
  }
  wallAt(share) {
    let rest = Math.max(0, share) * this.#totalMs
    for (const { from, to } of this.#spans) {
      if (rest < to - from) return from + rest
      rest -= to - from
    }
    return this.endsAt - 1
  }
  /** So much further or back in what is granted, never into the time between. */
  moved(wall, ms) { return this.wallAt(this.shareOf(wall) + ms / this.#totalMs) }
  /** Itself where it is granted, else the begin of the next range; null behind the last. */
  grantedFrom(wall) { const next = this.#spans.find(({ to }) => wall < to); return next === undefined ? null : Math.max(wall, next.from) }
}
