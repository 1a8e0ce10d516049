import type { EpochMs } from '../domain/index.ts'
import { arrivalFilter } from './frame-arrivals.ts'

/** Which pictures are kept. `key-frames`: step 4 of the order of sacrifice. */
export type PictureTreatment = 'all' | 'key-frames'
/** How sound is kept: copied as it is, or turned into AAC because the container cannot hold it. */
export type SoundTreatment = 'copy' | 'transcode'

/** No frame in half a second is at risk longer than that, and few enough boxes that they cost nothing [G4]. */
export const FRAGMENT_DURATION_MS = 500
export const SOCKET_TIMEOUT_MS = 3000 // a frozen camera ends the child within 6 s (measured), should our own watchdog ever fail to
/** Behind a relay, which has bounds of its own for each answer and for silence. */
export const RELAYED_TIMEOUT_MS = 60_000
const PROBE = { analyzeDurationUs: 200_000, probeBytes: 100_000 }
/** What may be decoded. Everything else in libavcodec stays out of reach of a hostile camera. */
const DECODERS = {
  video: 'h264,hevc', audio: 'aac,aac_latm,pcm_alaw,pcm_mulaw,pcm_s16be,g726,g726le,g722,g723_1,opus',
} as const
/**
 * What a session brings: sound has one of its own, so that it cannot hold back, misdate or forbid pictures.
 */
export type SessionMedia = keyof typeof DECODERS
const FORMATS = 'concat,rtsp,sdp,rtp'
const PROTOCOLS = 'pipe,rtsp,rtp,tcp,udp,tls,crypto'

/**
 * The ffconcat script that makes ffmpeg open the camera. It is written to the child's stdin: the path of one
 * use is in no
 * argument list.
 * Throws RangeError on a URL that could end its line: the configuration refuses such already.
 */
export function concatScript(secretUrl: string, media: SessionMedia, timeoutMs: number = SOCKET_TIMEOUT_MS): string {
  // oxlint-disable-next-line no-control-regex -- a control character is what must not get through
  if (/[\u0000-\u001f\u007f]/.test(secretUrl)) throw new RangeError('a stream URL holds a control character')
  return [
    'ffconcat version 1.0',
    `file '${secretUrl.replaceAll("'", "'\\''")}'`,
    'option rtsp_transport tcp',
    `option timeout ${timeoutMs * 1000}`,
    `option allowed_media_types ${media}`,
    `option analyzeduration ${PROBE.analyzeDurationUs}`,
    `option probesize ${PROBE.probeBytes}`,
    'option fpsprobesize 0',
    '',
  ].join('\n')
}

/** Drops what is no key frame after the stream was taken apart and before it is written. `-discard nokey` does nothing over RTSP (measured, ffmpeg 5.1). */
const KEY_FRAMES_ONLY = 'noise=drop=not(key)'

type Options = readonly (readonly [string, string] | readonly [string])[]

export const inputOptions = (media: SessionMedia): Options => [
  ['-hide_banner'], ['-nostdin'], ['-nostats'], ['-loglevel', 'level+warning'],
  ['-protocol_whitelist', PROTOCOLS], ['-format_whitelist', FORMATS], ['-codec_whitelist', DECODERS[media]],
  ['-safe', '0'],
  ['-analyzeduration', String(PROBE.analyzeDurationUs)], ['-probesize', String(PROBE.probeBytes)], ['-fpsprobesize', '0'],
]

/** Fragments begin at every key frame and at the latest each FRAGMENT_DURATION_MS. */
export const FRAGMENT_OPTIONS: readonly (readonly [string, string])[] = [
  ['-movflags', '+frag_keyframe+empty_moov+default_base_moof'],
  ['-frag_duration', String(FRAGMENT_DURATION_MS * 1000)], ['-flush_packets', '1'],
]

/**
 * Pictures are copied, never decoded. `startedAt`: what their times of arrival count from. Those before the
 * first key frame show that the camera sends.
 */
export function pictureOptions(pictures: PictureTreatment, startedAt: EpochMs): Options {
  const filters = [arrivalFilter(startedAt), ...pictures === 'key-frames' ? [KEY_FRAMES_ONLY] : []]
  return [
    ['-map', '0:v:0'], ['-c:v', 'copy'], ['-copyinkf'], ['-bsf:v', filters.join(',')], ['-an'], ['-sn'],
    ['-dn'], ...FRAGMENT_OPTIONS,
  ]
}

export function soundOptions(sound: SoundTreatment): Options {
  const codec: Options = sound === 'copy' ? [['-c:a', 'copy']] : [['-c:a', 'aac'], ['-b:a', '48k']]
  return [['-map', '0:a:0'], ...codec, ['-vn'], ['-sn'], ['-dn'], ...FRAGMENT_OPTIONS]
}
