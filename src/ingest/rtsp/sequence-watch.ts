/** Packets in a row after which a source is known to count its packets. */
const STEADY_PACKETS = 32
/** A step further than this, or further back, is another count: by it ffmpeg goes (RFC 3550, A.1). */
const MOST_LOST_PACKETS = 3000
const MODULUS = 2 ** 16
const MOST_BACK_PACKETS = 100

/**
 * `lost`: packets before it are missing. `elsewhere`: its count goes on elsewhere, and ffmpeg
 * drops the first packet of such a one.
 */
export type SequenceStep = 'next' | 'lost' | 'elsewhere'

/** Tells from the sequence numbers of RTP (RFC 3550, 5.1) what comes before a packet. */
export class SequenceWatch {
  #source: number | null = null
  #last = 0
  #inARow = 0

  /** Of a source that does not count its packets nothing is told as lost. */
  step(source: number, sequence: number): SequenceStep {
    const step = (sequence - this.#last + MODULUS) % MODULUS
    const isFirst = this.#source === null, isKnown = this.#source === source
    if (!isFirst && (step === 0 || step > MODULUS - MOST_BACK_PACKETS)) return 'next' // told as lost when it was overtaken
    const isElsewhere = !isFirst && step >= MOST_LOST_PACKETS
    const isLost = isKnown && !isElsewhere && step > 1 && this.#inARow >= STEADY_PACKETS
    this.#source = source
    this.#last = sequence
    this.#inARow = isKnown && step === 1 ? this.#inARow + 1 : isLost ? this.#inARow : 0
    return isElsewhere ? 'elsewhere' : isLost ? 'lost' : 'next'
  }
}
