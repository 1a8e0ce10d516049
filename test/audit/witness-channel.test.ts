import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { CheckpointBook, parseCheckpoints, signedTextOf } from '../../src/audit/index.ts'
import { channelsOf, loggerArguments, type WitnessSettings } from '../../src/audit/witness-channel.ts'
import type { TestOwner } from '../support/virtual-clock.ts'
import { fill, openLog } from './support/log.ts'

const NOTHING: WitnessSettings = { syslog: null, command: null, print: false }
const go = new AbortController().signal

const checkpointOf = (owner: TestOwner) => {
  const rig = openLog(owner)
  const book = new CheckpointBook(rig)
  book.openKey(rig.folder)
  fill(rig, 5)
  return signedTextOf(book.make('day', '2026-11-22'))!
}

t.test('a syslog server gets the checkpoint as an RFC 5424 line, and it can be verified from there', async t => {
  const checkpoint = checkpointOf(t)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const received = once(server, 'connection').then(async ([socket]) => Buffer.concat(await (socket as NodeJS.ReadableStream & { toArray(): Promise<Buffer[]> }).toArray()).toString())
  const [channel] = channelsOf({ ...NOTHING, syslog: { tag: 'custos-audit', server: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } } })
  t.same(await channel!.deliver(checkpoint, go), { ok: true })
  const text = await received
  t.match(text, /^\d+ <37>1 .* custos-audit /, 'octet count, auth.notice, version 1')
  t.same(parseCheckpoints(text), [checkpoint])
})

t.test('a syslog that is not there is a failure', async t => {
  const checkpoint = checkpointOf(t)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  const [remote] = channelsOf({ ...NOTHING, syslog: { tag: 'custos-audit', server: { host: '127.0.0.1', port } } })
  t.match(await remote!.deliver(checkpoint, go), { ok: false, why: /exit 1: logger: failed to connect/ })
  const [missing] = channelsOf({ ...NOTHING, syslog: { tag: 'custos-audit', server: null } }, '/nonexistent/logger')
  t.match(await missing!.deliver(checkpoint, go), { ok: false, why: /ENOENT/ })
})

t.test('what is told to logger never becomes an option of it, and a missing local syslog is an error', async t => {
  t.same(loggerArguments({ tag: 'x', server: null }, '-v'), ['--priority', 'auth.notice', '--tag', 'x', '--socket-errors=on', '--', '-v'])
  t.equal(loggerArguments({ tag: 'x', server: { host: 'h', port: 1 } }, 'y').at(-2), '--')
  t.same(channelsOf(null), [])
  t.same(channelsOf(NOTHING), [])
})
