import { spawn } from 'node:child_process'
import { once } from 'node:events'
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
/** What is told to a camera that plays must come while it is recorded, on a busy machine too. */
const PLAYED_S = 8

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
  const clipArguments = (await Promise.all(clips.map(options => clip(options)))).flatMap(path => ['--clip', path])
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
      // A busy machine drops datagrams: one whole recording of three shows that they are sent.
      for (let left = transport === 'udp' ? 3 : 1; left > 0; left--) {
        t.match(await record({ url: server.url(mount), path, seconds: 2, transport, start: UNSHIFTED }), { code: 0 })
        const verdict = await check(path, [played])
        if (!verdict.ok && left > 1) continue
        t.match(verdict, { ok: true, missing: [] }, mount)
        break
      }
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
      await server.reached('/stalling', stalledAt + 7)
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
  const recording = record({ url: server.url(mount), path, seconds: PLAYED_S })
  const start = await playing(server, mount) + H264.gopFrames
  await server.reached(mount, start)
  const result = await act(start)
  await recording
  return result
}

async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // A zombie waits for whoever adopted it.
  return stat !== '' && !/\) Z /.test(stat)
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
