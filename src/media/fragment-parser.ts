import { BOX_HEADER_BYTES, MalformedMediaError, readBoxHeader, writeBoxHeader } from './box.ts'
import { parseInitSegment, type InitSegment, type Track } from './init-segment.ts'
import { parseMovieFragment, type TrackFragment } from './movie-fragment.ts'

/** One `moof`+`mdat` pair in a buffer of its own, with room left before and behind for the recorder's own boxes. */
export interface Fragment {
  /** Owned by whoever receives the fragment; nothing else keeps it. */
  readonly buffer: Buffer
  readonly moofAt: number
  readonly moofBytes: number
  /** Past the `mdat`; what follows in `buffer` is the room asked for. */
  readonly endAt: number
  readonly tracks: readonly TrackFragment[]
}

export type Parsed<Init = InitSegment> =
  { readonly kind: 'init', readonly init: Init } | { readonly kind: 'fragment', readonly fragment: Fragment }

export interface FragmentParserOptions {
  /** Bytes left free before `moof` and behind `mdat`. */
  readonly headRoomBytes: number
  readonly tailRoomBytes: number
  /** A larger fragment ends the run: 500 ms at 128 Mbit/s fit twice. */
  readonly maxFragmentBytes: number
  /** Where fragments' buffers come from; may hand out a longer one. Fresh ones unless told. */
  readonly allocate?: (bytes: number) => Buffer
}

const MAX_INIT_BOX_BYTES = 256 * 1024 // a moov of two tracks takes about 1 KiB
const MAX_MOOF_BYTES = 256 * 1024
const SKIPPED = new Set(['free', 'skip', 'sidx', 'styp', 'prft', 'mfra', 'emsg'])

/**
 * Cuts a byte stream of fragmented MP4 into its init segment and its fragments.
 * Memory is bounded by one fragment; after a MalformedMediaError the parser is spent.
 */
export class FragmentParser<Init extends {
  readonly tracks: readonly Pick<Track, 'trackId'>[],
} = InitSegment> {
  readonly #options: FragmentParserOptions
  #pending: Buffer = Buffer.alloc(0)      // bytes of a box that is not complete yet
  #ftyp: Buffer | null = null
  readonly #parseInit: (ftyp: Buffer, moov: Buffer) => Init
  #init: Init | null = null
  #moof: Buffer | null = null
  #filling: { buffer: Buffer, moofBytes: number, at: number, endAt: number } | null = null
  #skipBytes = 0

  /** `parseInit`: what the stream must begin with; pictures unless told. */
  constructor(options: FragmentParserOptions, parseInit?: (ftyp: Buffer, moov: Buffer) => Init) {
    this.#options = options
    this.#parseInit = parseInit ?? (parseInitSegment as unknown as (ftyp: Buffer, moov: Buffer) => Init)
  }

  get init(): Init | null { return this.#init }
  /** A box has begun and is not complete: its rest must be on the way. */
  get isMidway(): boolean { return this.#filling !== null || this.#moof !== null || this.#pending.length > 0 || this.#skipBytes > 0 }

  /** Everything that became complete with `chunk`. Copies what it keeps. */
  push(chunk: Buffer): Parsed<Init>[] {
    const parsed: Parsed<Init>[] = []
    let rest = chunk
    while (rest.length > 0) {
      if (this.#filling !== null) rest = this.#fill(rest, parsed)
      else if (this.#skipBytes > 0) {
        const skipped = Math.min(this.#skipBytes, rest.length)
        this.#skipBytes -= skipped
        rest = rest.subarray(skipped)
      } else rest = this.#collect(rest, parsed)
    }
    return parsed
  }

  #fill(rest: Buffer, parsed: Parsed<Init>[]): Buffer {
    const filling = this.#filling!
    const copied = Math.min(filling.endAt - filling.at, rest.length)
    rest.copy(filling.buffer, filling.at, 0, copied)
    filling.at += copied
    if (filling.at === filling.endAt) {
      this.#filling = null
      parsed.push({ kind: 'fragment', fragment: this.#finish(filling) })
    }
    return rest.subarray(copied)
  }

  #finish({ buffer, moofBytes, endAt }: { buffer: Buffer, moofBytes: number, endAt: number }): Fragment {
    const moofAt = this.#options.headRoomBytes
    const tracks = parseMovieFragment(buffer.subarray(moofAt, endAt), endAt - moofAt)
    for (const track of tracks) {
      if (!this.#init!.tracks.some(known => known.trackId === track.trackId)) throw new MalformedMediaError(`fragment of unknown track ${track.trackId}`)
    }
    return { buffer, moofAt, moofBytes, endAt, tracks }
  }

  /** Takes bytes up to the end of the box at hand, or all of them when it is not complete. */
  #collect(rest: Buffer, parsed: Parsed<Init>[]): Buffer {
    if (this.#pending.length > 0) {
      const header = readBoxHeader(this.#pending, 0)
      const wanted = header === null ? 16 : this.#checkedSize(header)
      const take = Math.min(wanted - this.#pending.length, rest.length)
      this.#pending = Buffer.concat([this.#pending, rest.subarray(0, take)])
      rest = rest.subarray(take)
      return this.#consume(this.#pending, true, parsed) ?? rest
    }
    return this.#consume(rest, false, parsed) ?? Buffer.alloc(0)
  }

  /** Null: everything was taken or kept. Else what lies behind the box, when `bytes` came from the caller. */
  #consume(bytes: Buffer, fromPending: boolean, parsed: Parsed<Init>[]): Buffer | null {
    const keep = () => { if (!fromPending) this.#pending = Buffer.from(bytes); return null }
    const header = readBoxHeader(bytes, 0)
    if (header === null) return keep()
    const sizeBytes = this.#checkedSize(header)
    if (header.type === 'mdat') {
      this.#beginData(sizeBytes, header.headerBytes)
      return this.#pass(bytes.subarray(header.headerBytes), fromPending, parsed)
    }
    if (SKIPPED.has(header.type)) {
      this.#skipBytes = sizeBytes - header.headerBytes
      return this.#pass(bytes.subarray(header.headerBytes), fromPending, parsed)
    }
    if (bytes.length < sizeBytes) return keep()
    this.#takeBox(header.type, bytes.subarray(0, sizeBytes), parsed)
    return this.#pass(bytes.subarray(sizeBytes), fromPending, parsed)
  }

  /** What was collected beyond a header goes through the loop again; fresh bytes are simply what remains. */
  #pass(behind: Buffer, fromPending: boolean, parsed: Parsed<Init>[]): Buffer | null {
    if (!fromPending) return behind
    this.#pending = Buffer.alloc(0)
    if (behind.length > 0) parsed.push(...this.push(Buffer.from(behind)))
    return null
  }

  #checkedSize({ type, headerBytes, sizeBytes }: { type: string, headerBytes: number, sizeBytes: number }): number {
    if (sizeBytes < headerBytes) throw new MalformedMediaError(`${JSON.stringify(type)} box without an end`)
    const limit = type === 'mdat' ? this.#options.maxFragmentBytes
      : type === 'moof' ? MAX_MOOF_BYTES
      : type === 'ftyp' || type === 'moov' || SKIPPED.has(type) ? MAX_INIT_BOX_BYTES : 0
    if (limit === 0) throw new MalformedMediaError(`box ${JSON.stringify(type)} where a fragment is wanted`)
    if (sizeBytes > limit) throw new MalformedMediaError(`${type} of ${sizeBytes} bytes is over the bound of ${limit}`)
    return sizeBytes
  }

  #takeBox(type: string, box: Buffer, parsed: Parsed<Init>[]): void {
    if (type === 'ftyp' && this.#ftyp === null) this.#ftyp = Buffer.from(box)
    else if (type === 'moov' && this.#ftyp !== null && this.#init === null) {
      this.#init = this.#parseInit(this.#ftyp, box)
      parsed.push({ kind: 'init', init: this.#init })
    } else if (type === 'moof' && this.#init !== null && this.#moof === null) this.#moof = Buffer.from(box)
    else throw new MalformedMediaError(`${type} out of order`)
  }

  #beginData(sizeBytes: number, headerBytes: number): void {
    if (this.#moof === null) throw new MalformedMediaError('mdat without moof')
    if (headerBytes !== BOX_HEADER_BYTES) throw new MalformedMediaError('mdat with a 64-bit size')
    const { headRoomBytes, tailRoomBytes } = this.#options
    const moofBytes = this.#moof.length
    const dataAt = headRoomBytes + moofBytes
    const wantedBytes = dataAt + sizeBytes + tailRoomBytes
    const buffer = this.#options.allocate?.(wantedBytes) ?? Buffer.allocUnsafe(wantedBytes)
    this.#moof.copy(buffer, headRoomBytes)
    writeBoxHeader(buffer, dataAt, 'mdat', sizeBytes)
    this.#moof = null
    const filling = { buffer, moofBytes, at: dataAt + BOX_HEADER_BYTES, endAt: dataAt + sizeBytes }
    if (filling.at === filling.endAt) throw new MalformedMediaError('empty mdat')
    this.#filling = filling
  }
}
