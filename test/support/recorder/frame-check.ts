import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { clip, type ClipOptions } from '../cameras/make-clips.ts'
import { run } from './real-media.ts'

const CHECK_FRAMES = fileURLToPath(new URL('../cameras/check-frames.py', import.meta.url))

/** Frames are dated by their arrival, evened by the camera's stamps: right within this (0019). */
const TOLERANCE = ['--tolerance-ms', '250'] as const

/** What check-frames.py says, as far as tests ask. */
export interface Verdict {
  readonly ok: boolean
  readonly faults: readonly string[]
  readonly frames: number
  readonly first: number
  readonly last: number
  readonly missing: readonly (readonly [number, number])[]
  readonly missingFrames: number
  readonly doubled: readonly number[]
  readonly reordered: readonly number[]
  readonly wrongSize: readonly number[]
  readonly worstTimeErrorMs: number
  readonly startsOnKey: boolean
  readonly firstSeconds: number
  readonly lastSeconds: number
  readonly firstWallMs: number
  readonly lastWallMs: number
}

/** Testifies which frames of a camera the clips hold, from the bytes alone. */
export async function frameCheck(files: readonly string[], clips: readonly ClipOptions[], ...options: string[]): Promise<Verdict> {
  const clipArguments = (await Promise.all(clips.map(each => clip(each)))).flatMap(file => ['--clip', file])
  const { output, errors } = await run('python3', [CHECK_FRAMES, ...clipArguments, ...TOLERANCE, ...options, ...files])
  const verdict = output.length === 0 ? null : JSON.parse(output.toString()) as Verdict & { unreadable?: string, error?: string }
  if (verdict === null || verdict.unreadable !== undefined) throw new Error(`${verdict?.unreadable ?? files.join(' ')}: ${verdict?.error ?? errors}`)
  return verdict
}

/** Without times rounded to the usual rate: frames may come closer than that. */
const AS_IT_STANDS = ['-fps_mode', 'passthrough', '-enc_time_base', '-1'] as const

/** Said while a rate is estimated: a step a thousand times as long as those before, as where frames that were held up came at once. */
const OF_THE_RATE = /^.*DTS discontinuity in stream \d+: packet \d+ with DTS .*\n?/gm

/** What a decoder has against a file; empty when it decodes from the first frame to the last. */
export async function decodeErrors(file: string): Promise<string> {
  const { code, errors } = await run('ffmpeg', ['-nostdin', '-v', 'warning', '-xerror', '-i', file, '-map', '0', ...AS_IT_STANDS, '-f', 'null', '-'])
  return `${code === 0 ? '' : `exit code ${code} `}${errors.replaceAll(OF_THE_RATE, '')}`
}

/** What ffprobe warns of while it counts the packets of a file; `packets` by its own count. */
export async function probe(file: string): Promise<{ warnings: string, packets: number }> {
  const { output, errors } = await run('ffprobe', ['-v', 'warning', '-select_streams', 'v', '-count_packets', '-show_entries', 'stream=nb_read_packets', '-of', 'csv=p=0', file])
  return { warnings: errors, packets: Number(output.toString().trim()) }
}

/** By how much the recorded times of a clip's first and last frame differ from the instants the camera captured them, in milliseconds. */
export async function stampErrorsMs(file: string, { firstSeconds, lastSeconds, firstWallMs, lastWallMs }: Verdict): Promise<readonly [number, number]> {
  const manifest = JSON.parse(await readFile(`${file}.manifest.json`, 'utf8')) as { from: string }
  const zeroMs = Date.parse(manifest.from)
  return [zeroMs + firstSeconds * 1000 - firstWallMs, zeroMs + lastSeconds * 1000 - lastWallMs]
}
