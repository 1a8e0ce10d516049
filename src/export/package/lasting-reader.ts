import { SegmentGoneError, type SegmentRow } from '../../footage/index.ts'
import type { FootageShelf } from './take-videos.ts'

type Opened = Awaited<ReturnType<FootageShelf['open']>>

/** A reader that outlasts its lease: a copy lets recording go first, and that may take longer than a lease does. Then the segment is opened again, and lost is only what does not stand any more. */
export class LastingReader implements AsyncDisposable {
  readonly footage: Opened['footage']
  readonly #shelf: FootageShelf
  readonly #segment: SegmentRow
  #reader: Opened | null

  private constructor(shelf: FootageShelf, segment: SegmentRow, reader: Opened) {
    this.#shelf = shelf
    this.#segment = segment
    this.#reader = reader
    this.footage = reader.footage
  }

  /** Throws what the shelf throws. */
  static async open(shelf: FootageShelf, segment: SegmentRow): Promise<LastingReader> { return new LastingReader(shelf, segment, await shelf.open(segment)) }

  /** Throws SegmentGoneError for a record that is gone or rotten, and once the segment is gone for all that follow; StorageError. */
  async read(position: number): Promise<Buffer> {
    if (this.#reader === null) throw new SegmentGoneError('the slot was reused')
    try { return await this.#reader.read(position) } catch (error) {
      if (!(error instanceof SegmentGoneError)) throw error
      await this[Symbol.asyncDispose]()
      this.#reader = await this.#shelf.open(this.#segment)
      return await this.#reader.read(position)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reader = this.#reader
    this.#reader = null
    await reader?.[Symbol.asyncDispose]()
  }
}
