import type { CameraConfig, RetentionFloor, VolumeId } from '../domain/index.ts'
import type { Problem } from './problem.ts'

export interface Endpoint { readonly host: string, readonly port: number }
/** `auto`: a certificate of our own making. `off` is only ever on a loopback address. */
export type ConsoleTls = 'auto' | 'off' | { readonly cert: string, readonly key: string }
export interface VolumeConfig { readonly id: VolumeId, readonly path: string }

/** The whole configuration, checked and frozen. Every path is absolute and normalized. */
export interface Config {
  /** Where it was read from. */
  readonly file: string
  /** `timezone` is an IANA zone; days of the floor are days there. */
  readonly site: { readonly name: string, readonly timezone: string }
  readonly state: { readonly dir: string }
  /** Health only; always a loopback address. */
  readonly listen: Endpoint
  readonly console: Endpoint & { readonly tls: ConsoleTls }
  readonly volumes: readonly VolumeConfig[]
  readonly archive: { readonly dir: string, readonly quotaBytes: number } | null
  readonly retention: { readonly floor: RetentionFloor }
  readonly inbox: { readonly dir: string } | null
  /** The file that was read, after `credential:NAME` was looked up. */
  readonly secrets: { readonly file: string } | null
  readonly cameras: readonly CameraConfig[]
}

/** `problems` holds errors and warnings alike, in the order of the file. */
export type ConfigResult =
  | { readonly ok: true, readonly config: Config, readonly warnings: readonly Problem[] }
  | { readonly ok: false, readonly problems: readonly Problem[] }
