/** One stream setup of a simulated device; `uri` is told as it stands. */
export interface SimulatedProfile {
  readonly token: string
  readonly name: string
  readonly codec: 'h264' | 'h265' | 'mjpeg'
  readonly width: number
  readonly height: number
  readonly fps: number
  readonly bitrateKbps: number
  readonly uri: string
  readonly govLength?: number
  readonly sourceToken?: string
}

export interface SimulatedInformation {
  readonly manufacturer: string
  readonly model: string
  readonly firmwareVersion: string
  readonly serialNumber: string
}

export interface SimulatedDevice {
  readonly profiles: readonly SimulatedProfile[]
  /** Without it every question is answered. */
  readonly credential?: { readonly username: string, readonly password: string }
  /** The device's clock minus the host's. */
  readonly clockOffsetMs?: number
  readonly information?: SimulatedInformation
  readonly authentication?: 'ws-security' | 'http-digest-md5' | 'http-digest-sha256'
  /** False: a device of before 2019 that has Media1 only and cannot name H.265. */
  readonly media2?: boolean
  /** False: a device that knows only GetCapabilities. */
  readonly services?: boolean
  /** As some makers have it, against the standard. */
  readonly clockNeedsCredential?: boolean
  /** Where it says its services are; absent: where it is. */
  readonly origin?: string
  /** 0 or absent: any free port. */
  readonly port?: number
}

export const DEFAULT_INFORMATION: SimulatedInformation =
  { manufacturer: 'Example', model: 'Simulated 4', firmwareVersion: '5.10', serialNumber: '00012345678901234567' }
