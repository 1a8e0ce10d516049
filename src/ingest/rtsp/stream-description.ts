import { once } from 'node:events'
import { connect } from 'node:net'
import type { Credential } from '../../domain/index.ts'
import type { CameraRelay } from './camera-relay.ts'
import { RelayFault } from './relay-fault.ts'
import { RtspReader, statusOf } from './rtsp-message.ts'

/** What a camera says of a stream before it sends it. */
export interface StreamDescription {
  /** `H264`, `H265`, `JPEG` …, as it names it. */
  readonly video: string | null
  /** `PCMU`, `MPEG4-GENERIC` …; null without sound. */
  readonly sound: string | null
}

const STATIC_TYPES: Readonly<Record<string, string>> =
  { 0: 'PCMU', 3: 'GSM', 8: 'PCMA', 9: 'G722', 26: 'JPEG' }

/** Of a description: real ones stay under 200. */
const MAX_LINES = 2_000

/** With challenges, redirects and the slowest cameras. */
const DESCRIBED_WITHIN_MS = 20_000

/** Asks for the description of a stream. Throws RelayFault, also where the camera gives none, or the signal's reason. */
export async function describeStream(url: string, credential: Credential | null,
  relay: CameraRelay, signal: AbortSignal): Promise<StreamDescription> {
  using ticket = relay.ticket(url, credential)
  const socket = connect(Number(new URL(ticket.url).port), '127.0.0.1')
  const reader = new RtspReader(), timeout = AbortSignal.timeout(DESCRIBED_WITHIN_MS)
  const giveUp = (): void => { socket.destroy(signal.aborted ? signal.reason as Error : new Error('late')) }
  for (const each of [signal, timeout]) each.addEventListener('abort', giveUp, { once: true })
  try {
    await once(socket, 'connect')
    socket.write(`DESCRIBE ${ticket.url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n`)
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      reader.push(chunk)
      for (let item; (item = reader.next()) !== null;) {
        if (item.kind !== 'message') continue
        const fault = ticket.fault()
        if (fault !== null) throw fault
        const status = statusOf(item.message)
        if (status === 200) return readSdp(item.message.body.toString('utf8'))
        throw new RelayFault(isForNow(status) ? 'closed-by-camera' : 'no-such-stream',
          `the camera answers DESCRIBE with ${status}`)
      }
    }
    throw ticket.fault() ?? new RelayFault('closed-by-camera', 'the camera gave no answer to DESCRIBE')
  } catch (error) {
    if (timeout.aborted) throw new RelayFault('stalled', `no description in ${DESCRIBED_WITHIN_MS / 1000} s`)
    throw error
  } finally { socket.destroy() }
}

/** Busy, or starting up. */
const isForNow = (status: number): boolean => status === 453 || status >= 500

/** The first video and the first audio of a description (RFC 8866). */
export function readSdp(text: string): StreamDescription {
  const found: Record<string, string | null> = { video: null, audio: null }
  let media = '', type = ''
  for (const line of text.split(/\r?\n/, MAX_LINES)) {
    const [, kind = '', payload = ''] = /^m=(\w+) \S+ \S+ (\d+)/.exec(line) ?? []
    if (kind !== '') { media = kind; type = payload }
    const [, mapped, name = ''] = /^a=rtpmap:(\d+)\s+([\w.-]{1,32})/.exec(line) ?? []
    if (media in found) found[media] ??= mapped === type && name !== '' ? name.toUpperCase()
      : kind === '' ? null : STATIC_TYPES[type] ?? null
  }
  return { video: found['video'] ?? null, sound: found['audio'] ?? null }
}
