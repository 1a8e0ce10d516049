import { createSocket, type Socket as UdpSocket, type SocketType } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { PictureWatch } from './picture-watch.ts'
import { isRtpHead, sequenceAt, sourceAt } from './rtp-head.ts'
import { leadOf } from './rtp-lead.ts'
import { SequenceWatch } from './sequence-watch.ts'
import {
  DOLLAR, headerOf, PACKET_HEAD_BYTES, RTP_HEAD_BYTES, withHeaders, type RtspMessage,
} from './rtsp-message.ts'

const PORT_TRIES = 16
/** A key frame of a large picture arrives at once. */
const RECEIVE_BYTES = 1 << 20
const INTERLEAVED = /interleaved=(\d{1,3})-(\d{1,3})/i
const SERVER_PORTS = /server_port=(\d{1,5})-(\d{1,5})/i

interface Track { readonly sockets: readonly [UdpSocket, UdpSocket], readonly channels: readonly [number,
  number] }

export interface UdpMediaOptions {
  /** The camera's address, as the connection to it has it: nobody else's packets are taken. */
  readonly cameraAddress: string
  /** A packet with the head that an interleaved one has. False: there is no room for it. */
  readonly onPacket: (bytes: Buffer) => boolean
  /** Packets of the first track are missing before the one that came just now. */
  readonly onLoss: () => void
  /** Packets of pictures have come; `isNew`: one begins with them. */
  readonly onPicture: (isNew: boolean) => void
}

/**
 * The media of a camera that sends over UDP alone, turned into packets as they come over TCP. Order is the
 * network's.
 */
export class UdpMedia {
  readonly #options: UdpMediaOptions
  readonly #tracks: Track[] = []
  readonly #sequence = new SequenceWatch()
  readonly #pictures = new PictureWatch()
  lastPacketAt = performance.now()

  constructor(options: UdpMediaOptions) { this.#options = options }

  /**
   * A SETUP for interleaved packets as one for UDP; null where it is something else, or no ports can be had.
   */
  async setup(request: RtspMessage): Promise<RtspMessage | null> {
    const [, rtp, rtcp] = INTERLEAVED.exec(headerOf(request, 'transport') ?? '') ?? []
    const type = isIPv6(this.#options.cameraAddress) ? 'udp6' : 'udp4'
    const sockets = rtp === undefined ? null : await openPair(type)
    if (sockets === null) return null
    const channels = [Number(rtp), Number(rtcp)] as const
    this.#tracks.push({ sockets, channels })
    sockets.forEach((socket, i) => {
      socket.on('message', (bytes, { address }) => {
        if (address === this.#options.cameraAddress) this.#pass(channels[i]!, bytes) })
      socket.on('error', () => undefined) // the silence tells
    })
    const [first, second] = sockets.map(socket => socket.address().port)
    return withHeaders(request, { Transport: `RTP/AVP;unicast;client_port=${first}-${second}` })
  }

  /** The answer to the SETUP of the newest track, as one for interleaved packets. */
  accept(answer: RtspMessage): RtspMessage {
    const { sockets, channels } = this.#tracks.at(-1)!
    const ports = SERVER_PORTS.exec(headerOf(answer, 'transport') ?? '')?.slice(1).map(Number)
    // A firewall lets in what answers something that went out.
    for (const [i, socket] of sockets.entries()) {
      if (!isPort(ports?.[i])) continue
      // The callback is called with an error too; then the camera stays unheard, and the silence tells.
      const opened = (error?: Error): void => { if (error === undefined) socket.send(Buffer.alloc(4)) }
      socket.connect(ports![i]!, this.#options.cameraAddress, opened)
    }
    return withHeaders(answer, { Transport: `RTP/AVP/TCP;unicast;interleaved=${channels[0]}-${channels[1]}` })
  }

  /** What ffmpeg reports of the reception. */
  send(packet: Buffer): void {
    for (const { sockets, channels } of this.#tracks) {
      const i = channels.indexOf(packet[1] ?? -1)
      if (i >= 0 && isConnected(sockets[i]!)) sockets[i]!.send(packet.subarray(PACKET_HEAD_BYTES))
    }
  }

  close(): void { for (const { sockets } of this.#tracks) for (const socket of sockets) socket.close() }

  #pass(channel: number, bytes: Buffer): void {
    this.lastPacketAt = performance.now()
    const isVideo = channel === this.#tracks[0]?.channels[0] && isRtpHead(bytes, 0)
    if (isVideo) {
      this.#pictures.note(bytes, 0)
      this.#options.onPicture(this.#pictures.take() === 'new')
    }
    const step = isVideo ? this.#sequence.step(sourceAt(bytes, 0), sequenceAt(bytes, 0)) : 'next'
    const head = Buffer.from([DOLLAR, channel, 0, 0])
    head.writeUInt16BE(bytes.length, 2)
    if (step === 'elsewhere') {
      this.#options.onPacket(leadOf(Buffer.concat([head, bytes.subarray(0, RTP_HEAD_BYTES)])))
    }
    const hasRoom = this.#options.onPacket(Buffer.concat([head, bytes]))
    if (step === 'lost' || isVideo && !hasRoom) this.#options.onLoss()
  }
}

const isPort = (port: number | undefined): boolean => port !== undefined && port > 0 && port <= 65_535

function isConnected(socket: UdpSocket): boolean {
  try { return socket.remoteAddress().port > 0 } catch { return false } // that is how the module says no
}

/** Two ports in a row, the first even (RFC 3550); null when none can be had. */
async function openPair(type: SocketType): Promise<readonly [UdpSocket, UdpSocket] | null> {
  for (let i = 0; i < PORT_TRIES; i++) {
    const first = await bound(type, 0)
    const { port } = first?.address() ?? { port: 1 }
    const second = port % 2 === 0 ? await bound(type, port + 1) : null
    if (first !== null && second !== null) return [first, second]
    first?.close()
    second?.close()
  }
  return null
}

async function bound(type: SocketType, port: number): Promise<UdpSocket | null> {
  const socket = createSocket({ type, recvBufferSize: RECEIVE_BYTES })
  try {
    socket.bind(port)
    await once(socket, 'listening')
    return socket
  } catch { // taken: another pair is tried
    socket.close()
    return null
  }
}
