/** Packets in a row after which a source is known to count its packets. */
const STEADY_PACKETS = 32
/** More than this is another count, not a loss. */
const MOST_LOST_PACKETS = 3000
const MODULUS = 2 ** 16

/** Tells from the sequence numbers of an RTP source (RFC 3550, 5.1) whether packets before one are missing. */
export class SequenceWatch {
  #source: number | null = null
  #last = 0
  #inARow = 0

  /** Whether packets between the last one and this one are missing; false of a source that does not count. */
  isAfterLoss(source: number, sequence: number): boolean {
    const step = (sequence - this.#last + MODULUS) % MODULUS
    const isKnown = this.#source === source, isSteady = isKnown && this.#inARow >= STEADY_PACKETS
    this.#source = source
    this.#last = sequence
    this.#inARow = isKnown && step === 1 ? this.#inARow + 1 : isSteady && step <= MOST_LOST_PACKETS ? this.#inARow : 0
    return isSteady && step > 1 && step <= MOST_LOST_PACKETS
  }
}
