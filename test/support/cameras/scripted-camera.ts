import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls'
import { RtspReader, requestLineOf, type RtspMessage } from '../../../src/ingest/rtsp/rtsp-message.ts'

/** What a scripted camera answers: bytes as they stand, or null to close. */
export type CameraScript = (request: RtspMessage, socket: Socket) => string | Buffer | null

/** An RTSP camera whose answers a test writes byte by byte. Every request is noted. */
export class ScriptedCamera implements AsyncDisposable {
  readonly requests: RtspMessage[] = []
  readonly sockets = new Set<Socket>()
  readonly #server: Server
  readonly #host: string

  private constructor(server: Server, script: CameraScript, host: string) {
    this.#server = server
    this.#host = host
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => { this.#serve(socket, script) })
  }

  /** `isTls`: with a certificate that nobody vouches for, as cameras have. */
  static async start(script: CameraScript, host = '127.0.0.1', isTls = false): Promise<ScriptedCamera> {
    const server = isTls ? createTlsServer(ownCertificate()) : createServer()
    server.listen(0, host)
    await once(server, 'listening')
    return new ScriptedCamera(server, script, host)
  }

  get port(): number { return (this.#server.address() as AddressInfo).port }
  url(path = '/live'): string { return `${this.#server instanceof TlsServer ? 'rtsps' : 'rtsp'}://${this.#host}:${this.port}${path}` }
  methods(): string[] { return this.requests.map(request => requestLineOf(request).method) }

  #serve(socket: Socket, script: CameraScript): void {
    this.sockets.add(socket)
    const reader = new RtspReader()
    socket.on('error', () => undefined).on('close', () => { this.sockets.delete(socket) }).on('data',
      (chunk: Buffer) => {
      reader.push(chunk)
      for (let item; (item = reader.next()) !== null;) {
        if (item.kind === 'packet') continue
        this.requests.push(item.message)
        const answer = script(item.message, socket)
        if (answer === null) socket.destroy()
        else socket.write(answer)
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.sockets) socket.destroy()
    await closed
  }
}

function ownCertificate(): { readonly key: Buffer, readonly cert: Buffer } {
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-camera-'))
  const key = path.join(folder, 'key.pem'), cert = path.join(folder, 'cert.pem')
  try {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
      '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=camera'], { stdio: 'ignore' })
    return { key: readFileSync(key), cert: readFileSync(cert) }
  } finally { rmSync(folder, { recursive: true }) }
}

/** `RTSP/1.0 STATUS` with the request's number and more lines. */
export function rtspAnswer(request: RtspMessage, status: string,
  { headers = [], body = '' }: { headers?: readonly string[], body?: string } = {}): string {
  const cseq = request.headers.find(([name]) => name.toLowerCase() === 'cseq')?.[1] ?? '0'
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  return [`RTSP/1.0 ${status}`, `CSeq: ${cseq}`, ...headers, ...length, '', body].join('\r\n')
}

/** An interleaved packet. */
export function packet(channel: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload)
  const head = Buffer.from([0x24, channel, 0, 0])
  head.writeUInt16BE(bytes.length, 2)
  return Buffer.concat([head, bytes])
}
