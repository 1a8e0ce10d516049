import type { CameraId, StreamName } from './ids.ts'

/** A secret; lives only in memory and in the secrets file. Never log, print or put into an argument list. */
export interface Credential { readonly username: string, readonly password: string }

/** Where the media of a stream comes from. `url` holds no credential. */
export type StreamSource =
  | { readonly kind: 'url', readonly url: string }
  | OnvifSource

export interface OnvifSource {
  readonly kind: 'onvif'
  readonly host: string
  readonly port: number
  readonly profile: 'main' | 'sub'
  /** ONVIF's token of the lens; null: the one that was chosen first, which is the first of the device. */
  readonly source: string | null
}

export interface StreamConfig {
  readonly name: StreamName
  readonly source: StreamSource
  /** The most the office means this stream to need, in bits a second; null when it said nothing. Disks are planned by it. */
  readonly declaredBps: number | null
  /** What is recorded in its place when the order of sacrifice steps it down; null when there is nothing smaller. */
  readonly lower: StreamSource | null
}

export interface CameraConfig {
  readonly id: CameraId
  /** As people call it, any script. */
  readonly name: string
  /** 設置區位 as the office makes it public (R2, R4); null when it said nothing. */
  readonly place: string | null
  readonly credential: Credential | null
  /** Off by default (P8): the rule permits sound only camera by camera. */
  readonly audio: boolean
  /** 1 (most important) to 9: when space runs short, the office gives up the highest number first. */
  readonly priority: number
  readonly streams: readonly StreamConfig[]
}
