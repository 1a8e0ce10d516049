import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { FaultProxy } from '../support/cameras/fault-proxy.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { FACT_FAULTS, OnvifSimulator, WIRE_FAULTS, type SimulatedFault } from '../support/onvif/device-simulator.ts'
import { PROFILES } from '../support/onvif/example-device.ts'
import { publicFaceOf } from '../support/recorder/processes.ts'
import { RealRecorder, type CameraSpec } from '../support/recorder/real-recorder.ts'

/** Survives percent-encoding as it is; the whole password has what does not. */
const CORE = 'Tr0mboneQuartz'
const PASSWORD = `${CORE}/@:%41 "'\\+é`
const CREDENTIAL = { username: 'viewer', password: PASSWORD }
const SAMPLE_MS = 120 // the shortest ffmpeg lives longer
/** Each camera keeps a slot ready, and nothing may be overwritten for a month: the ring outlasts the slowest machine. */
const RING_MIB = 320
/** Traffic stays on this host, and 50 MB are not needed to make a point. */
const LEFT_OUT: readonly SimulatedFault[] = ['other-host-uri', 'unroutable-uri', 'backslash-uri', 'huge-answer']
const ONVIF_FAULTS = [...WIRE_FAULTS, ...FACT_FAULTS].filter(fault => !LEFT_OUT.includes(fault))

/** The password as it may show: raw, in hex, every byte percent-encoded, and inside base64 wherever it begins there. */
const FORMS = [
  CORE, Buffer.from(CORE).toString('hex'), Buffer.from(CORE).toString('hex').toUpperCase(),
  [...CORE].map(char => `%${char.charCodeAt(0).toString(16)}`).join(''),
  ...[0, 1, 2].map(lead => Buffer.from('x'.repeat(lead) + CORE).toString('base64').slice(lead === 0 ? 0 : 4, -4)),
]
const leaksIn = (text: string): string[] => FORMS.filter(form => text.includes(form)).map(form => text.slice(Math.max(0, text.indexOf(form) - 120), text.indexOf(form) + 40))

t.test('the search finds a password in every form it looks for', async t => {
  const shown = [PASSWORD, encodeURIComponent(PASSWORD), Buffer.from(`viewer:${PASSWORD}`).toString('base64'), Buffer.from(`v:${PASSWORD}`).toString('base64'), Buffer.from(`vi:${PASSWORD}`).toString('base64'), Buffer.from(PASSWORD).toString('hex')]
  for (const text of shown) t.ok(leaksIn(`x${text}y`).length > 0, text)
  t.strictSame(leaksIn('viewer:[redacted]'), [])
})

/** Looks at the recorder's processes over and over, as a curious user of the host could, until it is told to stop. */
function watchProcesses(recorder: RealRecorder, signal: AbortSignal): { seen: Set<string>, done: Promise<void> } {
  const seen = new Set<string>()
  const done = (async () => {
    while (!signal.aborted) {
      for (const pid of [recorder.pid, ...await recorder.children()]) if (pid > 0) seen.add(await publicFaceOf(pid))
      const ps = spawn('ps', ['axwwe', '-o', 'args'], { stdio: ['ignore', 'pipe', 'ignore'] })
      const [output] = await Promise.all([ps.stdout.setEncoding('utf8').toArray(), once(ps, 'close')])
      for (const line of (output as string[]).join('').split('\n')) seen.add(line)
      await new Promise(resolve => { setTimeout(resolve, SAMPLE_MS) })
    }
  })()
  return { seen, done }
}

t.test('a password shows nowhere, whatever goes wrong', { timeout: 235_000 }, async t => {
  await using parts = new AsyncDisposableStack()
  const server = parts.use(await CameraServer.start({ mounts: [
    ...['right', 'garbage', 'hangs', 'cut'].map(id => ({ path: `/${id}`, clip: CLIPS.h264Small, ...CREDENTIAL })),
    { path: '/wrong', clip: CLIPS.h264Small, username: 'viewer2', password: 'another' },
  ] }))
  const proxies = new Map<string, FaultProxy>()
  for (const id of ['garbage', 'hangs', 'cut', 'refused']) proxies.set(id, parts.use(await FaultProxy.start({ targetPort: server.port })))
  await proxies.get('refused')!.set({ kind: 'refuse' })
  await proxies.get('hangs')!.set({ kind: 'hang-after-describe' })
  const direct = (id: string): CameraSpec => ({ id, url: proxies.get(id)?.through(server.url(`/${id}`)) ?? server.url(`/${id}`), credential: CREDENTIAL })
  const onvif = await Promise.all(ONVIF_FAULTS.map(async (fault): Promise<CameraSpec> => {
    const simulator = parts.use(await OnvifSimulator.start({ profiles: PROFILES.map(profile => ({ ...profile, uri: 'rtsp://127.0.0.1:9/live' })), credential: CREDENTIAL }))
    await simulator.set(fault)
    return { id: fault.slice(0, 40), onvif: { host: '127.0.0.1', port: simulator.port }, credential: CREDENTIAL }
  }))
  const cameras: CameraSpec[] = [...['right', 'garbage', 'hangs', 'cut', 'refused', 'nowhere'].map(direct), { ...direct('wrong'), credential: { username: 'viewer2', password: PASSWORD } }, ...onvif]
  const recorder = parts.use(await RealRecorder.create({
    folder: t.testdir({}), cameras, sizeMiB: RING_MIB, logLevel: 'debug',
  }))
  const shown: string[] = []
  const tell = async (...args: string[]) => { const { output, errors } = await recorder.command(args); shown.push(output.toString(), errors) }

  const stop = new AbortController()
  parts.defer(() => { stop.abort() })
  const { seen, done } = watchProcesses(recorder, stop.signal)
  await recorder.start()
  const messages = await recorder.listen(stop.signal)
  await recorder.untilRecording(['right', 'garbage', 'cut'], 60_000)
  await proxies.get('garbage')!.set({ kind: 'garbage' })
  await proxies.get('cut')!.set({ kind: 'cut-after', bytes: 12_345 })
  const healthy = ['right']
  await recorder.until('every failing camera failed', ({ streams }) => streams.every(({ camera, restarts }) => healthy.includes(camera) || restarts > 0), 60_000)
  const reasons = new Set((await recorder.health())!.streams.map(({ openGapCause }) => openGapCause))
  for (const reason of ['auth-refused', 'refused', 'onvif-fault', 'onvif-bad-address',
    'stalled'] as const) t.ok(reasons.has(reason), `${reason} happened: ${[...reasons].join(', ')}`)
  const goodConfig = await readFile(recorder.configFile, 'utf8')
  const goodSecrets = await readFile(recorder.secretsFile, 'utf8')
  t.ok(leaksIn(goodSecrets).length > 0, 'the secrets file holds it')
  await tell('status', '--config', recorder.configFile)
  await tell('status', '--json', '--config', recorder.configFile)
  await tell('check-config', '--config', recorder.configFile)

  // Every way to spoil the files: each must be told without its content.
  const spoiled: readonly (readonly [string, string])[] = [
    [goodConfig.replace(/url: rtsp:\/\//, `url: rtsp://viewer:${CORE}@`), goodSecrets],
    [goodConfig.replace(/url: rtsp:\/\/([^\n]*)/, `url: "rtsp://$1?password=${CORE}"`), goodSecrets],
    [goodConfig, `${goodSecrets}\nright: { username: viewer, password: "${CORE}`],
    [goodConfig, goodSecrets.replace('password:', `${CORE}:`)],
    [goodConfig, goodSecrets.replace('viewer', `[${CORE}]`)],
    [`${goodConfig}\nunknownKey: 1`, goodSecrets.replace('right:', 'left:')],
  ]
  for (const [config, secrets] of spoiled) {
    await writeFile(recorder.secretsFile, secrets)
    await writeFile(recorder.configFile, config)
    await tell('check-config', '--config', recorder.configFile)
    await tell('check-config', '--json', '--config', recorder.configFile)
  }
  await recorder.until('the spoiled configuration is refused', ({ configReload }) => configReload !== null)
  await writeFile(recorder.secretsFile, goodSecrets)
  await writeFile(recorder.configFile, goodConfig)
  await recorder.until('the sound configuration is taken', ({ configReload }) => configReload === null)

  await recorder.crash()
  await recorder.childrenGone(1000)
  await recorder.start()
  await recorder.untilRecording(['right'])
  shown.push(JSON.stringify(recorder.gaps()), JSON.stringify(recorder.runs()))
  t.equal(await recorder.stop(), 0)
  await recorder.rescue('right', 'right.mp4')
  stop.abort()
  await done

  t.ok([...seen].some(face => face.includes('-protocol_whitelist')), 'ffmpeg was seen at work')
  t.ok(messages.length > 5 && recorder.logText.some(line => line.includes('run ended')), 'health and log had much to tell')
  t.strictSame(leaksIn([...seen].join('\n')), [], 'no argument list or environment holds it')
  t.strictSame(leaksIn(recorder.logText.join('\n')), [], 'no log line')
  t.strictSame(leaksIn(recorder.errText.join('\n')), [], 'no error text')
  t.strictSame(leaksIn(JSON.stringify(messages)), [], 'no health message')
  t.strictSame(leaksIn(shown.join('\n')), [], 'no command')
  for (const file of await recorder.files()) {
    if (file === recorder.secretsFile) continue
    if (path.basename(file) === 'last-good-config.json') { // as good as the secrets file itself
      t.equal((await stat(file)).mode & 0o777, 0o600, file)
      continue
    }
    const leaks = leaksIn(await readFile(file, 'latin1'))
    if (leaks.length > 0) t.strictSame(leaks, [], file)
  }
  const files = await recorder.files()
  t.ok(files.some(file => file.endsWith('.manifest.json')) && files.some(file => file.endsWith('catalogue.db')) && files.some(file => file.includes('/slots/')), 'manifest, catalogue and volume were looked through')
  t.strictSame((await readdir(process.cwd())).filter(name => /^core(\.|$)/.test(name)), [], 'no core dump')
})
