import type { Sessions } from '../access/index.ts'
import type { Screens } from './screens.ts'
import type { SocketLike } from './viewer-line.ts'

export interface Caller {
  /** Of the login, from its cookie. */
  readonly token: string
  /** Of the screen, from the address. */
  readonly screenId: string
  readonly socket: SocketLike
}

/**
 * Connects a player to the screen that this very login opened; anybody else learns nothing of it. The caller has checked Origin and cookie, and bounds
 * what a client may send (`maxPayload` of 1 KiB is plenty). False: the socket was closed with 4404 or 4401.
 */
export function serveViewing({ screens, sessions }: { readonly screens: Screens, readonly sessions: Pick<Sessions, 'look'> }, { token, screenId, socket }: Caller): boolean {
  let hash: Buffer
  try { hash = sessions.look(token).hash } catch {
    socket.close(4401, 'signed out')
    return false
  }
  const screen = screens.get(screenId)
  if (screen === null || !screen.isOfSession(hash)) {
    socket.close(4404, 'no such screen')
    return false
  }
  screen.attach(socket)
  return true
}
