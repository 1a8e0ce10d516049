/**
 * How sound is treated: left out, copied as it is, or turned into AAC because the container cannot hold it. `key-frames`: no sound and no frame but
 * key frames, step 4 of the order of sacrifice; sound over missing pictures would only cut the key frames into more fragments.
 */
export type AudioTreatment = 'off' | 'copy' | 'transcode' | 'key-frames'

/** No frame in half a second is at risk longer than that, and few enough boxes that they cost nothing [G4]. */
export const FRAGMENT_DURATION_MS = 500
export const SOCKET_TIMEOUT_MS = 3000 // a frozen camera ends the child within 6 s (measured), should our own watchdog ever fail to
/** Behind a relay, which has bounds of its own for each answer and for silence. */
export const RELAYED_TIMEOUT_MS = 60_000
const PROBE = { analyzeDurationUs: 200_000, probeBytes: 100_000 }
/** What the probe may decode with. Everything else in libavcodec stays out of reach of a hostile camera. */
const CODECS = 'h264,hevc,aac,pcm_alaw,pcm_mulaw,adpcm_g726,g723_1'
const FORMATS = 'concat,rtsp,sdp,rtp'
const PROTOCOLS = 'pipe,rtsp,rtp,tcp,udp,tls,crypto'

/**
 * The ffconcat script that makes ffmpeg open the camera. It is written to the child's stdin: the path of one
 * use is in no
 * argument list.
 * Throws RangeError on a URL that could end its line: the configuration refuses such already.
 */
export function concatScript(secretUrl: string, audio: AudioTreatment,
  timeoutMs: number = SOCKET_TIMEOUT_MS): string {
  // oxlint-disable-next-line no-control-regex -- a control character is what must not get through
  if (/[\u0000-\u001f\u007f]/.test(secretUrl)) throw new RangeError('a stream URL holds a control character')
  return [
    'ffconcat version 1.0',
    `file '${secretUrl.replaceAll("'", "'\\''")}'`,
    'option rtsp_transport tcp',
    `option timeout ${timeoutMs * 1000}`,
    `option allowed_media_types ${withSound(audio) ? 'video+audio' : 'video'}`,
    `option analyzeduration ${PROBE.analyzeDurationUs}`,
    `option probesize ${PROBE.probeBytes}`,
    'option fpsprobesize 0',
    '',
  ].join('\n')
}

const withSound = (audio: AudioTreatment): boolean => audio === 'copy' || audio === 'transcode'

/** Drops what is no key frame after the stream was taken apart and before it is written. `-discard nokey` does nothing over RTSP (measured, ffmpeg 5.1). */
const KEY_FRAMES_ONLY = ['-bsf:v', 'noise=drop=not(key)'] as const

export const INPUT_OPTIONS: readonly (readonly [string, string] | readonly [string])[] = [
  ['-hide_banner'], ['-nostdin'], ['-nostats'], ['-loglevel', 'level+warning'],
  ['-protocol_whitelist', PROTOCOLS], ['-format_whitelist', FORMATS], ['-codec_whitelist', CODECS],
  ['-safe', '0'],
  ['-analyzeduration', String(PROBE.analyzeDurationUs)], ['-probesize', String(PROBE.probeBytes)], ['-fpsprobesize', '0'],
]

/** Pictures are copied, never decoded. Fragments begin at every key frame and at the latest each FRAGMENT_DURATION_MS. */
export function outputOptions(audio: AudioTreatment): readonly (readonly [string, string] | readonly [string])[] {
  const sound: readonly (readonly [string, string] | readonly [string])[] = !withSound(audio) ? [['-an']]
    : [['-map', '0:a:0?'], ...(audio === 'copy' ? [['-c:a', 'copy'] as const] : [['-c:a', 'aac'] as const, ['-b:a', '48k'] as const])]
  return [
    ['-map', '0:v:0'], ['-c:v', 'copy'], ...(audio === 'key-frames' ? [KEY_FRAMES_ONLY] : []), ...sound, ['-sn'], ['-dn'],
    ['-movflags', '+frag_keyframe+empty_moov+default_base_moof'],
    ['-frag_duration', String(FRAGMENT_DURATION_MS * 1000)], ['-flush_packets', '1'],
  ]
}
