import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { readAccessUnits, type VideoCodec } from './access-units.ts'
import { clip, type ClipOptions } from './make-clips.ts'
import { numberedUnit, rtpPacket, rtpPayloads, senderReport, type RtpSource } from './rtp-bytes.ts'

/** What is not as it should be in a camera. Frames are counted from the camera's start, whoever looks. */
export interface Craft {
  readonly clip: ClipOptions
  /** A second clip, shown in turn with the first for so many frames each. */
  readonly otherClip?: { readonly clip: ClipOptions, readonly everyFrames: number }
  /** Frames that really come; the clip's unless told. */
  readonly fps?: number
  /** Ticks of 90 kHz; n at the clip's rate unless told. */
  readonly stampOf?: (n: number) => number
  /** Lines of a sound medium in the description, of which nothing ever comes. */
  readonly silentSound?: readonly string[]
  /** Parameter sets go out with the frame's marker and with the stamp of the frame before. */
  readonly hasSetsOfBefore?: boolean
  /** Of this frame the second half of the bytes is lost on the way, in the middle of a packet. */
  readonly isTorn?: (n: number) => boolean
  readonly closesAfterMs?: number
  /** So often the encoder restarts: another source, count and first stamp within the session. */
  readonly restartsEveryFrames?: number
  /** A viewer that begins to play ends the one that did. */
  readonly hasRoomForOne?: boolean
  /** A viewer first gets what was taken so long ago, as fast as the line allows. */
  readonly behindMs?: number
  /** First stamp of each session; random unless told. */
  readonly firstStamp?: number
  /** Wall clock in the sender report of that second; none is sent unless told. */
  readonly reportedMs?: (second: number) => number
}

interface Picture { readonly nals: readonly Buffer[], readonly sets: readonly Buffer[], readonly isKey: boolean }

/**
 * An RTSP camera (interleaved TCP) whose description and packets are written byte by byte. Each frame carries its
 * number and the instant it was taken, as check-frames.py reads them.
 */
export class CraftedCamera implements AsyncDisposable {
  readonly #craft: Craft
  readonly #server: Server
  readonly #clips: readonly (readonly Picture[])[]
  readonly #sockets = new Set<Socket>()
  #player: Socket | null = null
  readonly #startedAt = Date.now()
  readonly #fps: number
  #isClosed = false

  private constructor(craft: Craft, server: Server, clips: readonly (readonly Picture[])[]) {
    this.#craft = craft
    this.#server = server
    this.#clips = clips
    this.#fps = craft.fps ?? craft.clip.fps
    server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.setNoDelay(true).on('error', () => undefined).once('close', () => { this.#sockets.delete(socket) })
      void this.#serve(socket).catch(() => { socket.destroy() })
    })
  }

  static async start(craft: Craft): Promise<CraftedCamera> {
    const clips = await Promise.all([craft.clip, ...craft.otherClip === undefined ? [] : [craft.otherClip.clip]]
      .map(picturesOf))
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new CraftedCamera(craft, server, clips)
  }

  get url(): string { return `rtsp://127.0.0.1:${(this.#server.address() as AddressInfo).port}/live` }

  get #codec(): VideoCodec { return this.#craft.clip.codec }
  #takenAt(n: number): number { return this.#startedAt + n * 1000 / this.#fps }
  #stampOf(n: number): number { return this.#craft.stampOf?.(n) ?? n * 90_000 / this.#craft.clip.fps }

  #pictureOf(n: number): Picture {
    const { otherClip } = this.#craft
    const which = otherClip === undefined ? 0 : Math.floor(n / otherClip.everyFrames) % 2
    const pictures = this.#clips[which]!
    return pictures[n % pictures.length]!
  }

  async #serve(socket: Socket): Promise<void> {
    let text = ''
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      text += chunk.toString('latin1')
      for (let head; (head = requestIn(text)) !== null; text = head.rest) {
        if (head.method === 'PLAY') { this.#answer(socket, head); void this.#play(socket).catch(() => socket.destroy()) }
        else if (head.method === 'TEARDOWN') { this.#answer(socket, head); socket.end() }
        else this.#answer(socket, head)
      }
    }
  }

  #answer(socket: Socket, { method, uri, headers }: RtspRequest): void {
    const lines = method === 'OPTIONS' ? ['Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER']
      : method === 'DESCRIBE' ? [`Content-Base: ${uri}/`, 'Content-Type: application/sdp']
        : method === 'SETUP' ? ['Session: 1;timeout=60', `Transport: ${headers.get('transport') ?? ''}`] : ['Session: 1']
    const body = method === 'DESCRIBE' ? this.#description() : ''
    const length = body === '' ? [] : [`Content-Length: ${body.length}`]
    socket.write(['RTSP/1.0 200 OK', `CSeq: ${headers.get('cseq') ?? ''}`, ...lines, ...length, '', body].join('\r\n'))
  }

  #description(): string {
    const name = this.#codec.toUpperCase(), profile = this.#codec === 'h264' ? 'packetization-mode=1' : 'profile-id=1'
    return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=camera', 'c=IN IP4 0.0.0.0', 't=0 0', 'a=control:*',
      'm=video 0 RTP/AVP 96', `a=rtpmap:96 ${name}/90000`, `a=fmtp:96 ${profile}`, 'a=control:track1',
      ...this.#craft.silentSound ?? [], ''].join('\r\n')
  }

  async #play(socket: Socket): Promise<void> {
    const { behindMs = 0, closesAfterMs = Infinity, reportedMs, firstStamp, hasRoomForOne = false } = this.#craft
    if (hasRoomForOne) this.#player?.destroy()
    this.#player = socket
    let source = newSource(firstStamp)
    const playedAt = Date.now()
    let n = Math.max(0, Math.ceil((playedAt - behindMs - this.#startedAt) / 1000 * this.#fps))
    while (!this.#pictureOf(n).isKey) n++
    for (let reported = -1; !socket.destroyed && !this.#isClosed; n++) {
      await sleep(Math.max(0, this.#takenAt(n) - Date.now()))
      if (n % (this.#craft.restartsEveryFrames ?? Infinity) === 0) source = newSource(firstStamp)
      if (Date.now() - playedAt > closesAfterMs) { socket.destroy(); return }
      const second = Math.floor((Date.now() - playedAt) / 1000)
      if (reportedMs !== undefined && second > reported) {
        reported = second
        socket.write(senderReport(source, this.#stampOf(n), reportedMs(second)))
      }
      const bytes = Buffer.concat(this.#packetsOf(n, source))
      const { isTorn } = this.#craft
      socket.write(isTorn?.(n) === true ? bytes.subarray(0, bytes.length >> 1) : bytes)
      if (socket.writableNeedDrain) await once(socket, 'drain')
    }
  }

  #packetsOf(n: number, source: RtpSource): Buffer[] {
    const { nals, sets } = numberedUnit(this.#codec, this.#pictureOf(n), n, Math.round(this.#takenAt(n)))
    const stamp = this.#stampOf(n)
    if (this.#craft.hasSetsOfBefore !== true) {
      return rtpPayloads(this.#codec, [...sets, ...nals]).map(({ payload, isLast }) =>
        rtpPacket(source, { payload, stamp, isMarked: isLast }))
    }
    return [
      ...sets.map((payload, i) => rtpPacket(source, { payload, stamp: this.#stampOf(n - 1), isMarked: i === 0 })),
      ...rtpPayloads(this.#codec, nals).map(({ payload, isLast }) => rtpPacket(source, { payload, stamp, isMarked: isLast })),
    ]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

const newSource = (firstStamp?: number): RtpSource => ({ ssrc: randomBytes(4).readUInt32BE(),
  sequence: randomBytes(2).readUInt16BE(), firstStamp: firstStamp ?? randomBytes(4).readUInt32BE() })

interface RtspRequest { readonly method: string, readonly uri: string, readonly headers: ReadonlyMap<string, string>, readonly rest: string }

/** The first whole request in what came; reports of the viewer between requests are passed over. */
function requestIn(text: string): RtspRequest | null {
  let from = 0
  while (text[from] === '$') {
    if (text.length < from + 4) return null
    from += 4 + (text.charCodeAt(from + 2) << 8 | text.charCodeAt(from + 3))
  }
  const end = text.indexOf('\r\n\r\n', from)
  if (end === -1) return null
  const [start = '', ...lines] = text.slice(from, end).split('\r\n')
  const [method = '', uri = ''] = start.split(' ')
  const headers = new Map(lines.map(line => {
    const at = line.indexOf(':')
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()]
  }))
  return { method, uri, headers, rest: text.slice(end + 4) }
}

async function picturesOf(options: ClipOptions): Promise<Picture[]> {
  const units = readAccessUnits(await readFile(await clip(options)), options)
  return units.map(({ bytes, vclOffset, vclNals, key }) => ({
    isKey: key, nals: vclNals, sets: nalsOf(bytes.subarray(0, vclOffset)),
  }))
}

/** Of Annex B with start codes of four bytes, as `readAccessUnits` gives it. */
function nalsOf(bytes: Buffer): Buffer[] {
  const mark = Buffer.from([0, 0, 0, 1]), nals: Buffer[] = []
  for (let at = bytes.indexOf(mark); at !== -1;) {
    const next = bytes.indexOf(mark, at + mark.length)
    nals.push(bytes.subarray(at + mark.length, next === -1 ? bytes.length : next))
    at = next
  }
  return nals
}
