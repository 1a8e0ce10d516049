import t, { type Test } from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { findStream, inspectDevice, type OnvifError, type OnvifFailure } from '../../../src/ingest/onvif/index.ts'
import { MAX_ANSWER_BYTES } from '../../../src/ingest/onvif/http-post.ts'
import { FACT_FAULTS, OnvifSimulator, WIRE_FAULTS, type SimulatedFault } from '../../support/onvif/device-simulator.ts'
import { CREDENTIAL, failureOf, PROFILES, targetOf, MAIN } from '../../support/onvif/example-device.ts'

/** The deadline where none should be needed: an end after HANG_MS is one that only the deadline brought. */
const PATIENCE_MS = 8000
const HANG_MS = 5000
const SHORT_TIMEOUT_MS = 150

const EXPECTED: Record<Exclude<SimulatedFault, 'unroutable-uri' | 'other-host-uri' | 'userinfo-uri'>, OnvifFailure> = {
  'refuses-connection': 'refused', 'resets-connection': 'refused', 'never-answers': 'timed-out', 'drips': 'timed-out', 'drips-header': 'timed-out',
  'closes-mid-answer': 'not-onvif', 'switches-protocol': 'not-onvif', 'not-http': 'not-onvif',
  'redirects': 'refused',
  'status-401': 'auth-refused', 'status-403': 'auth-refused', 'soap-fault': 'soap-fault', 'auth-fault': 'auth-refused', 'echoes-request': 'soap-fault',
  'html-page': 'not-onvif', 'random-bytes': 'not-onvif', 'empty-answer': 'not-onvif', 'truncated-xml': 'not-onvif', 'other-answer': 'not-onvif',
  'huge-answer': 'not-onvif', 'deep-xml': 'not-onvif', 'entity-bomb': 'not-onvif', 'xmlns-flood': 'not-onvif',
  'no-profiles': 'no-usable-profile', 'mjpeg-only': 'no-usable-profile',
  'javascript-uri': 'bad-uri', 'file-uri': 'bad-uri', 'http-uri': 'bad-uri', 'newline-uri': 'bad-uri', 'quote-uri': 'bad-uri',
  'double-quote-uri': 'bad-uri', 'backslash-uri': 'bad-uri', 'overlong-uri': 'bad-uri', 'empty-uri': 'bad-uri', 'bad-port-uri': 'bad-uri',
}
const WAITS: readonly SimulatedFault[] = ['never-answers', 'drips', 'drips-header']
const SHOWN_URIS = [`rtsp://127.0.0.1:8554/take/it?x=1`, 'rtsp://127.0.0.1:554/live', 'rtsp://127.0.0.1:554/live']

async function failureUnder(t: Test, fault: SimulatedFault, on: string | null): Promise<OnvifError> {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL })
  await simulator.set(fault, on)
  const startedAt = performance.now()
  const timeoutMs = WAITS.includes(fault) ? SHORT_TIMEOUT_MS : PATIENCE_MS
  const error = await failureOf(findStream(targetOf(simulator, { timeoutMs }), MAIN))
  const elapsedMs = performance.now() - startedAt
  t.ok(elapsedMs < HANG_MS, `without a hang (${Math.round(elapsedMs)} ms)`)
  if (WAITS.includes(fault)) t.ok(elapsedMs >= SHORT_TIMEOUT_MS - 5, 'after the whole timeout')
  if (fault !== 'refuses-connection') await untilNoConnection(simulator)
  return error
}

/** The teardown of a socket takes a turn of the loop on either side; a leaked one never ends, and then the test times out. */
async function untilNoConnection(simulator: OnvifSimulator): Promise<void> {
  while (simulator.openConnections > 0) await new Promise(resolve => { setImmediate(resolve) })
}

const escaped: unknown[] = []
const note = (error: unknown) => { escaped.push(error) }
process.on('uncaughtException', note).on('unhandledRejection', note)
t.teardown(() => { process.off('uncaughtException', note).off('unhandledRejection', note) })

for (const [fault, failure] of Object.entries(EXPECTED) as [SimulatedFault, OnvifFailure][]) {
  t.test(`${fault} is told as ${failure} and leaves no connection`, async t => {
    t.equal((await failureUnder(t, fault, null)).failure, failure)
  })
}

for (const operation of ['GetSystemDateAndTime', 'GetServices', 'GetProfiles', 'GetStreamUri']) {
  for (const fault of ['random-bytes', 'closes-mid-answer', 'never-answers', 'truncated-xml', 'huge-answer', 'xmlns-flood', 'auth-fault'] as const) {
    // GetServices is not everything: a device that garbles it is asked for GetCapabilities.
    if (operation === 'GetServices' && EXPECTED[fault] === 'not-onvif') continue
    t.test(`${fault} at ${operation} is told as ${EXPECTED[fault]}`, async t => {
      t.equal((await failureUnder(t, fault, operation)).failure, EXPECTED[fault])
    })
  }
}

t.test('garbage at GetServices alone does not cost the stream', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL })
  await simulator.set('html-page', 'GetServices')
  t.match(await findStream(targetOf(simulator), MAIN), { uri: 'rtsp://127.0.0.1:554/mid' })
})

for (const [index, fault] of (['other-host-uri', 'unroutable-uri', 'userinfo-uri'] as const).entries()) {
  t.test(`${fault} leads to the configured host, without a user part`, async t => {
    await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL })
    await simulator.set(fault)
    t.equal((await findStream(targetOf(simulator), MAIN)).uri, SHOWN_URIS[index])
  })
}

t.test('takes no more of a huge answer than the bound', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES })
  await simulator.set('huge-answer')
  t.match(await failureOf(inspectDevice(targetOf(simulator))), { failure: 'not-onvif' })
  await untilNoConnection(simulator)
  t.ok(simulator.sentBytes < MAX_ANSWER_BYTES * 10, `${simulator.sentBytes} bytes left the device, socket buffers included`)
})

t.test('a dripping device does not outlast the overall deadline, however often it begins anew', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES })
  await simulator.set('drips', 'GetStreamUri')
  const startedAt = performance.now()
  t.match(await failureOf(findStream(targetOf(simulator, { timeoutMs: SHORT_TIMEOUT_MS }), MAIN)),
    { failure: 'timed-out' })
  t.ok(performance.now() - startedAt < HANG_MS)
})

t.test('an address without a route is told as unreachable', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES })
  // refused by the host itself: nothing is sent
  const failure = await failureOf(findStream(targetOf(simulator, { host: '255.255.255.255' }), MAIN))
  t.match(failure, { failure: 'unreachable', code: 'CUSTOS_ONVIF_UNREACHABLE', endReason: 'unreachable' })
})

t.test('a connection that does not come about in time is told as unreachable', async t => {
  // A listener that never accepts: once its queue is full, further attempts go unanswered.
  const script = "const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {"
    + "require('fs').writeSync(1, s.address().port + '\\n'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60000); process.exit() })"
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface({ input: child.stdout }), 'line') as [string]
  const waiting = [connect(Number(line), '127.0.0.1'), connect(Number(line), '127.0.0.1')]
  t.teardown(() => { for (const socket of waiting) socket.destroy(); child.kill('SIGKILL') })
  for (const socket of waiting) socket.on('error', () => {})
  await Promise.all(waiting.map(socket => once(socket, 'connect')))
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES })
  t.match(await failureOf(findStream(targetOf(simulator,
    { port: Number(line), timeoutMs: SHORT_TIMEOUT_MS }), MAIN)), { failure: 'unreachable' })
})

t.test('heals with the device', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL })
  for (const fault of ['refuses-connection', 'random-bytes', 'resets-connection'] as const) {
    await simulator.set(fault)
    await failureOf(findStream(targetOf(simulator), MAIN))
    await simulator.set(null)
    t.match(await findStream(targetOf(simulator), MAIN), { profile: { codec: 'h265' } })
  }
})

t.test('covers every fault the simulator knows, and nothing escaped meanwhile', async t => {
  const told = new Set<string>([...Object.keys(EXPECTED), 'other-host-uri', 'unroutable-uri', 'userinfo-uri'])
  t.same([...WIRE_FAULTS, ...FACT_FAULTS].filter(fault => !told.has(fault)), [])
  t.same(escaped, [])
})
