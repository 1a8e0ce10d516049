import type { Credential } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { startFfmpeg, type Taken } from '../platform/ffmpeg.ts'
import { FragmentParser, type InitSegment, type Sample } from '../media/index.ts'
import { concatScript, inputOptions, pictureOptions, RELAYED_TIMEOUT_MS } from './ffmpeg-arguments.ts'
import type { CameraRelay, RelayFault } from './rtsp/index.ts'

/** What a stream is, measured over some seconds of it; null where too little came. */
export interface StreamSample {
  readonly codec: string
  readonly widthPx: number
  readonly heightPx: number
  readonly fps: number | null
  readonly bitrateBps: number | null
  /** Between the first two key frames. */
  readonly keyFrameSeconds: number | null
  /** Of the first picture, 0 black to 255 white; null where it could not be decoded. */
  readonly brightness: number | null
}

export interface SampleTarget {
  readonly url: string
  readonly credential: Credential | null
  readonly relay: CameraRelay
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Smart codecs send a key frame every 30 s: less tells no interval of theirs. */
  readonly forMs: number
}

const MAX_FRAGMENT_BYTES = 16 << 20
const STILL_WITHIN_MS = 40_000

/**
 * Looks into a stream without keeping anything of it. Throws RelayFault for what failed on the way; null when
 * nothing usable came.
 */
export async function sampleStream(target: SampleTarget): Promise<StreamSample | null> {
  const parser = new FragmentParser({ headRoomBytes: 0, tailRoomBytes: 0,
    maxFragmentBytes: MAX_FRAGMENT_BYTES })
  const samples: Sample[] = []
  let init: InitSegment | null = null
  const onBytes = (bytes: Buffer): Taken => {
    for (const parsed of parser.push(bytes)) {
      if (parsed.kind === 'init') init = parsed.init
      else samples.push(...parsed.fragment.tracks.flatMap(track => track.samples))
    }
    return 'whole'
  }
  const fault = await runFor(target, target.forMs,
    { outputFormat: 'mp4', outputOptions: pictureOptions('all', target.clock.wallNow()), onBytes })
  if (init === null && fault !== null) throw fault
  return init === null ? null : { ...measured(init, samples), brightness: await brightnessOf(target) }
}

/** The mean of one decoded picture: a single byte leaves the child. */
async function brightnessOf(target: SampleTarget): Promise<number | null> {
  let byte: number | null = null
  await runFor(target, STILL_WITHIN_MS, {
    outputFormat: 'rawvideo', outputOptions: [['-map', '0:v:0'], ['-frames:v', '1'],
      ['-vf', 'scale=1:1:flags=area,format=gray']],
    onBytes: bytes => { byte ??= bytes[0] ?? null; return 'whole' },
  })
  return byte
}

async function runFor({ url, credential, relay, clock, signal }: SampleTarget, forMs: number,
  job: Pick<Parameters<typeof startFfmpeg>[0],
  'outputFormat' | 'outputOptions' | 'onBytes'>): Promise<RelayFault | null> {
  using ticket = relay.ticket(url, credential)
  const over = new AbortController()
  void clock.wait(forMs, AbortSignal.any([signal, over.signal])).then(() => { over.abort() })
  const run = await startFfmpeg({
    inputFormat: 'concat', inputOptions: inputOptions('video'),
    inputText: concatScript(ticket.url, 'video', RELAYED_TIMEOUT_MS), ...job,
  }, { stop: AbortSignal.any([signal, over.signal]), kill: signal })
  await run.exit
  over.abort()
  return ticket.fault()
}

function measured({ video }: InitSegment, samples: readonly Sample[]): Omit<StreamSample, 'brightness'> {
  const seconds = samples.reduce((sum, { durationTicks }) => sum + durationTicks, 0) / video.timescale
  const isEnough = samples.length > 1 && seconds > 0
  const keys = samples.flatMap(({ isKey }, i) => isKey ? [i] : [])
  const group = keys.length < 2 ? [] : samples.slice(keys[0], keys[1])
  return {
    codec: video.codec, widthPx: video.widthPx, heightPx: video.heightPx,
    fps: isEnough ? samples.length / seconds : null,
    bitrateBps: isEnough ? samples.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) * 8 / seconds : null,
    keyFrameSeconds: group.length === 0 ? null
      : group.reduce((sum, { durationTicks }) => sum + durationTicks, 0) / video.timescale,
  }
}
