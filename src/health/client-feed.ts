import type { WebSocket } from 'ws'
import type { Assessment } from './health-state.ts'
import type { HealthMessage } from './schema.ts'
import { changeOf, heartbeatOf, materialMark, snapshotOf } from './snapshot.ts'

/** Some ten snapshots of a big site: whoever is further behind is not reading. */
export const MAX_BUFFERED_BYTES = 256 * 1024
/** The feed has nothing to be asked; a few stray messages are forgiven. */
export const MAX_CLIENT_MESSAGES = 3
/** Between two heartbeats; a client library pings every few seconds at most. */
export const MAX_CLIENT_PINGS = 5
/** In heartbeats: a full `change` even when nothing did, so that slots, forecast and texts are never older than a minute. */
export const REFRESH_TICKS = 60

const CLOSE_GOING_AWAY = 1001
const CLOSE_POLICY = 1008

/** One client of the feed: its own `seq`, what it was told last, and the bounds it must keep. */
export class ClientFeed {
  readonly #socket: WebSocket
  readonly #onDropped: (why: 'slow' | 'talkative') => void
  #seq = 0
  #mark = ''
  #ticksSinceFull = 0
  #messages = 0
  #pings = 0

  /** Owns `socket` from here on; sends the first message at once. */
  constructor(options: { socket: WebSocket, first: Assessment, onDropped: (why: 'slow' | 'talkative') => void }) {
    this.#socket = options.socket
    this.#onDropped = options.onDropped
    this.#socket.on('error', () => this.#socket.terminate()) // a broken or malformed frame concerns only its sender
    this.#socket.on('message', () => { if (++this.#messages > MAX_CLIENT_MESSAGES) this.#refuse() })
    this.#socket.on('ping', () => { if (++this.#pings > MAX_CLIENT_PINGS) this.#refuse() })
    this.#mark = materialMark(options.first)
    this.#send(seq => snapshotOf(options.first, seq))
  }

  /** A change if there is one, and always a heartbeat. */
  tick(assessment: Assessment): void {
    this.#pings = 0
    const mark = materialMark(assessment)
    if (mark !== this.#mark || ++this.#ticksSinceFull >= REFRESH_TICKS) {
      this.#mark = mark
      this.#ticksSinceFull = 0
      this.#send(seq => changeOf(assessment, seq))
    }
    this.#send(seq => heartbeatOf(assessment, seq))
  }

  /** Says good-bye and does not wait for an answer: the peer may be hung. */
  close(): void {
    this.#socket.close(CLOSE_GOING_AWAY, 'recorder stops')
    this.#socket.terminate()
  }

  #send(message: (seq: number) => HealthMessage): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#onDropped('slow')
      return this.#socket.terminate()
    }
    this.#socket.send(JSON.stringify(message(++this.#seq)))
  }

  #refuse(): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    this.#onDropped('talkative')
    this.#socket.close(CLOSE_POLICY, 'this feed takes no messages')
    this.#socket.terminate()
  }
}
