/** What one frame carries. */
export type FrameKind = 'json' | 'media'
export interface Frame { readonly kind: FrameKind, readonly payload: Buffer }

/** Length of the payload (4 bytes, most significant first) and its kind (1 byte). */
export const FRAME_HEAD_BYTES = 5
export const MOST_JSON_BYTES = 2 ** 20
export const MOST_MEDIA_BYTES = 2 ** 24

const KINDS: readonly FrameKind[] = ['json', 'media']
const MOST_BYTES: Readonly<Record<FrameKind, number>> = { json: MOST_JSON_BYTES, media: MOST_MEDIA_BYTES }

/** What was sent is no frame, or one that is too long. */
export class FrameError extends Error { override readonly name = 'FrameError' }

/** Throws FrameError for a payload that is too long. */
export function frameHead(kind: FrameKind, payloadBytes: number): Buffer {
  if (payloadBytes > MOST_BYTES[kind]) {
    throw new FrameError(`a ${kind} frame of ${payloadBytes} bytes is longer than ${MOST_BYTES[kind]}`)
  }
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUInt32BE(payloadBytes)
  head.writeUInt8(KINDS.indexOf(kind), 4)
  return head
}

/** Cuts a stream of bytes into frames. Holds one frame that is not whole yet, and what was pushed since. */
export class FrameReader {
  readonly #takes: ReadonlySet<FrameKind>
  #chunks: Buffer[] = []
  #heldBytes = 0
  /** Read off the head of the frame under way. */
  #next: { readonly kind: FrameKind, readonly bytes: number } | null = null

  /** `takes`: a frame of another kind is an error before its payload is waited for. */
  constructor(takes: readonly FrameKind[]) { this.#takes = new Set(takes) }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#heldBytes += chunk.length
  }

  /** Something of a frame has come, and not all of it. */
  get isMidway(): boolean { return this.#next !== null || this.#heldBytes > 0 }

  /** Null until the next frame is whole. Throws FrameError; nothing more is to be read then. */
  next(): Frame | null {
    if (this.#next === null) {
      if (this.#heldBytes < FRAME_HEAD_BYTES) return null
      const head = this.#take(FRAME_HEAD_BYTES), kind = KINDS[head[4]!], bytes = head.readUInt32BE()
      if (kind === undefined || !this.#takes.has(kind)) throw new FrameError(`a frame of kind ${head[4]} was not expected`)
      if (bytes > MOST_BYTES[kind]) {
        throw new FrameError(`a ${kind} frame of ${bytes} bytes is longer than ${MOST_BYTES[kind]}`)
      }
      this.#next = { kind, bytes }
    }
    const { kind, bytes } = this.#next
    if (this.#heldBytes < bytes) return null
    this.#next = null
    return { kind, payload: this.#take(bytes) }
  }

  #take(bytes: number): Buffer {
    this.#heldBytes -= bytes
    const [first] = this.#chunks
    if (first !== undefined && first.length >= bytes) {
      if (first.length === bytes) this.#chunks.shift()
      else this.#chunks[0] = first.subarray(bytes)
      return first.subarray(0, bytes)
    }
    const all = Buffer.concat(this.#chunks)
    this.#chunks = all.length > bytes ? [all.subarray(bytes)] : []
    return all.subarray(0, bytes)
  }
}
