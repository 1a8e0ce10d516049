import type { CameraId, CameraUuid, RunId, StreamName } from './ids.ts'
import type { EpochMs } from './time.ts'

/** One stream of one camera, the thing that is recorded. */
export interface StreamKey { readonly cameraId: CameraId, readonly stream: StreamName }
export const streamKeyText = (key: StreamKey): string => `${key.cameraId}/${key.stream}`

/**
 * Why a run ended, and so why the gap after it exists. The words are stored in the catalogue and shown by health; keep them.
 * What a camera or its network did: */
export const CAMERA_END_REASONS = [
  'unreachable',             // no TCP connection, no route, name unknown
  'refused',                 // the port answers with a reset
  'auth-refused',            // 401/403: the password is wrong or missing
  'no-such-stream',          // 404 or no usable media description
  'codec-unsupported',       // neither H.264 nor H.265
  'closed-by-camera',        // the session ended without our asking
  'stalled',                 // connected, but no fragment within the bound
  'timestamps-jumped',       // media time and running time came apart by more than a second
  'parameter-sets-changed',  // other resolution or encoder settings: a new run follows at once
  'bad-stream',              // bytes that are no fragmented MP4, or beyond a bound
  'onvif-failed',            // of recorders before 2026-12: any of the reasons below that begin with onvif
  // a password that the camera took before is refused: it starts up, or was changed there
  'auth-lapsed',
  'auth-unsupported',        // the camera asks for a proof of the password that nobody here can give
  'redirected',              // it sends its viewers to another host: the password does not go there
  'no-tcp',                  // it does not send over TCP
  'onvif-timed-out',         // it takes connections and does not answer
  'onvif-not-spoken',        // what answers is no ONVIF device
  'onvif-fault',             // it answers with a fault
  'onvif-no-profile',        // it has no H.264 or H.265 stream
  'onvif-bad-address',       // the stream address it gave cannot be used
  'onvif-https',             // it answers over HTTPS alone, and that does not work
  'channel-gone',            // the lens that was recorded is not among those it has now
] as const
/** What the recorder or its host did. */
export const RECORDER_END_REASONS = [
  'recorder-stopped',        // asked to stop
  'recorder-killed',         // found at start: the recorder ended without sealing
  'clock-stepped',           // the wall clock was set: the span before and the span after stay apart
  'storage-failed',          // the volume refused the bytes
  'storage-full',            // every slot is inside the floor
  'storage-too-slow',        // bytes arrived faster than the volume took them
  'ffmpeg-failed',           // the child could not start or broke
  'removed-from-config',     // the camera is no longer recorded
  'stepped-down',            // order of sacrifice: goes on at once with less, the lower profile or key frames only
  'stepped-up',              // order of sacrifice taken back by one step or more: goes on at once with more
  'stopped-for-floor',       // order of sacrifice, last step: not recorded until the floor fits again
  'slot-budget',             // it took new slots faster than any camera of its bitrate needs
] as const
/** What a run shows while it goes on. */
export const IN_RUN_REASONS = [
  'no-frames',
  'packets-lost',            // data of pictures was lost between camera and recorder
  'key-frames-only',         // order of sacrifice: the frames between key frames were left out (view `unrecorded`)
] as const
/** Before the first frame of a camera that was just configured, or of a recorder that was just started. */
export const START_REASONS = ['starting'] as const
/** What `custos rebuild` says of a gap: footage tells when, never why. */
export const REBUILT_REASONS = ['unknown'] as const

/** How much of a stream is recorded, from all to nothing: the steps 3, 4 and 5 of the order of sacrifice. The words are stored in the catalogue; keep them. */
export const RECORDING_MODES = ['full', 'lower', 'key-frames', 'stopped'] as const
export type RecordingMode = (typeof RECORDING_MODES)[number]

export type CameraEndReason = (typeof CAMERA_END_REASONS)[number]
export type RecorderEndReason = (typeof RECORDER_END_REASONS)[number]
export type RunEndReason = CameraEndReason | RecorderEndReason
export type InRunReason = (typeof IN_RUN_REASONS)[number]
export type GapCause = RunEndReason | InRunReason | (typeof START_REASONS)[number] | (typeof REBUILT_REASONS)[number]

/** Lost time of a stream (G7). `endedAt` is null while it lasts. */
export interface Gap extends StreamKey {
  readonly startAt: EpochMs
  readonly endAt: EpochMs | null
  readonly cause: GapCause
  readonly noticedAt: EpochMs
}

/** Unbroken footage of one RTSP session. */
export interface Run extends StreamKey {
  readonly id: RunId
  readonly cameraUuid: CameraUuid
  readonly startAt: EpochMs
  readonly endAt: EpochMs | null
  readonly endReason: RunEndReason | null
}
