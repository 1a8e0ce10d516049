import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { WebSocketServer } from 'ws'
import type { SocketLike } from '../../src/viewing/index.ts'

const WEB = path.join(import.meta.dirname, '../../web/viewer')
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8' }

/** Serves the kiosk page and its socket on loopback, and nothing else. `connect` gets each player with the screen it asks for. */
export async function viewingServer(connect: (socket: SocketLike, screenId: string) => void) {
  const server = createServer((request, response) => {
    const name = path.basename(new URL(request.url ?? '/', 'http://x').pathname) || 'index.html'
    void readFile(path.join(WEB, name)).then(
      body => {
        response.writeHead(200, { 'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream', 'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; img-src blob:", 'cache-control': 'no-store' })
        response.end(body)
      },
      () => { response.writeHead(404).end() },
    )
  })
  const sockets = new WebSocketServer({ server, maxPayload: 1024 })
  sockets.on('connection', (socket, request) => {
    socket.on('error', () => undefined)
    connect(socket as unknown as SocketLike, path.basename(request.url ?? ''))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`, socketUrl: (screenId: string) => `ws://127.0.0.1:${port}/screens/${screenId}`,
    async [Symbol.asyncDispose]() {
      for (const client of sockets.clients) client.terminate()
      sockets.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close').catch(() => undefined)
    },
  }
}
