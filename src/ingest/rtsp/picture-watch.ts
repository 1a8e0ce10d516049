import { hasMarkerAt, timestampAt } from './rtp-head.ts'

/** What packets hold of pictures: none, more of the one under way, or the beginning of another. */
export type PictureSign = 'none' | 'more' | 'new'

/** Tells where pictures begin: by their stamp, or behind the mark of the last packet where stamps stand still. */
export class PictureWatch {
  #timestamp: number | null = null
  #isMarked = false
  #sign: PictureSign = 'none'

  /** A packet of RTP of the pictures, whose head is whole. */
  note(bytes: Buffer, at: number): void {
    const timestamp = timestampAt(bytes, at)
    if (timestamp !== this.#timestamp || this.#isMarked) this.#sign = 'new'
    else if (this.#sign === 'none') this.#sign = 'more'
    this.#timestamp = timestamp
    this.#isMarked = hasMarkerAt(bytes, at)
  }

  /** Since the last call. */
  take(): PictureSign {
    const sign = this.#sign
    this.#sign = 'none'
    return sign
  }
}
