/** Packets in a row after which a source is known to count its packets. */
const STEADY_PACKETS = 32
/** More than this is another count, not a loss. */
const MOST_LOST_PACKETS = 3000
const MODULUS = 2 ** 16
/** Packets that others overtook come so late at most. */
const MOST_LATE_PACKETS = 64

/** `lost`: packets before it are missing. `restarted`: it is of another source or count, and nobody can tell. */
export type SequenceStep = 'next' | 'lost' | 'restarted'

/** Tells from the sequence numbers of an RTP source (RFC 3550, 5.1) whether packets before one are missing. */
export class SequenceWatch {
  #source: number | null = null
  #last = 0
  #inARow = 0

  /** Of a source that does not count its packets nothing but `next` is told. */
  step(source: number, sequence: number): SequenceStep {
    const step = (sequence - this.#last + MODULUS) % MODULUS
    const isKnown = this.#source === source
    const isLate = isKnown && (step === 0 || step > MODULUS - MOST_LATE_PACKETS)
    if (isLate) return 'next' // told as lost when it was overtaken
    const wasSteady = this.#inARow >= STEADY_PACKETS
    const isSteady = isKnown && wasSteady, isLost = isSteady && step > 1 && step <= MOST_LOST_PACKETS
    this.#source = source
    this.#last = sequence
    this.#inARow = isKnown && step === 1 ? this.#inARow + 1 : isLost ? this.#inARow : 0
    if (isLost) return 'lost'
    return wasSteady && (!isKnown || step !== 1) ? 'restarted' : 'next'
  }
}
