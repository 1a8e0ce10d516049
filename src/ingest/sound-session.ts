import type { EpochMs } from '../domain/index.ts'
import { FragmentParser, MalformedMediaError, parseSoundSegment, type SoundSegment } from '../media/index.ts'
import type { Clock } from '../platform/clock.ts'
import { startFfmpeg } from '../platform/ffmpeg.ts'
import type { CameraSound } from './camera-sound.ts'
import { soundNeedsTranscode } from './classify-stderr.ts'
import { concatScript, inputOptions, RELAYED_TIMEOUT_MS, soundOptions } from './ffmpeg-arguments.ts'
import { SoundLine } from './sound-line.ts'

const MAX_FRAGMENT_BYTES = 1 << 20
/** Between two tries of a camera whose sound does not come. */
const RETRY_DELAYS_MS = [1_000, 5_000, 15_000, 60_000]

/** What one session connects to; worth nothing once it is disposed of. */
export interface SessionWay extends Disposable {
  /** A secret. */
  readonly url: string
}

export interface SoundSessionOptions {
  readonly sound: CameraSound
  readonly way: () => SessionWay
  /** Of the pictures' child: times count from there. */
  readonly startedAt: EpochMs
  readonly clock: Clock
}

/**
 * A camera's sound, received in an RTSP session of its own beside the pictures': whatever it does, they are
 * recorded as without it. Runs for as long as they do, is tried again when it ends, and never fails.
 */
export class SoundSession {
  readonly #options: SoundSessionOptions
  #line: SoundLine | null = null

  constructor(options: SoundSessionOptions) { this.#options = options }

  get segment(): SoundSegment | null { return this.#options.sound.segment }
  get line(): SoundLine | null { return this.#line }

  /** Until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, sound } = this.#options, picturesSince = clock.monoNow()
    await clock.wait(sound.restMs(picturesSince), signal)
    for (let tries = 0; !signal.aborted; tries++) {
      sound.sessionBegins(clock.monoNow())
      const before = sound.treatment, { hadSound, said } = await this.#once(signal)
      if (signal.aborted) break
      if (sound.treatment !== before) continue
      if (hadSound) tries = 0
      else sound.onMissing(said)
      await clock.wait(RETRY_DELAYS_MS[Math.min(tries, RETRY_DELAYS_MS.length - 1)]!, signal)
    }
    sound.picturesEnd(clock.monoNow() - picturesSince, clock.monoNow())
  }

  async #once(signal: AbortSignal): Promise<{ readonly hadSound: boolean, readonly said: string }> {
    const { sound } = this.#options
    const parser = new FragmentParser(
      { headRoomBytes: 0, tailRoomBytes: 0, maxFragmentBytes: MAX_FRAGMENT_BYTES }, parseSoundSegment
    )
    const broken = new AbortController()
    let hadSound = false, refusal: string | null = null
    try {
      using way = this.#options.way()
      const child = await startFfmpeg({
        inputFormat: 'concat', inputOptions: inputOptions('audio'),
        inputText: concatScript(way.url, 'audio', RELAYED_TIMEOUT_MS),
        outputFormat: 'mp4', outputOptions: soundOptions(sound.treatment),
        onBytes: bytes => {
          try { hadSound = this.#take(parser, bytes) || hadSound } catch (error) {
            if (!(error instanceof MalformedMediaError)) throw error
            refusal = error.message
            broken.abort()
          }
          return parser.isMidway ? 'midway' : 'whole'
        },
      }, { stop: broken.signal, kill: AbortSignal.any([signal, broken.signal]) })
      const { stderrLines } = await child.exit
      if (soundNeedsTranscode(stderrLines)) sound.treatment = 'transcode'
      return { hadSound, said: refusal ?? stderrLines.slice(-3).join(' | ') }
    } catch (error) { return { hadSound, said: String(error) } }
  }

  /** Whether there was sound in it. Throws MalformedMediaError where it cannot be recorded. */
  #take(parser: FragmentParser<SoundSegment>, bytes: Buffer): boolean {
    const { sound, clock, startedAt } = this.#options
    let hadSound = false
    for (const parsed of parser.push(bytes)) {
      if (parsed.kind === 'init') {
        const isSame = sound.segment?.moov.equals(parsed.init.moov) === true
        if (!sound.takeSegment(parsed.init, clock.monoNow())) {
          throw new MalformedMediaError('the sound is of another kind again')
        }
        const [{ timescale }] = parsed.init.tracks
        if (this.#line === null || !isSame) this.#line = new SoundLine(timescale)
        continue
      }
      if (!hadSound) sound.onSound()
      hadSound = true
      this.#line?.add(parsed.fragment, clock.wallNow() - startedAt)
    }
    return hadSound
  }
}
