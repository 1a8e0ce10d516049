import type { Credential, EpochMs } from '../domain/index.ts'
import { arrivalFilter } from './frame-arrivals.ts'

/**
 * How sound is treated: left out, copied as it is, or turned into AAC because the container cannot hold it. `key-frames`: no sound and no frame but
 * key frames, step 4 of the order of sacrifice; sound over missing pictures would only cut the key frames into more fragments.
 */
export type AudioTreatment = 'off' | 'copy' | 'transcode' | 'key-frames'

/**
 * No frame in half a second is at risk longer than that, and few enough boxes that they cost nothing [G4]. Less than the half, as ffmpeg
 * lets each frame go one frame later than it could.
 */
export const FRAGMENT_DURATION_MS = 450
export const SOCKET_TIMEOUT_MS = 3000 // a frozen camera ends the child within 6 s (measured), should our own watchdog ever fail to
const PROBE = { analyzeDurationUs: 200_000, probeBytes: 100_000 }
/** What the probe may decode with. Everything else in libavcodec stays out of reach of a hostile camera. */
const CODECS = 'h264,hevc,aac,pcm_alaw,pcm_mulaw,adpcm_g726,g723_1'
const FORMATS = 'concat,rtsp,sdp,rtp'
const PROTOCOLS = 'pipe,rtsp,rtp,tcp,udp,tls,crypto'

/** RTSP URL with the credential in its user part, percent-encoded. A secret. */
export function urlWithCredential(url: string, credential: Credential | null): string {
  if (credential === null) return url
  const encode = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
  return url.replace('://', `://${encode(credential.username)}:${encode(credential.password)}@`)
}

/**
 * The ffconcat script that makes ffmpeg open the camera. It is written to the child's stdin, so the password is in no argument list [G8].
 * Throws RangeError on a URL that could end its line: the configuration refuses such already.
 */
export function concatScript(secretUrl: string, audio: AudioTreatment): string {
  // oxlint-disable-next-line no-control-regex -- a control character is what must not get through
  if (/[\u0000-\u001f\u007f]/.test(secretUrl)) throw new RangeError('a stream URL holds a control character')
  return [
    'ffconcat version 1.0',
    `file '${secretUrl.replaceAll("'", "'\\''")}'`,
    'option rtsp_transport tcp',
    `option timeout ${SOCKET_TIMEOUT_MS * 1000}`,
    `option allowed_media_types ${withSound(audio) ? 'video+audio' : 'video'}`,
    `option analyzeduration ${PROBE.analyzeDurationUs}`,
    `option probesize ${PROBE.probeBytes}`,
    'option fpsprobesize 0',
    '',
  ].join('\n')
}

const withSound = (audio: AudioTreatment): boolean => audio === 'copy' || audio === 'transcode'

/** Drops what is no key frame after the stream was taken apart and before it is written. `-discard nokey` does nothing over RTSP (measured, ffmpeg 5.1). */
const KEY_FRAMES_ONLY = 'noise=drop=not(key)'

export const INPUT_OPTIONS: readonly (readonly [string, string] | readonly [string])[] = [
  ['-hide_banner'], ['-nostdin'], ['-nostats'], ['-loglevel', 'level+warning'],
  ['-protocol_whitelist', PROTOCOLS], ['-format_whitelist', FORMATS], ['-codec_whitelist', CODECS],
  ['-safe', '0'],
  ['-analyzeduration', String(PROBE.analyzeDurationUs)], ['-probesize', String(PROBE.probeBytes)], ['-fpsprobesize', '0'],
]

/** Fragments begin at every key frame and at the latest each FRAGMENT_DURATION_MS. */
export const FRAGMENT_OPTIONS: readonly (readonly [string, string])[] = [
  ['-movflags', '+frag_keyframe+empty_moov+default_base_moof'], ['-frag_duration', String(FRAGMENT_DURATION_MS * 1000)], ['-flush_packets', '1'],
]

/** Pictures are copied, never decoded. `startedAt`: what their times of arrival count from. */
export function outputOptions(audio: AudioTreatment, startedAt: EpochMs): readonly (readonly [string, string] | readonly [string])[] {
  const filters = [arrivalFilter(startedAt), ...audio === 'key-frames' ? [KEY_FRAMES_ONLY] : []]
  return [['-map', '0:v:0'], ['-c:v', 'copy'], ['-bsf:v', filters.join(',')], ['-an'], ['-sn'], ['-dn'], ...FRAGMENT_OPTIONS]
}
