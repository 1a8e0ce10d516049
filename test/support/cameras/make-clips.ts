import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'

import { readAccessUnits } from './access-units.ts'
import type { AccessUnit, VideoCodec } from './access-units.ts'

export type ClipOptions = {
  codec: VideoCodec
  width: number
  height: number
  fps: number
  gopFrames: number
  bitrateBps: number
  /** A multiple of gopFrames, so that the loop closes on a key frame. */
  frames: number
  /** Put an access unit delimiter before every frame, as some cameras do. */
  aud?: boolean
  /** More of x264's own parameters, of H.264 alone. */
  encoder?: string
}

/** One frame of a clip as the `.json` beside the `.bin` describes it; `vclOffset` counts from `offset`. */
export type ClipFrame = { offset: number, sizeBytes: number, key: boolean, vclOffset: number, vclBytes: number, vclCrc32: number }
export type ClipIndex = ClipOptions & { version: number, measuredBitrateBps: number, frameIndex: ClipFrame[] }

/** The clips tests and demos ask for by name, so that the cache holds few. */
export const CLIPS = {
  h264Small: { codec: 'h264', width: 640, height: 360, fps: 15, gopFrames: 15, bitrateBps: 600_000, frames: 60 },
  h264Hd: { codec: 'h264', width: 1280, height: 720, fps: 15, gopFrames: 15, bitrateBps: 1_500_000, frames: 60 },
  h264FullHd: { codec: 'h264', width: 1920, height: 1080, fps: 15, gopFrames: 30, bitrateBps: 4_000_000, frames: 120 },
  h265Small: { codec: 'h265', width: 640, height: 360, fps: 15, gopFrames: 15, bitrateBps: 400_000, frames: 60 },
  h265Hd: { codec: 'h265', width: 1280, height: 720, fps: 15, gopFrames: 30, bitrateBps: 1_000_000, frames: 60 },
} as const satisfies Record<string, ClipOptions>

/** Raised whenever the bytes made from the same options would change. */
const CLIP_VERSION = 1
const FFMPEG_TIMEOUT_MS = 120_000
/** A 4 Mbit/s camera must mean 4 Mbit/s: the encoder's aim is corrected until the clip is within this share. */
const BITRATE_TOLERANCE = 0.01
const BITRATE_ROUNDS = 6
const CABAC_ZERO_WORD = Buffer.from([0, 0, 3])

const CLIP_FILE = 'clip.bin'
const CACHE_FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../../../.cache/clips')

const pending = new Map<string, Promise<string>>()

/** Path of the clip's `.bin` (Annex B); its index is at the same path plus `.json`. Made once, then cached. */
export function clip(options: ClipOptions, cacheFolder = CACHE_FOLDER): Promise<string> {
  const path = join(cacheFolder, clipName(options), CLIP_FILE)
  let made = pending.get(path)
  if (made === undefined) {
    made = makeUnlessCached(path, options)
    pending.set(path, made)
    made.catch(() => pending.delete(path))
  }
  return made
}

export async function clipIndex(path: string): Promise<ClipIndex> {
  return JSON.parse(await readFile(`${path}.json`, 'utf8')) as ClipIndex
}

/** Path of a looped sine tone: ADTS frames (16 kHz mono AAC) or raw 8 kHz mu-law. */
export async function audioClip(codec: 'aac' | 'g711'): Promise<string> {
  const path = join(CACHE_FOLDER, codec === 'aac' ? `tone-v${CLIP_VERSION}.adts` : `tone-v${CLIP_VERSION}.ulaw`)
  if (await exists(path)) return path
  const output = codec === 'aac'
    ? ['-ar', '16000', '-ac', '1', '-c:a', 'aac', '-b:a', '32k', '-f', 'adts']
    : ['-ar', '8000', '-ac', '1', '-c:a', 'pcm_mulaw', '-f', 'mulaw']
  await publish(path, await ffmpeg(['-f', 'lavfi', '-i', 'sine=frequency=440:duration=8', ...output, 'pipe:1']))
  return path
}

function clipName(options: ClipOptions): string {
  const { codec, width, height, fps, gopFrames, bitrateBps, frames, aud = false, encoder } = options
  const more = encoder === undefined ? [] : [encoder]
  const key = createHash('sha256').update(JSON.stringify(
    [CLIP_VERSION, codec, width, height, fps, gopFrames, bitrateBps, frames, aud, ...more]))
  return `${codec}-${width}x${height}-${fps}fps-${Math.round(bitrateBps / 1000)}k-${key.digest('hex').slice(0, 8)}`
}

async function makeUnlessCached(path: string, options: ClipOptions): Promise<string> {
  if (await exists(path)) return path
  if (options.frames % options.gopFrames !== 0) throw new Error('frames must be a multiple of gopFrames')
  const units = distinctSizes(await encodeAtBitrate(options))
  const index = describe(units, options)
  await publishPair(path, Buffer.concat(units.map(unit => unit.bytes)), Buffer.from(`${JSON.stringify(index)}\n`))
  return path
}

/**
 * The clip and its index in one step, as a folder: x265 makes other bytes each time, and another process may be making
 * the same clip. Who comes second takes what is there.
 */
async function publishPair(path: string, bytes: Buffer, index: Buffer): Promise<void> {
  const folder = dirname(path), draft = `${folder}.${randomUUID()}.tmp`
  await mkdir(draft, { recursive: true })
  await writeFile(join(draft, CLIP_FILE), bytes)
  await writeFile(join(draft, `${CLIP_FILE}.json`), index)
  try { await rename(draft, folder) }
  catch (error) {
    await rm(draft, { recursive: true })
    if (!await exists(path)) throw error
  }
}

async function encodeAtBitrate(options: ClipOptions): Promise<AccessUnit[]> {
  let aimBps = options.bitrateBps
  let best: { units: AccessUnit[], error: number } | undefined
  for (let round = 0; round < BITRATE_ROUNDS; round += 1) {
    const units = readAccessUnits(await ffmpeg(encodeArguments(options, Math.round(aimBps))), options)
    if (units.length !== options.frames) throw new Error(`encoder made ${units.length} frames instead of ${options.frames}`)
    const ratio = bitrateOf(units, options.fps) / options.bitrateBps
    const error = Math.abs(ratio - 1)
    if (best === undefined || error < best.error) best = { units, error }
    if (error <= BITRATE_TOLERANCE) break
    aimBps /= ratio
  }
  if (best === undefined) throw new Error('no encoding round ran')
  return best.units
}

function encodeArguments(options: ClipOptions, aimBps: number): string[] {
  const { codec, width, height, fps, gopFrames, frames, encoder = '' } = options
  const more = encoder === '' ? '' : `:${encoder}`
  // Noise keeps every frame different and gives the rate control something to spend bits on.
  const source = `testsrc2=size=${width}x${height}:rate=${fps},noise=alls=12:allf=t,format=yuv420p`
  const rate = ['-b:v', `${aimBps}`, '-maxrate', `${aimBps}`, '-bufsize', `${aimBps}`]
  const gop = ['-g', `${gopFrames}`, '-keyint_min', `${gopFrames}`, '-bf', '0']
  const encoding = codec === 'h264'
    ? ['-c:v', 'libx264', '-preset', 'veryfast', '-sc_threshold', '0', ...gop, ...rate,
        '-x264-params', `sliced-threads=0:slices=1:rc-lookahead=0:mbtree=0:repeat-headers=1${more}`, '-f', 'h264']
    : ['-c:v', 'libx265', '-preset', 'ultrafast', ...gop, ...rate, '-x265-params',
        `keyint=${gopFrames}:min-keyint=${gopFrames}:scenecut=0:open-gop=0:bframes=0:repeat-headers=1:info=0:log-level=error`, '-f', 'hevc']
  return ['-f', 'lavfi', '-i', source, '-frames:v', `${frames}`, ...encoding, 'pipe:1']
}

/** Sizes identify frames, so equal ones are pulled apart with cabac_zero_words, which decoders skip. */
function distinctSizes(units: AccessUnit[]): AccessUnit[] {
  const seen = new Set<number>()
  return units.map(unit => {
    let { bytes, vclNals } = unit
    while (seen.has(sizeOf(vclNals))) {
      bytes = Buffer.concat([bytes, CABAC_ZERO_WORD])
      vclNals = [...vclNals.slice(0, -1), Buffer.concat([...vclNals.slice(-1), CABAC_ZERO_WORD])]
    }
    seen.add(sizeOf(vclNals))
    return { ...unit, bytes, vclNals }
  })
}

function sizeOf(nals: readonly Buffer[]): number {
  return nals.reduce((sum, nal) => sum + nal.length, 0)
}

function describe(units: AccessUnit[], options: ClipOptions): ClipIndex {
  let offset = 0
  const frameIndex = units.map((unit, frame): ClipFrame => {
    if (unit.key !== (frame % options.gopFrames === 0)) throw new Error(`frame ${frame} breaks the GOP of ${options.gopFrames}`)
    const vclBytes = sizeOf(unit.vclNals)
    const entry = { offset, sizeBytes: unit.bytes.length, key: unit.key, vclOffset: unit.vclOffset, vclBytes, vclCrc32: crcOf(unit.vclNals) }
    offset += unit.bytes.length
    return entry
  })
  return { ...options, version: CLIP_VERSION, measuredBitrateBps: bitrateOf(units, options.fps), frameIndex }
}

function crcOf(nals: readonly Buffer[]): number {
  return nals.reduce((crc, nal) => crc32(nal, crc), 0)
}

function bitrateOf(units: readonly AccessUnit[], fps: number): number {
  return Math.round(units.reduce((sum, unit) => sum + unit.bytes.length, 0) * 8 * fps / units.length)
}

async function publish(path: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${randomUUID()}.tmp`
  await writeFile(draft, bytes)
  await rename(draft, path)
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false)
}

async function ffmpeg(args: readonly string[]): Promise<Buffer> {
  const child = spawn('ffmpeg', ['-nostdin', '-hide_banner', '-loglevel', 'error', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'], timeout: FFMPEG_TIMEOUT_MS, killSignal: 'SIGKILL',
  })
  const [output, complaint] = await Promise.all([child.stdout.toArray(), child.stderr.toArray(), exited(child)])
  if (child.exitCode !== 0) throw new Error(`ffmpeg could not make a clip: ${Buffer.concat(complaint as Buffer[]).toString()}`)
  return Buffer.concat(output as Buffer[])
}

function exited(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
}
