/** Whose event it is. What is gone hears nothing any more. */
export interface EventOwner { readonly isGone: boolean }
export interface QueuedEvent { cancel(): void }

interface Entry {
  readonly at: number
  readonly order: number
  readonly owner: EventOwner | null
  readonly fire: () => void
  isCancelled: boolean
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
/** Every microtask that an event left behind has run before the next macrotask begins. */
const microtasksDone = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

/**
 * The only time there is: events in order of their instant, one after the other. Milliseconds of true time.
 */
export class EventQueue {
  #now: number
  #order = 0
  #heap: Entry[] = []
  #halted: Error | null = null
  readonly #held = new Set<Promise<void>>()
  /** The event under way; 0 before the first. */
  steps = 0

  constructor(startMs: number) { this.#now = startMs }

  get now(): number { return this.#now }

  at(dueMs: number, fire: () => void, owner: EventOwner | null = null): QueuedEvent {
    const entry: Entry = { at: Math.max(dueMs, this.#now), order: this.#order++, owner, fire, isCancelled: false }
    this.#push(entry)
    return { cancel: () => { entry.isCancelled = true } }
  }

  after(delayMs: number, fire: () => void, owner: EventOwner | null = null): QueuedEvent {
    return this.at(this.#now + Math.max(0, delayMs), fire, owner)
  }

  /** The event loop of the program under test does nothing else for so long. */
  block(ms: number): void { this.#now += ms }

  /** Time passes in which nobody is woken; what falls due meanwhile happens late, in its order. */
  jumpTo(ms: number): void { this.#now = Math.max(this.#now, ms) }

  /** Something real is being waited for: no event comes before it is done. */
  hold(work: Promise<unknown>): void {
    const held: Promise<void> = work.then(() => undefined, () => undefined).finally(() => { this.#held.delete(held) })
    this.#held.add(held)
  }

  /** Ends `runUntil` with this error once the event under way is over. The first one counts. */
  halt(error: Error): void { this.#halted ??= error }

  async runUntil(untilMs: number): Promise<void> {
    for (;;) {
      if (this.#held.size > 0) await Promise.all(this.#held)
      if (this.#halted !== null) throw this.#halted
      const next = this.#heap[0]
      if (next === undefined || next.at > Math.max(untilMs, this.#now)) break
      this.#pop()
      if (next.isCancelled || next.owner?.isGone === true) continue
      this.#now = Math.max(this.#now, next.at)
      this.steps++
      next.fire()
      await microtasksDone()
    }
    this.#now = Math.max(this.#now, untilMs)
  }

  /** Runs until the work has ended, at most so long. False: it has not. */
  async runWhile(work: Promise<unknown>, mostMs: number): Promise<boolean> {
    let isOver = false
    const over = () => { isOver = true }
    work.then(over, over)
    const end = this.#now + mostMs
    await microtasksDone()
    while (!isOver && this.#now < end) {
      const next = this.#heap[0]
      if (next === undefined) break
      await this.runUntil(Math.min(end, Math.max(next.at, this.#now)))
    }
    return isOver
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(entry, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}
