import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('./odd-camera.py', import.meta.url))
const source = 'videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=10/1'
/** By mount path: pictures this recorder does not keep, sound alone, and H.264 with sound that MP4 cannot hold. */
const MOUNTS = {
  '/mjpeg': `${source} ! jpegenc ! rtpjpegpay name=pay0 pt=26`,
  '/vp8': `${source} ! vp8enc deadline=1 ! rtpvp8pay name=pay0 pt=96`,
  '/sound-only': 'audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay0 pt=0',
} as const

export type OddMount = keyof typeof MOUNTS

/** A GStreamer RTSP server of the codecs a recorder must refuse. Ended by disposal, or with this process. */
export async function startOddCamera(): Promise<{ url(mount: OddMount): string } & AsyncDisposable> {
  const child = spawn('/usr/bin/python3', [SCRIPT, ...Object.entries(MOUNTS).map(([path, launch]) => `${path}=${launch}`)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const [first] = await Promise.race([once(child.stdout, 'data'), closed.then(() => { throw new Error('the odd camera did not start') })]) as [Buffer]
  const port = Number(first.toString().trim())
  return {
    url: mount => `rtsp://127.0.0.1:${port}${mount}`,
    async [Symbol.asyncDispose]() { child.stdin.end(); child.kill('SIGKILL'); await closed },
  }
}
