import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import t from 'tap'

import { FaultProxy } from '../support/cameras/fault-proxy.ts'

void t.test('the fault proxy', async t => {
  const mediaBytes = 50_000
  const media = Buffer.alloc(mediaBytes, 'm')
  await using camera = await cannedCamera(media)

  const connected = async (proxy: FaultProxy): Promise<Client> => {
    const client = new Client(connect(proxy.port, '127.0.0.1'))
    t.teardown(() => client.socket.destroy())
    await once(client.socket, 'connect')
    return client
  }

  await t.test('passes bytes and counts them', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    const client = await connected(proxy)
    await client.play()
    t.ok((await client.read(mediaBytes)).equals(media))
    t.equal(proxy.connections.length, 1)
    t.equal(proxy.requestTimes.length, 1)
    t.equal(proxy.connections[0]?.bytesToServer, client.sentBytes)
  })

  await t.test('replaces what follows the PLAY answer by garbage of the same length', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    await proxy.set({ kind: 'garbage' })
    const client = await connected(proxy)
    await client.play()
    const seen = await client.read(mediaBytes)
    t.ok(seen.filter(byte => byte !== media[0]).length > mediaBytes * 0.9)
  })

  await t.test('hangs after the DESCRIBE answer and goes on when told', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    await proxy.set({ kind: 'hang-after-describe' })
    const client = await connected(proxy)
    await client.ask('DESCRIBE')
    const answered = client.ask('SETUP')
    const reached = proxy.connections[0]?.bytesToServer
    await proxy.set({ kind: 'hang-after-describe' })
    t.equal(proxy.connections[0]?.bytesToServer, reached)
    await proxy.set({ kind: 'pass' })
    t.match(await answered, /200 OK/)
  })

  await t.test('cuts at the byte', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    const client = await connected(proxy)
    const ended = closed(client.socket)
    await client.ask('DESCRIBE')
    await proxy.set({ kind: 'cut-after', bytes: 333 })
    const before = client.receivedBytes
    client.send('PLAY')
    await ended
    t.equal(client.receivedBytes - before, 333)
  })

  await t.test('throttles to the given rate', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    const client = await connected(proxy)
    await client.play()
    await client.read(mediaBytes)
    await proxy.set({ kind: 'throttle', bytesPerSecond: 100_000 })
    client.send('PLAY')
    const startedAt = performance.now()
    await client.read(mediaBytes)
    const elapsedMs = performance.now() - startedAt
    t.ok(elapsedMs > 400 && elapsedMs < 1500, `50 kB took ${Math.round(elapsedMs)} ms`)
  })

  await t.test('resets open and new connections', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    const client = await connected(proxy)
    await client.ask('DESCRIBE')
    const failed = closed(client.socket)
    await proxy.set({ kind: 'reset' })
    await failed
    t.equal(client.failure, 'ECONNRESET')
    const next = new Client(connect(proxy.port, '127.0.0.1'))
    await closed(next.socket)
    t.equal(next.failure, 'ECONNRESET')
  })

  await t.test('refuses, then listens again on the same port', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    await proxy.set({ kind: 'refuse' })
    const refused = new Client(connect(proxy.port, '127.0.0.1'))
    await closed(refused.socket)
    t.equal(refused.failure, 'ECONNREFUSED')
    await proxy.set({ kind: 'pass' })
    const client = await connected(proxy)
    t.match(await client.ask('DESCRIBE'), /200 OK/)
  })
})

/** Waits until a client is being sent frames. */

/** Unlike once(), not put off by an error before. */
function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.once('close', () => resolve()))
}

/** Answers every request, and PLAY with the media right behind the answer. */
async function cannedCamera(media: Buffer): Promise<{ port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('data', request => {
      const [, method, cseq] = /^(\w+) [^]*CSeq: (\d+)/.exec(request.toString()) ?? []
      const body = method === 'DESCRIBE' ? 'v=0\r\n' : ''
      socket.write(`RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      if (method === 'PLAY') socket.write(media)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

class Client {
  readonly socket: Socket
  sentBytes = 0
  receivedBytes = 0
  failure: string | undefined
  #held = Buffer.alloc(0)
  #lastCseq = 0

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', (error: NodeJS.ErrnoException) => { this.failure = error.code })
    socket.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length
      this.#held = Buffer.concat([this.#held, chunk])
    })
  }

  send(method: string): void {
    const request = `${method} rtsp://127.0.0.1/x RTSP/1.0\r\nCSeq: ${this.#lastCseq += 1}\r\n\r\n`
    this.sentBytes += request.length
    this.socket.write(request)
  }

  async ask(method: string): Promise<string> {
    this.send(method)
    while (!this.#held.includes('\r\n\r\n')) await once(this.socket, 'data')
    const header = (await this.read(this.#held.indexOf('\r\n\r\n') + 4)).toString()
    return header + (await this.read(Number(/Content-Length: (\d+)/.exec(header)?.[1] ?? 0))).toString()
  }

  async play(): Promise<void> {
    await this.ask('DESCRIBE')
    await this.ask('PLAY')
  }

  async read(sizeBytes: number): Promise<Buffer> {
    while (this.#held.length < sizeBytes) await once(this.socket, 'data')
    const bytes = this.#held.subarray(0, sizeBytes)
    this.#held = this.#held.subarray(sizeBytes)
    return bytes
  }
}
