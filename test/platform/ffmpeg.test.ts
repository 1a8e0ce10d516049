import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { concatScript, inputOptions, pictureOptions } from '../../src/ingest/ffmpeg-arguments.ts'
import { classifyStderr } from '../../src/ingest/classify-stderr.ts'
import { FragmentParser } from '../../src/media/index.ts'
import { startFfmpeg, type FfmpegJob } from '../../src/platform/ffmpeg.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { startCannedRtsp } from '../support/recorder/canned-rtsp.ts'
import { processesMarked, waitUntilGone } from '../support/recorder/processes.ts'

const MARK = ['CUSTOS_TEST_MARK', `ffmpeg-test-${process.pid}`] as const
process.env[MARK[0]] = MARK[1] // of this process only its children carry it: an environment is read at start
const children = () => processesMarked(MARK.join('='))

const never = new AbortController().signal
const job = (url: string, onBytes: FfmpegJob['onBytes'] = () => 'whole'): FfmpegJob => ({
  inputFormat: 'concat', inputOptions: inputOptions('video'), inputText: concatScript(url, 'video'), outputFormat: 'mp4', outputOptions: pictureOptions('all', epochMs(Date.now())), onBytes,
})

/** Puts a program in ffmpeg's place for one test. */
async function standIn(t: Test, script: string): Promise<string> {
  const folder = t.testdir({})
  const file = path.join(folder, 'ffmpeg')
  await writeFile(file, `#!/bin/sh\necho "$@" >> ${folder}/starts\n${script}\n`)
  await chmod(file, 0o755)
  process.env['CUSTOS_FFMPEG'] = file
  t.teardown(() => { delete process.env['CUSTOS_FFMPEG'] })
  return path.join(folder, 'starts')
}

t.test('a kill or a stop before the child was started leaves no child', async t => {
  await using camera = await startCannedRtsp({ OPTIONS: 'silent' })
  for (const which of ['kill', 'stop'] as const) {
    const early = await startFfmpeg(job(camera.url), { stop: never, kill: never, [which]: AbortSignal.abort() })
    await early.exit
    t.strictSame(await children(), [], `${which} before`)
    const controller = new AbortController()
    const starting = startFfmpeg(job(camera.url), { stop: never, kill: never, [which]: controller.signal })
    controller.abort()
    await (await starting).exit
    t.strictSame(await children(), [], `${which} while it starts`)
  }
})

t.test('a child dies with the process that started it, even by kill -9', async t => {
  await using camera = await startCannedRtsp({ OPTIONS: 'silent' })
  const imported = (file: string) => JSON.stringify(new URL(file, import.meta.url).href)
  const parent = spawn(process.execPath, ['--input-type=module', '-e', `
    import { startFfmpeg } from ${imported('../../src/platform/ffmpeg.ts')}
    const never = new AbortController().signal
    await startFfmpeg(${JSON.stringify({ ...job(camera.url), onBytes: undefined })}, { stop: never, kill: never })
    setInterval(() => undefined, 1000)`], { stdio: ['ignore', 'inherit', 'inherit'] })
  const exited = once(parent, 'exit')
  while (camera.requests.length === 0) await new Promise(resolve => { setTimeout(resolve, 10) })
  t.ok((await children()).length >= 2, 'the parent and its ffmpeg')
  parent.kill('SIGKILL')
  await exited
  const goneMs = await waitUntilGone(children, 1000)
  t.comment(`gone after ${Math.round(goneMs)} ms`)
})

t.test('a child makes no core dump and cannot take more than its share of memory', async t => {
  await using camera = await startCannedRtsp({ OPTIONS: 'silent' })
  const kill = new AbortController()
  const child = await startFfmpeg(job(camera.url), { stop: never, kill: kill.signal })
  while (camera.requests.length === 0) await new Promise(resolve => { setTimeout(resolve, 10) })
  const [pid] = await children()
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8')
  t.match(limits, /Max core file size +0 +0 /)
  t.match(limits, /Max address space +2147483648 /)
  t.notMatch(await readFile(`/proc/${pid}/cmdline`, 'latin1'), camera.url, 'its arguments do not name the camera')
  kill.abort()
  t.equal((await child.exit).code, null, 'ended by signal: no exit code')
})

t.test('a run starts one child and no other, and tells its exit code and its last lines, bounded', async t => {
  const starts = await standIn(t, 'i=0; while [ $i -lt 100 ]; do i=$((i+1)); printf "%0999d\\n" $i >&2; done; cat > /dev/null; exit 3')
  const { code, stderrLines } = await (await startFfmpeg(job('rtsp://127.0.0.1:9/x'), { stop: never, kill: never })).exit
  t.equal(code, 3)
  t.ok(stderrLines.length <= 40 && stderrLines.every(line => line.length <= 400))
  t.equal((await readFile(starts, 'utf8')).trim().split('\n').length, 1)
})

t.test('a program that is not there ends the run, and is told from a camera that closed', async t => {
  await standIn(t, '')
  process.env['CUSTOS_FFMPEG'] = '/nowhere/ffmpeg'
  const { code, stderrLines } = await (await startFfmpeg(job('rtsp://127.0.0.1:9/x'), { stop: never, kill: never })).exit
  t.not(code, 0)
  t.equal(classifyStderr(stderrLines, { hadFrames: false, silentMs: 10, exitCode: code }), 'ffmpeg-failed', stderrLines.join('\n'))
})

const ROOT = path.join(import.meta.dirname, '../..')

/** A recorder's own folder, as far as ffmpeg goes, in which `script` runs as a process of its own. What it prints, and that it lived to the end. */
async function inOwnFolder(t: Test, script: string): Promise<string[]> {
  const folder = t.testdir({})
  for (const part of ['src/platform', 'src/domain', 'libexec']) await cp(path.join(ROOT, part), path.join(folder, part), { recursive: true })
  await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
  await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }')
  await mkdir(path.join(folder, 'tmp'), { mode: 0o777 })
  await chmod(path.join(folder, 'tmp'), 0o777)
  await writeFile(path.join(folder, 'run.ts'), `
    import { execFileSync } from 'node:child_process'
    import { chmodSync, closeSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
    import { startFfmpeg } from './src/platform/ffmpeg.ts'
    const never = new AbortController().signal
    const attempt = async (outputOptions = []) => {
      const job = { inputFormat: 'concat', inputOptions: [], inputText: 'x', outputFormat: 'mp4', outputOptions, onBytes: () => 'whole' }
      const { code, stderrLines } = await (await startFfmpeg(job, { stop: never, kill: never })).exit
      console.log(code, stderrLines.at(-1))
    }
    ${script}
    console.log('alive')`)
  const env = { ...process.env, CUSTOS_FFMPEG: 'true', RUNTIME_DIRECTORY: path.join(folder, 'tmp') }
  const { stdout } = await promisify(execFile)(process.execPath, ['run.ts'], { cwd: folder, env, timeout: 30_000 })
  return stdout.trim().split('\n')
}

t.test('a child that cannot be started is a run that ended, and no end of the recorder', async t => {
  const said = await inOwnFolder(t, `
    await attempt()
    chmodSync('libexec/ffmpeg-child', 0o644)
    await attempt()
    renameSync('libexec', 'libexec.old') // the installer replaces the folder under the running process
    await attempt()
    renameSync('libexec.old', 'libexec')
    chmodSync('libexec/ffmpeg-child', 0o755)
    await attempt([['-metadata', 'title=' + 'x'.repeat(200_000)]])
    await attempt()`)
  t.match(said, ['0 undefined', /^null ffmpeg could not be started: .*EACCES/, /^null ffmpeg could not be started: .*ENOENT/, /^null ffmpeg could not be started: .*E2BIG/, '0 undefined', 'alive'])
  for (const line of said.slice(1, 4)) t.equal(classifyStderr([line.slice(5)], { hadFrames: false, silentMs: 10_000, exitCode: null }), 'ffmpeg-failed')
})

t.test('so it is when no pipe can be made for no descriptor or no process is left', { skip: process.getuid?.() === 0 ? false : 'another user is needed' }, async t => {
  const said = await inOwnFolder(t, `
    renameSync('tmp', 'tmp.old')
    writeFileSync('tmp', '')
    await attempt()
    rmSync('tmp')
    renameSync('tmp.old', 'tmp')
    execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64:64'])
    const held = []
    try { for (;;) held.push(openSync('/dev/null')) } catch { /* none is left */ }
    while (held.length > 0) { // Node itself loses up to three with each start that had none left, hence more than one at a time
      for (const fd of held.splice(0, 5)) closeSync(fd)
      await attempt()
    }
    rmSync('tmp/custos-pipes-0', { recursive: true, force: true })
    execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=1:1'])
    process.setgid(65534); process.setgroups([]); process.setuid(65534)
    await attempt()`)
  await rm('/dev/shm/custos-pipes-65534', { recursive: true, force: true })
  t.equal(said[0], '0 undefined', 'a folder that takes no pipe is done without')
  const short = said.slice(1, -2)
  t.ok(short.every(line => /^null ffmpeg could not be started: .*EMFILE|^0 undefined$/.test(line)), short.join('\n'))
  t.match(short, [/EMFILE/])
  t.equal(short.at(-1), '0 undefined')
  t.match(said.slice(-2), [/^null ffmpeg could not be started: .*EAGAIN/, 'alive'])
})

t.test('bytes that cannot be taken end that run alone, and say why', async t => {
  await standIn(t, 'for output; do :; done; exec yes > "$output"')
  const broken = await startFfmpeg(job('rtsp://127.0.0.1:9/x', () => { throw new TypeError('a box without a size') }), { stop: never, kill: never })
  let bytes = 0
  const kill = new AbortController()
  const well = await startFfmpeg(job('rtsp://127.0.0.1:9/x', chunk => { bytes += chunk.length; return 'whole' }), { stop: never, kill: kill.signal })
  const { code, stderrLines } = await broken.exit
  t.equal(code, null)
  t.match(stderrLines.at(-1), 'what ffmpeg wrote could not be taken: a box without a size')
  const before = bytes
  while (bytes < before + (1 << 20)) await new Promise(resolve => { setTimeout(resolve, 10) })
  kill.abort()
  await well.exit
})

t.test('a child that somebody still holds on to ends all the same', async t => {
  await standIn(t, 'sleep 60 > /dev/null & exit 3')
  const startedAt = performance.now()
  t.match(await (await startFfmpeg(job('rtsp://127.0.0.1:9/x'), { stop: never, kill: never })).exit, { code: 3 })
  t.ok(performance.now() - startedAt < 10_000)
  for (const pid of await children()) process.kill(pid, 'SIGKILL')
})

t.test('a child that ignores its input and its output is no trouble', async t => {
  await standIn(t, 'exec true')
  t.match(await (await startFfmpeg(job('rtsp://127.0.0.1:9/x'), { stop: never, kill: never })).exit, { code: 0 })
})

t.test('with a camera', async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }] })
  const url = server.url('/lobby')
  const frame = async () => (await server.status())['/lobby']!.frame

  await t.test('a stop hands over the frames that ffmpeg held', async t => {
    const parser = new FragmentParser({ headRoomBytes: 0, tailRoomBytes: 0, maxFragmentBytes: 1 << 24 })
    const counts: number[] = []
    const first = Promise.withResolvers<void>()
    const stop = new AbortController()
    const child = await startFfmpeg(job(url, bytes => {
      for (const parsed of parser.push(bytes)) if (parsed.kind === 'fragment') counts.push(parsed.fragment.tracks[0]!.samples.length)
      if (counts.length === 2) first.resolve()
      return 'whole'
    }), { stop: stop.signal, kill: never })
    await first.promise
    await server.reached('/lobby', await frame() + 4) // the next fragment is begun and not complete
    const before = counts.length
    stop.abort()
    await child.exit
    const held = counts.slice(before).reduce((sum, count) => sum + count, 0)
    t.ok(held >= 1, `${held} frames came after the stop`)
    t.strictSame((await children()).filter(pid => pid !== server.pid), [])
  })

  await t.test('what is not taken stays with the child, and comes when there is room', async t => {
    let bytes = 0
    let isHeld = true
    const begun = Promise.withResolvers<void>()
    const again = Promise.withResolvers<void>()
    const kill = new AbortController()
    const child = await startFfmpeg(job(url, chunk => {
      bytes += chunk.length
      begun.resolve()
      if (!isHeld) again.resolve()
      return isHeld ? 'no-room' : 'whole'
    }), { stop: never, kill: kill.signal })
    await begun.promise
    await server.reached('/lobby', await frame() + 15)
    const held = bytes
    await server.reached('/lobby', await frame() + 30)
    t.equal(bytes, held, 'nothing comes while there is no room')
    isHeld = false
    child.resume()
    await again.promise
    t.ok(bytes > held)
    kill.abort()
    await child.exit
  })
})

t.test('no child is left at the end', async t => { t.strictSame(await children(), []) })

t.test('a job that gives way runs at the lowest priority, takes bytes as they come, and ends with its input', async t => {
  const starts = await standIn(t, 'exec cat > "$(dirname "$0")/taken"')
  const input = new PassThrough()
  input.write('first ')
  const child = await startFfmpeg({ inputFormat: 'mp4', inputOptions: [], inputText: input, outputFormat: 'mjpeg', outputOptions: [], onBytes: () => 'whole', niceness: 19 }, { stop: never, kill: never })
  while ((await readFile(path.join(path.dirname(starts), 'taken'), 'utf8').catch(() => '')) !== 'first ') await new Promise(resolve => { setImmediate(resolve) })
  const pids = await children()
  t.equal(pids.length, 1)
  const stat = await readFile(`/proc/${pids[0]}/stat`, 'utf8')
  t.equal(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16], '19', 'nice 19')
  input.end('last')
  t.equal((await child.exit).code, 0)
  t.equal(await readFile(path.join(path.dirname(starts), 'taken'), 'utf8'), 'first last')
})
