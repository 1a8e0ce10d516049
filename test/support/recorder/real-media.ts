import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** A short fragmented MP4 made by the same ffmpeg, with the muxer options the recorder uses. */
export interface MediaOptions {
  readonly codec: 'libx264' | 'libx265' | 'mjpeg'
  readonly audio?: boolean
  readonly size?: string
  readonly seconds?: number
}

const FPS = 10
const made = new Map<string, Promise<Buffer>>()

/** Pictures are noise-free and small: what is tested is the container. Made once a process. */
export function realMedia(options: MediaOptions): Promise<Buffer> {
  const key = JSON.stringify(options)
  const known = made.get(key) ?? encode(options)
  made.set(key, known)
  return known
}

async function encode({ codec, audio = false, size = '160x120', seconds = 3 }: MediaOptions): Promise<Buffer> {
  const sound = audio ? ['-f', 'lavfi', '-i', `sine=frequency=300:duration=${seconds}`] : []
  const encoder = { libx264: ['-preset', 'ultrafast', '-pix_fmt', 'yuv420p'], libx265: ['-preset', 'ultrafast', '-x265-params', 'log-level=error'], mjpeg: [] }[codec]
  const { output, errors, code } = await run('ffmpeg', ['-nostdin', '-v', 'error', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${FPS}:duration=${seconds}`, ...sound,
    '-c:v', codec, ...encoder, '-g', String(FPS), '-bf', '0', ...(audio ? ['-c:a', 'aac', '-b:a', '32k'] : []),
    '-movflags', '+frag_keyframe+empty_moov+default_base_moof', '-frag_duration', '500000', '-f', 'mp4', 'pipe:1'])
  if (code !== 0) throw new Error(`ffmpeg could not make a clip: ${errors}`)
  return output
}

export interface Ended { readonly code: number | null, readonly output: Buffer, readonly errors: string }

/** Runs a program to its end. Kills it after `timeoutMs`, so that a test fails instead of hanging. */
export async function run(command: string, args: readonly string[], options: { input?: string, timeoutMs?: number, env?: NodeJS.ProcessEnv } = {}): Promise<Ended> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: options.timeoutMs ?? 60_000, killSignal: 'SIGKILL', env: options.env ?? process.env })
  child.stdin.on('error', () => undefined) // one that does not read its input may be gone already
  child.stdin.end(options.input ?? '')
  const [output, errors] = await Promise.all([child.stdout.toArray(), child.stderr.toArray(), once(child, 'close')])
  return { code: child.exitCode, output: Buffer.concat(output as Buffer[]), errors: Buffer.concat(errors as Buffer[]).toString() }
}
