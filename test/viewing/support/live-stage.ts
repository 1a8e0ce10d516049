import { once } from 'node:events'
import type { Test } from 'tap'
import WebSocket from 'ws'
import { cameraId, cameraUuid } from '../../../src/domain/index.ts'
import { decodeFrame, LiveDesk, serveViewing, type LiveScreen, type ServerMessage, type WireFrame } from '../../../src/viewing/index.ts'
import { CameraServer } from '../../support/cameras/camera-server.ts'
import { CLIPS } from '../../support/cameras/make-clips.ts'
import { until } from '../../support/until.ts'
import { viewingServer } from '../../support/viewing-server.ts'
import { liveRecorder, MAIN } from './live-recorder.ts'
import { ScreeningRoom } from './screening-room.ts'

const LOBBY = cameraId('lobby')

export interface Client { readonly socket: WebSocket, readonly frames: { readonly frame: WireFrame, readonly arrivedMs: number }[], readonly messages: ServerMessage[] }

export async function client(url: string): Promise<Client> {
  const socket = new WebSocket(url)
  const got: Client = { socket, frames: [], messages: [] }
  socket.on('message', (data, isBinary) => {
    if (isBinary) got.frames.push({ frame: decodeFrame(data as Buffer), arrivedMs: Date.now() })
    else got.messages.push(JSON.parse(String(data)) as ServerMessage)
  })
  socket.on('error', () => undefined)
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'hello', plays: ['h264'] }))
  return got
}

/** A camera, the recording parts, a live desk and its sockets on loopback. */
export async function stage(t: Test) {
  const parts = new AsyncDisposableStack()
  const cameras = parts.use(await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }] }))
  const room = parts.use(await ScreeningRoom.open(t))
  const recorder = parts.use(await liveRecorder(t.testdir({}), [{ id: 'lobby', url: cameras.url('/lobby') }]))
  await until('recording', () => recorder.ingest.report()[0]?.state === 'recording')
  const { access } = room.front.office
  const live = new LiveDesk({
    ...room.core, screens: room.screens, time: { wallNow: () => room.front.office.clock.wallNow(), steadyNow: () => 0 },
    cameras: () => [{ id: LOBBY, uuid: cameraUuid('c'.repeat(32)), name: '大廳', streams: [MAIN] }], lane: (camera, stream) => recorder.storage.lane(camera, stream),
  })
  const tokens = new Map<string, string>()
  const server = parts.use(await viewingServer((socket, screenId) => { serveViewing({ screens: room.screens, sessions: access.sessions }, { token: tokens.get(screenId) ?? '', screenId, socket }) }))
  const screens: LiveScreen[] = []
  const open = async () => {
    const member = await (async () => {
      room.front.office.directorActing = await room.front.as('boss', 'director')
      return room.front.office.person(`viewer${screens.length}`, ['custodian'], { factor: false })
    })()
    const token = await room.front.office.session(member)
    access.sessions.actIn(token, 'custodian')
    const screen = live.open(token, [LOBBY])
    tokens.set(screen.id, token)
    screens.push(screen)
    return screen
  }
  return { room, recorder, server, screens, open, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}
