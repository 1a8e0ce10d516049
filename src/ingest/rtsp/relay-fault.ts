import type { CameraEndReason } from '../../domain/index.ts'

/**
 * Why the way to a camera failed, where the relay knows it better than ffmpeg's words tell. `said` holds no
 * secret.
 */
export class RelayFault extends Error {
  override readonly name = 'RelayFault'
  readonly reason: CameraEndReason
  constructor(reason: CameraEndReason, said: string) {
    super(said)
    this.reason = reason
  }
}
