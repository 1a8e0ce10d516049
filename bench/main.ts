import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { CameraServer } from '../test/support/cameras/camera-server.ts'
import { CLIPS } from '../test/support/cameras/make-clips.ts'
import { cpuTimeMs, rssMiB } from './cpu-time.ts'
import { fragmentChildren, hasShaInstructions, hashPercent, writePercent } from './floor.ts'

/**
 * CPU of the recorder with its children against as many bare `ffmpeg -c copy -f segment`, in interleaved pairs of one run. Measured after a start has passed:
 * the code for people is loaded within its first 20 s, and what V8 compiles by itself comes in its first 30.
 */
const { values } = parseArgs({ options: {
  streams: { type: 'string', default: '8,16' }, pairs: { type: 'string', default: '5' }, seconds: { type: 'string', default: '20' },
  warmup: { type: 'string', default: '30' }, port: { type: 'string', default: '18799' }, json: { type: 'string' }, floor: { type: 'boolean', default: false },
} })
const [pairs, seconds, warmupS] = [Number(values.pairs), Number(values.seconds), Number(values.warmup)]
const ROOT = path.join(import.meta.dirname, '..')
const wait = (ms: number) => new Promise<void>(resolve => { setTimeout(resolve, ms) })
const median = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!

interface Sample { readonly cpuPercent: number, readonly rssMiB: number }

async function measure(children: readonly ChildProcess[], rssOf: ChildProcess | null): Promise<Sample> {
  await wait(warmupS * 1000)
  const sum = () => children.reduce((total, child) => total + cpuTimeMs(child.pid!), 0)
  const [before, from] = [sum(), performance.now()]
  await wait(seconds * 1000)
  const cpuPercent = (sum() - before) / (performance.now() - from) * 100
  if (children.some(child => child.exitCode !== null)) throw new Error('a child ended while it was measured')
  return { cpuPercent, rssMiB: rssOf === null ? 0 : rssMiB(rssOf.pid!) }
}

async function stop(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(children.map(child => new Promise<void>(resolve => {
    if (child.exitCode !== null) { resolve(); return }
    child.once('exit', () => { resolve() })
    child.kill('SIGTERM')
  })))
}

async function bare(urls: readonly string[], folder: string): Promise<Sample> {
  const children = urls.map((url, i) => spawn('ffmpeg', ['-v', 'error', '-nostdin', '-rtsp_transport', 'tcp', '-i', url, '-an', '-c', 'copy',
    '-f', 'segment', '-segment_time', '60', '-reset_timestamps', '1', path.join(folder, `bare-${i}-%05d.mp4`)], { stdio: 'ignore' }))
  try { return await measure(children, null) } finally { await stop(children) }
}

/** What any recorder that hashes, syncs and writes must use here, each part by itself: children with the emptying of their pipes, SHA-256, writing. */
async function floorOf(urls: readonly string[], folder: string): Promise<readonly [number, number, number]> {
  const children = await fragmentChildren(urls, folder)
  let fragments: Sample
  try { fragments = await measure(children, null) } finally { await stop(children) }
  return [fragments.cpuPercent, hashPercent(urls.length, seconds), writePercent(urls.length, seconds, folder)]
}

async function custos(config: string): Promise<Sample> {
  const child = spawn(path.join(ROOT, 'bin/custos'), ['run', '--config', config], { stdio: 'ignore' })
  try { return await measure([child], child) } finally { await stop([child]) }
}

const folder = mkdtempSync(path.join(ROOT, '.bench-'))
const report: unknown[] = []
const readsAhead = existsSync(path.join(ROOT, '.cache/recv-ahead.so'))
console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${hasShaInstructions() ? 'with' : 'without'} SHA instructions; ffmpeg ${readsAhead ? 'reads' : 'does not read'} ahead (libexec/recv-ahead.c)`)
try {
  for (const streams of values.streams.split(',').map(Number)) {
    await using server = await CameraServer.start({ mounts: Array.from({ length: streams }, (_, i) => ({ path: `/c${i}`, clip: CLIPS.h264FullHd })) })
    const urls = Array.from({ length: streams }, (_, i) => server.url(`/c${i}`))
    const volume = path.join(folder, `volume-${streams}`)
    execFileSync(path.join(ROOT, 'bin/custos'), ['volume', 'init', volume, '--id', 'bench', '--size', `${streams * 256}MiB`, '--slot-size', '64MiB'])
    const config = path.join(folder, `${streams}.yaml`)
    writeFileSync(config, JSON.stringify({
      site: { name: 'bench' }, state: { dir: path.join(folder, `state-${streams}`) }, listen: { host: '127.0.0.1', port: Number(values.port) },
      volumes: [{ id: 'bench', path: volume }], retention: { floor: '1s' },
      cameras: urls.map((url, i) => ({ id: `c${i}`, name: `c${i}`, streams: { main: { url } } })),
    }))
    const ratios: number[] = [], floors: number[] = [], samples: { custos: Sample, bare: Sample }[] = []
    for (let pair = 0; pair < pairs; pair++) {
      const files = path.join(folder, 'files')
      mkdirSync(files, { recursive: true })
      // Every other pair in the other order, so that a drift of the machine favours neither.
      const first = pair % 2 === 0 ? await bare(urls, files) : null
      const ours = await custos(config)
      const parts = values.floor ? await floorOf(urls, files) : null
      const theirs = first ?? await bare(urls, files)
      rmSync(files, { recursive: true })
      ratios.push(ours.cpuPercent / theirs.cpuPercent)
      samples.push({ custos: ours, bare: theirs })
      console.log(`${streams} streams, pair ${pair + 1}: custos ${ours.cpuPercent.toFixed(2)} % of a core (${ours.rssMiB.toFixed(0)} MiB), bare ffmpeg ${theirs.cpuPercent.toFixed(2)} %, ratio ${ratios.at(-1)!.toFixed(3)}`)
      if (parts === null) continue
      floors.push(parts.reduce((sum, part) => sum + part, 0) / theirs.cpuPercent)
      console.log(`  the least: children and reader ${parts[0].toFixed(2)} %, SHA-256 ${parts[1].toFixed(2)} %, write and sync ${parts[2].toFixed(2)} %; ratio ${floors.at(-1)!.toFixed(3)}`)
    }
    const result = { streams, medianRatio: median(ratios), ratios, floors, samples, seconds, readsAhead, cpu: cpus()[0]?.model }
    report.push(result)
    console.log(`${streams} streams: median ratio ${result.medianRatio.toFixed(3)} (at most 1.15 is wanted), daemon at most ${Math.max(...samples.map(sample => sample.custos.rssMiB)).toFixed(0)} MiB`)
    if (floors.length > 0) console.log(`${streams} streams: the least any recorder that hashes, syncs and writes can cost here, median ratio ${median(floors).toFixed(3)}`)
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
} finally { rmSync(folder, { recursive: true, force: true }) }
