import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { LinkPeer, type LinkRole } from './peer.ts'
import { withSocketPath } from './socket-path.ts'

export interface ConnectOptions {
  readonly folder: string
  readonly role: Exclude<LinkRole, 'recorder'>
  readonly version: string
  /** Gives up when it is aborted; what is connected then stays. */
  readonly signal?: AbortSignal
  /** Each media frame, as it comes; what it throws ends the connection. */
  readonly onMedia?: (payload: Buffer) => void
  readonly clock: Clock
  readonly log: Logger
}

/**
 * A connection to the recorder that has the folder, greeted; the caller disposes of it. Null when none
 * listens there. Rejects with LinkClosedError, LinkVersionError, or the error of the file system, such as
 * EACCES.
 */
export async function connectLink(
  { folder, role, version, signal, onMedia, clock, log }: ConnectOptions,
): Promise<LinkPeer | null> {
  const socket = await reach(folder)
  if (socket === null) return null
  const peer = new LinkPeer({
    socket, own: { role, version }, takesRoles: ['recorder'],
    takesFrames: onMedia === undefined ? ['json'] : ['json', 'media'],
    handlers: () => ({}), onMedia, clock, log,
  })
  const giveUp = (): void => { void peer[Symbol.asyncDispose]() }
  signal?.addEventListener('abort', giveUp, { once: true })
  if (signal?.aborted === true) giveUp()
  try { await peer.greeted } finally { signal?.removeEventListener('abort', giveUp) }
  return peer
}

async function reach(folder: string): Promise<Socket | null> {
  try {
    return await withSocketPath(folder, async file => {
      const socket = connect(file)
      await once(socket, 'connect')
      return socket
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return null // nobody, or a dead one's socket
    throw error
  }
}
