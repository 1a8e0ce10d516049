import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startCraftedCameras } from '../test/support/cameras/crafted-server.ts'

/**
 * How long many cameras take until each is recorded when all are opened at once, against as many bare ffmpeg, in
 * interleaved pairs of one run. The recorder's time counts from the start of its process.
 */
const { values } = parseArgs({ options: {
  streams: { type: 'string', default: '128' }, pairs: { type: 'string', default: '3' },
  port: { type: 'string', default: '18798' },
} })
const streams = Number(values.streams), port = Number(values.port)
const ROOT = path.join(import.meta.dirname, '..')
const POLL_MS = 250
const BOUND_MS = 180_000

async function ended(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(children.map(async child => {
    if (child.exitCode !== null) return
    const closed = once(child, 'close')
    child.kill('SIGTERM')
    await closed
  }))
}

/** Seconds until every ffmpeg has given its first fragment. */
async function bare(url: string): Promise<number> {
  const startedAt = performance.now()
  const children = Array.from({ length: streams }, () => spawn('ffmpeg', ['-v', 'error', '-nostdin', '-rtsp_transport',
    'tcp', '-i', url, '-an', '-c', 'copy', '-f', 'mp4', '-movflags', 'frag_keyframe+empty_moov+default_base_moof',
    '-frag_duration', '500000', 'pipe:1'], { stdio: ['ignore', 'pipe', 'ignore'] }))
  try {
    // The header comes first; a fragment is known by its box.
    await Promise.all(children.map(child => new Promise<void>((resolve, reject) => {
      child.stdout!.on('data', (bytes: Buffer) => { if (bytes.includes('moof')) resolve() })
      child.once('exit', () => { reject(new Error('an ffmpeg ended')) })
    })))
    return (performance.now() - startedAt) / 1000
  } finally { for (const child of children) child.removeAllListeners('exit'); await ended(children) }
}

interface Health { readonly streams: readonly { readonly state: string, readonly restarts: number, readonly lastFrameAt: string | null }[] }
interface Start { readonly seconds: number, readonly restarts: number }

async function custos(config: string): Promise<Start> {
  const startedAt = performance.now()
  const child = spawn(path.join(ROOT, 'bin/custos'), ['run', '--config', config], { stdio: 'ignore' })
  try {
    while (performance.now() - startedAt < BOUND_MS) {
      await sleep(POLL_MS)
      const health = await fetch(`http://127.0.0.1:${port}/health`).then(answer => answer.json() as Promise<Health>).catch(() => null)
      if (health === null || health.streams.length < streams) continue
      if (!health.streams.every(({ state, lastFrameAt }) => state === 'recording' && lastFrameAt !== null)) continue
      return { seconds: (performance.now() - startedAt) / 1000, restarts: health.streams.reduce((sum, stream) => sum + stream.restarts, 0) }
    }
    throw new Error(`not every camera was recorded within ${BOUND_MS / 1000} s`)
  } finally { await ended([child]) }
}

const folder = mkdtempSync(path.join(ROOT, '.bench-'))
try {
  await using cameras = await startCraftedCameras(['plain'])
  const url = cameras.urlOf('plain'), volume = path.join(folder, 'volume'), config = path.join(folder, 'custos.yaml')
  execFileSync(path.join(ROOT, 'bin/custos'), ['volume', 'init', volume, '--id', 'bench', '--size', `${streams * 32}MiB`, '--slot-size', '8MiB'])
  writeFileSync(config, JSON.stringify({
    site: { name: 'bench' }, state: { dir: path.join(folder, 'state') }, listen: { host: '127.0.0.1', port },
    volumes: [{ id: 'bench', path: volume }], retention: { floor: '1s' },
    cameras: Array.from({ length: streams }, (_, i) => ({ id: `c${i}`, name: `c${i}`, streams: { main: { url } } })),
  }))
  for (let pair = 1; pair <= Number(values.pairs); pair++) {
    const theirs = await bare(url), ours = await custos(config)
    console.log(`pair ${pair}: ${streams} bare ffmpeg ${theirs.toFixed(1)} s, custos ${ours.seconds.toFixed(1)} s, ratio ${(ours.seconds / theirs).toFixed(2)} (at most 1.3 is wanted); ${ours.restarts} sessions begun anew`)
  }
} finally { rmSync(folder, { recursive: true, force: true }) }
