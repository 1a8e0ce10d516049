/**
 * Fragments between the child's pipe and the disk. Bounded in bytes: beyond the bound the pipe is held back, which reaches the camera through TCP.
 * One producer, one consumer.
 */
export class FragmentQueue<Item extends { readonly sizeBytes: number }> {
  readonly #items: Item[] = []
  readonly #maxBytes: number
  #bytes = 0
  #ended = false
  #wakeConsumer: (() => void) | null = null
  #wakeProducer: (() => void) | null = null

  constructor(maxBytes: number) { this.#maxBytes = maxBytes }

  get isFull(): boolean { return this.#bytes > this.#maxBytes }

  push(item: Item): void {
    this.#items.push(item)
    this.#bytes += item.sizeBytes
    this.#wakeConsumer?.()
  }

  /** Calls back once there is room; at once if there is. */
  whenRoom(callback: () => void): void {
    if (this.isFull && !this.#ended) this.#wakeProducer = callback
    else callback()
  }

  /** No more will come, or what comes is not wanted: the consumer gets what is queued and then the end. */
  end(): void {
    this.#ended = true
    this.#wakeConsumer?.()
    this.#release()
  }

  /** What is queued is given up, and nothing more will come: the consumer gets the end. What it has in hand still counts until it comes back for more. */
  abandon(): void {
    for (const { sizeBytes } of this.#items.splice(0)) this.#bytes -= sizeBytes
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    while (true) {
      const item = this.#items.shift()
      if (item !== undefined) {
        yield item
        this.#bytes -= item.sizeBytes // only now: what is being written counts as queued
        if (!this.isFull) this.#release()
      } else if (this.#ended) return
      else await new Promise<void>(resolve => { this.#wakeConsumer = resolve })
    }
  }

  #release(): void {
    const wake = this.#wakeProducer
    this.#wakeProducer = null
    wake?.()
  }
}
