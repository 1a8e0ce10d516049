import { openSync, closeSync } from 'node:fs'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import pino from 'pino'
import { LINK_VERSION, LinkServer, type Handlers } from '../../src/link/index.ts'
import { systemClock } from '../../src/platform/clock.ts'

export const log = pino({ level: 'silent' })

export function serve(folder: string, handlers: Handlers = {}): LinkServer {
  return LinkServer.open({
    folder, version: '9.9.9', handlers, takesRoles: ['command', 'office'], clock: systemClock, log,
  })
}

/** A JSON frame of the link. */
export function frameOf(message: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(message)), head = Buffer.alloc(5)
  head.writeUInt32BE(payload.length)
  return Buffer.concat([head, payload])
}

/** A peer that is not ours: it writes what it likes. */
export class Stranger implements AsyncDisposable {
  readonly socket: Socket
  readonly heard: Buffer[] = []
  isClosed = false
  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => { this.heard.push(Buffer.from(chunk)) })
    socket.on('error', () => undefined)
    socket.on('close', () => { this.isClosed = true })
  }

  static async connect(folder: string): Promise<Stranger> {
    const descriptor = openSync(folder, 'r')
    try {
      const socket = connect(`/proc/self/fd/${descriptor}/link.sock`)
      await once(socket, 'connect')
      return new Stranger(socket)
    } finally { closeSync(descriptor) }
  }

  send(message: unknown): void { this.socket.write(frameOf(message)) }
  greet(): void { this.send({ hello: { protocol: LINK_VERSION, role: 'command', version: '1.0.0' } }) }

  /** What came so far, frame by frame. */
  messages(): Record<string, unknown>[] {
    const all = Buffer.concat(this.heard), found: Record<string, unknown>[] = []
    for (let at = 0; at + 5 <= all.length;) {
      const size = all.readUInt32BE(at)
      if (at + 5 + size > all.length) break
      found.push(JSON.parse(all.subarray(at + 5, at + 5 + size).toString()) as Record<string, unknown>)
      at += 5 + size
    }
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.destroyed) return
    this.socket.destroy()
    await once(this.socket, 'close')
  }
}

/** A recorder that is not ours, for each connection. */
export async function serveStrange(folder: string, onSocket: (socket: Socket) => void): Promise<AsyncDisposable> {
  const descriptor = openSync(folder, 'r'), server = createServer(socket => {
    socket.on('error', () => undefined).resume()
    onSocket(socket)
  })
  server.listen(`/proc/self/fd/${descriptor}/link.sock`)
  await once(server, 'listening')
  return { [Symbol.asyncDispose]: async () => {
    await new Promise(resolve => { server.close(resolve) })
    closeSync(descriptor)
  } }
}
