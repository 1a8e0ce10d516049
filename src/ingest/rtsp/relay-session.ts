import type { Socket } from 'node:net'
import { isHost } from '../../config/index.ts'
import { cameraAddress, isSameHost, type CameraAddress } from './camera-address.ts'
import { CameraLink, LinkClosed } from './camera-link.ts'
import { answerToCamera } from './camera-request.ts'
import { answerForClient } from './client-answer.ts'
import type { HiddenPassword } from './hidden-password.ts'
import { PacketPump } from './packet-pump.ts'
import type { PicturePace } from './picture-pace.ts'
import { RelayFault } from './relay-fault.ts'
import { RtspAuth } from './rtsp-auth.ts'
import { readSdp } from './stream-description.ts'
import { bytesOf, headerOf, readHead, requestLineOf, RtspFormatError, RtspReader, statusOf, withHeaders,
  type RtspMessage } from './rtsp-message.ts'
import { HELD_BYTES, TlsPump } from './tls-pump.ts'
import { UdpMedia } from './udp-media.ts'

/** Of one request, with challenges, redirects and connections that the camera closed. */
const MOST_EXCHANGES = 8
/** Of one session. */
const MOST_REDIRECTS = 3
/** What was written for ffmpeg is taken within this. */
const TAKEN_WITHIN_MS = 5_000
const WATCH_MS = 1_000
const UNSUPPORTED_TRANSPORT = 461
/** Of ffmpeg, while a request of it is answered: reports of reception. */
const MOST_WAITING_BYTES = 256 << 10
/** Messages between the packets: a camera that sends more of them is ended. */
const MOST_MESSAGES = 64
/** So many of them are forgotten with each look. */
const USUAL_MESSAGES = 4
const CHANNEL = /interleaved=(\d{1,3})/i
/** What is recorded, as RFC 6184 and RFC 7798 name it. */
const RECORDED = new Set(['H264', 'H265'])

export interface RelaySessionOptions {
  /** ffmpeg, whose first request is `request`. */
  readonly client: Socket
  /** What ffmpeg was told in place of the camera's address. */
  readonly localUrl: string
  readonly address: CameraAddress
  readonly auth: RtspAuth
  readonly hidden: HiddenPassword
  readonly onFault: (fault: RelayFault) => void
  /** Data of pictures was lost just now. */
  readonly onLoss: () => void
  /** Of the camera's pictures, over its sessions. */
  readonly pace: PicturePace
}

/**
 * One RTSP session of ffmpeg carried to a camera: authentication, redirects and their rules are ours, the
 * media is passed on.
 */
export class RelaySession {
  readonly #options: RelaySessionOptions
  readonly #reader = new RtspReader()
  #address: CameraAddress
  #link: CameraLink | null = null
  #cseq = 0
  #hasSession = false
  #redirects = 0
  /** As the description names it. */
  #video: string | null = null
  /** Of the track that ffmpeg set up first: it asks for the first pictures of a description before others. */
  #videoChannel: number | null = null
  /** A request sent while packets flow: its answer stands between them. */
  #control: RtspMessage | null = null
  /** That came between packets of late. */
  #messages = 0
  #isAsking = false
  #pump: PacketPump | TlsPump | null = null
  /** Of a camera that does not send over TCP. */
  #udp: UdpMedia | null = null
  #watch: NodeJS.Timeout | undefined

  constructor(options: RelaySessionOptions) {
    this.#options = options
    this.#address = options.address
  }

  /** Ends when either side has; never rejects. `first`: what ffmpeg has sent already. */
  async run(first: Buffer): Promise<void> {
    const { client } = this.#options, gone = Promise.withResolvers<void>()
    let work = this.#tryTake(first), waitingBytes = 0
    // Read while the camera is asked, too: only so is it noticed that ffmpeg is gone.
    client.on('data', (chunk: Buffer) => {
      waitingBytes += chunk.length
      if (waitingBytes > MOST_WAITING_BYTES) { client.destroy(); return }
      work = work.then(async () => {
        waitingBytes -= chunk.length
        await this.#tryTake(chunk)
      })
    })
    client.once('close', () => {
      if (this.#isAsking) this.#link?.close()
      gone.resolve()
    })
    if (client.destroyed) gone.resolve()
    client.resume()
    await gone.promise
    await work
    clearInterval(this.#watch)
    this.#pump?.stop()
    this.#udp?.close()
    this.#link?.socket.end() // a TEARDOWN may be on its way
    setTimeout(() => { this.#link?.close() }, WATCH_MS)
  }

  /** What fails is the end of the session. */
  async #tryTake(chunk: Buffer): Promise<void> {
    try { if (!this.#options.client.destroyed) await this.#take(chunk) } catch (error) {
      if (error instanceof RelayFault) this.#options.onFault(error)
      this.#options.client.destroy()
    }
  }

  async #take(chunk: Buffer): Promise<void> {
    this.#reader.push(chunk)
    for (let item; (item = this.#reader.next()) !== null;) {
      if (item.kind === 'packet') this.#report(Buffer.from(item.bytes))
      else if (this.#pump !== null) this.#sendControl(item.message)
      else await this.#answer(item.message)
    }
  }

  /** RTCP of ffmpeg. */
  #report(packet: Buffer): void {
    if (this.#udp !== null) this.#udp.send(packet)
    else this.#link?.send(packet)
  }

  /** Passes a request on and the answer back. */
  async #answer(request: RtspMessage): Promise<void> {
    const { client, onFault, hidden } = this.#options
    let answer: RtspMessage, told: RtspMessage, isOver = false
    try {
      answer = await this.#setup(request)
      told = answerForClient(answer, request, hidden)
    } catch (error) {
      if (!(error instanceof RelayFault)) throw error
      onFault(error)
      isOver = error.reason === 'bad-stream'
      answer = { start: 'RTSP/1.0 403 Forbidden', headers: [], body: Buffer.alloc(0) } // ffmpeg ends
      told = answerForClient(answer, request, hidden)
    }
    client.write(bytesOf(told))
    if (isOver) client.end()
    const { method } = requestLineOf(request)
    const isGood = statusOf(answer) === 200
    if (method === 'SETUP' && isGood) {
      this.#hasSession = true
      const transport = headerOf(answer, 'transport') ?? headerOf(request, 'transport') ?? ''
      const channel = CHANNEL.exec(transport)?.[1]
      this.#videoChannel ??= channel === undefined ? null : Number(channel)
    }
    if (method === 'PLAY' && isGood) await this.#play()
  }

  /** Over UDP where the camera refuses TCP. */
  async #setup(request: RtspMessage): Promise<RtspMessage> {
    const { method } = requestLineOf(request), isSetup = method === 'SETUP'
    if (isSetup && this.#video !== null && !RECORDED.has(this.#video)) {
      throw new RelayFault('codec-unsupported', `the camera's description names ${this.#video}`)
    }
    if (!isSetup || this.#udp === null) {
      const answer = await this.#exchange(request)
      if (method === 'DESCRIBE') this.#video = readSdp(answer.body.toString('utf8')).video
      if (statusOf(answer) !== UNSUPPORTED_TRANSPORT) return answer
    }
    this.#udp ??= new UdpMedia({ cameraAddress: this.#link?.socket.remoteAddress ?? '',
      onPacket: bytes => this.#passUdp(bytes), onLoss: this.#options.onLoss,
      onPicture: isNew => { this.#options.pace.came(performance.now(), isNew) } })
    const asked = await this.#udp.setup(request)
    const answer = asked === null ? null : await this.#exchange(asked)
    if (answer === null || statusOf(answer) !== 200) {
      throw new RelayFault('no-tcp',
        `no TCP (461), and UDP was answered with ${answer === null ? 'nothing' : statusOf(answer)}`)
    }
    return this.#udp.accept(answer)
  }

  /** ffmpeg that is held up loses packets, as it would with UDP of its own. */
  #passUdp(bytes: Buffer): boolean {
    const { client } = this.#options, hasRoom = client.writableLength < HELD_BYTES
    if (hasRoom) client.write(bytes)
    return hasRoom
  }

  /** Throws RelayFault for what ffmpeg should not see as the camera's own answer. */
  async #exchange(request: RtspMessage): Promise<RtspMessage> {
    const { auth, client } = this.#options
    let closed = 0
    for (let i = 0; i < MOST_EXCHANGES && !client.destroyed; i++) {
      const sent = auth.authorized(this.#translated(request))
      let answer: RtspMessage
      this.#isAsking = true
      try { answer = await (await this.#linked()).request(sent) } catch (error) {
        if (!(error instanceof LinkClosed)) throw error
        if (client.destroyed) break
        // Some close after each refusal; a session does not survive that.
        if (this.#hasSession || ++closed > 2) throw new RelayFault('closed-by-camera',
          'the camera closed the connection')
        this.#link = null
        continue
      } finally { this.#isAsking = false }
      if (RtspAuth.isChallenge(answer)) { auth.take(answer); continue }
      const status = statusOf(answer)
      if (status >= 300 && status < 400 && status !== 304) { this.#redirect(answer); continue }
      auth.passed()
      return answer
    }
    if (client.destroyed) throw new LinkClosed()
    throw new RelayFault('bad-stream', 'the camera asks again and again')
  }

  async #linked(): Promise<CameraLink> {
    if (this.#link !== null && !this.#link.isClosed) return this.#link
    this.#link?.close()
    const link = this.#link = await CameraLink.open(this.#address)
    if (this.#options.client.destroyed) link.close()
    link.onPackets = bytes => { this.#options.client.write(bytes) }
    return link
  }

  /** The password goes to the configured host alone: elsewhere is another camera, whatever this one says. */
  #redirect(answer: RtspMessage): void {
    if (++this.#redirects > MOST_REDIRECTS) throw new RelayFault('redirected',
      `the camera redirects more than ${MOST_REDIRECTS} times`)
    const next = cameraAddress(headerOf(answer, 'location') ?? '')
    if (next === null || !isHost(next.host)) throw new RelayFault('redirected',
      'the camera redirects without an address that can be used')
    if (!isSameHost(next, this.#options.address)) throw new RelayFault('redirected',
      `the camera redirects to another host (${next.host})`)
    if (this.#address.isTls && !next.isTls) throw new RelayFault('redirected',
      'the camera redirects from rtsps to rtsp')
    this.#address = next
    this.#link?.close()
    this.#link = null
  }

  #translated(request: RtspMessage): RtspMessage {
    const { localUrl, hidden } = this.#options
    const [method = '', uri = '', ...version] = request.start.split(' ')
    const translated = hidden.reveal(uri.startsWith(localUrl)
      ? this.#address.url + uri.slice(localUrl.length) : uri)
    return withHeaders({ ...request, start: [method, translated, ...version].join(' ') },
      { CSeq: String(++this.#cseq) })
  }

  async #play(): Promise<void> {
    const { client, onLoss, pace } = this.#options, link = this.#link!
    link.socket.pause()
    pace.begin(performance.now())
    await flushed(client)
    if (client.destroyed) return
    const end = (): void => { // what was written for ffmpeg is for it to take
      clearInterval(this.#watch)
      client.end()
      setTimeout(() => { client.destroy() }, TAKEN_WITHIN_MS)
    }
    const first = link.handOver()
    const pumped = { client, camera: link.socket, videoChannel: this.#videoChannel, onLoss, onEnd: end,
      onPicture: (isNew: boolean) => { pace.came(performance.now(), isNew) },
      onMessage: (bytes: Buffer) => { this.#takeMessage(bytes) }, onFlood: () => { this.#endFlood() } }
    const pump = this.#pump = link.isTls ? new TlsPump(pumped, first) : new PacketPump(pumped, first)
    if (client.destroyed || client.writableEnded) return
    const playedAt = performance.now()
    let lookedAt = playedAt, ownDelayMs = 0
    this.#watch = setInterval(() => {
      // A look that comes late was our own delay: what the camera sent meanwhile waits to be heard.
      const now = performance.now(), lateMs = now - lookedAt - WATCH_MS
      ownDelayMs = Math.max(0, ownDelayMs - WATCH_MS + (lateMs > WATCH_MS ? lateMs + WATCH_MS : 0))
      lookedAt = now
      this.#messages = Math.max(0, this.#messages - USUAL_MESSAGES)
      const silentMs = this.#udp === null ? pump.silentMs : performance.now() - this.#udp.lastPacketAt
      if (silentMs > 0) this.#judgeSilence(silentMs - ownDelayMs, now - ownDelayMs - playedAt) // 0: held back
    }, WATCH_MS)
  }

  /** `silentMs`: without a byte. `playedMs`: since the session plays. */
  #judgeSilence(silentMs: number, playedMs: number): void {
    const { client, onFault, pace } = this.#options
    const pictureMs = Math.min(playedMs, pace.sinceLastMs(performance.now()) ?? Infinity)
    const isSilent = silentMs >= pace.mostSilentMs
    if (!isSilent && pictureMs < pace.mostWithoutPictureMs) return
    const seconds = Math.round((isSilent ? silentMs : pictureMs) / 1000)
    pace.gaveUp()
    onFault(new RelayFault('stalled', `${isSilent ? 'nothing' : 'no picture'} came for ${seconds} s`))
    client.destroy()
  }

  #sendControl(request: RtspMessage): void {
    this.#control = request
    this.#link?.send(bytesOf(this.#options.auth.authorized(this.#translated(request))))
  }

  /** Null: it is beyond every bound, and so is the camera. */
  #readMessage(bytes: Buffer): RtspMessage | null {
    if (++this.#messages > MOST_MESSAGES) { this.#endFlood(); return null }
    try { return { ...readHead(bytes), body: Buffer.alloc(0) } } catch (error) {
      if (!(error instanceof RtspFormatError)) throw error
      this.#options.onFault(new RelayFault('bad-stream', error.message))
      this.#options.client.destroy()
      return null
    }
  }

  #endFlood(): void {
    this.#options.onFault(new RelayFault('bad-stream', 'the camera sends messages without end'))
    this.#options.client.destroy()
  }

  /** A request of the camera, or its answer to a keep-alive. */
  #takeMessage(bytes: Buffer): void {
    const message = this.#readMessage(bytes)
    if (message === null) return
    const status = statusOf(message), answer = status === 0 ? answerToCamera(message) : null
    if (answer !== null) this.#link?.send(answer)
    else if (status >= 200 && this.#isOurs(message)) this.#takeAnswer(message)
  }

  /** Whether it answers the request that was sent last. */
  #isOurs(answer: RtspMessage): boolean {
    const cseq = headerOf(answer, 'cseq') ?? ''
    return !/^\d+$/.test(cseq) || Number(cseq) === this.#cseq || this.#link?.countsWrong === true
  }

  /** A nonce that is too old is replaced, and the request sent once more. */
  #takeAnswer(answer: RtspMessage): void {
    const request = this.#control
    this.#control = null
    if (request === null || !RtspAuth.isChallenge(answer)) { this.#options.auth.passed(); return }
    try { this.#options.auth.take(answer) } catch (error) {
      if (!(error instanceof RelayFault)) throw error
      return // the camera ends the session if it means it
    }
    this.#sendControl(request)
    this.#control = null
  }
}

/** Resolves when all that was written has left, or will not any more. */
function flushed(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.once('close', resolve)
  socket.write('', () => { resolve() })
  return promise.finally(() => { socket.off('close', resolve) })
}
