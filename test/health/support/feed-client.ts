import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { HealthMessage } from '../../../src/health/index.ts'

/** A board: reads the feed one message at a time. */
export class FeedClient {
  readonly socket: WebSocket
  readonly closed: Promise<number>
  #received: HealthMessage[] = []
  #wanted: ((message: HealthMessage) => void)[] = []

  private constructor(socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise(resolve => socket.on('close', resolve))
    socket.on('error', () => {}) // a refusal shows as a close
    socket.on('message', data => {
      const message = JSON.parse(String(data)) as HealthMessage
      const wanted = this.#wanted.shift()
      if (wanted) wanted(message)
      else this.#received.push(message)
    })
  }

  static async open(port: number, options: { headers?: Record<string, string>, path?: string } = {}): Promise<FeedClient> {
    const client = new FeedClient(new WebSocket(`ws://127.0.0.1:${port}${options.path ?? '/health'}`, { headers: options.headers ?? {} }))
    await once(client.socket, 'open')
    return client
  }

  /** The HTTP status with which the socket was refused, or 101. */
  static async refusal(port: number, options: { headers?: Record<string, string>, path?: string } = {}): Promise<number> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${options.path ?? '/health'}`, { headers: options.headers ?? {} })
    const { promise, resolve } = Promise.withResolvers<number>()
    socket.on('error', () => {})
    socket.on('unexpected-response', (request, response) => { resolve(response.statusCode ?? 0); request.destroy() })
    socket.on('open', () => { resolve(101); socket.terminate() })
    return promise
  }

  next(): Promise<HealthMessage> {
    const message = this.#received.shift()
    return message ? Promise.resolve(message) : new Promise(resolve => { this.#wanted.push(resolve) })
  }

  get unread(): number { return this.#received.length }
}
