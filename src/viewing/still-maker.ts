import { Readable } from 'node:stream'
import type { InitSegment } from '../media/index.ts'
import { startFfmpeg } from '../platform/ffmpeg.ts'
import type { Clock } from '../platform/clock.ts'
import { PictureError, ViewingBusyError } from './errors.ts'

const MOST_WAITING = 12
const STILL_MOST_MS = 10_000
const STILL_MOST_BYTES = 8 << 20
const STOPPED = new AbortController().signal

/** Makes a JPEG of one key frame. One at a time and behind everything else on the machine [G9]. */
export class StillMaker {
  readonly #clock: Clock
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0
  constructor(clock: Clock) { this.#clock = clock }

  /** `fragment` begins with the key frame; only that is decoded. Throws ViewingBusyError, PictureError. */
  async make(init: InitSegment, fragment: Buffer): Promise<Buffer> {
    if (this.#waiting >= MOST_WAITING) throw new ViewingBusyError('等候中的畫面太多。', 'too many stills wait already')
    this.#waiting++
    const mine = this.#last.then(() => this.#decode(init, fragment))
    this.#last = mine.catch(() => undefined)
    try { return await mine } finally { this.#waiting-- }
  }

  async #decode({ ftyp, moov }: InitSegment, fragment: Buffer): Promise<Buffer> {
    const kill = new AbortController(), over = new AbortController()
    const parts: Buffer[] = []
    let bytes = 0
    const child = await startFfmpeg({
      inputFormat: 'mp4', inputOptions: [['-threads', '1']], inputText: Readable.from([Buffer.concat([ftyp, moov, fragment])]), niceness: 19,
      outputFormat: 'mjpeg', outputOptions: [['-map', '0:v:0'], ['-an'], ['-frames:v', '1'], ['-c:v', 'mjpeg'], ['-pix_fmt', 'yuvj420p'], ['-q:v', '3'], ['-threads', '1']],
      onBytes: piece => {
        bytes += piece.length
        if (bytes > STILL_MOST_BYTES) kill.abort()
        else parts.push(Buffer.from(piece))
        return 'whole'
      },
    }, { stop: STOPPED, kill: kill.signal })
    void this.#clock.wait(STILL_MOST_MS, over.signal).then(() => { kill.abort() })
    const { code, stderrLines } = await child.exit
    over.abort()
    const jpeg = Buffer.concat(parts)
    if (code !== 0 || jpeg.readUInt16BE(0) !== 0xffd8) throw new PictureError('這個畫面無法解碼。', `the frame could not be decoded: ${stderrLines.at(-1) ?? `exit ${code}`}`)
    return jpeg
  }
}
