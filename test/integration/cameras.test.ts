import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'

import { CameraServer } from '../support/cameras/camera-server.ts'
import { FaultProxy } from '../support/cameras/fault-proxy.ts'
import { clip, CLIPS } from '../support/cameras/make-clips.ts'
import type { ClipOptions } from '../support/cameras/make-clips.ts'

const CHECK_FRAMES = fileURLToPath(new URL('../support/cameras/check-frames.py', import.meta.url))
const H264: ClipOptions = CLIPS.h264Small
const H264_DELIMITED: ClipOptions = { ...H264, aud: true }
const H264_LARGER: ClipOptions = CLIPS.h264Hd
const H265: ClipOptions = CLIPS.h265Small
const FPS = H264.fps
/** How long ffmpeg bears a silent camera here. */
const SILENCE_US = '1500000'
const RECORDINGS_AT_ONCE = 4
const CHILD_LIMIT_MS = 30_000

type Ended = { code: number | null, output: string, errors: string }
type Verdict = {
  ok: boolean, faults: string[], frames: number, first: number, last: number, missing: [number, number][], doubled: number[],
  reordered: number[], wrongSize: number[], withoutCounter: number, worstTimeErrorMs: number, startsOnKey: boolean,
  sources: { format: string }[],
}

async function run(command: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: CHILD_LIMIT_MS, killSignal: 'SIGKILL' })
  const [output, errors] = await Promise.all([child.stdout.toArray(), child.stderr.toArray(), once(child, 'close')])
  const text = (parts: unknown[]): string => Buffer.concat(parts as Buffer[]).toString()
  return { code: child.exitCode, output: text(output), errors: text(errors) }
}

/** When ffmpeg probes, it shifts all times but the first; it can do without, unless there is audio to find. */
const UNPROBED = ['-probesize', '32', '-analyzeduration', '0']
const UNSHIFTED = ['-copyts']

function record({ url, path, seconds = 3, transport = 'tcp', start = UNPROBED }:
  { url: string, path: string, seconds?: number, transport?: 'tcp' | 'udp', start?: readonly string[] }): Promise<Ended> {
  return run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...start, '-rtsp_transport', transport, '-timeout', SILENCE_US, '-i', url, '-map', '0:v', '-c', 'copy', '-t', `${seconds}`,
    '-movflags', '+frag_keyframe+empty_moov+default_base_moof', path])
}

async function check(files: string | readonly string[], clips: readonly ClipOptions[], ...options: string[]): Promise<Verdict> {
  const clipArguments = (await Promise.all(clips.map(clip))).flatMap(path => ['--clip', path])
  const { output, errors } = await run('python3', [CHECK_FRAMES, ...clipArguments, '--content', ...options, ...[files].flat()])
  if (output === '') throw new Error(errors)
  return JSON.parse(output) as Verdict
}

void t.test('cameras', async t => {
  const server = await CameraServer.start({ mounts: [
    { path: '/lobby', clip: H264, username: 'viewer', password: 'p@ss word' },
    { path: '/yard', clip: H265, username: 'other', password: 'secret' },
    { path: '/open', clip: H264, audio: 'aac' },
    { path: '/delimited', clip: H264_DELIMITED, audio: 'g711' },
    { path: '/stalling', clip: H264 },
    { path: '/changing', clip: H264 },
    { path: '/leaving', clip: H264 },
  ] })
  t.teardown(() => server[Symbol.asyncDispose]())
  // Recordings take their time whatever the machine; each of these tests has mounts of its own.
  t.jobs = RECORDINGS_AT_ONCE
  const folder = t.testdir({})

  void t.test('gives a recorder every frame of H.264, from a key frame on, behind digest authentication', async t => {
    const path = `${folder}/h264.mp4`
    t.match(await record({ url: server.urlWithCredentials('/lobby'), path }), { code: 0 })
    const verdict = await check(path, [H264])
    t.match(verdict, { ok: true, frames: 3 * FPS, missing: [], worstTimeErrorMs: 0, startsOnKey: true })
    t.equal(verdict.last - verdict.first + 1, verdict.frames)
  })

  void t.test('gives a recorder every frame of H.265 under either sample entry', async t => {
    const path = `${folder}/h265.mp4`
    t.match(await record({ url: server.urlWithCredentials('/yard'), path }), { code: 0 })
    t.match(await check(path, [H265]), { ok: true, frames: 3 * FPS, missing: [], sources: [{ format: 'hev1' }] })
    await run('ffmpeg', ['-nostdin', '-v', 'error', '-i', path, '-c', 'copy', '-tag:v', 'hvc1', `${folder}/hvc1.mp4`])
    t.match(await check(`${folder}/hvc1.mp4`, [H265]), { ok: true, frames: 3 * FPS, sources: [{ format: 'hvc1' }] })
  })

  void t.test('serves video beside audio, with delimiters, and over UDP', async t => {
    for (const [mount, played, transport] of [['/open', H264, 'tcp'], ['/delimited', H264_DELIMITED, 'tcp'], ['/open', H264, 'udp']] as const) {
      const path = `${folder}${mount}.mp4`
      t.match(await record({ url: server.url(mount), path, seconds: 2, transport, start: UNSHIFTED }), { code: 0 })
      t.match(await check(path, [played]), { ok: true, missing: [] }, mount)
    }
  })

  void t.test('refuses a wrong password, another mount\'s user and nobody, and knows no other mount', async t => {
    const denied = /401 Unauthorized/
    const attempt = (authority: string, mount: string): Promise<Ended> =>
      record({ url: server.url(mount).replace('//', `//${authority}`), path: `${folder}/denied.mp4`, seconds: 1 })
    t.match(await attempt('viewer:wrong@', '/lobby'), { code: 1, errors: denied })
    t.match(await attempt('other:secret@', '/lobby'), { errors: /40[14]/ })
    t.match(await attempt('', '/lobby'), { code: 1, errors: denied })
    t.match(await attempt('', '/nowhere'), { code: 1, errors: /404 Not Found/ })
  })

  void t.test('shows lost time as a gap in the counters and nowhere else', async t => {
    const path = `${folder}/stalled.mp4`
    const { frames, stalledAt, resumedAt } = await whilePlaying(server, '/stalling', path, async start => {
      const stalledAt = await server.control({ do: 'stall', mount: '/stalling' })
      await server.reached('/stalling', start + 7)
      return { frames: start, stalledAt, resumedAt: await server.control({ do: 'resume', mount: '/stalling' }) }
    })
    const verdict = await check(path, [H264], '--any-gap', '--times', 'step')
    t.equal(verdict.missing.length, 1)
    const [from, to] = verdict.missing[0] ?? [0, 0]
    t.ok(frames <= stalledAt && from <= stalledAt + 1 && resumedAt > stalledAt, 'the gap begins with the stall')
    t.equal((to + 1) % H264.gopFrames, 0, 'and ends before a key frame')
    t.equal((await check(path, [H264], '--times', 'step')).ok, false, 'a gap is a fault unless it is listed')
    t.match(await check(path, [H264], '--gap', `${from}-${to}`), { ok: true, faults: [] })
  })

  void t.test('changes clip, jumps in time and sends garbage when told', async t => {
    const path = `${folder}/switched.mp4`
    await whilePlaying(server, '/changing', path, () => server.control({ do: 'switch-clip', mount: '/changing', clip: H264_LARGER }))
    t.match(await check(path, [H264, H264_LARGER]), { ok: true, missing: [] })
    t.match(await check(path, [H264]), { ok: false, faults: ['wrongSize'] })

    await whilePlaying(server, '/changing', path, () => server.control({ do: 'jump', mount: '/changing', seconds: 0.5 }))
    const jumped = await check(path, [H264_LARGER])
    t.match(jumped, { ok: false, faults: ['time'], missing: [] })
    t.ok(Math.abs(jumped.worstTimeErrorMs - 500) < 1)

    await whilePlaying(server, '/changing', path, async start => {
      await server.control({ do: 'garbage', mount: '/changing' })
      await server.reached('/changing', start + 8)
      await server.control({ do: 'resume', mount: '/changing' })
    })
    const garbage = await check(path, [H264_LARGER], '--any-gap', '--times', 'step')
    t.equal(garbage.ok, false)
    t.ok(garbage.withoutCounter > 0)
  })

  void t.test('drops its clients and comes back, and is gone until it resumes', async t => {
    const url = server.url('/leaving')
    const recording = record({ url, path: `${folder}/dropped.mp4`, seconds: 60 })
    await playing(server, '/leaving')
    await server.control({ do: 'drop-clients', mount: '/leaving' })
    await recording
    await server.control({ do: 'gone', mount: '/leaving' })
    t.match(await record({ url, path: `${folder}/gone.mp4`, seconds: 1 }), { errors: /404 Not Found/ })
    await server.control({ do: 'resume', mount: '/leaving' })
    t.match(await record({ url, path: `${folder}/back.mp4`, seconds: 1 }), { code: 0 })
  })

  void t.test('ends mid-recording when the proxy cuts the connection', async t => {
    await using proxy = await FaultProxy.start({ targetPort: server.port })
    await proxy.set({ kind: 'cut-after', bytes: 100_001 })
    const path = `${folder}/cut.mp4`
    const cut = once(proxy.events, 'cut')
    await record({ url: proxy.through(server.urlWithCredentials('/lobby')), path, seconds: 60 })
    await cut
    t.equal(proxy.connections.at(-1)?.bytesToClient, 100_001)
    const verdict = await check(path, [H264], '--any-gap')
    t.strictSame(verdict.missing, [], 'what arrived before the cut is whole')
    t.ok(verdict.frames > 0)
  })

  void t.test('falls silent when the proxy stalls, while the connection stays', async t => {
    await using proxy = await FaultProxy.start({ targetPort: server.port })
    const played = once(proxy.events, 'played')
    const recording = record({ url: proxy.through(server.urlWithCredentials('/lobby')), path: `${folder}/silent.mp4`, seconds: 60 })
    await played
    await proxy.set({ kind: 'stall' })
    const sentBytes = proxy.connections[0]?.bytesToClient
    t.equal(proxy.openConnections, 1)
    await recording
    t.equal(proxy.connections[0]?.bytesToClient, sentBytes)
    t.equal(proxy.openConnections, 1, 'the proxy does not notice that the client has gone')
  })
})

void t.test('a frozen server is silent until it thaws', async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: H264 }] })
  server.freeze()
  t.match(await record({ url: server.url('/lobby'), path: `${t.testdir({})}/frozen.mp4` }), { code: 1 })
  server.thaw()
  t.match(await server.status(), { '/lobby': { framesDropped: 0 } })
})

void t.test('the frame check finds a lost, a doubled and a misplaced frame', async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: H264 }] })
  const folder = t.testdir({})
  const whole = `${folder}/whole.mp4`
  await record({ url: server.url('/lobby'), path: whole, seconds: 2 })
  const { first } = await check(whole, [H264])
  const copy = (name: string, ...options: string[]): Promise<Ended> =>
    run('ffmpeg', ['-nostdin', '-v', 'error', '-y', '-copyts', '-i', whole, '-c', 'copy', ...options, `${folder}/${name}.mp4`])
  await copy('lost', '-bsf:v', 'noise=drop=eq(n\\,5)')
  t.match(await check(`${folder}/lost.mp4`, [H264]), { ok: false, missing: [[first + 5, first + 5]] })
  t.match(await check([whole, whole], [H264]), { ok: false, faults: ['doubled'] })
  await copy('head', '-t', '1')
  await copy('tail', '-bsf:v', 'noise=drop=lt(n\\,15)')
  const [head, tail] = [`${folder}/head.mp4`, `${folder}/tail.mp4`]
  t.match(await check([head, tail], [H264], '--per-file-time'), { ok: true, frames: 2 * FPS, missing: [] })
  t.match(await check([tail, head], [H264], '--per-file-time'), { ok: false, faults: ['reordered'] })
  await copy('damaged', '-bsf:v', 'noise=amount=200')
  t.equal((await check(`${folder}/damaged.mp4`, [H264])).ok, false)
})

void t.test('the camera server dies with its parent', async t => {
  const script = `
    import { CameraServer } from ${JSON.stringify(new URL('../support/cameras/camera-server.ts', import.meta.url).href)}
    const server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: ${JSON.stringify(H264)} }] })
    process.stdout.write(String(server.pid), () => process.kill(process.pid, 'SIGKILL'))`
  const { output } = await run(process.execPath, ['--input-type=module', '-e', script])
  const pid = Number(output)
  t.ok(pid > 0)
  // The orphan's end sends nobody an event.
  while (await isRunning(pid)) await wait(10)
  t.pass('gone')
})

void t.test('the fault proxy', async t => {
  const mediaBytes = 50_000
  const media = Buffer.alloc(mediaBytes, 'm')
  await using camera = await cannedCamera(media)

  const connected = async (proxy: FaultProxy): Promise<Client> => {
    const client = new Client(connect(proxy.port, '127.0.0.1'))
    t.teardown(() => client.socket.destroy())
    await once(client.socket, 'connect')
    return client
  }

  await t.test('passes bytes and counts them', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    const client = await connected(proxy)
    await client.play()
    t.ok((await client.read(mediaBytes)).equals(media))
    t.equal(proxy.connections.length, 1)
    t.equal(proxy.requestTimes.length, 1)
    t.equal(proxy.connections[0]?.bytesToServer, client.sentBytes)
  })

  await t.test('replaces what follows the PLAY answer by garbage of the same length', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    await proxy.set({ kind: 'garbage' })
    const client = await connected(proxy)
    await client.play()
    const seen = await client.read(mediaBytes)
    t.ok(seen.filter(byte => byte !== media[0]).length > mediaBytes * 0.9)
  })

  await t.test('hangs after the DESCRIBE answer and goes on when told', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    await proxy.set({ kind: 'hang-after-describe' })
    const client = await connected(proxy)
    await client.ask('DESCRIBE')
    const answered = client.ask('SETUP')
    const reached = proxy.connections[0]?.bytesToServer
    await proxy.set({ kind: 'hang-after-describe' })
    t.equal(proxy.connections[0]?.bytesToServer, reached)
    await proxy.set({ kind: 'pass' })
    t.match(await answered, /200 OK/)
  })

  await t.test('cuts at the byte', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    const client = await connected(proxy)
    const ended = closed(client.socket)
    await client.ask('DESCRIBE')
    await proxy.set({ kind: 'cut-after', bytes: 333 })
    const before = client.receivedBytes
    client.send('PLAY')
    await ended
    t.equal(client.receivedBytes - before, 333)
  })

  await t.test('throttles to the given rate', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    const client = await connected(proxy)
    await client.play()
    await client.read(mediaBytes)
    await proxy.set({ kind: 'throttle', bytesPerSecond: 100_000 })
    client.send('PLAY')
    const startedAt = performance.now()
    await client.read(mediaBytes)
    const elapsedMs = performance.now() - startedAt
    t.ok(elapsedMs > 400 && elapsedMs < 1500, `50 kB took ${Math.round(elapsedMs)} ms`)
  })

  await t.test('resets open and new connections', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    const client = await connected(proxy)
    await client.ask('DESCRIBE')
    const failed = closed(client.socket)
    await proxy.set({ kind: 'reset' })
    await failed
    t.equal(client.failure, 'ECONNRESET')
    const next = new Client(connect(proxy.port, '127.0.0.1'))
    await closed(next.socket)
    t.equal(next.failure, 'ECONNRESET')
  })

  await t.test('refuses, then listens again on the same port', async t => {
    await using proxy = await FaultProxy.start({ targetPort: camera.port })
    await proxy.set({ kind: 'refuse' })
    const refused = new Client(connect(proxy.port, '127.0.0.1'))
    await closed(refused.socket)
    t.equal(refused.failure, 'ECONNREFUSED')
    await proxy.set({ kind: 'pass' })
    const client = await connected(proxy)
    t.match(await client.ask('DESCRIBE'), /200 OK/)
  })
})

/** Waits until a client is being sent frames. */
async function playing(server: CameraServer, mount: string): Promise<number> {
  const sentBefore = (await server.status())[mount]?.framesSent ?? 0
  for (;;) {
    const { frame = 0, framesSent = 0 } = (await server.status())[mount] ?? {}
    if (framesSent > sentBefore) return frame
    await server.reached(mount, frame + 1)
  }
}

/** Records four seconds and acts once the recording has its first GOP. */
async function whilePlaying<T>(server: CameraServer, mount: string, path: string, act: (frame: number) => Promise<T>): Promise<T> {
  const recording = record({ url: server.url(mount), path, seconds: 4 })
  const start = await playing(server, mount) + H264.gopFrames
  await server.reached(mount, start)
  const result = await act(start)
  await recording
  return result
}

/** Unlike once(), not put off by an error before. */
function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.once('close', () => resolve()))
}

async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // A zombie waits for whoever adopted it.
  return stat !== '' && !/\) Z /.test(stat)
}

/** Answers every request, and PLAY with the media right behind the answer. */
async function cannedCamera(media: Buffer): Promise<{ port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('data', request => {
      const [, method, cseq] = /^(\w+) [^]*CSeq: (\d+)/.exec(request.toString()) ?? []
      const body = method === 'DESCRIBE' ? 'v=0\r\n' : ''
      socket.write(`RTSP/1.0 200 OK\r\nCSeq: ${cseq}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      if (method === 'PLAY') socket.write(media)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

class Client {
  readonly socket: Socket
  sentBytes = 0
  receivedBytes = 0
  failure: string | undefined
  #held = Buffer.alloc(0)
  #lastCseq = 0

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', (error: NodeJS.ErrnoException) => { this.failure = error.code })
    socket.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length
      this.#held = Buffer.concat([this.#held, chunk])
    })
  }

  send(method: string): void {
    const request = `${method} rtsp://127.0.0.1/x RTSP/1.0\r\nCSeq: ${this.#lastCseq += 1}\r\n\r\n`
    this.sentBytes += request.length
    this.socket.write(request)
  }

  async ask(method: string): Promise<string> {
    this.send(method)
    while (!this.#held.includes('\r\n\r\n')) await once(this.socket, 'data')
    const header = (await this.read(this.#held.indexOf('\r\n\r\n') + 4)).toString()
    return header + (await this.read(Number(/Content-Length: (\d+)/.exec(header)?.[1] ?? 0))).toString()
  }

  async play(): Promise<void> {
    await this.ask('DESCRIBE')
    await this.ask('PLAY')
  }

  async read(sizeBytes: number): Promise<Buffer> {
    while (this.#held.length < sizeBytes) await once(this.socket, 'data')
    const bytes = this.#held.subarray(0, sizeBytes)
    this.#held = this.#held.subarray(sizeBytes)
    return bytes
  }
}

/** Worst time error of thirty frames, those from `at` on `shiftMs` late, a key frame each fifteen, with the one before `at` torn or not. */
const TIMES = `
import importlib.util, sys, types
spec = importlib.util.spec_from_file_location('checker', sys.argv[1]); checker = importlib.util.module_from_spec(spec); spec.loader.exec_module(checker)
at, shift_ms, torn = int(sys.argv[2]), float(sys.argv[3]), sys.argv[4] == 'torn'
frames = [types.SimpleNamespace(counter=n, seconds=n / 15 + (shift_ms / 1000 if n >= at else 0), key=n % 15 == 0, file=0) for n in range(30)]
print(round(checker.check_times(frames, 15, False, False, {at - 1} if torn else set())[0], 3))
`
void t.test('the judge lets another connection have its own clock where the network tore a frame, by a tenth of a second, and nowhere else', async t => {
  const worst = async (at: number, shiftMs: number, torn: boolean) => Number((await run('/usr/bin/python3', ['-c', TIMES, CHECK_FRAMES, String(at), String(shiftMs), torn ? 'torn' : 'whole'])).output)
  t.equal(await worst(15, 3, true), 0)
  t.equal(await worst(15, -90, true), 0)
  t.equal(await worst(15, 3, false), 3, 'without a torn frame it is one connection')
  t.equal(await worst(17, 3, true), 3, 'a connection begins with a key frame')
  t.equal(await worst(15, 150, true), 150, 'and never that far off')
})
