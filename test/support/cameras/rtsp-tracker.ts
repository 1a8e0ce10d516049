type Message = { startLine: string, cseq: string, endOffset: number }

/** No RTSP header in a test is longer; more means that this is not RTSP any more. */
const HEADER_LIMIT_BYTES = 64 * 1024
const INTERLEAVED_MARK = 0x24
const INTERLEAVED_HEADER_BYTES = 4
const HEADER_END = '\r\n\r\n'

export type MilestoneMethod = 'DESCRIBE' | 'PLAY'

/** Finds the answers to DESCRIBE and PLAY on one RTSP connection. */
export class RtspTracker {
  readonly #requests = new MessageReader()
  readonly #answers = new MessageReader()
  readonly #methodByCseq = new Map<string, string>()
  // After PLAY the media would be searched for nothing.
  #done = false

  readRequests(chunk: Buffer): void {
    if (this.#done) return
    for (const { startLine, cseq } of this.#requests.read(chunk)) this.#methodByCseq.set(cseq, startLine.split(' ')[0] ?? '')
  }

  /** The successful answers that end in this chunk, and where in it they end. */
  readAnswers(chunk: Buffer): { method: MilestoneMethod, endOffset: number }[] {
    if (this.#done) return []
    const milestones: { method: MilestoneMethod, endOffset: number }[] = []
    for (const { startLine, cseq, endOffset } of this.#answers.read(chunk)) {
      const method = this.#methodByCseq.get(cseq)
      this.#methodByCseq.delete(cseq)
      if (!startLine.startsWith('RTSP/1.0 200') || (method !== 'DESCRIBE' && method !== 'PLAY')) continue
      milestones.push({ method, endOffset })
      this.#done = method === 'PLAY'
    }
    return milestones
  }
}

/** Finds whole messages in one direction, stepping over interleaved packets. */
class MessageReader {
  #rest: Buffer = Buffer.alloc(0)

  read(chunk: Buffer): Message[] {
    const messages: Message[] = []
    const carried = this.#rest.length
    const bytes = Buffer.concat([this.#rest, chunk])
    let at = 0
    while (at < bytes.length) {
      const message = messageAt(bytes, at)
      if (message === undefined) break
      at = message.endOffset
      if (message.startLine !== '') messages.push({ ...message, endOffset: at - carried })
    }
    this.#rest = bytes.length - at > HEADER_LIMIT_BYTES ? Buffer.alloc(0) : bytes.subarray(at)
    return messages
  }
}

function messageAt(bytes: Buffer, at: number): Message | undefined {
  if (bytes[at] === INTERLEAVED_MARK) {
    if (at + INTERLEAVED_HEADER_BYTES > bytes.length) return undefined
    const endOffset = at + INTERLEAVED_HEADER_BYTES + bytes.readUInt16BE(at + 2)
    return endOffset > bytes.length ? undefined : { startLine: '', cseq: '', endOffset }
  }
  const headerEnd = bytes.indexOf(HEADER_END, at)
  if (headerEnd === -1) return undefined
  const [startLine = '', ...fields] = bytes.subarray(at, headerEnd).toString('latin1').split('\r\n')
  const endOffset = headerEnd + HEADER_END.length + Number(fieldOf(fields, 'content-length') ?? 0)
  return endOffset > bytes.length ? undefined : { startLine, cseq: fieldOf(fields, 'cseq') ?? '', endOffset }
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  const line = fields.find(field => field.toLowerCase().startsWith(`${name}:`))
  return line?.slice(name.length + 1).trim()
}
