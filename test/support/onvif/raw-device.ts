import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { answerBody, envelope, questionOf } from './soap-answers.ts'
import type { SimulatedDevice } from './simulated-device.ts'

/** One request as it came. */
export interface RawRequest { readonly operation: string, readonly path: string, readonly head: string, readonly body: string }

/** Bytes of an answer; a list is sent piece by piece; null closes. */
type RawBytes = string | Buffer | readonly Buffer[] | null

/**
 * An ONVIF device whose bytes a test writes: `answer` turns a request into them. Every request is noted.
 */
export class RawDevice implements AsyncDisposable {
  readonly requests: RawRequest[] = []
  readonly #server: Server
  readonly #device: SimulatedDevice

  private constructor(server: Server, device: SimulatedDevice,
    answer: (request: RawRequest, device: RawDevice) => RawBytes) {
    this.#server = server
    this.#device = device
    server.on('connection', socket => {
      let got = ''
      socket.on('error', () => undefined).on('data', (chunk: Buffer) => {
        got += chunk.toString('utf8')
        const request = requestOf(got)
        if (request === null) return
        got = ''
        this.requests.push(request)
        const bytes = answer(request, this)
        if (bytes === null) socket.destroy()
        else if (typeof bytes === 'string' || Buffer.isBuffer(bytes)) socket.end(bytes)
        else void sendPieces(socket, bytes)
      })
    })
  }

  static async start(device: SimulatedDevice,
    answer: (request: RawRequest, device: RawDevice) => RawBytes): Promise<RawDevice> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new RawDevice(server, device, answer)
  }

  get port(): number { return (this.#server.address() as AddressInfo).port }

  /** The envelope that a sound device answers with. */
  envelopeFor({ body }: RawRequest): string {
    return envelope(answerBody(this.#device, questionOf(body), this.#device.origin
      ?? `http://127.0.0.1:${this.port}`, new Date()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    await closed
  }
}

async function sendPieces(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  socket.setNoDelay(true)
  for (const piece of pieces) {
    if (socket.destroyed) return
    socket.write(piece)
    await turn()
  }
  socket.end()
}

export const http = (status: string, headers: readonly string[], body: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from([`HTTP/1.1 ${status}`, ...headers, '', ''].join('\r\n')), Buffer.from(body)])

function requestOf(text: string): RawRequest | null {
  const end = text.indexOf('\r\n\r\n')
  const length = Number(/content-length: *(\d+)/i.exec(text)?.[1] ?? 0)
  const body = text.slice(end + 4)
  if (end < 0 || Buffer.byteLength(body) < length) return null
  const [, path = ''] = /^POST (\S+)/.exec(text) ?? []
  return { operation: questionOf(body).operation, path, head: text.slice(0, end), body }
}
