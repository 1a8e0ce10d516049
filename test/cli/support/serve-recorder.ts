import { closeSync, mkdirSync, openSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import pino from 'pino'
import type { Test } from 'tap'
import { linkRequests } from '../../../src/daemon/link-requests.ts'
import { LinkServer, type Handlers } from '../../../src/link/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { serveStrange } from '../../link/support.ts'
import { until } from '../../support/until.ts'
import type { Office } from './office.ts'

/** A recorder of the office that is asked over its socket; `more` answers in its place. */
export async function serveRecorder(
  t: Test, office: Office, more: (own: Handlers) => Handlers = own => own, folder = office.stateDir,
): Promise<LinkServer> {
  const parts = await office.recorder()
  const server = LinkServer.open({
    folder, version: '1.0.0', handlers: more(linkRequests({ ...parts, clock: systemClock })),
    takesRoles: ['command'], clock: systemClock, log: pino({ level: 'silent' }),
  })
  t.teardown(async () => { await server[Symbol.asyncDispose](); await parts[Symbol.asyncDispose]() })
  await until('it listens', () => server.isListening)
  return server
}

/** The same behind a line that breaks off instead of handing on the first two answers with `text`. */
export async function serveBadLine(t: Test, office: Office, text: string): Promise<{ losses: number }> {
  const behind = path.join(office.folder, 'behind'), told = { losses: 0 }
  mkdirSync(behind)
  await serveRecorder(t, office, own => own, behind)
  const descriptor = openSync(behind, 'r') // a path that is short enough for the kernel
  const line = await serveStrange(office.stateDir, socket => {
    const recorder = connect(`/proc/self/fd/${descriptor}/link.sock`).on('error', () => undefined)
    socket.on('data', chunk => { recorder.write(chunk) }).on('close', () => { recorder.destroy() })
    recorder.on('data', chunk => {
      const isLost = told.losses < 2 && chunk.includes(text)
      if (isLost) { told.losses++; socket.destroy() } else socket.write(chunk)
    })
  })
  t.teardown(async () => { await line[Symbol.asyncDispose](); closeSync(descriptor) })
  return told
}
