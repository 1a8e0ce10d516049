import type { CameraId } from './ids.ts'
import type { EpochMs } from './time.ts'

/** What a device tells of itself; null where it says nothing. Cleaned and bounded where it was read. */
export interface DeviceFacts { readonly maker: string | null, readonly model: string | null, readonly firmware: string | null, readonly serial: string | null }

/**
 * What is kept of a camera from one connection to the next: ONVIF's token of the lens, SHA-256 of its
 * certificate.
 */
export type CameraTrait = 'video-source' | 'certificate'
/** Something about a camera that is another than before. */
export interface CameraChange {
  readonly cameraId: CameraId
  readonly what: CameraTrait | 'device'
  readonly since: EpochMs
}
